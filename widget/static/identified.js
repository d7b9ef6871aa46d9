/** Loaded when the host page says who its visitor is: their tickets on the first screen, in words that the server gives. */

import { h } from './elements/dom.js'
import { locale } from './strings.js'

// Tickets do not press what stands above them together: the whole first screen scrolls.
const LOOKS = `.home:has(>.yours){overflow:hidden auto}.home:has(>.yours) .panel-body,.yours{flex:none}.yours{display:grid;gap:8px;padding:8px 20px 20px}.yours h3{font-size:14px;font-weight:600;margin:0}.yours ul{list-style:none;margin:0;padding:0;display:grid;gap:8px}
.yours a{display:grid;gap:2px;padding:10px 14px;border:1px solid var(--nd-border);border-radius:12px;color:inherit;text-decoration:none;background:var(--nd-surface)}
.yours a:hover{background:var(--nd-surface-2)}.yours a:focus-visible{outline:2px solid var(--nd-focus);outline-offset:2px}.yours b{font-weight:500;overflow-wrap:anywhere}
.yours small{display:flex;flex-wrap:wrap;gap:0 10px;font-size:13px;color:var(--nd-text-3);font-variant-numeric:tabular-nums}.yours .all{border:0;padding:4px 0;background:none;color:var(--nd-accent-text)}`
const site = JSON.parse(document.getElementById('site')?.textContent || '{}')
const section = h('section.yours', { 'aria-labelledby': 'yours' })
let token = ''
let bound = ''
/** @type {ReturnType<typeof setInterval> | undefined} */
let watching

/**
 * @param {any} data of the message: the token, or nothing
 * @param {import('./desk.js').Desk} desk
 * @param {import('./storage.js').Store} store
 * @param {import('./bridge.js').Bridge} bridge
 * @param {Element[]} home what the first screen is made of
 * @param {() => void} paint
 */
export async function identify(data, desk, store, bridge, home, paint) {
  token = String(data.token ?? '')
  bound = store.get('token') ?? ''
  if (!token) {
    forget(home)
    return paint()
  }
  const answer = await fetch('/client/widget', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ site: site.key, token, visitor: bound, locale }),
  }).catch(() => null)
  if (answer?.status === 409 && bound) {
    // Here was somebody else before.
    desk.logout()
    return identify(data, desk, store, bridge, home, paint)
  }
  if (!answer?.ok) {
    forget(home)
    paint()
    return bridge.send('event', { name: 'identity:error', data: { reason: answer ? 'refused' : 'away' } })
  }
  show(await answer.json())
  if (!home.includes(section)) {
    home.push(section)
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(LOOKS)
    document.adoptedStyleSheets = [sheet]
  }
  paint()
  bridge.send('event', { name: 'identity:ok', data: {} })
  // With the first words the visitor is given a token; then the server has to know whose conversation it is.
  clearInterval(watching)
  watching = setInterval(() => {
    const mine = store.get('token') ?? ''
    if (mine === bound) return
    // Signed out, or given a token just now.
    if (mine) identify({ token }, desk, store, bridge, home, paint)
    else forget(home), paint()
  }, 500)
}

/** @param {Element[]} home */
function forget(home) {
  clearInterval(watching)
  token = bound = ''
  if (home.includes(section)) home.splice(home.indexOf(section), 1)
}

/** @param {{ title: string, all: { text: string, url: string }, tickets: { number: string, subject: string, state: string, promise: string, url: string }[] }} told */
function show({ title, all, tickets }) {
  const open = { target: '_blank', rel: 'noopener' }
  section.replaceChildren(
    h('h3', { id: 'yours' }, title),
    h('ul', null, tickets.map((one) => h('li', null, h('a', { href: one.url, ...open }, h('b', { dir: 'auto' }, one.subject), h('small', null, h('span', null, one.number), h('span', null, one.state), one.promise && h('span', null, one.promise)))))),
    h('a.all', { href: all.url, ...open }, all.text))
}
