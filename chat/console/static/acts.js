/** What operators do with conversations: each act is a command that the server answers. */

import { newRef } from './desk.js'
import { toast } from './dom.js'
import { t } from './strings.js'

/** @typedef {import('./console.js').Console} Console */
/** @typedef {import('../../protocol/wire.d.ts').OperatorFrame} OperatorFrame */

const ANSWER_WITHIN = 10_000

export class Acts {
  #console
  /** Commands that wait for `done` or `refused`. @type {Map<string, (reason: string, conversation: string) => void>} */
  #asked = new Map()

  /** @param {Console} console */
  constructor(console) {
    this.#console = console
  }

  /**
   * A command that is answered by `done` or `refused`.
   * @param {OperatorFrame & { ref?: string | null }} frame
   * @param {boolean} [aloud] whether a refusal is shown here
   * @returns {Promise<{ reason: string, conversation: string }>}
   */
  ask(frame, aloud = false) {
    return new Promise((resolve) => {
      const ref = frame.ref ?? ''
      const patience = setTimeout(() => this.settle(ref, t('The line is away. Nothing was lost; try again.'), ''), ANSWER_WITHIN)
      this.#asked.set(ref, (reason, conversation) => {
        clearTimeout(patience)
        if (reason && aloud) toast(reason)
        resolve({ reason, conversation })
      })
      if (!this.#console.connection.send(frame)) this.settle(ref, t('The line is away. Nothing was lost; try again.'), '')
    })
  }

  /** @param {string} ref @param {string} reason @param {string} conversation @returns {boolean} whether it was asked */
  settle(ref, reason, conversation) {
    const asked = this.#asked.get(ref)
    this.#asked.delete(ref)
    asked?.(reason, conversation)
    return asked !== undefined
  }

  /** The offer, else the oldest that waits. */
  async takeOldest() {
    if (this.#console.offers.takeFirst()) return
    const { reason, conversation } = await this.ask({ type: 'take', ref: newRef() }, true)
    if (!reason && conversation) await this.#console.open.show(conversation)
  }

  async takeThis() {
    const { id } = this.#console.open
    if (id) await this.ask({ type: 'take', ref: newRef(), conversation: id }, true)
  }

  /** @param {string} conversation @param {boolean} take */
  async answerOffer(conversation, take) {
    this.#console.alerts.waits(conversation, undefined)
    const { reason } = await this.ask({ type: take ? 'accept' : 'decline', conversation, ref: newRef() }, true)
    if (take && !reason) {
      await this.#console.open.show(conversation)
      this.#console.composer.write('reply')
    }
  }

  /** @param {string} name @param {string} conversation @param {{ [name: string]: string }} fields @returns {Promise<string>} */
  async sendPanel(name, conversation, fields) {
    if (name === 'transfer') {
      const [kind, target] = (fields.to ?? '').split(':')
      const to = kind === 'operator' ? { operator: target } : { department: target }
      return (await this.ask({ type: 'transfer', ref: newRef(), conversation, note: fields.note ?? '', ...to })).reason
    }
    const { reason } = await this.ask({ type: 'end', ref: newRef(), conversation })
    if (!reason && fields.next) await this.openNext()
    return reason
  }

  async end(next = false) {
    const { id, state } = this.#console.open
    if (!id || state === 'ended') return
    if (!next) return this.#console.dialogs.open(`/console/conversations/${id}/end`)
    const { reason } = await this.ask({ type: 'end', ref: newRef(), conversation: id }, true)
    if (!reason) await this.openNext()
  }

  /** The next one whose turn is ours. */
  async openNext() {
    const next = this.#console.inbox.ourTurn().find((id) => id !== this.#console.open.id)
    if (next) await this.#console.open.show(next)
    else toast(t('Nobody is waiting.'))
  }
}
