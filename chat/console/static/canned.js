/** Canned responses: `/` at the start of a line or after a space opens a list; Tab or Enter inserts. */

import { desk } from './desk.js'
import { byId, h } from './dom.js'
import { t, tn } from './strings.js'

/** @typedef {{ shortcut: string, title: string, texts: Record<string, string> }} Response */
/** @typedef {import('./composer.js').Subject} Subject */

const MOST = 8
const TOKEN = /(?:^|\s)\/([^\s/]{0,40})$/

export class Canned {
  /** @type {Subject | undefined} */
  subject
  #field
  #inserted
  #box = byId('canned')
  /** @type {Response[] | undefined} */
  #responses
  /** @type {Response[]} */
  #found = []
  #chosen = 0
  /** Closed with Escape for this very word. @type {string | undefined} */
  #dismissed

  /** @param {HTMLTextAreaElement} field @param {() => void} inserted */
  constructor(field, inserted) {
    this.#field = field
    this.#inserted = inserted
    field.addEventListener('blur', () => setTimeout(() => this.#box.contains(document.activeElement) || this.close()))
  }

  get isOpen() {
    return !this.#box.hidden
  }

  /** Looks at the words before the caret and opens, narrows or closes the list. */
  async look() {
    const word = this.#word()
    if (word === undefined || word === this.#dismissed) return this.close()
    this.#dismissed = undefined
    this.#responses ??= await load()
    if (this.#word() !== word) return undefined
    this.#found = matching(this.#responses, word).slice(0, MOST)
    this.#chosen = 0
    this.#draw(word)
    return undefined
  }

  /** Opens it by the button: as if `/` had been typed. */
  begin() {
    const { value, selectionStart: at } = this.#field
    const gap = at > 0 && !/\s$/.test(value.slice(0, at)) ? ' /' : '/'
    this.#field.setRangeText(gap, at, this.#field.selectionEnd, 'end')
    this.#field.focus()
    this.#inserted()
  }

  close() {
    this.#box.hidden = true
    this.#box.replaceChildren()
    for (const name of ['aria-activedescendant', 'aria-controls', 'aria-autocomplete']) this.#field.removeAttribute(name)
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the list took it */
  key(event) {
    if (!this.isOpen || event.ctrlKey || event.metaKey || event.altKey) return false
    const count = this.#found.length
    if (event.key === 'ArrowDown' && count) this.#choose((this.#chosen + 1) % count)
    else if (event.key === 'ArrowUp' && count) this.#choose((this.#chosen + count - 1) % count)
    else if ((event.key === 'Enter' || event.key === 'Tab') && count && !event.shiftKey) this.#insert(this.#found[this.#chosen])
    else if (event.key === 'Escape') {
      this.#dismissed = this.#word()
      this.close()
    } else return false
    event.preventDefault()
    event.stopPropagation()
    return true
  }

  #word() {
    return TOKEN.exec(this.#field.value.slice(0, this.#field.selectionStart))?.[1]
  }

  /** @param {Response} response */
  #insert(response) {
    const word = this.#word() ?? ''
    const at = this.#field.selectionStart
    this.#field.setRangeText(this.#textOf(response), at - word.length - 1, at, 'end')
    this.close()
    this.#field.focus()
    this.#inserted()
  }

  /** In the visitor's language where there is one, with names from a fixed table. @param {Response} response */
  #textOf(response) {
    const text = response.texts[this.subject?.locale ?? ''] ?? Object.values(response.texts)[0] ?? ''
    const values = new Map([
      ['visitor.name', this.subject?.visitor ?? ''],
      ['operator.name', desk.operator.name],
      ['site.name', this.subject?.site ?? ''],
    ])
    const filled = text.replace(/\{([a-z.]+)\}/g, (all, name) => values.get(name) ?? all)
    // A name that is not known leaves no gap: "Hello ," is "Hello,".
    return filled.replace(/ +([,.!?])/g, '$1').replace(/ {2,}/g, ' ')
  }

  /** @param {number} index */
  #choose(index) {
    this.#chosen = index
    for (const [at, option] of this.#box.querySelectorAll('[role=option]').entries()) option.ariaSelected = String(at === index)
    this.#field.setAttribute('aria-activedescendant', `canned-${index}`)
    this.#box.querySelector(`#canned-${index}`)?.scrollIntoView({ block: 'nearest' })
    const text = this.#box.querySelector('.canned__text')
    if (text) text.textContent = this.#found[index] ? this.#textOf(this.#found[index]) : ''
  }

  /** @param {string} word */
  #draw(word) {
    const label = word ? t('Canned responses for “{word}”', { word }) : t('Canned responses')
    const options = this.#found.map((response, index) =>
      h(
        'li',
        { role: 'option', id: `canned-${index}`, 'aria-selected': 'false', onpointerdown: () => this.#insert(response) },
        h('b', {}, response.title),
        h('span', {}, `/${response.shortcut}`),
      ),
    )
    const list = h('ul', { class: 'canned__list', role: 'listbox', id: 'canned-list', 'aria-label': label }, ...options)
    const count = h('p', { class: 'canned__meta', role: 'status' }, tn('{n} found', '{n} found', this.#found.length))
    const foot = h(
      'p',
      { class: 'canned__foot' },
      h('span', {}, h('kbd', {}, '↑'), ' ', h('kbd', {}, '↓'), ` ${t('choose')}`),
      h('span', {}, h('kbd', {}, 'Tab'), ` ${t('or')} `, h('kbd', {}, 'Enter'), ` ${t('inserts')}`),
      h('span', {}, h('kbd', {}, 'Esc'), ` ${t('keeps the text')}`),
    )
    this.#box.replaceChildren(list, h('div', { class: 'canned__preview' }, count, h('div', { class: 'canned__text', dir: 'auto' })), foot)
    this.#box.hidden = false
    this.#field.setAttribute('aria-controls', 'canned-list')
    this.#field.setAttribute('aria-autocomplete', 'list')
    this.#choose(0)
  }
}

/** @returns {Promise<Response[]>} */
async function load() {
  try {
    const answer = await fetch('/console/canned.json')
    return answer.ok ? (await answer.json()).responses : []
  } catch {
    return []
  }
}

/** The best first: the start of the shortcut, then of a word, then the letters in this order. @param {Response[]} responses @param {string} word */
function matching(responses, word) {
  const wanted = word.toLocaleLowerCase()
  return responses
    .map((response) => ({ response, rank: rankOf(response, wanted) }))
    .filter(({ rank }) => rank < 9)
    .sort((one, other) => one.rank - other.rank)
    .map(({ response }) => response)
}

/** @param {Response} response @param {string} wanted */
function rankOf({ shortcut, title }, wanted) {
  const [short, long] = [shortcut.toLocaleLowerCase(), title.toLocaleLowerCase()]
  if (short.startsWith(wanted)) return 0
  if (long.split(/\s+/).some((part) => part.startsWith(wanted))) return 1
  if (short.includes(wanted) || long.includes(wanted)) return 2
  // Loosely only from the start of a word on: "ntw" finds "network", "net" not "invoice will be corrected".
  return [short, ...long.split(/\s+/)].some((part) => part[0] === wanted[0] && hasInOrder(part, wanted)) ? 3 : 9
}

/** @param {string} text @param {string} letters */
export function hasInOrder(text, letters) {
  let from = 0
  for (const letter of letters) {
    from = text.indexOf(letter, from) + 1
    if (!from) return false
  }
  return true
}
