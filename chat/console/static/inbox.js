/** The list: rows come as partials, the same for all operators; here they are grouped, sorted and filtered for one. */

import { desk, recall } from './desk.js'
import { byId, byIdAs, elementOf } from './dom.js'
import { t } from './strings.js'

/** @typedef {{ name: string, operator: string, state: string, unread: number, version: number, by: string, at: string }} RowFacts */

const MOST_ENDED = 30
const GROUPS = ['our', 'their', 'colleagues', 'ended']

export class Inbox {
  view = 'all'
  #words = ''
  /** @type {((id: string, now: RowFacts, before: RowFacts | undefined) => void)} */
  #changed

  /** @param {(id: string, now: RowFacts, before: RowFacts | undefined) => void} changed a row came or became newer */
  constructor(changed) {
    this.#changed = changed
    for (const row of this.#rows()) this.#mark(row)
    this.#arrange()
  }

  /** @returns {HTMLElement[]} */
  #rows() {
    return /** @type {HTMLElement[]} */ ([...byId('rows').querySelectorAll('li[data-conversation]')])
  }

  /** @param {string} id */
  row(id) {
    return document.getElementById(`row-${id}`)
  }

  /** @param {string} id @returns {RowFacts | undefined} */
  facts(id) {
    const row = this.row(id)
    return row ? factsOf(row) : undefined
  }

  /** @param {string} html @param {boolean} [alone] of many only the last one must be followed by `#arrange` */
  upsert(html, alone = true) {
    const fresh = elementOf(html)
    const id = fresh.dataset.conversation ?? ''
    const known = this.row(id)
    const before = known ? factsOf(known) : undefined
    if (before && before.version > Number(fresh.dataset.version)) return
    if (known) morph(known, fresh)
    const row = known ?? fresh
    if (!known) this.#place(row)
    this.#mark(row)
    if (alone) this.#arrange(row)
    this.#changed(id, factsOf(row), before)
  }

  /** It is no longer for this operator to see. @param {string} id */
  remove(id) {
    this.row(id)?.remove()
    this.#arrange()
  }

  /** All rows there are; others have gone. @param {{ conversation: string, html: string }[]} rows */
  replaceAll(rows) {
    const there = new Set(rows.map((row) => row.conversation))
    for (const row of this.#rows()) {
      if (!there.has(row.dataset.conversation ?? '') && !row.contains(document.activeElement)) row.remove()
    }
    for (const row of rows) this.upsert(row.html, false)
    this.#arrange()
  }

  /** @param {string} view mine, waiting or all */
  show(view) {
    this.view = view
    for (const tab of document.querySelectorAll('.tabs [data-view]')) {
      const chosen = tab instanceof HTMLElement && tab.dataset.view === view
      tab.ariaSelected = String(chosen)
      if (tab instanceof HTMLElement) tab.tabIndex = chosen ? 0 : -1
      if (chosen) byId('rows').setAttribute('aria-labelledby', tab.id)
    }
    for (const button of document.querySelectorAll('.bottom-bar [data-view]')) {
      if (button instanceof HTMLElement) button.ariaPressed = String(button.dataset.view === view)
    }
    this.#arrange()
  }

  /** @param {string} words */
  search(words) {
    this.#words = words.trim().toLocaleLowerCase()
    this.#arrange()
  }

  /** @param {string} id of the open conversation */
  select(id) {
    for (const row of this.#rows()) {
      const link = row.querySelector('a')
      if (row.dataset.conversation === id) link?.setAttribute('aria-current', 'true')
      else link?.removeAttribute('aria-current')
    }
  }

  /** Links of the rows that are shown, from top to bottom. @returns {HTMLAnchorElement[]} */
  links() {
    return this.#rows()
      .filter((row) => !row.hidden && !row.closest('section')?.hidden)
      .map((row) => row.querySelector('a'))
      .filter((link) => link !== null)
  }

  /** Ids in the order of service: whose turn is ours. @returns {string[]} */
  ourTurn() {
    return this.#rows()
      .filter((row) => groupOf(row) === 'our')
      .map((row) => row.dataset.conversation ?? '')
  }

  /** @returns {{ id: string, name: string, text: string }[]} */
  all() {
    return this.#rows().map((row) => ({
      id: row.dataset.conversation ?? '',
      name: row.dataset.name ?? '',
      text: row.querySelector('.row__words')?.textContent ?? '',
    }))
  }

  get waiting() {
    return this.#rows().filter((row) => isWaiting(row)).length
  }

  /** Conversations that wait, or are mine and unread: each once. */
  get lit() {
    return this.#rows().filter((row) => isWaiting(row) || (isMine(row) && Number(row.dataset.unread) > 0)).length
  }

  /** Its messages were seen here. @param {string} id */
  read(id) {
    const row = this.row(id)
    if (!row || !Number(row.dataset.unread)) return
    row.dataset.unread = '0'
    row.querySelector('.row')?.classList.remove('row--unread')
    for (const sign of row.querySelectorAll('.row__dot, .row__unread')) sign.remove()
  }

  /** @param {string} id @param {boolean} typing */
  typing(id, typing) {
    const row = this.row(id)
    for (const [part, hidden] of /** @type {const} */ ([['.row__typing', !typing], ['.row__words', typing]])) {
      const element = row?.querySelector(part)
      if (element instanceof HTMLElement) element.hidden = hidden
    }
    if (row && !typing) this.#mark(row)
    else row?.querySelector('.row__draft')?.setAttribute('hidden', '')
  }

  /** There is an unsent text, or no more. @param {string} id */
  draft(id) {
    const row = this.row(id)
    if (row) this.#mark(row)
  }

  /** What this device or this reader adds to a row. @param {HTMLElement} row */
  #mark(row) {
    const draft = recall(`draft:${row.dataset.conversation}`)
    const sign = row.querySelector('.row__draft')
    const words = row.querySelector('.row__words')
    const text = draft?.[draft.mode] || draft?.reply || draft?.note || ''
    if (sign instanceof HTMLElement && words instanceof HTMLElement) {
      sign.hidden = !text
      words.dataset.said ??= words.textContent ?? ''
      words.textContent = text || words.dataset.said
    }
    const who = row.querySelector('.row__who')
    if (who instanceof HTMLElement) who.hidden = row.dataset.operator === desk.operator.id
  }

  /** Puts one row, or all, into its group and order; then counts. @param {HTMLElement} [only] */
  #arrange(only) {
    for (const row of only ? [only] : this.#rows()) this.#place(row)
    for (const row of [...(document.querySelector('[data-group="ended"] ul')?.children ?? [])].slice(MOST_ENDED)) {
      if (!row.contains(document.activeElement)) row.remove()
    }
    for (const row of this.#rows()) row.hidden = !this.#isShown(row)
    for (const group of GROUPS) {
      const part = document.querySelector(`[data-group="${group}"]`)
      if (!(part instanceof HTMLElement)) continue
      const count = part.querySelectorAll('li:not([hidden])').length
      part.hidden = count === 0
      const figure = part.querySelector('[data-group-count]')
      if (figure) figure.textContent = String(count)
    }
    const open = this.#rows().filter((row) => groupOf(row) !== 'ended')
    const counts = { mine: open.filter(isMine).length, waiting: open.filter(isWaiting).length, all: open.length }
    for (const [view, count] of Object.entries(counts)) {
      const figure = document.querySelector(`[data-tab-count="${view}"]`)
      if (figure) figure.textContent = String(count)
    }
    const quiet = byId('list-quiet')
    quiet.hidden = this.links().length > 0
    quiet.textContent = this.#words ? t('Nothing for “{words}”.', { words: this.#words }) : t('Nobody is waiting.')
  }

  /** @param {HTMLElement} row */
  #isShown(row) {
    if (this.view === 'mine' && !isMine(row)) return false
    if (this.view === 'waiting' && !isWaiting(row)) return false
    if (!this.#words) return true
    return (row.textContent ?? '').toLocaleLowerCase().includes(this.#words)
  }

  /** @param {HTMLElement} row */
  #place(row) {
    const list = document.querySelector(`[data-group="${groupOf(row)}"] ul`)
    if (!list) return
    const next = [...list.children].find((other) => other !== row && other instanceof HTMLElement && isBefore(row, other)) ?? null
    if (row.parentElement === list && row.nextElementSibling === next) return
    const focused = row.contains(document.activeElement) ? document.activeElement : null
    list.insertBefore(row, next)
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true })
  }
}

/** @param {HTMLElement} row @returns {RowFacts} */
function factsOf(row) {
  return {
    name: row.dataset.name ?? '',
    operator: row.dataset.operator ?? '',
    state: row.dataset.state ?? '',
    unread: Number(row.dataset.unread),
    version: Number(row.dataset.version),
    by: row.dataset.by ?? '',
    at: row.dataset.at ?? '',
  }
}

/** The same rule as `group_of` on the server. @param {HTMLElement} row */
function groupOf(row) {
  const { state, operator, waitingSince } = row.dataset
  if (!['waiting', 'offered', 'active'].includes(state ?? '')) return 'ended'
  if (state === 'active' && operator !== desk.operator.id) return 'colleagues'
  return waitingSince ? 'our' : 'their'
}

/** @param {HTMLElement} row */
const isMine = (row) => row.dataset.operator === desk.operator.id && ['active', 'offered'].includes(row.dataset.state ?? '')

/** @param {HTMLElement} row */
const isWaiting = (row) => ['waiting', 'offered'].includes(row.dataset.state ?? '')

/** High priority first, then who waits longest for us; elsewhere the newest first. @param {HTMLElement} one @param {HTMLElement} other */
function isBefore(one, other) {
  if (groupOf(one) === 'our') {
    const priority = Number(one.dataset.priority) - Number(other.dataset.priority)
    return priority ? priority < 0 : (one.dataset.waitingSince ?? '') < (other.dataset.waitingSince ?? '')
  }
  return (one.dataset.at ?? '') > (other.dataset.at ?? '')
}

/** The row takes the newer content; its link, which may hold the focus, stays. @param {HTMLElement} row @param {HTMLElement} fresh */
function morph(row, fresh) {
  Object.assign(row.dataset, fresh.dataset)
  const [link, newer] = [row.querySelector('a'), fresh.querySelector('a')]
  if (!link || !newer) return
  link.className = newer.className
  link.replaceChildren(...newer.childNodes)
}

/** The field above the list. @param {Inbox} inbox */
export function attachSearch(inbox) {
  const field = byIdAs('search-text', HTMLInputElement)
  field.addEventListener('input', () => inbox.search(field.value))
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') closeSearch(inbox)
    else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault()
      inbox.links()[0]?.focus()
    } else return
    event.stopPropagation()
  })
}

export function openSearch() {
  byId('search').hidden = false
  byId('search-text').focus()
}

/** @param {Inbox} inbox */
export function closeSearch(inbox) {
  byIdAs('search-text', HTMLInputElement).value = ''
  byId('search').hidden = true
  inbox.search('')
  byId('rows').focus()
}
