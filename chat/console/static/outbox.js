/**
 * What this operator wrote and the server has not confirmed: shown at once, kept over a reload, sent once.
 *
 * `sent` went out and is sent again after a reconnect with the same ref. `held` was written while the line was away:
 * it goes out when nobody has answered meanwhile, else it becomes `stopped` and asks. `refused` says why.
 */

import { keep, newRef, recall } from './desk.js'

/** @typedef {import('../../protocol/wire.d.ts').OperatorFrame} OperatorFrame */
/** @typedef {import('../shared/connection.js').Connection<OperatorFrame>} Connection */
/**
 * @typedef {object} Unsent
 * @property {string} ref
 * @property {string} conversation
 * @property {'reply' | 'note'} mode
 * @property {string} text
 * @property {number} at
 * @property {'sent' | 'held' | 'stopped' | 'refused'} state
 * @property {string} [reason]
 * @property {boolean} [fresh]
 * @property {import('../files/uploads.js').Attached[]} [files]
 */

const PATIENCE = 3_000

export class Outbox {
  /** @type {Unsent[]} */
  #all = recall('outbox') ?? []
  #connection
  #show

  /** @param {Connection} connection @param {(unsent: Unsent) => void} show */
  constructor(connection, show) {
    this.#connection = connection
    this.#show = show
  }

  /** @param {string} conversation @returns {Unsent[]} */
  of(conversation) {
    return this.#all.filter((unsent) => unsent.conversation === conversation)
  }

  /**
   * @param {string} conversation @param {'reply' | 'note'} mode @param {string} text
   * @param {import('../files/uploads.js').Attached[]} [files] @returns {string} its ref
   */
  send(conversation, mode, text, files = []) {
    const { live, lostAt } = this.#connection
    const held = !live && (lostAt === 0 || Date.now() - lostAt > PATIENCE)
    /** @type {Unsent} */
    const unsent = { ref: newRef(), conversation, mode, text, files, at: Date.now(), state: held ? 'held' : 'sent' }
    this.#all.push(unsent)
    this.#keep()
    this.#show({ ...unsent, fresh: true })
    if (!held) this.#transmit(unsent)
    return unsent.ref
  }

  /** The line is back. @param {(unsent: Unsent) => string} answered why a held reply must not go out by itself, or empty */
  flush(answered) {
    for (const unsent of this.#all) {
      if (unsent.state === 'held') {
        const reason = unsent.mode === 'reply' ? answered(unsent) : ''
        unsent.state = reason ? 'stopped' : 'sent'
        unsent.reason = reason || undefined
        this.#show(unsent)
      }
      if (unsent.state === 'sent') this.#transmit(unsent)
    }
    this.#keep()
  }

  /** The server has it. @param {string} ref @returns {boolean} whether it was ours */
  confirm(ref) {
    const known = this.#all.some((unsent) => unsent.ref === ref)
    this.#all = this.#all.filter((unsent) => unsent.ref !== ref)
    if (known) this.#keep()
    return known
  }

  /** @param {string} ref @param {string} reason @param {boolean} retry @param {number} wait seconds */
  refuse(ref, reason, retry, wait) {
    const unsent = this.#all.find((one) => one.ref === ref)
    if (!unsent) return undefined
    if (retry) {
      setTimeout(() => unsent.state === 'sent' && this.#transmit(unsent), Math.max(1, wait) * 1000)
      return undefined
    }
    unsent.state = 'refused'
    unsent.reason = reason
    this.#keep()
    this.#show(unsent)
    return unsent
  }

  /** @param {string} ref */
  again(ref) {
    const unsent = this.#all.find((one) => one.ref === ref)
    if (!unsent) return
    unsent.state = this.#connection.live ? 'sent' : 'held'
    unsent.reason = undefined
    this.#keep()
    this.#show(unsent)
    if (unsent.state === 'sent') this.#transmit(unsent)
  }

  /** @param {Unsent} unsent */
  #transmit({ ref, conversation, mode, text, files = [] }) {
    if (mode === 'note') this.#connection.send({ type: 'note', ref, conversation, text })
    else this.#connection.send({ type: 'say', ref, conversation, text, files: files.map(({ id }) => id) })
  }

  #keep() {
    keep('outbox', this.#all.length ? this.#all : undefined)
  }
}
