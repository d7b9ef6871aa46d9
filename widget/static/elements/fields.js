/** Fields of the forms: label above, hint beside it, error below, what was typed kept in the store. */

import { t } from '../strings.js'
import { h, icon, set } from './dom.js'

/** A slip that can be seen from here; the server judges for itself. */
export const isAddress = (/** @type {string} */ text) => /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/.test(text)

/**
 * @param {string} name
 * @param {string} label
 * @param {Record<string, any>} [attributes] `rows` makes it a textarea
 * @param {string} [hint]
 * @returns {any} the paragraph; its `control` is the field
 */
export function field(name, label, attributes = {}, hint) {
  const id = `f-${name}`
  const control = h(attributes.rows ? 'textarea' : 'input', { id, name, dir: 'auto', ...attributes })
  return Object.assign(h('p.field', null, h('label', { for: id }, label, hint && h('span', null, hint)), control), { control })
}

export const emailField = (/** @type {boolean} */ required) =>
  field('email', t('E-mail'), { type: 'email', autocomplete: 'email', maxlength: 254, required, inputmode: 'email' }, required ? '' : t('optional'))

export const nameField = () => field('name', t('Name'), { autocomplete: 'name', maxlength: 120 }, t('optional'))

/** @param {{ slug: string, name: string }[]} departments @returns {any} null where there is nothing to choose */
export const departmentField = (departments) =>
  departments.length > 1 &&
  h('fieldset.field', null, h('legend', null, t('Department')), h('div.chips', null, departments.map((one, index) =>
    h('label.chip', null, h('input', { type: 'radio', name: 'department', value: one.slug, checked: !index }), one.name))))

/** Shows or takes away what is wrong with a field. @param {any} paragraph @param {string} [message] */
export function fault(paragraph, message) {
  const id = `${paragraph.control.id}-error`
  paragraph.querySelector('.error')?.remove()
  set(paragraph.control, 'aria-invalid', message ? 'true' : null)
  set(paragraph.control, 'aria-describedby', message ? id : null)
  if (message) paragraph.append(h('span.error', { id }, icon('alert', 'icon', 16), message))
  return Boolean(message)
}
