/** Head of every view but home: back, who is there, more, close. */

import { listOf, spanOf, t, tn, timeOf } from '../strings.js'
import { avatar, avatars, emit, h, iconButton, set } from './dom.js'

/** "Ana, Luka and Nika are here". @param {string[]} names */
export const hereAre = (names) => tn('{names} is here', '{names} are here', names.length, { names: listOf(names) })

/** @param {import('../desk.js').Staff} staff */
export const answerTime = (staff) => (staff.reply_p50 ? t('First reply in {time}', { time: spanOf(staff.reply_p50) }) : '')

/** @param {import('../desk.js').Staff} staff first names only, at most three */
export const firstNames = (staff) => (staff.names ?? []).slice(0, 3).map((name) => name.split(' ')[0])

export class PanelHeader extends HTMLElement {
  #who = h('div.who')
  #sound = h('button.choice', { type: 'button', role: 'switch', click: () => emit(this, 'mute') })
  #end = h('button.choice', { type: 'button', click: () => this.#finish() }, t('End the conversation'))
  #menu = h('div.menu', { id: 'menu', popover: 'auto' }, this.#sound, this.#end)
  #more = iconButton('more', t('More: sound, end'), () => {}, { popovertarget: 'menu' })
  #shown = ''

  connectedCallback() {
    if (this.firstChild) return
    this.append(h('header.panel-header', null,
      iconButton('chevron-left', t('Back'), () => emit(this, 'go', { view: 'home' })),
      this.#who, this.#more, this.#menu,
      iconButton('x', t('Close'), () => emit(this, 'close'))))
  }

  get isMenuOpen() {
    return this.#menu.matches(':popover-open')
  }

  #finish() {
    this.#menu.hidePopover()
    emit(this, 'end')
  }

  /** @param {import('../frame.js').Shown} shown */
  show({ desk, site, view, muted }) {
    const it = desk.conversation
    const isTalk = view === 'conversation'
    this.#sound.textContent = t('Sound')
    set(this.#sound, 'aria-checked', String(!muted))
    this.#end.hidden = !it?.isOpen
    this.#more.hidden = view === 'leave' || view === 'opening'
    const operator = it && (isTalk || view === 'rating') ? it.lastOperator : null
    const names = desk.staff.names ?? []
    const here = desk.online ? hereAre(firstNames(desk.staff)) : t('We answer by e-mail')
    let title = site.name
    let about = answerTime(desk.staff) || here
    if (view === 'leave') [title, about] = [t('Leave a message'), t('We answer by e-mail')]
    else if (isTalk && it?.state === 'waiting') [title, about] = [t('Waiting for an operator'), here]
    else if (operator) {
      title = operator.name ?? ''
      about = it?.endedAt && it.state === 'ended' ? t('Conversation ended {time}', { time: timeOf(it.endedAt) }) : it?.department || about
    }
    const key = JSON.stringify([title, about, names, operator?.name, it?.state])
    if (key === this.#shown) return
    this.#shown = key
    this.#who.replaceChildren(
      operator && title === operator.name ? avatar(title, 36, it?.state === 'active' ? 'online' : 'offline') : avatars(names, 28),
      h('div', null, h('h2', null, title), h('p', null, about)))
  }
}
customElements.define('nd-header', PanelHeader)
