/**
 * The views around the talk: head, home, answers, the two forms, and what comes after a conversation.
 * Together in one file because they compress to three quarters of what they are apart.
 */

import { listOf, spanOf, t, timeOf, tn } from '../strings.js'
import { avatar, avatars, emit, h, icon, iconButton, linked, set } from './dom.js'

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
      operator && title === operator.name ? avatar(title, 36, it?.state === 'active' ? 'online' : 'offline') : names.length ? avatars(names, 28) : '',
      h('div', null, h('h2', null, title), h('p', null, about)))
  }
}
customElements.define('nd-header', PanelHeader)

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
        h('button.choice.suggestion', { type: 'button', click: () => emit(this, 'answer', { index }) },
          icon('article'), h('span', null, one.question), icon('chevron-right', 'icon icon-mirrored', 16))))))
  }
}
customElements.define('nd-home', Home)

/** A prepared answer, at once; a person is one click away. */
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

/** A slip that can be seen from here; the server judges for itself. @param {string} text */
const isAddress = (text) => /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(text)

/** Label above, hint beside it, error below. @param {string} name @param {string} label @param {Record<string, any>} attributes */
export function field(name, label, attributes) {
  const id = `f-${name}`
  const control = h(attributes.rows ? 'textarea' : 'input', { id, name, dir: 'auto', ...attributes })
  const hint = h('span', null, t('optional'))
  return Object.assign(h('p.field', null, h('label', { for: id }, label, hint), control), { control, hint })
}

/** Shows or takes away what is wrong with a field. @param {any} paragraph @param {string | false} message */
function fault(paragraph, message) {
  const id = `${paragraph.control.id}-error`
  paragraph.querySelector('.error')?.remove()
  set(paragraph.control, 'aria-invalid', Boolean(message) && 'true')
  set(paragraph.control, 'aria-describedby', message && id)
  if (message) paragraph.append(h('span.error', { id }, icon('alert', 'icon', 16), message))
  return message && paragraph
}

export class Form extends HTMLElement {
  #title = h('h3', { tabindex: -1 })
  #about = h('p')
  #name = field('name', t('Name'), { autocomplete: 'name', maxlength: 120 })
  #email = field('email', t('E-mail'), { type: 'email', autocomplete: 'email', maxlength: 254 })
  #text = field('text', t('Message'), { rows: 4, maxlength: 10000 })
  #send = h('button.button', { type: 'submit', form: 'form', 'data-kind': 'primary' })
  #wait = h('button.button', { type: 'button', 'data-kind': 'quiet', click: () => emit(this, 'wait') })
  /** @type {any} */
  #department
  /** @type {any} */
  #form
  #leaves = false

  /** @param {import('../frame.js').Shown} shown */
  show({ site, desk, view, draft, person, asked, leaving, leaveFault }) {
    const it = desk.conversation
    const waits = it?.state === 'waiting'
    const leaves = view === 'leave'
    if (!this.#form) this.#build(site, person)
    if (leaves !== this.#leaves) {
      for (const one of [this.#email, this.#text]) fault(one, false)
      this.#leaves = leaves
    }
    const p50 = desk.staff.reply_p50
    // What the conversation knows is not asked again.
    this.#name.hidden = this.#department.hidden = leaves && Boolean(it?.isOpen)
    this.#email.hint.hidden = leaves
    this.#text.hint.hidden = true
    set(this.#email.control, 'required', leaves)
    this.#title.textContent = !leaves ? t('What can we help with?') : waits || asked ? t('No one is free this minute') : t('Open a ticket')
    this.#about.textContent = waits && leaves ? t('Your words are kept. Send them as a ticket, and a person answers by e-mail.')
      : leaves ? t('Write what happened. A person answers by e-mail, the first reply comes within 10 minutes.')
        : p50 ? t('A person answers, usually within {time}.', { time: spanOf(p50) }) : t('A person answers.')
    this.#send.textContent = leaves ? t('Send as a ticket') : t('Start the conversation')
    set(this.#send, 'aria-disabled', leaving && 'true')
    this.#wait.hidden = !(leaves && waits)
    this.#wait.textContent = it?.waitSeconds ? t('Keep waiting, about {time}', { time: spanOf(it.waitSeconds) }) : t('Keep waiting')
    if (this.#text.control.value !== draft) this.#text.control.value = draft
    if (leaveFault) fault(this.#email, leaveFault)
  }

  /** @param {import('../frame.js').Site} site @param {{ name: string, email: string }} person */
  #build(site, person) {
    this.#department = h('fieldset.field', null, h('legend', null, t('Department')), h('div.chips', null, site.departments.map((one, index) =>
      h('label.chip', null, h('input', { type: 'radio', name: 'department', value: one.slug, checked: !index }), one.name))))
    this.#form = h('form.panel-body.stack', { id: 'form', novalidate: true, submit: (/** @type {Event} */ event) => this.#submit(event), input: () => emit(this, 'draft', this.#values()) },
      h('div.lead', null, this.#title, this.#about), site.departments.length > 1 && this.#department, this.#name, this.#email, this.#text)
    this.append(this.#form, h('div.panel-end', null, this.#send, this.#wait))
    this.#name.control.value = person.name
    this.#email.control.value = person.email
  }

  #values() {
    const { name = '', email, text, department = '' } = Object.fromEntries(new FormData(this.#form))
    return { text, department, person: { name, email } }
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    if (this.#send.ariaDisabled) return
    const values = this.#values()
    const email = String(values.person.email).trim()
    const text = String(values.text).trim()
    const bad = [
      fault(this.#email, email ? !isAddress(email) && t('The address looks incomplete. An example: ana@example.com') : this.#leaves && t('We need an address to answer to.')),
      fault(this.#text, !text && t('Write a few words first.')),
    ].find(Boolean)
    if (bad) return bad.control.focus()
    emit(this, this.#leaves ? 'leave' : 'start', { ...values, text, email })
  }
}
customElements.define('nd-form', Form)

export class Rating extends HTMLElement {
  #key = ''

  /** @param {import('../frame.js').Shown} shown */
  show({ desk }) {
    const it = desk.conversation
    if (!it || this.#key === it.id + it.endedAt) return
    this.#key = it.id + it.endedAt
    const name = it.lastOperator?.name ?? ''
    const words = field('few-words', t('A few words'), { rows: 4, maxlength: 1000 })
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
