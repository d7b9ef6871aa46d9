/** What the page says of itself, and small things that are kept on this device, per operator. */

/** @typedef {{ key: string, label: string, url: string, icon: string }} Panel */
/** @typedef {{ keys: string, label: string, url: string, icon: string }} RailLink */
/**
 * @typedef {object} Desk
 * @property {{ id: string, name: string }} operator
 * @property {string} status
 * @property {string} locale
 * @property {boolean} sound
 * @property {boolean} letters
 * @property {boolean} enter_sends
 * @property {Panel[]} panels
 * @property {RailLink[]} links
 */

/** @type {Desk} */
export const desk = JSON.parse(document.getElementById('desk')?.textContent ?? '{}')

const PREFIX = `nightdesk:${desk.operator.id}:`
/** Where storage is refused, the page remembers at least until it is left. @type {Map<string, string>} */
const twin = new Map()

/** @param {string} key @returns {any} the value that was kept, or undefined */
export function recall(key) {
  let text
  try {
    text = localStorage.getItem(PREFIX + key)
  } catch {
    text = twin.get(key)
  }
  try {
    return text ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

/** Keeps a value; undefined forgets it. @param {string} key @param {unknown} value */
export function keep(key, value) {
  const text = value === undefined ? undefined : JSON.stringify(value)
  try {
    if (text === undefined) localStorage.removeItem(PREFIX + key)
    else localStorage.setItem(PREFIX + key, text)
  } catch {
    if (text === undefined) twin.delete(key)
    else twin.set(key, text)
  }
}

/** @param {string} start @returns {string[]} what is kept under names that begin so */
export function keysOf(start) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX + start)).map((key) => key.slice(PREFIX.length))
  } catch {
    return [...twin.keys()].filter((key) => key.startsWith(start))
  }
}

/** Forgets all that this operator left on this device: at sign-out. */
export function forgetAll() {
  twin.clear()
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key)
  } catch {
    // Nothing was kept there.
  }
}

/** The name of one thing we send: a resend carries the same one. */
export const newRef = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-')
