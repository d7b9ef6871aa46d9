/** What the frame keeps for its site: its storage, and in it the messages that are not acknowledged yet. */

/**
 * Work under a lock among the tabs. Where there are no locks, or a browser denies them with the storage, it is done all the same.
 * @param {string} name @param {LockOptions} options @param {(lock: Lock | null) => any} work null with `ifAvailable`: somebody has it
 */
export async function locked(name, options, work) {
  let began = false
  try {
    await navigator.locks.request(`nightdesk:${name}`, options, (lock) => ((began = true), work(lock)))
  } catch {
    if (!began) work(/** @type {Lock} */ ({}))
  }
}

/** A twin in memory stands in where storage is refused or not yet allowed. */
export class Store {
  /** @type {Map<string, string>} */
  #memory = new Map()
  #prefix
  #kept

  /** @param {string} site @param {boolean} kept false: nothing is written until `keep` is called */
  constructor(site, kept) {
    this.#prefix = `nightdesk:${site}:`
    this.#kept = kept
  }

  /** @param {string} key @returns {any} */
  get(key) {
    let text = this.#memory.get(key)
    if (text === undefined && this.#kept) {
      try {
        text = localStorage.getItem(this.#prefix + key) ?? undefined
      } catch {}
    }
    try {
      return text === undefined ? null : JSON.parse(text)
    } catch {
      return null
    }
  }

  /** @param {string} key @param {unknown} value null forgets it */
  set(key, value) {
    const text = JSON.stringify(value)
    try {
      if (!this.#kept) throw 0
      if (value === null) localStorage.removeItem(this.#prefix + key)
      else localStorage.setItem(this.#prefix + key, text)
      this.#memory.delete(key)
    } catch {
      this.#memory.set(key, text)
    }
  }

  /** @param {string} start @returns {string[]} */
  keys(start) {
    const found = new Set([...this.#memory.keys()])
    try {
      if (this.#kept) {
        for (const key of Object.keys(localStorage)) {
          if (key.startsWith(this.#prefix)) found.add(key.slice(this.#prefix.length))
        }
      }
    } catch {}
    return [...found].filter((key) => key.startsWith(start))
  }

  /** Storing is allowed from now on (consent, or a message was sent); false wipes. @param {boolean} allowed */
  keep(allowed) {
    if (!allowed) this.clear()
    this.#kept = allowed
    if (allowed) for (const [key, text] of [...this.#memory]) this.set(key, JSON.parse(text))
  }

  clear() {
    for (const key of this.keys('')) this.set(key, null)
    this.#memory.clear()
  }

  /** Another tab wrote. @param {(key: string) => void} changed */
  watch(changed) {
    addEventListener('storage', (event) => {
      if (event.key?.startsWith(this.#prefix)) changed(event.key.slice(this.#prefix.length))
    })
  }
}

/**
 * @typedef {object} Outgoing
 * @property {string} ref the sender's name for it: a resend is the same message
 * @property {'say' | 'leave'} kind
 * @property {string} text
 * @property {number} at milliseconds
 * @property {string} conversation empty: it begins one
 * @property {import('../files/uploads.js').Attached[]} [files]
 * @property {string} [name]
 * @property {string} [email]
 * @property {string} [department]
 * @property {string} [refused] why it was not taken; it waits for the visitor then
 * @property {number} [tries]
 */

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** 132 random bits. `crypto.randomUUID` is missing on plain http. */
export const newRef = () => Array.from(crypto.getRandomValues(new Uint8Array(22)), (byte) => letters[byte & 63]).join('')

/** It survives a reload, and each tab sends only its own. */
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

  /** @param {Store} store @param {() => void} adopted called when orphans came in */
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
