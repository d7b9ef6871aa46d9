/** What was written and is not acknowledged yet. It survives a reload, and each tab sends only its own. */

import { locked } from './storage.js'

/**
 * @typedef {object} Outgoing
 * @property {string} ref the sender's name for it: a resend is the same message
 * @property {'say' | 'leave'} kind
 * @property {string} text
 * @property {number} at milliseconds
 * @property {string} conversation empty: it begins one
 * @property {string} [name]
 * @property {string} [email]
 * @property {string} [department]
 * @property {string} [refused] why it was not taken; it waits for the visitor then
 * @property {number} [tries]
 */

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** 132 random bits. `crypto.randomUUID` is missing on plain http. */
export const newRef = () => Array.from(crypto.getRandomValues(new Uint8Array(22)), (byte) => letters[byte & 63]).join('')

export class Outbox {
  /** @type {Outgoing[]} */
  items = []
  /** Refs sent on the present socket: not sent twice on it. @type {Set<string>} */
  sent = new Set()
  #store
  #tab = newRef()
  #adopted
  /** @type {Set<string>} */
  #watched = new Set()
  #leave = () => {}

  /** @param {import('./storage.js').Store} store @param {() => void} adopted called when orphans came in */
  constructor(store, adopted) {
    this.#store = store
    this.#adopted = adopted
  }

  /** Claims this tab's own outbox and inherits those of tabs that are gone. */
  open() {
    // The lock lives as long as this tab: whoever waits for it inherits what we could not send.
    locked(this.#tab, {}, () => new Promise((leave) => (this.#leave = () => leave(null))))
    for (const key of this.#store.keys('outbox/')) this.inherit(key)
  }

  /** A held lock would keep the page out of the back/forward cache. */
  close() {
    this.#leave()
  }

  /** @param {string} key */
  inherit(key) {
    const tab = key.slice(7)
    if (tab === this.#tab || this.#watched.has(tab)) return
    this.#watched.add(tab)
    locked(tab, {}, () => {
      this.#watched.delete(tab)
      const found = this.#store.get(key)
      if (!Array.isArray(found)) return
      this.#store.set(key, null)
      const known = new Set(this.items.map((item) => item.ref))
      this.items = [...found.filter((item) => !known.has(item.ref)), ...this.items]
      this.#save()
      this.#adopted()
    })
  }

  /** @param {Outgoing} item */
  add(item) {
    this.items.push(item)
    this.#save()
  }

  /** @param {string} ref */
  find(ref) {
    return this.items.find((item) => item.ref === ref)
  }

  /** Acknowledged, or given up by the visitor. @param {string} ref */
  settle(ref) {
    const item = this.find(ref)
    if (item) {
      this.items = this.items.filter((other) => other !== item)
      this.#save()
    }
    return item
  }

  /** @param {Outgoing} item @param {Partial<Outgoing>} change */
  change(item, change) {
    Object.assign(item, change)
    this.sent.delete(item.ref)
    this.#save()
  }

  /** Moves what stands in one conversation to another; empty is the one to begin. @param {string} from @param {string} to */
  move(from, to) {
    for (const item of this.items) if (item.conversation === from) item.conversation = to
    this.#save()
  }

  clear() {
    this.items = []
    this.#save()
  }

  #save() {
    this.#store.set(`outbox/${this.#tab}`, this.items.length ? this.items : null)
  }
}
