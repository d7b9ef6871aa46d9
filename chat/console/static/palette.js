/** Ctrl+K: every action with its shortcut beside it, and the way to any conversation of the list. */

import { hasInOrder } from './canned.js'
import { byIdAs, h, icon } from './dom.js'
import { capsOf } from './shortcuts.js'
import { t } from './strings.js'

/** @typedef {import('./shortcuts.js').Command} Command */
/** @typedef {{ label: string, detail: string, icon: string, keys: string[], group: string, run: () => void }} Choice */

const MOST = 12

export class Palette {
  #dialog = byIdAs('palette', HTMLDialogElement)
  #field = h('input', { type: 'text', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'palette-list', autocomplete: 'off' })
  #list = h('div', { class: 'palette__list', id: 'palette-list', role: 'listbox' })
  #commands
  #conversations
  /** @type {Choice[]} */
  #found = []
  #chosen = 0

  /** @param {() => Command[]} commands @param {() => Choice[]} conversations */
  constructor(commands, conversations) {
    this.#commands = commands
    this.#conversations = conversations
    this.#field.setAttribute('aria-label', t('Action or conversation'))
    this.#list.setAttribute('aria-label', t('Results'))
    this.#field.addEventListener('input', () => this.#look())
    this.#field.addEventListener('keydown', (event) => this.#key(event))
    const foot = h(
      'p',
      { class: 'palette__foot' },
      h('span', {}, h('kbd', {}, '↑'), ' ', h('kbd', {}, '↓'), ` ${t('choose')}`),
      h('span', {}, h('kbd', {}, 'Enter'), ` ${t('runs')}`),
    )
    const head = h('div', { class: 'palette__input' }, icon('search', 20), this.#field, h('kbd', {}, 'Esc'))
    this.#dialog.replaceChildren(head, this.#list, foot)
  }

  open() {
    if (document.querySelector('dialog[open]')) return
    this.#field.value = ''
    this.#dialog.showModal()
    this.#look()
    this.#field.focus()
  }

  #look() {
    const wanted = this.#field.value.trim().toLocaleLowerCase()
    /** @type {Choice[]} */
    const actions = this.#commands()
      .filter((command) => command.id !== 'palette' && (command.when?.() ?? true))
      .map((command) => ({ ...command, detail: '', icon: command.icon ?? 'chevron-right' }))
    const all = [...actions, ...this.#conversations()]
    this.#found = all
      .map((choice) => ({ choice, rank: rankOf(choice, wanted) }))
      .filter(({ rank }) => rank < 9)
      .sort((one, other) => one.rank - other.rank)
      .slice(0, MOST)
      .map(({ choice }) => choice)
    this.#draw()
  }

  #draw() {
    /** @type {Map<string, HTMLElement>} */
    const groups = new Map()
    const order = [...new Set(this.#found.map((choice) => choice.group))]
    this.#found.sort((one, other) => order.indexOf(one.group) - order.indexOf(other.group))
    this.#found.forEach((choice, index) => {
      const option = h(
        'div',
        { class: 'palette__one', role: 'option', id: `palette-${index}`, 'aria-selected': 'false', onclick: () => this.#run(choice) },
        icon(choice.icon),
        h('b', { dir: 'auto' }, choice.label),
        h('span', { dir: 'auto' }, choice.detail),
        h('span', { 'aria-hidden': 'true' }, ...choice.keys.flatMap(capsOf).map((cap) => h('kbd', {}, cap))),
      )
      if (!groups.has(choice.group)) {
        const head = h('p', { class: 'palette__group', id: `palette-group-${groups.size}`, 'aria-hidden': 'true' }, choice.group)
        groups.set(choice.group, h('div', { role: 'group', 'aria-label': choice.group }, head))
      }
      groups.get(choice.group)?.append(option)
    })
    this.#list.replaceChildren(...groups.values())
    if (!this.#found.length) this.#list.append(h('div', { role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false', class: 'palette__one' }, t('Nothing found.')))
    this.#choose(0)
  }

  /** @param {number} index */
  #choose(index) {
    this.#chosen = index
    for (const [at, option] of this.#list.querySelectorAll('[role=option]').entries()) option.ariaSelected = String(at === index)
    this.#field.setAttribute('aria-activedescendant', this.#found.length ? `palette-${index}` : '')
    this.#list.querySelector(`#palette-${index}`)?.scrollIntoView({ block: 'nearest' })
  }

  /** @param {Choice} choice */
  #run(choice) {
    this.#dialog.close()
    choice.run()
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const count = this.#found.length
    if (event.isComposing || !count) return
    if (event.key === 'ArrowDown') this.#choose((this.#chosen + 1) % count)
    else if (event.key === 'ArrowUp') this.#choose((this.#chosen + count - 1) % count)
    else if (event.key === 'Enter') this.#run(this.#found[this.#chosen])
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}

/** @param {Choice} choice @param {string} wanted */
function rankOf(choice, wanted) {
  const label = choice.label.toLocaleLowerCase()
  if (!wanted) return choice.keys.length ? 0 : 1
  if (label.startsWith(wanted)) return 0
  if (label.split(/\s+/).some((part) => part.startsWith(wanted))) return 1
  const text = `${label} ${choice.detail.toLocaleLowerCase()}`
  if (text.includes(wanted)) return 2
  return hasInOrder(label, wanted) ? 3 : 9
}
