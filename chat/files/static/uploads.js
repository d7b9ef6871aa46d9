/**
 * Files on their way to the server: in pieces, gone on with after each broken connection, cancelled, or refused in words.
 * Shared by all pages. No DOM, and no words of its own.
 */

/** @typedef {'waiting' | 'sending' | 'checking' | 'ready' | 'refused' | 'failed'} State */
/** @typedef {{ id: string, name: string, type: string, size: number, width?: number, height?: number }} Attached */
/**
 * @typedef {object} Door
 * @property {string} address of the uploads
 * @property {() => Promise<Record<string, string>> | Record<string, string>} [headers] who sends it
 */

const PIECE = 512 * 1024
const LONGEST_PAUSE = 20_000
const LOOK_EVERY = 700
export const MOST = 10

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const newRef = () => Array.from(crypto.getRandomValues(new Uint8Array(22)), (byte) => letters[byte & 63]).join('')

/** @typedef {{ message?: string, retry?: boolean, retry_after?: number, received?: number }} Told */

/** What the server answered instead of taking it. */
class Answered extends Error {
  /** @param {Told} told */
  constructor(told) {
    super(told.message ?? '')
    this.told = told
  }
}

export class Upload {
  ref = newRef()
  id = ''
  name
  size
  received = 0
  /** @type {State} */
  state = 'waiting'
  /** Why it waits or was refused, in the reader's language. */
  message = ''
  /** @type {Attached | null} */
  attached = null
  file
  #door
  #changed
  #life = new AbortController()

  /** @param {File} file @param {Door} door @param {(upload: Upload) => void} changed */
  constructor(file, door, changed) {
    this.file = file
    // A picture from the clipboard is always `image.png`.
    this.name = file.name || `file.${file.type.split('/')[1] ?? 'txt'}`
    this.size = file.size
    this.#door = door
    this.#changed = changed
  }

  get isUnderWay() {
    return this.state === 'waiting' || this.state === 'sending' || this.state === 'checking'
  }

  /** Sends it, for as long as it takes. */
  async start() {
    this.#life = new AbortController()
    const { signal } = this.#life
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        this.#take(await this.#ask('POST', '', JSON.stringify({ ref: this.ref, name: this.name, size: this.size })))
        while (this.state === 'sending') {
          const piece = this.file.slice(this.received, this.received + PIECE)
          this.#take(await this.#ask('PUT', `/${this.id}?offset=${this.received}`, piece))
          tries = 0
        }
        while (this.state === 'checking') {
          await pause(LOOK_EVERY, signal)
          this.#take(await this.#ask('GET', `/${this.id}`))
        }
        return
      } catch (error) {
        if (signal.aborted) return
        /** @type {Told} */
        const told = error instanceof Answered ? error.told : { retry: true }
        if (!told.retry) return this.#to(told.message ? 'refused' : 'failed', told.message)
        if (told.received !== undefined) continue
        this.#to(this.received === this.size && this.id ? 'checking' : 'waiting', told.message)
        await pause(told.retry_after ? told.retry_after * 1000 : Math.min(LONGEST_PAUSE, 500 * 2 ** tries) * (0.5 + Math.random()), signal)
      }
    }
  }

  /** Once more, from where it stopped. */
  retry() {
    if (this.state === 'refused') this.ref = newRef()
    this.#to('waiting')
    void this.start()
  }

  /** Nothing of it is kept anywhere. */
  cancel() {
    this.#life.abort()
    if (this.id && this.state !== 'ready') void this.#ask('DELETE', `/${this.id}`, undefined, true).catch(() => {})
  }

  /** @param {any} told */
  #take(told) {
    this.id = told.id
    this.received = told.received
    if (told.state === 'ready') {
      this.name = told.name
      this.attached = { id: told.id, name: told.name, type: told.type, size: told.size, width: told.width, height: told.height }
    }
    this.#to(told.state === 'receiving' ? 'sending' : told.state)
  }

  /** @param {State} state @param {string} [message] */
  #to(state, message = '') {
    this.state = state
    this.message = message
    this.#changed(this)
  }

  /** @param {string} method @param {string} path @param {BodyInit} [body] @param {boolean} [last] outlives the abort */
  async #ask(method, path, body, last) {
    const headers = await this.#door.headers?.()
    const answer = await fetch(this.#door.address + path, { method, body, headers, signal: last ? undefined : this.#life.signal, keepalive: last })
    const told = answer.headers.get('content-type')?.startsWith('application/json') ? await answer.json() : {}
    if (!answer.ok) throw new Answered('code' in told ? told : { retry: answer.status >= 500 || answer.status === 408 || answer.status === 429 })
    return told
  }
}

/** Ends early when the line is back. @param {number} milliseconds @param {AbortSignal} signal */
function pause(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds)
    const early = () => {
      clearTimeout(timer)
      done(undefined)
    }
    addEventListener('online', early, { once: true, signal })
    signal.addEventListener('abort', early, { once: true })
  })
}
