/** A prepared answer, at once; a person is one click away. */

import { t } from '../strings.js'
import { emit, h, icon, linked } from './dom.js'

export class Answer extends HTMLElement {
  /** @param {import('../frame.js').Shown} shown */
  show({ site, answer }) {
    const one = site.suggestions[answer]
    if (!one || this.firstChild?.textContent?.startsWith(one.question)) return
    this.replaceChildren(
      h('div.panel-body.stack', null,
        h('div.lead', null, h('h3', { tabindex: -1 }, one.question)),
        one.answer.split('\n\n').map((part) => h('p.answer', { dir: 'auto' }, linked(part)))),
      h('div.panel-end', null,
        h('p.hint.center', null, t('Was this not it?')),
        h('button.button', { type: 'button', 'data-kind': 'primary', click: () => emit(this, 'ask') }, icon('chat'), t('Ask a person'))))
  }
}
customElements.define('nd-answer', Answer)
