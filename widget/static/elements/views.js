/**
 * All views of the panel: the talk with its cards and composer, head, home, answers, the two forms, and what comes after.
 * One file because its elements compress to three quarters of what they are apart.
 */

import { rowsOf } from '../conversation.js'
import { dayOf, listOf, spanOf, t, timeOf, tn } from '../strings.js'
import { avatar, avatars, emit, h, icon, iconButton, linked, rich, set, svg, sync } from './dom.js'

/** @typedef {import('../conversation.js').Row} Row */
/** @typedef {Extract<Row, { kind: 'group' }>} Group */
/** @typedef {import('../conversation.js').Message} Message */

const SKELETON_AFTER = 300
const ERROR_AFTER = 10_000
const TYPING_TOLD_EVERY = 10_000

/** The talk: a real `role=log` whose nodes stay, so that screen readers hear each message once. */
export class Log extends HTMLElement {
  #list = h('div.rows')
  #waiting = h('nd-waiting', { hidden: true })
  #typing = h('div.typing', { hidden: true })
  #told = h('p.visually-hidden', { role: 'status' })
  #toldAt = 0
  #pill = h('button.button.new-messages', { 'data-size': 'small', hidden: true, click: () => this.#toEnd() })
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
        h('button.button', { click: () => emit(this, 'again') }, icon('retry'), t('Try again'))))
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
    sync(body, parts, (part) => (typeof part === 'string' ? part : part.key), (part) => (typeof part === 'string' ? makeEnd(part, last, this) : makeMessage(part)), (child, part) => {
      if (typeof part !== 'string') return set(child, 'data-state', part.state === 'pending' || part.state === 'failed' ? part.state : null)
      if (part === 'meta') meta(child, row, last, desk)
    })
  }
}

/** @param {Message} message */
function makeMessage({ text, files }) {
  const node = h('div.message', { dir: 'auto' }, linked(text))
  if (files) import('../../late/files.js').then(({ show }) => show(node, files))
  return node
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
  const button = (view, label) => h('button.button', { 'data-size': 'small', click: (/** @type {Event} */ event) => emit(/** @type {Element} */ (event.target), view === 'earlier' ? view : 'go', { view }) }, label)
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
    h('p', null, icon('alert', 16), h('span', null, t('Not sent: {reason}', { reason: message.refused ?? '' }))),
    h('div.button-row', null,
      h('button.button', { 'data-size': 'small', click: () => navigator.clipboard?.writeText(message.text) }, icon('copy', 16), t('Copy text')),
      h('button.button', { 'data-size': 'small', click: () => emit(from, 'retry', { ref: message.key }) }, icon('retry', 16), t('Try again'))))
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
  return node.replaceChildren(h('span', null, text), icon(state === 'seen' ? 'checks' : state === 'sent' ? 'check' : 'clock', 16))
}
customElements.define('nd-log', Log)

/** Only web addresses become links. @param {string} url */
const isWeb = (url) => /^https?:\/\//.test(url)

const circle = () => svg('circle', { cx: 18, cy: 18, r: 15.5, pathLength: 100 })

export class TicketCard extends HTMLElement {
  #revision = -1
  #due = 0
  #from = 0
  #skew = 0
  #left = h('span')
  /** The second circle is what is left. */
  #ring = svg('svg', { viewBox: '0 0 36 36', 'aria-hidden': 'true' }, circle(), circle())
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
    this.replaceChildren(h('section.card.ticket-card', { 'aria-label': number ? t('Ticket {number}', { number }) : card.title },
      h('div.ticket-card-head', null, icon('ticket'), h('span', null, number),
        card.state && h('span.state-chip', { 'data-tone': card.tone || null }, card.tone === 'success' && icon('check', 16), card.state)),
      h('h3', { dir: 'auto' }, card.title),
      h('p.ticket-card-about', null, (card.facts ?? []).join(' · ')),
      this.#due > 0 && h('div.due', { role: 'timer', 'aria-label': `${label} ${time}` }, this.#ring,
        h('span', null, h('b', null, `${label} `, h('time', null, time)), this.#left)),
      h('div.button-row', null,
        links.map((link, index) => h('a.button', { 'data-kind': index ? null : 'soft', href: link.url, target: '_blank', rel: 'noopener' }, link.label)),
        number && h('button.button', { click: () => emit(this, 'go', { view: 'conversation' }) }, t('Add details')))))
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
      h('button.button', { click: () => emit(this, 'ticket') }, icon('mail'), t('Leave a message instead'))))
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

/** "Ana, Luka and Nika are here". @param {string[]} names */
export const hereAre = (names) => tn('{names} is here', '{names} are here', names.length, { names: listOf(names) })

/** @param {import('../desk.js').Staff} staff */
export const answerTime = (staff) => (staff.reply_p50 ? t('First reply in {time}', { time: spanOf(staff.reply_p50) }) : '')

/** @param {import('../desk.js').Staff} staff first names only, at most three */
export const firstNames = (staff) => (staff.names ?? []).slice(0, 3).map((name) => name.split(' ')[0])

export class PanelHeader extends HTMLElement {
  #who = h('div.who')
  #sound = h('button.choice', { role: 'switch', click: () => emit(this, 'mute') })
  #end = h('button.choice', { click: () => this.#finish() }, t('End the conversation'))
  #menu = h('div.menu', { id: 'menu', popover: 'auto' }, this.#sound, this.#end)
  #more = iconButton('more', t('More: sound, end'), () => {}, { popovertarget: 'menu' })
  #shown = ''

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('header.panel-header', null,
      iconButton('chevron-left', t('Back'), () => emit(this, 'go', { view: 'home' })),
      this.#who, this.#more, this.#menu,
      iconButton('x', t('Close'), () => emit(this, 'close'))))
  }

  get isMenuOpen() {
    return this.#menu.matches(':popover-open')
  }

  #finish() {
    this.#menu.hidePopover()
    emit(this, 'end')
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, site, view, muted }) {
    const it = desk.conversation
    const isTalk = view === 'conversation'
    this.#sound.textContent = t('Sound')
    set(this.#sound, 'aria-checked', String(!muted))
    this.#end.hidden = !it?.isOpen
    this.#more.hidden = view === 'leave' || view === 'opening'
    const operator = it && (isTalk || view === 'rating') ? it.lastOperator : null
    const names = desk.staff.names ?? []
    const here = desk.online ? hereAre(firstNames(desk.staff)) : t('We answer by e-mail')
    let title = site.name
    let about = answerTime(desk.staff) || here
    if (view === 'leave') [title, about] = [t('Leave a message'), t('We answer by e-mail')]
    else if (isTalk && it?.state === 'waiting') [title, about] = [t('Waiting for an operator'), here]
    else if (operator) {
      title = operator.name ?? ''
      about = it?.endedAt && it.state === 'ended' ? t('Conversation ended {time}', { time: timeOf(it.endedAt) }) : it?.department || about
    }
    const key = JSON.stringify([title, about, names, operator?.name, it?.state])
    if (key === this.#shown) return
    this.#shown = key
    this.#who.replaceChildren(
      operator && title === operator.name ? avatar(title, 36, it?.state === 'active' ? 'online' : 'offline') : names.length && it?.state !== 'waiting' ? avatars(names, 28) : '',
      h('div', null, h('h2', null, title), h('p', null, about)))
  }
}
customElements.define('nd-header', PanelHeader)

/** @param {string} name icon @param {string} title @param {string} about @param {boolean} main @param {() => void} click */
const choice = (name, title, about, main, click) =>
  h('li', null, h('button.choice', { click }, icon(name),
    h('span.choice-text', null, h('b', null, title), h('span', null, about)),
    main ? h('span.round', null, icon('chevron-right')) : icon('chevron-right')))

export class Home extends HTMLElement {
  #shown = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, site }) {
    const it = desk.conversation
    const hour = new Date().getHours()
    const key = JSON.stringify([desk.staff, it?.id, it?.state, it?.seq, it?.unread, desk.welcomed, hour])
    if (key === this.#shown) return
    this.#shown = key
    // The button that has focus is made anew: its twin gets it.
    const focused = [...this.querySelectorAll('button')].findIndex((button) => button === document.activeElement)
    this.replaceChildren(this.#head(desk, site, hour), h('div.panel-body', null,
      it && this.#resume(it), this.#choices(desk, site, Boolean(it)), this.#suggestions(site)))
    if (focused >= 0) this.querySelectorAll('button')[focused]?.focus()
  }

  /** @param {import('../desk.js').Desk} desk @param {import('../frame.js').Site} site @param {number} hour */
  #head(desk, site, hour) {
    const { staff } = desk
    const names = (staff.names ?? []).slice(0, 3)
    const greeting = hour < 5 || hour > 17 ? t('Good evening.') : hour < 10 ? t('Good morning.') : t('Good day.')
    const nine = staff.reply_p90 ? t('9 of 10 in {time}', { time: spanOf(staff.reply_p90) }) : ''
    return h('header.home-head', null, icon('lamp', 0, 'home-lamp'),
      h('div.home-bar', null, h('span.site-logo', { 'aria-hidden': 'true' }, site.logo), h('span', null, site.name),
        iconButton('x', t('Close'), () => emit(this, 'close'))),
      h('h2', { tabindex: -1 }, greeting, h('span', null, t('How can we help?'))),
      h('div.home-people', null, desk.online > 0 && avatars(names, 36),
        desk.welcomed && h('p', null, h('strong', null, desk.online && names.length ? hereAre(firstNames(staff)) : t('Write at any hour')),
          answerTime(staff) ? [h('span', null, answerTime(staff), nine && ' · '), h('span', null, nine)] : desk.online ? t('A person answers') : t('We answer by e-mail'))))
  }

  /** @param {import('../conversation.js').Conversation} it */
  #resume(it) {
    const last = it.entries.findLast((entry) => entry.kind === 'message')
    const operator = it.lastOperator
    const words = last ? `${last.author.kind === 'operator' ? `${last.author.name?.split(' ')[0]}: ` : ''}${last.text}` : ''
    const unread = it.unread
    return h('button.card.choice', { click: () => emit(this, 'go', { view: 'conversation' }) },
      operator ? avatar(operator.name ?? '', 40, it.state === 'active' ? 'online' : undefined) : icon('chat'),
      h('span.choice-text', null, h('b', null, t('Continue the conversation')), h('span', null, words || t('Waiting for an operator'))),
      unread ? h('span.count', { role: 'img', 'aria-label': tn('{n} unread message', '{n} unread messages', unread) }, String(unread))
        : icon('chevron-right'))
  }

  /** @param {import('../desk.js').Desk} desk @param {import('../frame.js').Site} site @param {boolean} again */
  #choices(desk, site, again) {
    const isOpen = desk.conversation?.isOpen
    return h('ul.card.choices', null,
      !isOpen && choice('chat', again ? t('New conversation') : t('Ask a quick question'), site.topics || t('Quick, general questions'), true,
        () => emit(this, 'ask')),
      choice('ticket', t('Open a ticket'), t('Outages, services · reply in 10 min'), false, () => emit(this, 'ticket')))
  }

  /** @param {import('../frame.js').Site} site */
  #suggestions(site) {
    return site.suggestions.length > 0 && h('section.card.suggestions', null,
      h('h3', null, t('Quick answers')),
      h('ul', null, site.suggestions.map((one, index) => h('li', null,
        h('button.choice.suggestion', { click: () => emit(this, 'answer', { index }) },
          icon('article'), h('span', null, one.question), icon('chevron-right', 16))))))
  }
}
customElements.define('nd-home', Home)

/** A prepared answer, at once; a person is one click away. */
export class Answer extends HTMLElement {
  /** @param {import('../frame.js').Shown} shown */
  show({ site, answer }) {
    const one = site.suggestions[answer]
    if (!one || this.firstChild?.textContent?.startsWith(one.question)) return
    this.replaceChildren(
      h('div.panel-body.stack', null,
        h('div.lead', null, h('h3', { tabindex: -1 }, one.question)),
        one.answer.split('\n\n').map((part) => h('p.answer', { dir: 'auto' }, linked(part)))),
      h('div.panel-end', null,
        h('p.hint.center', null, t('Was this not it?')),
        h('button.button', { 'data-kind': 'primary', click: () => emit(this, 'ask') }, icon('chat'), t('Ask a person'))))
  }
}
customElements.define('nd-answer', Answer)

/** A slip that can be seen from here; the server judges for itself. @param {string} text */
const isAddress = (text) => /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(text)

/** Label above, hint beside it, error below. @param {string} name @param {string} label @param {Record<string, any>} attributes */
export function field(name, label, attributes) {
  const id = `f-${name}`
  const control = h(attributes.rows ? 'textarea' : 'input', { id, name, dir: 'auto', ...attributes })
  const hint = h('span', null, t('optional'))
  return Object.assign(h('p.field', null, h('label', { for: id }, label, hint), control), { control, hint })
}

/** Shows or takes away what is wrong with a field. @param {any} paragraph @param {string | false} message */
function fault(paragraph, message) {
  const id = `${paragraph.control.id}-error`
  paragraph.querySelector('.error')?.remove()
  set(paragraph.control, 'aria-invalid', Boolean(message) && 'true')
  set(paragraph.control, 'aria-describedby', message && id)
  if (message) paragraph.append(h('span.error', { id }, icon('alert', 16), message))
  return message && paragraph
}

export class Form extends HTMLElement {
  #title = h('h3', { tabindex: -1 })
  #about = h('p')
  #name = field('name', t('Name'), { autocomplete: 'name', maxlength: 120 })
  #email = field('email', t('E-mail'), { type: 'email', autocomplete: 'email', maxlength: 254 })
  #text = field('text', t('Message'), { rows: 4, maxlength: 10000 })
  #send = h('button.button', { type: 'submit', form: 'form', 'data-kind': 'primary' })
  #wait = h('button.button', { 'data-kind': 'quiet', click: () => emit(this, 'wait') })
  /** @type {any} */
  #department
  /** @type {any} */
  #form
  #leaves = false

  /** @param {import('../frame.js').Shown} shown */
  show({ site, desk, view, draft, person, asked, leaving, leaveFault }) {
    const it = desk.conversation
    const waits = it?.state === 'waiting'
    const leaves = view === 'leave'
    if (!this.#form) this.#build(site, person)
    if (leaves !== this.#leaves) {
      for (const one of [this.#email, this.#text]) fault(one, false)
      this.#leaves = leaves
    }
    const p50 = desk.staff.reply_p50
    // What the conversation knows is not asked again.
    this.#name.hidden = this.#department.hidden = leaves && Boolean(it?.isOpen)
    this.#email.hint.hidden = leaves
    this.#text.hint.hidden = true
    set(this.#email.control, 'required', leaves)
    this.#title.textContent = !leaves ? t('What can we help with?') : waits || asked ? t('No one is free this minute') : t('Open a ticket')
    this.#about.textContent = waits && leaves ? t('Your words are kept. Send them as a ticket, and a person answers by e-mail.')
      : leaves ? t('Write what happened. A person answers by e-mail, the first reply comes within 10 minutes.')
        : p50 ? t('A person answers, usually within {time}.', { time: spanOf(p50) }) : t('A person answers.')
    this.#send.textContent = leaves ? t('Send as a ticket') : t('Start the conversation')
    set(this.#send, 'aria-disabled', leaving && 'true')
    this.#wait.hidden = !(leaves && waits)
    this.#wait.textContent = it?.waitSeconds ? t('Keep waiting, about {time}', { time: spanOf(it.waitSeconds) }) : t('Keep waiting')
    if (this.#text.control.value !== draft) this.#text.control.value = draft
    if (leaveFault) fault(this.#email, leaveFault)
  }

  /** @param {import('../frame.js').Site} site @param {{ name: string, email: string }} person */
  #build(site, person) {
    this.#department = h('fieldset.field', null, h('legend', null, t('Department')), h('div.chips', null, site.departments.map((one, index) =>
      h('label.chip', null, h('input', { type: 'radio', name: 'department', value: one.slug, checked: !index }), one.name))))
    this.#form = h('form.panel-body.stack', { id: 'form', novalidate: true, submit: (/** @type {Event} */ event) => this.#submit(event), input: () => emit(this, 'draft', this.#values()) },
      h('div.lead', null, this.#title, this.#about), site.departments.length > 1 && this.#department, this.#name, this.#email, this.#text)
    this.append(this.#form, h('div.panel-end', null, this.#send, this.#wait))
    this.#name.control.value = person.name
    this.#email.control.value = person.email
  }

  #values() {
    const { name = '', email, text, department = '' } = Object.fromEntries(new FormData(this.#form))
    return { text, department, person: { name, email } }
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    if (this.#send.ariaDisabled) return
    const values = this.#values()
    const email = String(values.person.email).trim()
    const text = String(values.text).trim()
    const bad = [
      fault(this.#email, email ? !isAddress(email) && t('The address looks incomplete. An example: ana@example.com') : this.#leaves && t('We need an address to answer to.')),
      fault(this.#text, !text && t('Write a few words first.')),
    ].find(Boolean)
    if (bad) return bad.control.focus()
    emit(this, this.#leaves ? 'leave' : 'start', { ...values, text, email })
  }
}
customElements.define('nd-form', Form)

export class Rating extends HTMLElement {
  #key = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk }) {
    const it = desk.conversation
    if (!it || this.#key === it.id + it.endedAt) return
    this.#key = it.id + it.endedAt
    const name = it.lastOperator?.name ?? ''
    const words = field('few-words', t('A few words'), { rows: 4, maxlength: 1000 })
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault()
      const score = Number(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('rating'))
      if (score) emit(this, 'rate', { score, text: words.control.value.trim() })
      else /** @type {HTMLElement | null} */ (this.querySelector('[name=rating]'))?.focus()
    }
    this.replaceChildren(h('form.panel-body.stack.rating', { submit },
      h('div.stack.center.lead', null, avatar(name, 56),
        h('h3', { tabindex: -1 }, t('How was the conversation with {name}?', { name: name.split(' ')[0] }))),
      h('fieldset', null, h('legend.visually-hidden', null, t('Rating, 1 is poor, 5 is great')),
        h('div.rating-scale', null, [1, 2, 3, 4, 5].map((n) =>
          h('label', null, h('input', { type: 'radio', name: 'rating', value: n, 'aria-label': t('{n} of 5', { n }) }), String(n)))),
        h('p.rating-words', { 'aria-hidden': 'true' }, h('span', null, t('poor')), h('span', null, t('great')))),
      words,
      h('div.button-row', null,
        h('button.button', { click: () => emit(this, 'go', { view: 'ended' }) }, t('Skip')),
        h('button.button', { type: 'submit', 'data-kind': 'primary' }, t('Send')))))
  }
}
customElements.define('nd-rating', Rating)

export class Ended extends HTMLElement {
  #key = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, person }) {
    const it = desk.conversation
    if (!it) return
    const name = person.name.split(' ')[0]
    const ticket = it.ticket
    const url = ticket?.links?.[0]?.url ?? ''
    const key = JSON.stringify([it.id, it.endedAt, ticket?.revision, name])
    if (key === this.#key) return
    this.#key = key
    const ended = it.endedAt || Date.now()
    /** @param {string} label @param {import('./dom.js').Child} value */
    const fact = (label, value) => value && h('div', null, h('dt', null, label), h('dd', null, value))
    this.replaceChildren(
      h('div.panel-body.stack', null,
        h('div.lead', null, h('h3', { tabindex: -1 }, name ? t('Thank you, {name}', { name }) : t('Thank you')),
          h('p', null, t('The conversation ended at {time}. It stays here, and you can come back to it from any page.', { time: timeOf(ended) }))),
        h('dl.facts', null,
          fact(t('With'), it.lastOperator?.name),
          fact(t('First reply after'), it.firstReplySeconds !== null && spanOf(it.firstReplySeconds)),
          fact(t('Took'), it.startedAt > 0 && spanOf((ended - it.startedAt) / 1000)),
          fact(t('Ticket'), ticket && (isWeb(url) ? h('a', { href: url, target: '_blank', rel: 'noopener' }, ticket.number) : ticket.number))),
        h('button.button', { click: () => emit(this, 'go', { view: 'conversation' }) }, t('Read it again'))),
      h('div.panel-end', null,
        h('button.button', { 'data-kind': 'primary', click: () => emit(this, 'ask') }, icon('chat'), t('New conversation'))))
  }
}
customElements.define('nd-ended', Ended)
