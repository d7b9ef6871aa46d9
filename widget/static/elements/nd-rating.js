/** One question after the conversation. */

import { t } from '../strings.js'
import { avatar, emit, h } from './dom.js'
import { field } from './fields.js'

export class Rating extends HTMLElement {
  #key = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk }) {
    const it = desk.conversation
    if (!it || this.#key === it.id + it.endedAt) return
    this.#key = it.id + it.endedAt
    const name = it.lastOperator?.name ?? ''
    const words = field('few-words', t('A few words'), { rows: 4, maxlength: 1000 }, t('optional'))
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault()
      const score = Number(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('rating'))
      if (score) emit(this, 'rate', { score, text: words.control.value.trim() })
      else /** @type {HTMLElement | null} */ (this.querySelector('[name=rating]'))?.focus()
    }
    this.replaceChildren(h('form.panel-body.stack.rating', { submit },
      h('div.stack.center.lead', null, avatar(name, 56),
        h('h3', { tabindex: -1 }, t('How was the conversation with {name}?', { name: name.split(' ')[0] }))),
      h('fieldset', null, h('legend.visually-hidden', null, t('Rating, 1 is poor, 5 is great')),
        h('div.rating-scale', null, [1, 2, 3, 4, 5].map((n) =>
          h('label', null, h('input', { type: 'radio', name: 'rating', value: n, 'aria-label': t('{n} of 5', { n }) }), String(n)))),
        h('p.rating-words', { 'aria-hidden': 'true' }, h('span', null, t('poor')), h('span', null, t('great')))),
      words,
      h('div.button-row', null,
        h('button.button', { type: 'button', click: () => emit(this, 'go', { view: 'ended' }) }, t('Skip')),
        h('button.button', { type: 'submit', 'data-kind': 'primary' }, t('Send')))))
  }
}
customElements.define('nd-rating', Rating)
