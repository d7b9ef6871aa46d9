/**
 * The messages of the open conversation: partials are appended, replaced or put where they belong, each once.
 *
 * Public entries are ordered by their number; a note stands behind the public entry that it follows. An element that
 * holds the focus is never replaced: its newer form waits until the focus has left.
 */

import { desk } from './desk.js'
import { byId, elementOf, h, icon } from './dom.js'
import { localise, t, tn } from './strings.js'

/** @typedef {import('../../protocol/wire.d.ts').Entry} Entry */
/** @typedef {import('./outbox.js').Unsent} Unsent */

const GROUP = 5 * 60_000
const NEAR = 120

export class Log {
  lastSeq = 0
  lastNote = 0
  visitorRead = 0
  #unseen = 0
  /** What scrolls and is read out; the entries stand in its list. */
  #box = byId('messages')
  #list = byId('entries')

  constructor() {
    this.#watch()
  }

  /** The list was replaced by that of another conversation. */
  renew() {
    this.#box = byId('messages')
    this.#list = byId('entries')
    this.lastSeq = Number(this.#box.dataset.lastSeq ?? 0)
    this.lastNote = Number(this.#box.dataset.lastNote ?? 0)
    this.visitorRead = Number(byId('conversation-head').dataset.read ?? 0)
    this.#unseen = 0
    this.#watch()
    this.#tidy()
    this.toEnd()
  }

  get firstSeq() {
    const first = this.#list.querySelector('[data-stream="public"]')
    return first instanceof HTMLElement ? Number(first.dataset.seq) : 0
  }

  /**
   * @param {Entry[]} entries
   * @param {string} stream public or internal
   * @param {{ back?: boolean, reset?: boolean }} [how] `back`: older ones, in front; `reset`: they replace all
   * @returns {Entry[]} those that are new here and not our own
   */
  add(entries, stream, how = {}) {
    const [box, list] = [this.#box, this.#list]
    const atEnd = this.#isAtEnd()
    const height = box.scrollHeight
    // What is only history must not be read out (WCAG 4.1.3), nor one's own echo.
    box.ariaBusy = String(how.back || how.reset || entries.length > 5)
    if (how.reset) for (const old of list.querySelectorAll(`[data-stream="${stream}"]`)) old.remove()
    const fresh = entries.filter((entry) => this.#put(entry, stream) && entry.author.id !== desk.operator.id)
    if (!how.back) {
      const highest = entries.reduce((highest, entry) => Math.max(highest, entry.seq), 0)
      if (stream === 'public') this.lastSeq = how.reset ? highest : Math.max(this.lastSeq, highest)
      else this.lastNote = how.reset ? highest : Math.max(this.lastNote, highest)
    }
    this.#tidy()
    if (how.back) box.scrollTop += box.scrollHeight - height
    else if (atEnd || how.reset) this.toEnd()
    else this.#count(fresh.length)
    requestAnimationFrame(() => (box.ariaBusy = 'false'))
    return fresh
  }

  /** @param {Entry} entry @param {string} stream @returns {boolean} whether it was unknown */
  #put(entry, stream) {
    if (!entry.html) return false
    if (entry.ref) this.removeUnsent(entry.ref)
    const element = elementOf(entry.html)
    element.dataset.stream = stream
    if (entry.kind === 'card') return this.#putCard(element)
    element.id = `${stream}-${entry.seq}`
    if (document.getElementById(element.id)) return false
    this.#insert(element)
    return true
  }

  /** A card stands where its first revision stood. @param {HTMLElement} element */
  #putCard(element) {
    const known = document.getElementById(element.id)
    if (!known) {
      this.#insert(element)
      return true
    }
    if (Number(known.dataset.revision) >= Number(element.dataset.revision)) return false
    element.dataset.seq = known.dataset.seq
    replaceWhenFree(known, element)
    return false
  }

  /** @param {HTMLElement} element */
  #insert(element) {
    const place = placeOf(element)
    let before = this.#list.lastElementChild
    while (before instanceof HTMLElement && (before.dataset.ref || isAfter(placeOf(before), place))) before = before.previousElementSibling
    if (before) before.after(element)
    else this.#list.prepend(element)
  }

  /** A message of ours that the server has not confirmed yet. @param {Unsent} unsent @param {(act: string) => void} act */
  showUnsent(unsent, act) {
    const atEnd = this.#isAtEnd() || unsent.fresh
    const known = this.#list.querySelector(`[data-ref="${unsent.ref}"]`)
    const element = unsentElement(unsent, act)
    if (known) known.replaceWith(element)
    else this.#list.append(element)
    this.#tidy()
    if (atEnd) this.toEnd()
  }

  /** @param {string} ref */
  removeUnsent(ref) {
    this.#list.querySelector(`[data-ref="${ref}"]`)?.remove()
  }

  /** The visitor has seen everything up to there. @param {number} seq */
  seen(seq) {
    this.visitorRead = Math.max(this.visitorRead, seq)
    this.#tidy()
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight
    this.#unseen = 0
    this.#count(0)
  }

  #isAtEnd() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR
  }

  /** @param {number} more */
  #count(more) {
    this.#unseen += more
    const button = document.querySelector('.log__new')
    if (!(button instanceof HTMLElement)) return
    button.hidden = this.#unseen === 0
    button.textContent = tn('{n} new message', '{n} new messages', this.#unseen)
  }

  #watch() {
    this.#box.addEventListener('scroll', () => this.#isAtEnd() && this.#unseen && this.toEnd(), { passive: true })
  }

  /** What depends on the reader or on the neighbours: own words, groups, seen marks, local time. */
  #tidy() {
    /** @type {HTMLElement | null} */
    let previous = null
    for (const element of this.#list.children) {
      if (!(element instanceof HTMLElement)) continue
      const own = element.dataset.author === desk.operator.id
      element.classList.toggle('message--own', own && element.classList.contains('message'))
      if (element.classList.contains('message')) element.classList.toggle('message--joined', previous !== null && belongs(previous, element))
      const mark = element.querySelector('.message__seen')
      if (mark instanceof HTMLElement) mark.hidden = element.dataset.by === 'visitor' || Number(element.dataset.seq) > this.visitorRead
      previous = element
    }
    localise(this.#list)
  }
}

/** @param {HTMLElement} element @returns {[number, number, number]} */
function placeOf(element) {
  const seq = Number(element.dataset.seq)
  return element.dataset.stream === 'internal' ? [Number(element.dataset.after), 1, seq] : [seq, 0, 0]
}

/** @param {number[]} one @param {number[]} other */
function isAfter(one, other) {
  const differs = one.findIndex((value, index) => value !== other[index])
  return differs >= 0 && one[differs] > other[differs]
}

/** One group: the same author, within five minutes. @param {HTMLElement} one @param {HTMLElement} next */
function belongs(one, next) {
  return (
    one.classList.contains('message') &&
    one.dataset.author === next.dataset.author &&
    one.dataset.by === next.dataset.by &&
    Date.parse(next.dataset.at ?? '') - Date.parse(one.dataset.at ?? '') < GROUP
  )
}

/** @param {HTMLElement} old @param {HTMLElement} fresh */
function replaceWhenFree(old, fresh) {
  if (!old.contains(document.activeElement)) old.replaceWith(fresh)
  else old.addEventListener('focusout', () => setTimeout(() => replaceWhenFree(old, fresh)), { once: true })
}

/** @param {Unsent} unsent @param {(act: string) => void} act */
function unsentElement(unsent, act) {
  const words = {
    sent: t('sending …'),
    held: t('held, not sent yet'),
    stopped: unsent.reason ?? '',
    refused: unsent.reason ?? '',
  }[unsent.state]
  const sign = unsent.state === 'refused' || unsent.state === 'stopped' ? 'warning' : 'clock'
  const meta = h('p', { class: 'message__meta' }, icon(sign, 14), words)
  if (unsent.state === 'refused' || unsent.state === 'stopped') {
    for (const [name, label] of [
      ['again', unsent.state === 'stopped' ? t('Send anyway') : t('Try again')],
      ['copy', t('Copy text')],
      ['drop', t('Discard')],
    ]) {
      meta.append(h('button', { type: 'button', class: 'message__act', onclick: () => act(name) }, label))
    }
  }
  const data = { 'data-ref': unsent.ref, 'data-author': desk.operator.id, 'data-by': 'operator', 'data-at': new Date(unsent.at).toISOString() }
  const trouble = unsent.state === 'sent' ? '' : ' message--held'
  if (unsent.mode === 'note') {
    const head = h('p', { class: 'note__head' }, icon('lock', 12), h('b', {}, desk.operator.name))
    return h('li', { class: 'note note--unsent', ...data }, head, h('p', { class: 'note__text', dir: 'auto' }, unsent.text), meta)
  }
  const said = unsent.text || (unsent.files ?? []).map(({ name }) => name).join(', ')
  const bubble = h('div', { class: 'message__bubble', dir: 'auto' }, said)
  const author = h('p', { class: 'message__author' }, desk.operator.name)
  return h('li', { class: `message message--operator message--own${trouble}`, ...data }, h('div', { class: 'message__stack' }, author, bubble, meta))
}
