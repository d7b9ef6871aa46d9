/** The page's strings: one language, written into it by the server. English is the source text. */

/** Translations without their source text: each stands in the line that the sum of its source text names. */
const lines = (document.querySelector('template')?.content.textContent ?? '').split('\n')
export const locale = document.documentElement.lang
const rules = new Intl.PluralRules(locale)
const categories = new Set(rules.resolvedOptions().pluralCategories)
/** The order of the forms in a catalogue. */
const order = ['zero', 'one', 'two', 'few', 'many', 'other'].filter((name) => categories.has(/** @type {Intl.LDMLPluralRule} */ (name)))

/** @typedef {Record<string, string | number>} Values */

/** A number below `size` that hangs on every letter. @param {string} text @param {number} size */
export function sum(text, size) {
  let total = 0
  for (const letter of text) total = (total * 31 + (letter.codePointAt(0) ?? 0)) % size
  return total
}

/** @param {string} message */
const found = (message) => lines[sum(message, lines.length)]

/** @param {string} message @param {Values} [values] */
export const t = (message, values) => fill(found(message) || message, values)

/** @param {string} singular @param {string} plural @param {number} n @param {Values} [values] */
export function tn(singular, plural, n, values) {
  const form = rules.select(n)
  return fill(found(singular)?.split('\t')[order.indexOf(form)] || (form === 'one' ? singular : plural), { n, ...values })
}

/** @param {string} message @param {Values} [values] */
const fill = (message, values) => values ? message.replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)) : message

const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const calendar = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })

/** @param {number} at milliseconds */
export const timeOf = (at) => clock.format(at)

/** "Today", "Yesterday" or the date. @param {number} at milliseconds */
export function dayOf(at) {
  const days = Math.round((new Date(at).setHours(12, 0, 0, 0) - new Date().setHours(12, 0, 0, 0)) / 864e5)
  const word = days > -2 && days < 1 ? relative.format(days, 'day') : calendar.format(at)
  return word[0].toLocaleUpperCase(locale) + word.slice(1)
}

/** "48 s" or "2 min". @param {number} seconds */
export const spanOf = (seconds) =>
  seconds < 90 ? t('{n} s', { n: Math.max(1, Math.round(seconds)) }) : t('{n} min', { n: Math.round(seconds / 60) })

/** "Ana, Luka and Nika". @param {string[]} names */
export const listOf = (names) => new Intl.ListFormat(locale).format(names)
