/** Leave a message with an address: it becomes a ticket. What was typed before is in it already. */

import { spanOf, t } from '../strings.js'
import { emit, h } from './dom.js'
import { departmentField, emailField, fault, field, isAddress, nameField } from './fields.js'

export class Leave extends HTMLElement {
  #title = h('h3', { tabindex: -1 })
  #about = h('p')
  #name = nameField()
  #email = emailField(true)
  #text = field('words', t('Message'), { rows: 5, maxlength: 10000 })
  #wait = h('button.button', { type: 'button', 'data-kind': 'quiet', click: () => emit(this, 'wait') })
  #send = h('button.button', { type: 'submit', form: 'leave', 'data-kind': 'primary' }, t('Send as a ticket'))
  /** @type {any} */
  #department
  /** @type {any} */
  #form

  /** @param {import('../frame.js').Shown} shown */
  show({ site, desk, draft, person, leaving, leaveFault }) {
    const it = desk.conversation
    const isWaiting = it?.state === 'waiting'
    if (!this.#form) {
      this.#department = departmentField(site.departments)
      this.#form = h('form.panel-body.stack', { id: 'leave', novalidate: true, submit: (/** @type {Event} */ event) => this.#submit(event), input: () => this.#keep() },
        h('div.lead', null, this.#title, this.#about), this.#department, this.#name, this.#email, this.#text)
      this.append(this.#form, h('div.panel-end', null, this.#send, this.#wait))
      this.#name.control.value = person.name
      this.#email.control.value = person.email
    }
    const isOpen = Boolean(it?.isOpen)
    if (this.#department) this.#department.hidden = isOpen
    this.#name.hidden = isOpen
    this.#title.textContent = isWaiting || !desk.online ? t('No one is free this minute') : t('Open a ticket')
    this.#about.textContent = isWaiting
      ? t('Your words are kept. Send them as a ticket, and a person answers by e-mail.')
      : t('Write what happened. A person answers by e-mail, the first reply comes within 10 minutes.')
    this.#wait.hidden = !isWaiting
    this.#wait.textContent = it?.waitSeconds ? t('Keep waiting, about {time}', { time: spanOf(it.waitSeconds) }) : t('Keep waiting')
    this.#send.disabled = leaving
    if (this.#text.control.value !== draft) this.#text.control.value = draft
    if (leaveFault) fault(this.#email, leaveFault)
  }

  #keep() {
    emit(this, 'draft', { text: this.#text.control.value, person: { name: this.#name.control.value, email: this.#email.control.value } })
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    const email = this.#email.control.value.trim()
    const text = this.#text.control.value.trim()
    const badEmail = fault(this.#email, email ? (isAddress(email) ? '' : t('The address looks incomplete. An example: ana@example.com')) : t('We need an address to answer to.'))
    const noText = fault(this.#text, text ? '' : t('Write what happened.'))
    if (badEmail || noText) return (badEmail ? this.#email : this.#text).control.focus()
    emit(this, 'leave', { text, email, person: { name: this.#name.control.value, email }, department: new FormData(this.#form).get('department') ?? '' })
  }
}
customElements.define('nd-leave', Leave)
