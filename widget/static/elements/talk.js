/** The talk: a real `role=log` whose nodes stay, so that screen readers hear each message once; its cards; the composer. */

import { rowsOf } from '../conversation.js'
import { dayOf, spanOf, t, timeOf, tn } from '../strings.js'
import { avatar, emit, h, icon, linked, rich, set, sync } from './dom.js'

/** @typedef {import('../conversation.js').Row} Row */
/** @typedef {Extract<Row, { kind: 'group' }>} Group */
/** @typedef {import('../conversation.js').Message} Message */

const SKELETON_AFTER = 300
const ERROR_AFTER = 10_000
const TYPING_TOLD_EVERY = 10_000

export class Log extends HTMLElement {
  #list = h('div.rows')
  #waiting = h('nd-waiting')
  #typing = h('div.typing', { hidden: true })
  #told = h('p.visually-hidden', { role: 'status' })
  #toldAt = 0
  #pill = h('button.button.new-messages', { type: 'button', 'data-size': 'small', hidden: true, click: () => this.#toEnd() })
  #log = h('div.log', { role: 'log', 'aria-label': t('Messages'), tabindex: 0, 'aria-busy': 'true' }, this.#list, this.#waiting, this.#typing, this.#pill)
  #made = Date.now()
  #newest = 0
  #missed = 0
  #sticks = true
  #id = ''

  connectedCallback() {
    if (!this.firstChild) {
      this.append(this.#log, this.#told)
      this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true })
      // Also when the panel was closed, or the keyboard of a phone comes and goes.
      new ResizeObserver(() => this.#sticks && this.#toEnd()).observe(this.#log)
    }
    this.#toEnd()
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk }) {
    const it = desk.conversation
    if (this.#id !== (it?.id ?? '')) [this.#id, this.#newest, this.#missed] = [it?.id ?? '', it?.seq ?? 0, 0]
    const rows = it ? it.rows(desk.outgoing) : rowsOf([], desk.outgoing)
    const isLoading = !rows.length && !desk.welcomed
    set(this.#log, 'aria-busy', isLoading ? 'true' : null)
    if (isLoading) return this.#load()
    this.#list.className = 'rows'
    if (it?.state === 'ended' && it.endedAt) rows.push({ kind: 'event', key: `over${it.rated}`, event: 'over', at: it.endedAt, data: { rated: it.rated || !it.lastOperator }, text: '' })
    if (it?.earlier) rows.unshift({ kind: 'event', key: 'earlier', event: 'earlier', at: 0, data: {}, text: '' })
    sync(this.#list, rows, (row) => row.key, makeRow, (node, row) => this.#update(node, row, desk))
    this.#waiting.show(desk)
    this.#type(it?.typing?.name ?? '')
    const arrived = it?.entries.filter((entry) => entry.seq > this.#newest && entry.kind === 'message') ?? []
    this.#newest = it?.seq ?? 0
    if (this.#sticks || arrived.some((entry) => entry.author.kind === 'visitor')) this.#toEnd()
    else this.#missed += arrived.length
    this.#pill.hidden = !this.#missed
    this.#pill.textContent = tn('{n} new message', '{n} new messages', this.#missed)
  }

  #toEnd() {
    this.#sticks = true
    this.#log.scrollTop = this.#log.scrollHeight
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log
    if (clientHeight) this.#sticks = scrollHeight - scrollTop - clientHeight < 60
    if (this.#missed && this.#sticks) {
      this.#missed = 0
      this.#pill.hidden = true
    }
  }

  #load() {
    const waited = Date.now() - this.#made
    if (waited > ERROR_AFTER) {
      if (this.#list.querySelector('.load-error')) return
      this.#list.replaceChildren(h('div.load-error', null,
        h('p', null, h('b', null, t('This did not load')), t('The connection broke on the way. You can write already; it is sent as soon as the line is back.')),
        h('button.button', { type: 'button', click: () => emit(this, 'again') }, icon('retry'), t('Try again'))))
    } else if (waited > SKELETON_AFTER && !this.#list.firstChild) {
      this.#list.className = 'rows is-loading'
      this.#list.append(...[1, 2, 3].map(() => h('div.skeleton')))
    } else setTimeout(() => emit(this, 'show'), waited > SKELETON_AFTER ? ERROR_AFTER - waited + 1 : SKELETON_AFTER - waited + 1)
  }

  /** @param {string} name */
  #type(name) {
    if (this.#typing.hidden === !name) return
    this.#typing.hidden = !name
    const text = name && t('{name} is typing …', { name: name.split(' ')[0] })
    if (name) this.#typing.replaceChildren(avatar(name, 28), h('span.typing-dots', { 'aria-hidden': 'true' }, h('i'), h('i'), h('i')), h('span', { 'aria-hidden': 'true' }, text))
    if (Date.now() - this.#toldAt > TYPING_TOLD_EVERY || !name) {
      this.#told.textContent = text
      if (name) this.#toldAt = Date.now()
    }
  }

  /** @param {any} node @param {Row} row @param {import('../desk.js').Desk} desk */
  #update(node, row, desk) {
    if (row.kind === 'card') node.show(row.card, row.at, desk.skew)
    if (row.kind !== 'group') return
    const body = node.querySelector('.group-body')
    const last = /** @type {Message} */ (row.messages.at(-1))
    /** @type {(Message | string)[]} */
    const parts = [...row.messages, last.state === 'failed' ? 'failure' : 'meta']
    sync(body, parts, (part) => (typeof part === 'string' ? part : part.key), (part) => (typeof part === 'string' ? makeEnd(part, last, this) : h('div.message', { dir: 'auto' }, linked(part.text))), (child, part) => {
      if (typeof part !== 'string') return set(child, 'data-state', part.state === 'pending' || part.state === 'failed' ? part.state : null)
      if (part === 'meta') meta(child, row, last, desk)
    })
  }
}

/** @param {Row} row */
function makeRow(row) {
  if (row.kind === 'day') return h('p.day', null, h('span', null, dayOf(row.at)))
  if (row.kind === 'card') return h('nd-ticket-card')
  if (row.kind === 'event') return makeEvent(row)
  // One's own echo is not read out.
  if (row.from === 'visitor') return h('div.group', { 'data-from': 'visitor', 'aria-live': 'off' }, h('div.group-body'))
  return h('div.group', { 'data-from': 'operator' }, h('p.group-name', null, row.name), avatar(row.name, 28), h('div.group-body'))
}

/** @param {Extract<Row, { kind: 'event' }>} row */
function makeEvent(row) {
  const time = timeOf(row.at)
  const who = row.data.operator?.name?.split(' ')[0] ?? ''
  const name = h('b', null, who)
  /** @param {string} view @param {string} label */
  const button = (view, label) => h('button.button', { type: 'button', 'data-size': 'small', click: (/** @type {Event} */ event) => emit(/** @type {Element} */ (event.target), view === 'earlier' ? view : 'go', { view }) }, label)
  if (row.event === 'earlier') return h('p.event', null, button('earlier', t('Show earlier messages')))
  if (row.event === 'over') return h('div.event', null, !row.data.rated && button('rating', t('Rate the conversation')), button('ended', t('Summary')))
  /** @type {import('./dom.js').Child[]} */
  let text = [row.text]
  if (row.event === 'assigned') text = rich(t('{name} joined at {time}'), { name, time })
  else if (row.event === 'transferred') {
    const department = h('b', null, row.data.department?.name ?? '')
    text = who ? rich(t('You are now talking to {name} · {time}'), { name, time }) : rich(t('Handed over to {department} · {time}'), { department, time })
  } else if (row.event === 'returned') text = [t('We are looking for the next free person · {time}', { time })]
  else if (row.event === 'reopened') text = [t('The conversation goes on · {time}', { time })]
  else if (row.event === 'ended') text = [t('The conversation ended · {time}', { time })]
  else if (row.event === 'left') text = [row.data.email ? t('We answer by e-mail to {email}', { email: row.data.email }) : t('We answer by e-mail')]
  else if (row.event === 'escalated') text = [t('We opened a ticket for you · {time}', { time })]
  return h('p.event', null, h('span', null, text))
}

/** What stands under the last message of a group. @param {string} part @param {Message} message @param {Element} from */
function makeEnd(part, message, from) {
  if (part === 'meta') return h('p.group-meta')
  return h('div.failure', { role: 'alert' },
    h('p', null, icon('alert', 'icon', 16), h('span', null, t('Not sent: {reason}', { reason: message.refused ?? '' }))),
    h('div.button-row', null,
      h('button.button', { type: 'button', 'data-size': 'small', click: () => navigator.clipboard?.writeText(message.text) }, icon('copy', 'icon', 16), t('Copy text')),
      h('button.button', { type: 'button', 'data-size': 'small', click: () => emit(from, 'retry', { ref: message.key }) }, icon('retry', 'icon', 16), t('Try again'))))
}

/** @param {Element} node @param {Group} row @param {Message} last @param {import('../desk.js').Desk} desk */
function meta(node, row, last, desk) {
  const time = timeOf(last.at)
  const state = row.from === 'visitor' ? last.state : ''
  const key = `${state}${time}${desk.away}`
  if (node.getAttribute('data-shown') === key) return
  set(node, 'data-shown', key)
  set(node, 'data-state', state || null)
  if (!state) return node.replaceChildren(h('time', null, time))
  const text = state === 'seen' ? t('Seen {time}', { time }) : state === 'sent' ? t('Sent {time}', { time }) : desk.away ? t('Waiting for the connection') : t('Sending')
  return node.replaceChildren(h('span', null, text), icon(state === 'seen' ? 'checks' : state === 'sent' ? 'check' : 'clock', 'icon', 16))
}
customElements.define('nd-log', Log)

/** Only web addresses become links. @param {string} url */
const isWeb = (url) => /^https?:\/\//.test(url)

const SVG = 'http://www.w3.org/2000/svg'

/** @returns {SVGElement} the ring; its second circle is what is left */
function ring() {
  const node = document.createElementNS(SVG, 'svg')
  node.setAttribute('viewBox', '0 0 36 36')
  node.setAttribute('aria-hidden', 'true')
  for (let part = 0; part < 2; part++) {
    const circle = node.appendChild(document.createElementNS(SVG, 'circle'))
    for (const [name, value] of Object.entries({ cx: 18, cy: 18, r: 15.5, pathLength: 100 })) circle.setAttribute(name, String(value))
  }
  return node
}

export class TicketCard extends HTMLElement {
  #revision = -1
  #due = 0
  #from = 0
  #skew = 0
  #left = h('span')
  #ring = ring()
  /** @type {AbortController | null} */
  #life = null

  connectedCallback() {
    this.#life = new AbortController()
    const timer = setInterval(() => this.#tick(), 1000)
    this.#life.signal.addEventListener('abort', () => clearInterval(timer))
  }

  disconnectedCallback() {
    this.#life?.abort()
  }

  /** @param {import('../../../chat/protocol/wire.d.ts').Card} card @param {number} at when it came @param {number} skew */
  show(card, at, skew) {
    this.#skew = skew
    if (card.revision === this.#revision) return
    this.#revision = card.revision
    this.#due = Date.parse(card.due_at ?? '') || 0
    this.#from = at
    const number = card.number ?? ''
    const label = card.due_label || t('First reply by')
    const time = timeOf(this.#due)
    const links = (card.links ?? []).filter((link) => isWeb(link.url))
    this.replaceChildren(h('section.card.ticket-card', { 'aria-label': card.kind === 'ticket' ? t('Ticket {number}', { number }) : card.title },
      h('div.ticket-card-head', null, icon('ticket'), h('span', null, number),
        card.state && h('span.state-chip', { 'data-tone': card.tone || null }, card.tone === 'success' && icon('check', 'icon', 16), card.state)),
      h('h3', { dir: 'auto' }, card.title),
      h('p.ticket-card-about', null, (card.facts ?? []).join(' · ')),
      this.#due > 0 && h('div.due', { role: 'timer', 'aria-label': `${label} ${time}` }, this.#ring,
        h('span', null, h('b', null, `${label} `, h('time', null, time)), this.#left)),
      h('div.button-row', null,
        links.map((link, index) => h('a.button', { 'data-kind': index ? null : 'soft', href: link.url, target: '_blank', rel: 'noopener' }, link.label)),
        h('button.button', { type: 'button', click: () => emit(this, 'go', { view: 'conversation' }) }, t('Add details')))))
    this.#tick()
  }

  #tick() {
    if (!this.#due) return
    const seconds = Math.round((this.#due - Date.now() - this.#skew) / 1000)
    const minutes = Math.floor(seconds / 60)
    this.#left.textContent = seconds < 0 ? t('{time} late; we are on it', { time: spanOf(-seconds) })
      : minutes > 59 ? t('{time} left', { time: spanOf(seconds) })
        : t('{minutes} min {seconds} s left', { minutes, seconds: seconds % 60 })
    const share = Math.max(0, Math.min(100, (seconds * 1e5) / Math.max(1, this.#due - this.#from)))
    this.#ring.lastElementChild?.setAttribute('stroke-dasharray', `${share} 100`)
  }
}
customElements.define('nd-ticket-card', TicketCard)

const LINE = 5

/** Number, honest estimate, and a way out. */
export class Waiting extends HTMLElement {
  #place = h('dd')
  #wait = h('div', null, h('dt', null, t('Estimated wait')), h('dd'))
  #line = h('ol.queue-line', { 'aria-hidden': 'true' }, Array.from({ length: LINE }, () => h('li')))
  #about = h('p')

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('section.card.queue', { role: 'status' },
      h('dl.queue-place', null, h('div', null, h('dt', null, t('Your place in line')), this.#place), this.#wait),
      this.#line, this.#about,
      h('button.button', { type: 'button', click: () => emit(this, 'ticket') }, icon('mail'), t('Leave a message instead'))))
  }

  /** @param {import('../desk.js').Desk} desk */
  show(desk) {
    const it = desk.conversation
    this.hidden = it?.state !== 'waiting' || !it.position
    if (this.hidden || !it) return
    const [number, unit] = it.waitSeconds ? spanOf(it.waitSeconds).split(' ') : ['', '']
    this.#place.textContent = String(it.position)
    this.#wait.hidden = !number
    this.#wait.lastChild.replaceChildren(`${number} `, h('small', null, unit))
    const at = Math.max(0, LINE - it.position)
    for (const [index, step] of [...this.#line.children].entries()) {
      set(step, 'data-done', index < at)
      set(step, 'aria-current', index === at ? 'step' : null)
    }
    const text = it.position === 1
      ? t('You are next. The first person who is free answers here.')
      : t('Everyone is in a conversation. We bring you to the first person who is free.')
    if (this.#about.textContent !== text) this.#about.textContent = text
  }
}
customElements.define('nd-waiting', Waiting)

export class Composer extends HTMLElement {
  #box = h('textarea', { id: 'say', rows: 1, 'aria-describedby': 'keys', dir: 'auto', maxlength: 10000, enterkeyhint: 'send' })
  #send = h('button.send', { type: 'submit', 'aria-label': t('Send') }, icon('send'))

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('form.composer', { submit: (/** @type {Event} */ event) => this.#submit(event) },
      h('label.visually-hidden', { for: 'say' }, t('Message')), this.#box,
      h('p.visually-hidden', { id: 'keys' }, t('Enter sends, Shift and Enter makes a new line')), this.#send))
    this.#box.addEventListener('input', () => emit(this, 'draft', { text: this.#box.value, typing: true }))
    this.#box.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      // While an input method composes, Enter chooses a word.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) this.#submit(event)
    })
  }

  /** @override */
  focus() {
    this.#box.focus()
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, draft }) {
    const it = desk.conversation
    const name = it?.operator?.name?.split(' ')[0]
    this.#box.placeholder = it?.state === 'waiting' ? t('Add a detail …')
      : it?.ticket && name ? t('Write to {name} or to the ticket …', { name })
        : it?.state === 'ended' ? t('Write to continue …') : t('Write a message …')
    if (this.#box.value !== draft) this.#box.value = draft
    set(this.#send, 'aria-disabled', draft.trim() ? null : 'true')
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    const text = this.#box.value.trim()
    if (text) emit(this, 'say', { text })
    this.#box.focus()
  }
}
customElements.define('nd-composer', Composer)
