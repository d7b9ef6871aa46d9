/** Building and finding elements. HTML enters the page in one place: `fragmentOf`, for partials of our own server. */

/** @typedef {{ createHTML(text: string): string }} Policy */

/** @type {Policy} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy('partials', {
  createHTML: (/** @type {string} */ text) => text,
}) ?? { createHTML: (text) => text }

/** A partial of our server as nodes. @param {string} html @returns {DocumentFragment} */
export function fragmentOf(html) {
  const template = document.createElement('template')
  template.innerHTML = policy.createHTML(html)
  return template.content
}

/** The one element of a partial. @param {string} html @returns {HTMLElement} */
export function elementOf(html) {
  const found = fragmentOf(html).firstElementChild
  if (!(found instanceof HTMLElement)) throw new Error('a partial without an element')
  return found
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`#${id} is not in the page`)
  return found
}

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
export function byIdAs(id, type) {
  const found = byId(id)
  if (!(found instanceof type)) throw new Error(`#${id} is no ${type.name}`)
  return found
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | (() => void) | undefined>} [attributes] `on…` are listeners
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value))
  }
  element.append(...children.filter((child) => child !== null && child !== undefined))
  return element
}

const SVG = 'http://www.w3.org/2000/svg'

/** @param {string} name @param {number} [size] */
export function icon(name, size) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', size ? `icon icon--${size}` : 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(SVG, 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}

/** Three dots that move. */
export const dots = () => h('span', { class: 'typing-dots', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))

/** Whether somebody types or chooses there, so that letters are letters. @param {EventTarget | null} target */
export function isField(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio]), textarea, select'))
  )
}

/** @param {string} text @param {{ label: string, run: () => void }} [action] */
export function toast(text, action) {
  const box = h('div', { class: 'toast' }, h('span', {}, text))
  if (action) {
    const press = () => (box.remove(), action.run())
    box.append(h('button', { type: 'button', onclick: press }, action.label))
  }
  byId('toasts').replaceChildren(box)
  setTimeout(() => box.remove(), 8000)
}

/** Says it to screen readers at once. @param {string} text */
export function alertAloud(text) {
  byId('alerts').textContent = text
}
