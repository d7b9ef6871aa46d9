/** The frame's own storage, per site; a twin in memory where storage is refused or not yet allowed. */

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
