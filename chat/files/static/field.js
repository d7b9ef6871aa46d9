/**
 * `[data-file-field]` in a form: files are sent while the form is still written, with progress and clear refusals. Without
 * this module the form sends them itself. A form where `[data-urgent]` is checked waits for its files a little and goes
 * without those that are refused; it says so in the field `missing`.
 */

import { Tray, invite, know } from './tray.js'

/** @typedef {import('./uploads.js').Attached} Attached */

const URGENT_WAIT = 8_000

know(JSON.parse(document.getElementById('strings')?.textContent || '{}'))

for (const field of document.querySelectorAll('[data-file-field]')) if (field instanceof HTMLElement) enhance(field)

/** @param {HTMLElement} field */
function enhance(field) {
  const form = field.closest('form')
  const plain = field.querySelector('input[type=file]')
  if (!form || !(plain instanceof HTMLInputElement)) return
  /** @type {Attached[]} */
  const kept = [...field.querySelectorAll('input[name=file]')].map((box) => JSON.parse(box.getAttribute('data-attached') ?? '{}'))
  const key = `nightdesk:files:${location.pathname}`
  const known = new Set(kept.map(({ id }) => id))
  /** @type {Attached[]} */
  const before = JSON.parse(sessionStorage.getItem(key) ?? '[]')
  const ready = [...kept, ...before.filter(({ id }) => !known.has(id))]
  const tray = new Tray({ address: field.dataset.fileField ?? '' }, ready, () => {
    sessionStorage.setItem(key, JSON.stringify(tray.ready))
  })
  const label = field.querySelector('.file-choose')?.textContent?.trim() ?? ''
  tray.button.append(label)
  tray.button.classList.add('attach--wide')
  tray.button.removeAttribute('aria-label')
  field.replaceChildren(tray.element, tray.button, tray.input)
  invite(form, form, (files) => tray.add(files), () => field.checkVisibility())
  /** @param {string} name @param {string} value */
  const carry = (name, value) => {
    const input = document.createElement('input')
    Object.assign(input, { type: 'hidden', name, value })
    field.append(input)
  }
  let waits = 0
  let hasWaited = false
  form.addEventListener('submit', (event) => {
    const { submitter } = event
    const go = () => form.requestSubmit(submitter)
    const isUrgent = form.querySelector('[data-urgent]:checked') !== null
    clearTimeout(waits)
    if (field.checkVisibility() && !(isUrgent && (hasWaited || !tray.isBusy)) && tray.holds(go)) {
      event.preventDefault()
      event.stopImmediatePropagation()
      if (isUrgent) waits = setTimeout(() => { hasWaited = true; go() }, URGENT_WAIT)
      return
    }
    field.querySelectorAll('input[type=hidden]').forEach((input) => input.remove())
    if (!field.checkVisibility()) return
    for (const { id } of tray.ready) carry('file', id)
    if (tray.uploads.length) carry('missing', '1')
    sessionStorage.removeItem(key)
  }, true)
}
