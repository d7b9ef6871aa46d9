/** After the conversation: what it was, and a new start. */

import { spanOf, t, timeOf } from '../strings.js'
import { emit, h, icon } from './dom.js'

export class Ended extends HTMLElement {
  #key = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, person }) {
    const it = desk.conversation
    if (!it) return
    const name = person.name.split(' ')[0]
    const ticket = it.ticket
    const url = ticket?.links?.[0]?.url ?? ''
    const key = JSON.stringify([it.id, it.endedAt, ticket?.revision, name])
    if (key === this.#key) return
    this.#key = key
    const ended = it.endedAt || Date.now()
    /** @param {string} label @param {import('./dom.js').Child} value */
    const fact = (label, value) => value && h('div', null, h('dt', null, label), h('dd', null, value))
    this.replaceChildren(
      h('div.panel-body.stack', null,
        h('div.lead', null, h('h3', { tabindex: -1 }, name ? t('Thank you, {name}', { name }) : t('Thank you')),
          h('p', null, t('The conversation ended at {time}. It stays here, and you can come back to it from any page.', { time: timeOf(ended) }))),
        h('dl.facts', null,
          fact(t('With'), it.lastOperator?.name),
          fact(t('First reply after'), it.firstReplySeconds !== null && spanOf(it.firstReplySeconds)),
          fact(t('Took'), it.startedAt > 0 && spanOf((ended - it.startedAt) / 1000)),
          fact(t('Ticket'), ticket && (/^https?:/.test(url) ? h('a', { href: url, target: '_blank', rel: 'noopener' }, ticket.number) : ticket.number))),
        h('button.button', { type: 'button', click: () => emit(this, 'go', { view: 'conversation' }) }, t('Read it again'))),
      h('div.panel-end', null,
        h('button.button', { type: 'button', 'data-kind': 'primary', click: () => emit(this, 'ask') }, icon('chat'), t('New conversation'))))
  }
}
customElements.define('nd-ended', Ended)
