/** Offers: a conversation is mine to take for so many seconds. Nothing on the desk moves, the focus stays where it is. */

import { alertAloud, byId, elementOf } from './dom.js'
import { t } from './strings.js'

export class Offers {
  /** @type {Map<string, { element: HTMLElement, told: number, ends: number }>} */
  #open = new Map()
  #answer
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #stopwatch

  /** @param {(conversation: string, take: boolean) => void} answer */
  constructor(answer) {
    this.#answer = answer
  }

  /** @param {string} conversation @param {number} seconds @param {string} html @returns {string} the visitor's name */
  show(conversation, seconds, html) {
    // Told again on a new line: what is shown stays as it is, with its focus and its time.
    const shown = this.#open.get(conversation)
    if (shown && shown.ends > Date.now()) {
      shown.told = Date.now()
      return shown.element.dataset.name ?? ''
    }
    this.remove(conversation)
    const element = elementOf(html)
    element.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('[data-act]') : null
      if (button instanceof HTMLElement) this.#decide(conversation, button.dataset.act === 'accept')
    })
    byId('offers').append(element)
    this.#open.set(conversation, { element, told: Date.now(), ends: Date.now() + seconds * 1000 })
    this.#stopwatch ??= setInterval(() => this.#tick(), 250)
    alertAloud(`${element.querySelector('h2')?.textContent}. ${t('Press w to take it.')}`)
    this.#tick()
    return element.dataset.name ?? ''
  }

  /** Those that no line has told of since then. @param {number} moment @returns {string[]} */
  toldBefore(moment) {
    return [...this.#open].filter(([, { told }]) => told < moment).map(([conversation]) => conversation)
  }

  /** @param {string} conversation */
  remove(conversation) {
    this.#open.get(conversation)?.element.remove()
    this.#open.delete(conversation)
    if (!this.#open.size) {
      clearInterval(this.#stopwatch)
      this.#stopwatch = undefined
    }
  }

  /** Takes the oldest offer. @returns {boolean} whether there was one */
  takeFirst() {
    const first = this.#open.keys().next().value
    if (first) this.#decide(first, true)
    return first !== undefined
  }

  /** @param {string} conversation @param {boolean} take */
  #decide(conversation, take) {
    this.remove(conversation)
    this.#answer(conversation, take)
  }

  #tick() {
    for (const [conversation, { element, ends }] of this.#open) {
      const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000))
      const figure = element.querySelector('[role=timer]')
      if (figure) figure.textContent = String(left)
      const total = Number(element.dataset.seconds)
      element.querySelectorAll('circle')[1]?.setAttribute('stroke-dasharray', `${left} ${total}`)
      // The server ends it; this only tidies up when its word is late.
      if (Date.now() > ends + 2000) this.remove(conversation)
    }
  }
}
