/** First view: who is here and how fast, what chat is for, the way to a ticket, quick answers. */

import { spanOf, t, tn } from '../strings.js'
import { avatar, avatars, emit, h, icon, iconButton } from './dom.js'
import { answerTime, firstNames, hereAre } from './nd-header.js'

/** @param {string} name icon @param {string} title @param {string} about @param {boolean} main @param {() => void} click */
const choice = (name, title, about, main, click) =>
  h('li', null, h('button.choice', { type: 'button', click }, icon(name),
    h('span.choice-text', null, h('b', null, title), h('span', null, about)),
    main ? h('span.round', null, icon('chevron-right', 'icon icon-mirrored')) : icon('chevron-right', 'icon icon-mirrored')))

export class Home extends HTMLElement {
  #shown = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, site }) {
    const it = desk.conversation
    const hour = new Date().getHours()
    const key = JSON.stringify([desk.staff, it?.id, it?.state, it?.seq, it?.unread, desk.welcomed, hour])
    if (key === this.#shown) return
    this.#shown = key
    // The button that has focus is made anew: its twin gets it.
    const focused = [...this.querySelectorAll('button')].findIndex((button) => button === document.activeElement)
    this.replaceChildren(this.#head(desk, site, hour), h('div.panel-body', null,
      it && this.#resume(it), this.#choices(desk, site, Boolean(it)), this.#suggestions(site)))
    if (focused >= 0) this.querySelectorAll('button')[focused]?.focus()
  }

  /** @param {import('../desk.js').Desk} desk @param {import('../frame.js').Site} site @param {number} hour */
  #head(desk, site, hour) {
    const { staff } = desk
    const names = (staff.names ?? []).slice(0, 3)
    const greeting = hour < 5 || hour > 17 ? t('Good evening.') : hour < 10 ? t('Good morning.') : t('Good day.')
    const nine = staff.reply_p90 ? ` · ${t('9 of 10 in {time}', { time: spanOf(staff.reply_p90) })}` : ''
    return h('header.home-head', null, icon('lamp', 'home-lamp'),
      h('div.home-bar', null, h('span.site-logo', { 'aria-hidden': 'true' }, site.logo), h('span', null, site.name),
        iconButton('x', t('Close'), () => emit(this, 'close'))),
      h('h2', { tabindex: -1 }, greeting, h('span', null, t('How can we help?'))),
      h('div.home-people', null, desk.online > 0 && avatars(names, 36),
        desk.welcomed && h('p', null, h('strong', null, desk.online && names.length ? hereAre(firstNames(staff)) : t('Write at any hour')),
          answerTime(staff) ? answerTime(staff) + nine : desk.online ? t('A person answers') : t('We answer by e-mail'))))
  }

  /** @param {import('../conversation.js').Conversation} it */
  #resume(it) {
    const last = it.entries.findLast((entry) => entry.kind === 'message')
    const operator = it.lastOperator
    const words = last ? `${last.author.kind === 'operator' ? `${last.author.name?.split(' ')[0]}: ` : ''}${last.text}` : ''
    const unread = it.unread
    return h('button.card.choice', { type: 'button', click: () => emit(this, 'go', { view: 'conversation' }) },
      operator ? avatar(operator.name ?? '', 40, it.state === 'active' ? 'online' : undefined) : icon('chat'),
      h('span.choice-text', null, h('b', null, t('Continue the conversation')), h('span', null, words || t('Waiting for an operator'))),
      unread ? h('span.count', { role: 'img', 'aria-label': tn('{n} unread message', '{n} unread messages', unread) }, String(unread))
        : icon('chevron-right', 'icon icon-mirrored'))
  }

  /** @param {import('../desk.js').Desk} desk @param {import('../frame.js').Site} site @param {boolean} again */
  #choices(desk, site, again) {
    const isOpen = desk.conversation?.isOpen
    return h('ul.card.choices', null,
      !isOpen && choice('chat', again ? t('New conversation') : t('Ask a quick question'), site.topics || t('Quick, general questions'), true,
        () => emit(this, 'ask')),
      choice('ticket', t('Open a ticket'), t('Outages, services · reply in 10 min'), false, () => emit(this, 'ticket')))
  }

  /** @param {import('../frame.js').Site} site */
  #suggestions(site) {
    return site.suggestions.length > 0 && h('section.card.suggestions', null,
      h('h3', null, t('Quick answers')),
      h('ul', null, site.suggestions.map((one, index) => h('li', null,
        h('button.suggestion', { type: 'button', click: () => emit(this, 'answer', { index }) },
          icon('article'), h('span', null, one.question), icon('chevron-right', 'icon icon-mirrored', 16))))))
  }
}
customElements.define('nd-home', Home)
