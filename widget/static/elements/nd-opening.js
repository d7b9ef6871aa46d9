/** Opening form: who asks, about what, and the first message in the same form. */

import { t, spanOf } from '../strings.js'
import { emit, h, set } from './dom.js'
import { departmentField, emailField, fault, field, isAddress, nameField } from './fields.js'

export class Opening extends HTMLElement {
  #name = nameField()
  #email = emailField(false)
  #text = field('text', t('Message'), { rows: 3, maxlength: 10000 })
  #about = h('p')
  /** @type {any} */
  #form

  /** @param {import('../frame.js').Shown} shown */
  show({ site, desk, draft, person }) {
    if (!this.#form) {
      this.#form = h('form.panel-body.stack', { id: 'opening', novalidate: true, submit: (/** @type {Event} */ event) => this.#submit(event), input: () => this.#keep() },
        h('div.lead', null, h('h3', { tabindex: -1 }, t('What can we help with?')), this.#about),
        departmentField(site.departments), this.#name, this.#email, this.#text)
      this.append(this.#form, h('div.panel-end', null,
        h('button.button', { type: 'submit', form: 'opening', 'data-kind': 'primary' }, t('Start the conversation'))))
      this.#name.control.value = person.name
      this.#email.control.value = person.email
      set(this.#text.control, 'enterkeyhint', 'send')
    }
    const p50 = desk.staff.reply_p50
    this.#about.textContent = p50 ? t('A person answers, usually within {time}.', { time: spanOf(p50) }) : t('A person answers.')
    if (this.#text.control.value !== draft) this.#text.control.value = draft
  }

  #keep() {
    emit(this, 'draft', { text: this.#text.control.value, person: { name: this.#name.control.value, email: this.#email.control.value } })
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault()
    const email = this.#email.control.value.trim()
    const text = this.#text.control.value.trim()
    const badEmail = fault(this.#email, email && !isAddress(email) ? t('The address looks incomplete. An example: ana@example.com') : '')
    const noText = fault(this.#text, text ? '' : t('Write your question first.'))
    if (badEmail || noText) return (badEmail ? this.#email : this.#text).control.focus()
    emit(this, 'start', { text, email, person: { name: this.#name.control.value, email }, department: new FormData(this.#form).get('department') ?? '' })
  }
}
customElements.define('nd-opening', Opening)
