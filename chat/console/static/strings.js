/** The page's strings: one language, written into it by the server. English is the source text. */

/** @type {Record<string, string | string[]>} */
export const strings = JSON.parse(document.getElementById('strings')?.textContent || '{}')
export const locale = document.documentElement.lang || 'en'
const rules = new Intl.PluralRules(locale)
const categories = new Set(rules.resolvedOptions().pluralCategories)
/** The order of the forms in a catalogue. */
const order = ['zero', 'one', 'two', 'few', 'many', 'other'].filter((name) =>
  categories.has(/** @type {Intl.LDMLPluralRule} */ (name)),
)

/** @typedef {Record<string, string | number>} Values */

/** @param {string} message @param {Values} [values] @returns {string} */
export function t(message, values) {
  const found = strings[message]
  return filled(typeof found === 'string' ? found : message, values)
}

/** @param {string} singular @param {string} plural @param {number} n @param {Values} [values] @returns {string} */
export function tn(singular, plural, n, values) {
  const found = strings[singular]
  const form = rules.select(n)
  const text = Array.isArray(found) ? found[order.indexOf(form)] : form === 'one' ? singular : plural
  return filled(text, { n, ...values })
}

/** @param {string} message @param {Values} [values] */
function filled(message, values) {
  return values ? message.replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all)) : message
}

const minutes = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
const seconds = new Intl.DateTimeFormat(locale, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const days = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' })
const years = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })

/** "14:31". @param {number | Date} at */
export const timeOf = (at) => minutes.format(at)

/** "14:31:12". @param {number | Date} at */
export const exactTimeOf = (at) => seconds.format(at)

/** "14:31", with the day before it when that is not today, and the year of another one. @param {number} at milliseconds */
export function momentOf(at) {
  const [then, now] = [new Date(at), new Date()]
  if (then.toDateString() === now.toDateString()) return timeOf(at)
  return `${(then.getFullYear() === now.getFullYear() ? days : years).format(at)} ${timeOf(at)}`
}

/** Times that the server wrote in its own zone, in the reader's. @param {ParentNode} root */
export function localise(root) {
  for (const time of root.querySelectorAll('time[data-time]')) {
    if (time instanceof HTMLTimeElement) time.textContent = momentOf(Date.parse(time.dateTime))
  }
}

/** "0:42" or "1:02:10". @param {number} total whole seconds */
export function spanOf(total) {
  const rest = Math.max(0, Math.floor(total))
  const [hours, mins, secs] = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, String(rest % 60).padStart(2, '0')]
  return hours ? `${hours}:${String(mins).padStart(2, '0')}:${secs}` : `${mins}:${secs}`
}

/** "now", "2 min", "3 h", "5 d". @param {number} total seconds */
export function agoOf(total) {
  if (total < 60) return t('now')
  if (total < 3600) return t('{n} min', { n: Math.floor(total / 60) })
  if (total < 86400) return t('{n} h', { n: Math.floor(total / 3600) })
  return t('{n} d', { n: Math.floor(total / 86400) })
}

/** "Ana, Luka and Nika". @param {string[]} names */
export const listOf = (names) => new Intl.ListFormat(locale).format(names)
