/** One row that grows to five. Enter sends, Shift and Enter makes a new line. */

import { t } from '../strings.js'
import { emit, h, icon, set } from './dom.js'

export class Composer extends HTMLElement {
  #box = h('textarea', { id: 'say', rows: 1, 'aria-describedby': 'keys', dir: 'auto', maxlength: 10000, enterkeyhint: 'send' })
  #send = h('button.send', { type: 'submit', 'aria-label': t('Send') }, icon('send'))

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('form.composer', { submit: (/** @type {Event} */ event) => this.#submit(event) },
      h('label.visually-hidden', { for: 'say' }, t('Message')), this.#box,
      h('p.visually-hidden', { id: 'keys' }, t('Enter sends, Shift and Enter makes a new line')), this.#send))
    this.#box.addEventListener('input', () => emit(this, 'draft', { text: this.#box.value, typing: true }))
    this.#box.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
      // While an input method composes, Enter chooses a word.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) this.#submit(event)
    })
  }

  focus() {
    this.#box.focus()
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, draft }) {
    const it = desk.conversation
    const name = it?.operator?.name?.split(' ')[0]
    this.#box.placeholder = it?.state === 'waiting' ? t('Add a detail …')
      : it?.ticket && name ? t('Write to {name} or to the ticket …', { name })
        : it?.state === 'ended' ? t('Write to continue …') : t('Write a message …')
    if (this.#box.value !== draft) this.#box.value = draft
    set(this.#send, 'aria-disabled', draft.trim() ? null : 'true')
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    const text = this.#box.value.trim()
    if (text) emit(this, 'say', { text })
    this.#box.focus()
  }
}
customElements.define('nd-composer', Composer)
