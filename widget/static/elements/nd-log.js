/** The message list: a real `role=log` whose nodes stay, so that screen readers hear each message once. */

import { rowsOf } from '../conversation.js'
import { dayOf, t, tn, timeOf } from '../strings.js'
import { avatar, emit, h, icon, linked, rich, set, sync } from './dom.js'
import './nd-ticket-card.js'
import './nd-waiting.js'

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
  #id = ''

  connectedCallback() {
    if (!this.firstChild) {
      this.append(this.#log, this.#told)
      this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true })
    }
    this.#toEnd()
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk }) {
    const it = desk.conversation
    const wasAtEnd = this.#isAtEnd
    if (this.#id !== (it?.id ?? '')) [this.#id, this.#newest, this.#missed] = [it?.id ?? '', it?.seq ?? 0, 0]
    const rows = it ? it.rows(desk.outgoing) : rowsOf([], desk.outgoing)
    const isLoading = !rows.length && !desk.welcomed
    set(this.#log, 'aria-busy', isLoading ? 'true' : null)
    if (isLoading) return this.#load()
    this.#list.className = 'rows'
    if (it?.state === 'ended' && it.endedAt) rows.push({ kind: 'event', key: 'over', event: 'over', at: it.endedAt, data: { rated: it.rated || !it.lastOperator }, text: '' })
    if (it?.earlier) rows.unshift({ kind: 'event', key: 'earlier', event: 'earlier', at: 0, data: {}, text: '' })
    sync(this.#list, rows, (row) => (row.event === 'over' ? `over${row.data.rated}` : row.key), makeRow, (node, row) => this.#update(node, row, desk))
    this.#waiting.show(desk)
    this.#type(it?.typing?.name ?? '')
    const arrived = it?.entries.filter((entry) => entry.seq > this.#newest && entry.kind === 'message') ?? []
    this.#newest = it?.seq ?? 0
    if (wasAtEnd || arrived.some((entry) => entry.author.kind === 'visitor')) this.#toEnd()
    else this.#missed += arrived.length
    this.#pill.hidden = !this.#missed
    this.#pill.textContent = tn('{n} new message', '{n} new messages', this.#missed)
  }

  get #isAtEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 60
  }

  #toEnd() {
    this.#log.scrollTop = this.#log.scrollHeight
  }

  #scrolled() {
    if (this.#missed && this.#isAtEnd) {
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
  else if (row.event === 'left') text = [t('We answer by e-mail to {email}', { email: row.data.email ?? '' })]
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
