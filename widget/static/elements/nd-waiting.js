/** The place in line: number, honest estimate, and a way out. */

import { spanOf, t } from '../strings.js'
import { emit, h, icon, set } from './dom.js'

const LINE = 5

export class Waiting extends HTMLElement {
  #place = h('dd')
  #wait = h('div', null, h('dt', null, t('Estimated wait')), h('dd'))
  #line = h('ol.queue-line', { 'aria-hidden': 'true' }, Array.from({ length: LINE }, () => h('li')))
  #about = h('p')

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('section.card.queue', { role: 'status' },
      h('dl.queue-place', null, h('div', null, h('dt', null, t('Your place in line')), this.#place), this.#wait),
      this.#line, this.#about,
      h('button.button', { type: 'button', click: () => emit(this, 'ticket') }, icon('mail'), t('Leave a message instead'))))
  }

  /** @param {import('../desk.js').Desk} desk */
  show(desk) {
    const it = desk.conversation
    this.hidden = it?.state !== 'waiting' || !it.position
    if (this.hidden || !it) return
    const [number, unit] = it.waitSeconds ? spanOf(it.waitSeconds).split(' ') : ['', '']
    this.#place.textContent = String(it.position)
    this.#wait.hidden = !number
    this.#wait.lastChild.replaceChildren(`${number} `, h('small', null, unit))
    const at = Math.max(0, LINE - it.position)
    for (const [index, step] of [...this.#line.children].entries()) {
      set(step, 'data-done', index < at)
      set(step, 'aria-current', index === at ? 'step' : null)
    }
    const text = it.position === 1
      ? t('You are next. The first person who is free answers here.')
      : t('Everyone is in a conversation. We bring you to the first person who is free.')
    if (this.#about.textContent !== text) this.#about.textContent = text
  }
}
customElements.define('nd-waiting', Waiting)
