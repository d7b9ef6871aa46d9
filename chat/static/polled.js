/** A line of long polls in the shape of a WebSocket: the same frames from the same cursor, where a proxy lets no WebSocket pass. */

const WAIT = 25
const SPARE = 10_000
const MOST_CHARACTERS = 20_000 // a poll holds 64 kB, a character at most three bytes
const MOST_FRAMES = 40
const PAUSE = 1_000
const OPEN = 1
const CLOSED = 3
const ACCESS_ENDED = 4503
/** Of single requests, and nothing to who waits for the next one. */
const OURS = ['beat', 'polled', 'retired']

export class Polled {
  readyState = OPEN
  /** @type {null | (() => void)} never called: each request introduces itself */
  onopen = null
  /** @type {null | ((event: { data: string }) => void)} */
  onmessage = null
  /** @type {null | ((event: { code: number, after?: number }) => void)} */
  onclose = null
  #url
  #introduce
  /** @type {string[]} */
  #out = []
  #state = ''
  #stopped = new AbortController()
  /** Ends a wait that brings nothing but news: there is something to send. */
  #hurry = () => {}

  /** @param {string} url @param {() => Promise<object[] | null>} introduce */
  constructor(url, introduce) {
    this.#url = url
    this.#introduce = introduce
    void this.#run()
  }

  /** @param {string} text */
  send(text) {
    this.#out.push(text)
    this.#hurry()
  }

  close() {
    this.readyState = CLOSED
    this.#stopped.abort()
  }

  async #run() {
    // The first answer is the greeting, at once.
    let wait = 0
    let before = ''
    try {
      while (this.readyState === OPEN) {
        const began = Date.now()
        const frames = await this.#introduce()
        if (!frames) return this.#end(ACCESS_ENDED)
        const sent = this.#take()
        const answer = await this.#ask([...frames.map((frame) => JSON.stringify(frame)), ...sent], sent.length ? 0 : wait)
        if (answer === null) continue
        this.#receive(answer)
        // Nobody asks in circles, whatever stands between us and the server.
        if (wait && !sent.length && answer === before && Date.now() - began < PAUSE) await this.#pause()
        before = answer
        wait = WAIT
      }
    } catch (error) {
      this.#end(0, error instanceof Denied ? error.after : undefined)
    }
  }

  /** What is to be sent, as far as one request holds it. */
  #take() {
    let size = 0
    const fits = this.#out.findIndex((text, index) => (size += text.length) > MOST_CHARACTERS || index >= MOST_FRAMES)
    return this.#out.splice(0, fits < 0 ? this.#out.length : Math.max(1, fits))
  }

  /** @param {string[]} lines @param {number} wait @returns {Promise<string | null>} null: given up for something to send */
  async #ask(lines, wait) {
    const hurried = new AbortController()
    // What carries words is never given up for others: its answer is theirs.
    this.#hurry = () => wait && hurried.abort()
    try {
      const answer = await fetch(`${this.#url}?wait=${wait}&state=${this.#state}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson' },
        body: lines.join('\n'),
        cache: 'no-store',
        signal: AbortSignal.any([this.#stopped.signal, hurried.signal, AbortSignal.timeout(wait * 1000 + SPARE)]),
      })
      if (!answer.ok) throw new Denied(answer)
      return await answer.text()
    } catch (error) {
      if (hurried.signal.aborted) return null
      throw error
    } finally {
      this.#hurry = () => {}
    }
  }

  /** @param {string} answer */
  #receive(answer) {
    for (const data of answer.split('\n').filter(Boolean)) {
      const frame = JSON.parse(data)
      if (frame.type === 'polled') this.#state = frame.state
      if (frame.type === 'closed') this.#end(frame.code)
      else if (!OURS.includes(frame.type)) this.onmessage?.({ data })
    }
  }

  #pause() {
    return new Promise((resolve) => {
      this.#hurry = () => resolve(null)
      setTimeout(resolve, PAUSE)
    })
  }

  /** @param {number} code @param {number} [after] */
  #end(code, after) {
    if (this.readyState === CLOSED) return
    this.close()
    this.onclose?.({ code, after })
  }
}

class Denied extends Error {
  /** When another try makes sense, in milliseconds. @type {number | undefined} */
  after

  /** @param {Response} answer */
  constructor(answer) {
    super(String(answer.status))
    this.after = Number(answer.headers.get('Retry-After')) * 1000 || undefined
  }
}
