/** Unsent words per conversation: at once on this device, after a moment on the server, so that any device restores them. */

import { keep, keysOf, recall } from './desk.js'

/** @typedef {import('../../protocol/wire.d.ts').OperatorFrame} OperatorFrame */
/** @typedef {import('../shared/connection.js').Connection<OperatorFrame>} Connection */
/** @typedef {{ mode: 'reply' | 'note', reply: string, note: string, at: number }} Draft */

const QUIET = 800
const DAY = 86_400_000

/** @returns {Draft} */
const empty = () => ({ mode: 'reply', reply: '', note: '', at: 0 })

export class Drafts {
  #connection
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map()
  /** What the server may not have yet. @type {Set<string>} */
  #dirty = new Set()

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection
    for (const key of keysOf('draft:')) {
      const draft = recall(key)
      if (!draft?.reply && !draft?.note && Date.now() - (draft?.at ?? 0) > DAY) keep(key, undefined)
    }
  }

  /**
   * The newer of what this device and the server have.
   * @param {string} conversation
   * @param {{ mode?: string, text?: string, at?: string }} server
   * @returns {Draft}
   */
  of(conversation, server) {
    /** @type {Draft} */
    const here = recall(`draft:${conversation}`) ?? empty()
    const at = Date.parse(server.at ?? '')
    if (server.text && at > here.at) {
      const mode = server.mode === 'note' ? 'note' : 'reply'
      return { ...here, mode, [mode]: server.text, at }
    }
    return here
  }

  /** @param {string} conversation @param {Draft} draft */
  keep(conversation, draft) {
    // An empty one is kept as well: it is newer than what the server may still have.
    keep(`draft:${conversation}`, draft)
    this.#dirty.add(conversation)
    clearTimeout(this.#timers.get(conversation))
    this.#timers.set(conversation, setTimeout(() => this.#toServer(conversation, draft), QUIET))
  }

  /** The line is back: what the server may have missed. */
  flush() {
    for (const conversation of this.#dirty) this.#toServer(conversation, recall(`draft:${conversation}`) ?? empty())
  }

  /** @param {string} conversation @param {Draft} draft */
  #toServer(conversation, draft) {
    const sent = this.#connection.send({ type: 'keep', conversation, mode: draft.mode, text: draft[draft.mode] })
    if (sent) this.#dirty.delete(conversation)
  }
}
