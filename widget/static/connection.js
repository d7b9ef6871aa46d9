/** One connection to the server that comes back by itself. Knows sockets and timers, not what the frames mean. */

const SILENCE = 35_000 // the server's heart beats every 20 s
const FIRST_RETRY = 2_000
const LAST_RETRY = 30_000
const PROBE = 3_000
const TICK = 5_000
const ACCESS_ENDED = 4503

/** @typedef {{ type: string, [name: string]: any }} Frame */

export class Connection {
  live = false
  #handlers
  #url
  /** @type {WebSocket | null} */
  #socket = null
  #attempts = 0
  #heard = 0
  #ticked = 0
  #stopped = true
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #probe

  /**
   * @param {string} url
   * @param {object} handlers
   * @param {() => Frame} handlers.hello the first frame of a socket
   * @param {(frame: Frame) => void} handlers.receive
   * @param {(live: boolean) => void} handlers.changed
   * @param {() => boolean} handlers.forget access ended: drop the token; true if there was one
   */
  constructor(url, handlers) {
    this.#url = url
    this.#handlers = handlers
    for (const name of ['online', 'pageshow']) addEventListener(name, () => this.wake())
    document.addEventListener('visibilitychange', () => document.hidden || this.wake())
    addEventListener('pagehide', () => this.close())
    setInterval(() => this.#tick(), TICK)
  }

  open() {
    if (!this.#stopped) return
    this.#stopped = false
    this.#dial()
  }

  close() {
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#drop()
  }

  /** A new socket with a new introduction. */
  restart() {
    this.close()
    this.open()
  }

  /** Something says that the world may have changed: test a live line, dial at once on a dead one. */
  wake() {
    if (this.#stopped) {
      // Back from the back/forward cache.
      this.open()
    } else if (this.live) {
      this.#asked = this.send({ type: 'beat' })
      clearTimeout(this.#probe)
      const asked = performance.now()
      this.#probe = setTimeout(() => this.#heard < asked && this.#lost(), PROBE)
    } else if (this.#socket?.readyState !== WebSocket.CONNECTING) {
      this.#dial()
    }
  }

  /** @param {Frame} frame @returns {boolean} whether it went to the socket, which is no acknowledgement */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  #dial() {
    clearTimeout(this.#retry)
    const before = this.live ? this.#socket : null
    if (!before) this.#drop()
    const socket = new WebSocket(this.#url)
    if (!before) this.#socket = socket
    this.#heard = performance.now()
    const opened = setTimeout(() => socket.close(), PROBE * 4)
    socket.onopen = () => {
      clearTimeout(opened)
      socket.send(JSON.stringify(this.#handlers.hello()))
    }
    socket.onmessage = (event) => {
      this.#heard = performance.now()
      const frame = JSON.parse(event.data)
      if (frame.type === 'beat') {
        // Answered here and not from a timer: timers of hidden tabs are slowed down.
        if (socket.readyState === WebSocket.OPEN && socket === this.#socket) this.#answer(socket)
        return
      }
      if (frame.type === 'welcomed') {
        // Make before break: only now the old one goes.
        if (this.#socket && this.#socket !== socket) this.#quiet(this.#socket)
        clearTimeout(this.#retry)
        this.#socket = socket
        this.live = true
        this.#attempts = 0
        this.#handlers.changed(true)
      }
      if (frame.type === 'retired') setTimeout(() => socket === this.#socket && this.#dial(), frame.after * 1000)
      else this.#handlers.receive(frame)
    }
    socket.onclose = (event) => {
      clearTimeout(opened)
      if (socket !== this.#socket) return before === this.#socket && this.#later()
      if (event.code === ACCESS_ENDED && this.#handlers.forget()) return this.#lost(0)
      if (event.code >= 4500 && event.code < 5000) this.#stopped = true
      return this.#lost()
    }
  }

  #asked = false
  #answered = 0

  /** Not the answer to our own, and at most once in 5 s: two sides which both answer would never stop. @param {WebSocket} socket */
  #answer(socket) {
    const now = performance.now()
    if (!this.#asked && now - this.#answered > TICK) {
      this.#answered = now
      socket.send('{"type":"beat"}')
    }
    this.#asked = false
  }

  /** @param {number} [wait] */
  #lost(wait) {
    this.#drop()
    if (!this.#stopped) this.#later(wait)
  }

  #later(wait = Math.random() * Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#attempts++)) {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#dial(), wait)
  }

  #drop() {
    if (this.#socket) this.#quiet(this.#socket)
    this.#socket = null
    if (this.live) {
      this.live = false
      this.#handlers.changed(false)
    }
  }

  /** @param {WebSocket} socket */
  #quiet(socket) {
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  #tick() {
    const now = performance.now()
    const slept = now - this.#ticked > 3 * TICK
    this.#ticked = now
    if (this.#stopped) return
    if (this.live && now - this.#heard > SILENCE) this.#lost(0)
    else if (slept) this.wake()
  }
}
