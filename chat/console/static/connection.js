/** The operator's socket, which comes back by itself. Knows sockets, passes and timers, not what the frames mean. */

/** @typedef {import('../../protocol/wire.d.ts').ToOperator} ToOperator */
/** @typedef {import('../../protocol/wire.d.ts').OperatorFrame} OperatorFrame */

const SILENCE = 35_000 // the server's heart beats every 20 s
const FIRST_RETRY = 1_000
const LAST_RETRY = 30_000
const TICK = 5_000
const GREETING = 12_000

/** Access has ended: only a sign-in helps. */
class AccessEnded extends Error {}

export class Connection {
  live = false
  /** When the line was lost, in milliseconds; 0 while it is there. */
  lostAt = Date.now()
  ended = false
  #handlers
  /** @type {WebSocket | null} */
  #socket = null
  #dialing = false
  #attempts = 0
  #heard = 0
  #ticked = performance.now()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry
  /** When the next try is due, in milliseconds; 0 for none. */
  nextTry = 0

  /**
   * @param {object} handlers
   * @param {(frame: ToOperator) => void} handlers.receive
   * @param {(live: boolean) => void} handlers.changed
   * @param {() => void} handlers.accessEnded
   */
  constructor(handlers) {
    this.#handlers = handlers
    for (const name of ['online', 'pageshow']) addEventListener(name, () => this.wake())
    document.addEventListener('visibilitychange', () => document.hidden || this.wake())
    setInterval(() => this.#tick(), TICK)
  }

  /** @param {OperatorFrame} frame @returns {boolean} whether it went to the socket, which is no acknowledgement */
  send(frame) {
    if (!this.live || this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(frame))
    return true
  }

  /** Something says that the world may have changed. */
  wake() {
    if (this.ended) return
    // A line that has been quiet longer than a heartbeat may be dead: a second one is opened beside it.
    if (!this.live || performance.now() - this.#heard > SILENCE - 10_000) void this.dial()
  }

  /** Opens a socket with a fresh pass; a line that still stands goes only when the new one does. */
  async dial() {
    if (this.#dialing || this.ended) return
    this.#dialing = true
    clearTimeout(this.#retry)
    this.nextTry = 0
    try {
      const pass = await socketPass()
      const socket = await attended(pass, (frame) => this.#received(socket, frame))
      this.#take(socket)
    } catch (error) {
      if (error instanceof AccessEnded) this.#end()
      else this.#later()
    } finally {
      this.#dialing = false
    }
  }

  close() {
    this.ended = true
    clearTimeout(this.#retry)
    this.#socket?.close()
  }

  /** @param {WebSocket} socket */
  #take(socket) {
    const before = this.#socket
    this.#socket = socket
    this.#attempts = 0
    this.#heard = performance.now()
    socket.onclose = (event) => {
      if (socket !== this.#socket) return
      this.#socket = null
      if (event.code >= 4500 && event.code < 5000) this.#end()
      else {
        this.#lost()
        this.#later(event.code === 4000 ? Math.random() * 500 : undefined)
      }
    }
    before?.close()
    this.live = true
    this.lostAt = 0
    this.#handlers.changed(true)
  }

  /** @param {WebSocket} socket @param {ToOperator} frame */
  #received(socket, frame) {
    if (socket === this.#socket) this.#heard = performance.now()
    if (frame.type === 'beat') socket.send('{"type":"beat"}')
    else if (frame.type === 'retired') setTimeout(() => void this.dial(), frame.after * 1000)
    else this.#handlers.receive(frame)
  }

  #lost() {
    if (!this.live) return
    this.live = false
    this.lostAt = Date.now()
    this.#handlers.changed(false)
  }

  #end() {
    this.ended = true
    this.#lost()
    this.#handlers.accessEnded()
  }

  #later(wait = Math.random() * Math.min(LAST_RETRY, FIRST_RETRY * 2 ** this.#attempts++)) {
    clearTimeout(this.#retry)
    this.nextTry = Date.now() + wait
    this.#retry = setTimeout(() => void this.dial(), wait)
  }

  #tick() {
    const now = performance.now()
    const slept = now - this.#ticked > 3 * TICK
    this.#ticked = now
    if (this.ended) return
    if (this.live && now - this.#heard > SILENCE) {
      const dead = this.#socket
      this.#socket = null
      dead?.close()
      this.#lost()
      void this.dial()
    } else if (slept) void this.dial()
  }
}

/** @returns {Promise<string>} */
async function socketPass() {
  const answer = await fetch('/console/socket-pass', { method: 'POST', signal: AbortSignal.timeout(GREETING) })
  if (answer.status === 401 || answer.status === 403) throw new AccessEnded()
  if (!answer.ok) throw new Error(`socket-pass: ${answer.status}`)
  return (await answer.json()).socket_pass
}

/**
 * A socket that the server has greeted.
 * @param {string} pass
 * @param {(frame: ToOperator) => void} receive
 * @returns {Promise<WebSocket>}
 */
function attended(pass, receive) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/console/socket`)
    const patience = setTimeout(() => socket.close(), GREETING)
    socket.onopen = () => socket.send(JSON.stringify({ type: 'attend', socket_pass: pass }))
    socket.onmessage = (event) => {
      const frame = /** @type {ToOperator} */ (JSON.parse(event.data))
      if (frame.type === 'attended') {
        clearTimeout(patience)
        resolve(socket)
        // The promise's reader comes first, then what the server said.
        queueMicrotask(() => receive(frame))
      } else receive(frame)
    }
    socket.onclose = (event) => {
      clearTimeout(patience)
      reject(event.code === 4503 ? new AccessEnded() : new Error(`closed: ${event.code}`))
    }
  })
}
