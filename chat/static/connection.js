/** One line to the server that comes back by itself: a WebSocket, or polls where none gets through. Knows lines and timers, not what frames mean. */

/** @typedef {{ type: string, [name: string]: any }} Frame */
/** @typedef {WebSocket | import('./polled.js').Polled} Line */

const SILENCE = 35_000 // the server's heart beats every 20 s
const DOUBT = 25_000
const GREETING = 8_000
const HURRY = 1_500
const ANSWER = 3_000
const TICK = 5_000
const GOOD = 60_000 // so long a line must have stood to count as a good one
const ACCESS_ENDED = 4503
const FIRST_RETRY = 2_000
const LAST_RETRY = 30_000

/** @template {{ type: string }} Out */
export class Connection {
  live = false
  /** When the line was lost, in milliseconds; 0 while it is there. */
  lostAt = Date.now()
  /** No line is wanted: not opened yet, or the server wants us no more. */
  stopped = true
  #path
  #handlers
  /** The one that was greeted. @type {Line | null} */
  #line = null
  /** The one that was not yet. @type {Line | null} */
  #next = null
  /** @type {typeof import('./polled.js').Polled | undefined} */
  #Polled
  #attempts = 0
  /** In a row without a greeting: after two WebSockets every other one is a poll. */
  #failed = 0
  // By the clock of the wall: others stand still while a computer sleeps.
  #dialled = 0
  #greeted = 0
  #heard = 0
  /** When something was said that nothing was heard after. */
  #said = 0
  #ticked = Date.now()
  /** Until the next try, or the end of this one. @type {ReturnType<typeof setTimeout> | undefined} */
  #timer
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #doubt

  /**
   * @param {string} path below which `/socket` and `/poll` are
   * @param {object} handlers
   * @param {() => Promise<Out[] | null>} handlers.introduce the first frames of a line; null: access has ended
   * @param {(frame: any) => void} handlers.receive
   * @param {(live: boolean, polls: boolean) => void} handlers.changed
   * @param {(code: number) => boolean | void} handlers.ended true: try again at once
   * @param {boolean} [polls] the last line on this computer was one of polls: so begins the next one
   */
  constructor(path, handlers, polls) {
    this.#path = path
    this.#failed = polls ? 2 : 0
    this.#handlers = handlers
    for (const name of ['visibilitychange', 'resume']) document.addEventListener(name, () => this.wake())
    addEventListener('pageshow', () => this.wake())
    // Another network: lines of the old one are dead, and say nothing.
    addEventListener('online', () => this.wake(true))
    // An open line would keep the page out of the back/forward cache.
    addEventListener('pagehide', () => this.#cut())
    setInterval(() => this.#tick(), TICK)
  }

  /** A new line with a new introduction, whatever there was. */
  open() {
    this.#cut()
    this.stopped = false
    if (this.#failed) void this.#poll()
    else this.#dial()
  }

  /** Something says that the world may have changed: a live line is tested, a doubtful or lost one replaced at once. @param {boolean} [isDoubtful] */
  wake(isDoubtful = !this.live || Date.now() - this.#heard > DOUBT) {
    if (this.stopped) return
    const now = Date.now()
    if (isDoubtful && (!this.#next || now - this.#dialled > ANSWER)) {
      this.#attempts = 0
      this.#dial()
    }
    if (!this.send({ type: 'beat', ask: true })) return
    clearTimeout(this.#doubt)
    // Whoever looks waits for no more than a moment: the new line is on its way before this one is given up. Not beside
    // polls, which may wait their turn, and go where a WebSocket does not.
    this.#doubt = setTimeout(() => {
      if (this.#heard >= now) return
      if (!this.#next && !this.#failed) this.#dial()
      this.#doubt = setTimeout(() => this.#heard < now && this.#lost(0), ANSWER - HURRY)
    }, HURRY)
  }

  /** @param {Out | { type: 'beat', ask: true }} frame @returns {boolean} whether it went to the line, which is no acknowledgement */
  send(frame) {
    if (this.#line?.readyState !== WebSocket.OPEN) return false
    this.#line.send(JSON.stringify(frame))
    this.#said ||= Date.now()
    return true
  }

  /** Make before break: a line that still stands goes only when the new one is greeted. */
  #dial() {
    clearTimeout(this.#timer)
    drop(this.#next)
    const { introduce, receive, changed } = this.#handlers
    const Polled = !this.live && this.#failed && this.#failed % 2 === 0 && this.#Polled
    const line = (this.#next = Polled ? new Polled(`${this.#path}/poll`, introduce) : new WebSocket(`${location.origin.replace('http', 'ws')}${this.#path}/socket`))
    this.#dialled = Date.now()
    this.#timer = setTimeout(() => this.#gone(line), GREETING)
    line.onopen = () => introduce().then(
      (frames) => frames ? frames.forEach((frame) => line.send(JSON.stringify(frame))) : this.#gone(line, ACCESS_ENDED),
      () => this.#gone(line),
    )
    line.onmessage = (/** @type {{ data: string }} */ { data }) => {
      this.#heard = Date.now()
      this.#said = 0
      const frame = JSON.parse(data)
      if (line === this.#next && (frame.type === 'welcomed' || frame.type === 'attended')) {
        clearTimeout(this.#timer)
        drop(this.#line)
        this.#line = line
        this.#next = null
        this.#greeted = this.#heard
        this.#failed = Polled ? 2 : 0
        // Perhaps all was away just now, and WebSockets pass again.
        if (Polled) this.#later()
        this.live = true
        this.lostAt = 0
        changed(true, Boolean(Polled))
      }
      // Answered here and not from a timer: timers of hidden tabs are slowed down.
      if (frame.type === 'beat') line.send('{"type":"beat"}')
      else if (frame.type === 'retired') setTimeout(() => line === this.#line && this.#dial(), frame.after * 1000)
      else receive(frame)
    }
    line.onclose = (/** @type {{ code: number, after?: number }} */ { code, after }) => this.#gone(line, code, after)
  }

  /** @param {Line} line @param {number} [code] @param {number} [after] try again then, in milliseconds */
  #gone(line, code = 0, after) {
    drop(line)
    if (code >= 4500 && code < 5000) {
      this.#cut()
      this.stopped = true
      if (this.#handlers.ended(code)) this.open()
    } else if (line === this.#line) this.#lost(after)
    else if (line === this.#next) {
      this.#next = null
      if (this.live) this.#later(this.#failed ? GOOD : undefined)
      else if (++this.#failed % 2) this.#later(after)
      else void this.#poll()
    }
  }

  /** Two in a row got no greeting: perhaps something on the way takes no WebSocket. */
  async #poll() {
    this.#later()
    try {
      // A failed import is remembered under its address.
      this.#Polled ??= (await /** @type {Promise<typeof import('./polled.js')>} */ (import(`./polled.js?${this.#failed}`))).Polled
      if (!this.stopped && !this.live && !this.#next) this.#dial()
    } catch {}
  }

  #leave() {
    clearTimeout(this.#doubt) // it was of this line: the pause before the next try stands
    drop(this.#line)
    this.#line = null
    if (!this.live) return
    this.live = false
    this.lostAt = Date.now()
    if (this.lostAt - this.#greeted > GOOD) this.#attempts = 0
    this.#handlers.changed(false, false)
  }

  /** @param {number} [wait] */
  #lost(wait) {
    this.#leave()
    if (!this.#next) this.#later(wait)
  }

  /** @param {number} [wait] */
  #later(wait = Math.random() * Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#attempts++)) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dial(), wait)
  }

  #cut() {
    drop(this.#next)
    this.#next = null
    clearTimeout(this.#timer)
    this.#leave()
  }

  #tick() {
    const now = Date.now()
    // Late by more than 5 s: this computer slept, or the page was frozen.
    if (now - this.#ticked > 2 * TICK) this.wake()
    // Whoever is there answers sooner: a hub that hangs need not be waited for until it is silent too long.
    else if (this.live && this.#said && now - this.#said > TICK) this.wake()
    else if (this.live && now - this.#heard > SILENCE) this.#lost(0)
    this.#ticked = now
  }
}

/** @param {Line | null} line */
function drop(line) {
  if (!line) return
  line.onopen = line.onmessage = line.onclose = null
  line.close()
}
