/** Panels: forms that are fetched by their address and shown in a dialog; some are sent as frames, others posted. */

import { byId, byIdAs, fragmentOf, toast } from './dom.js'
import { t } from './strings.js'

/** @typedef {{ [name: string]: string }} Fields */

export class Dialogs {
  #dialog = byIdAs('panel', HTMLDialogElement)
  #body = byId('panel-body')
  #frame
  #url = ''

  /** @param {(name: string, conversation: string, fields: Fields) => Promise<string>} frame sends it; a reason, or nothing when done */
  constructor(frame) {
    this.#frame = frame
    this.#dialog.addEventListener('submit', (event) => {
      if (event.target instanceof HTMLFormElement) void this.#submit(event, event.target)
    })
    for (const dialog of document.querySelectorAll('dialog')) {
      dialog.addEventListener('click', (event) => {
        const pressed = event.target instanceof Element ? event.target.closest('[data-close]') : null
        // A click on the backdrop has the dialog itself as its target.
        if (pressed || (event.target === dialog && !dialog.querySelector('textarea, input:not([type=radio])'))) dialog.close()
      })
    }
  }

  /** @param {string} url */
  async open(url) {
    if (document.querySelector('dialog[open]')) return
    this.#url = url
    try {
      const answer = await fetch(url, { headers: { 'X-Partial': '1' } })
      if (!answer.ok) throw new Error(String(answer.status))
      this.#show(await answer.text())
    } catch {
      toast(t('This did not load.'), { label: t('Try again'), run: () => void this.open(url) })
    }
  }

  /** @param {string} html */
  #show(html) {
    this.#body.replaceChildren(fragmentOf(html))
    const title = this.#body.querySelector('h1[id], h2[id]')
    if (title) this.#dialog.setAttribute('aria-labelledby', title.id)
    if (!this.#dialog.open) this.#dialog.showModal()
    const first = this.#body.querySelector('[aria-invalid=true], [autofocus]') ?? this.#body.querySelector('input:not([type=hidden]):enabled, textarea, select')
    if (first instanceof HTMLElement) first.focus()
  }

  /** @param {SubmitEvent} event @param {HTMLFormElement} form */
  async #submit(event, form) {
    event.preventDefault()
    const buttons = form.querySelectorAll('button')
    const data = new FormData(form, event.submitter)
    for (const button of buttons) button.disabled = true
    try {
      const frame = form.dataset.frame
      if (frame) await this.#send(frame, form, data)
      else await this.#post(form, data)
    } finally {
      for (const button of buttons) button.disabled = false
    }
  }

  /** @param {string} name @param {HTMLFormElement} form @param {FormData} data */
  async #send(name, form, data) {
    /** @type {Fields} */
    const fields = {}
    for (const [key, value] of data) if (typeof value === 'string') fields[key] = value
    const reason = await this.#frame(name, form.dataset.conversation ?? '', fields)
    if (!reason) this.#dialog.close()
    else this.#fail(form, reason)
  }

  /** @param {HTMLFormElement} form @param {FormData} data */
  async #post(form, data) {
    const fields = new URLSearchParams()
    for (const [key, value] of data) if (typeof value === 'string') fields.append(key, value)
    try {
      const url = form.getAttribute('action') || this.#url
      const answer = await fetch(url, { method: 'POST', body: fields, headers: { 'X-Partial': '1' } })
      const text = await answer.text()
      if (answer.headers.get('X-Nightdesk-Done') === '1') {
        this.#dialog.close()
        if (text && !text.startsWith('<')) toast(text)
      } else if (answer.headers.get('Content-Type')?.startsWith('text/html')) this.#show(text)
      else this.#fail(form, t('This did not work. Nothing was lost; try again.'))
    } catch {
      this.#fail(form, t('The line is away. Nothing was lost; try again.'))
    }
  }

  /** @param {HTMLFormElement} form @param {string} reason */
  #fail(form, reason) {
    const place = form.querySelector('[data-error]')
    if (!(place instanceof HTMLElement)) return toast(reason)
    place.textContent = reason
    place.hidden = false
    return undefined
  }
}
