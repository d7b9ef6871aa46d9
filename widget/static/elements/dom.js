/** Small tools of the elements: nodes, icons, people, lists that keep their nodes. Text goes in as text only. */

import { sum } from '../strings.js'

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * A node: `h('button.send', { type: 'submit' }, …)`. Functions become listeners, the rest attributes; a button submits only when told to.
 * @param {string} name tag and classes
 * @param {Record<string, any> | null} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(name, attributes, ...children) {
  const [tag, ...classes] = name.split('.')
  const node = document.createElement(tag)
  if (tag === 'button') /** @type {HTMLButtonElement} */ (node).type = tag
  if (classes.length) node.className = classes.join(' ')
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') node.addEventListener(key, value)
    else if (key === 'value') /** @type {HTMLInputElement} */ (node).value = value
    else set(node, key, value)
  }
  node.append(...children.flat().filter((child) => child || child === '').map((child) => /** @type {Node | string} */ (child)))
  return node
}

/** @param {Element} node @param {string} key @param {string | number | boolean | null | undefined} value */
export function set(node, key, value) {
  const text = value === true ? '' : String(value)
  if (value === false || value == null) node.removeAttribute(key)
  else if (node.getAttribute(key) !== text) node.setAttribute(key, text)
}

/** @param {string} name @param {Record<string, string | number | undefined>} attributes @param {...Node} children */
export function svg(name, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) set(node, key, value)
  node.append(...children)
  return node
}

/** @param {string} name of a symbol in the page @param {16 | 0} [size] @param {string} [classes] */
export const icon = (name, size, classes = /chevron/.test(name) ? 'icon icon-mirrored' : 'icon') =>
  svg('svg', { class: classes, 'aria-hidden': 'true', 'data-size': size || undefined }, svg('use', { href: `#i-${name}` }))

/** @param {string} name icon @param {string} label @param {(event: Event) => void} click @param {Record<string, any>} [more] */
export const iconButton = (name, label, click, more) =>
  h('button.icon-button', { 'aria-label': label, click, ...more }, icon(name))

/** Initials on a colour of one's own. @param {string} name @param {number} size @param {string} [presence] */
export function avatar(name, size, presence) {
  const letters = name.split(/\s+/).map((word) => [...word][0] ?? '')
  const initials = (letters[0] ?? '') + (letters.length > 1 ? letters.at(-1) : '')
  // By the first name alone: that is all some views know.
  const tint = sum(name.split(' ')[0], 9973) % 5
  return h('span.avatar', { 'data-size': size, 'data-tint': tint || null, 'data-presence': presence, 'aria-hidden': 'true' }, initials.toUpperCase())
}

/** @param {string[]} names @param {number} size */
export const avatars = (names, size) => h('div.avatars', { 'aria-hidden': 'true' }, names.slice(0, 3).map((name) => avatar(name, size)))

/** Puts nodes into the places of a sentence: `rich(t("{name} joined"), { name: … })`. @param {string} text @param {Record<string, Child>} nodes @returns {Child[]} */
export const rich = (text, nodes) => text.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? nodes[part] : part))

/** Words with their web addresses as links; nothing but http(s) becomes one. @param {string} text @returns {Child[]} */
export const linked = (text) =>
  text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]])/).map((part, index) =>
    index % 2 ? h('a', { href: part, target: '_blank', rel: 'noopener nofollow' }, part) : part)

/** An order to whoever holds the element. @param {Element} from @param {string} name @param {object} [detail] */
export const emit = (from, name, detail) => from.dispatchEvent(new CustomEvent('nd', { bubbles: true, detail: { name, ...detail } }))

/**
 * Makes the children of `parent` those of `items`, in order, keeping nodes by key.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => Element} make
 * @param {(node: any, item: T) => void} [update]
 */
export function sync(parent, items, key, make, update) {
  const wanted = new Set(items.map(key))
  /** @type {Map<string, Element>} */
  const old = new Map()
  for (const node of /** @type {HTMLElement[]} */ ([...parent.children])) {
    const name = node.dataset.key ?? ''
    if (wanted.has(name)) old.set(name, node)
    else node.remove()
  }
  let place = parent.firstElementChild
  for (const item of items) {
    const name = key(item)
    let node = old.get(name)
    if (!node) {
      node = make(item)
      set(node, 'data-key', name)
    }
    update?.(node, item)
    if (node === place) place = place.nextElementSibling
    else parent.insertBefore(node, place)
  }
}
