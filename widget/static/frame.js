/** The panel: puts model, elements and host page together, and knows which view is shown. */

import { Bridge } from './bridge.js'
import { Desk } from './desk.js'
import { Store } from './storage.js'
import { t } from './strings.js'
import { h, icon, set } from './elements/dom.js'
import './elements/views.js'

/** @typedef {'home' | 'answer' | 'opening' | 'conversation' | 'leave' | 'rating' | 'ended'} View */
/**
 * @typedef {object} Site
 * @property {string} key
 * @property {string} name
 * @property {string} logo
 * @property {string[]} origins
 * @property {string} privacy
 * @property {string} topics
 * @property {{ slug: string, name: string }[]} departments
 * @property {{ question: string, answer: string }[]} suggestions
 */
/**
 * @typedef {object} Shown what the elements are shown
 * @property {Desk} desk
 * @property {Site} site
 * @property {View} view
 * @property {string} draft one text for all views: it moves with the visitor and is never lost
 * @property {{ name: string, email: string }} person as typed: a label, no identity
 * @property {boolean} muted
 * @property {number} answer
 * @property {boolean} asked
 * @property {boolean} leaving
 * @property {string} leaveFault
 */

const WAIT_MAX = 60_000

/** @type {Site} */
const site = JSON.parse(document.getElementById('site')?.textContent || '{}')
const root = document.documentElement
const hints = new Set(location.hash.slice(1).split(','))
const store = new Store(site.key, !hints.has('ask'))
const panel = /** @type {HTMLElement} */ (document.getElementById('panel'))

const header = h('nd-header')
const line = h('p.connection-line', { role: 'status', hidden: true })
const composer = h('nd-composer')
const log = h('nd-log')
const form = h('nd-form')
/** @type {Record<View, any[]>} */
const views = {
  home: [h('nd-home')],
  answer: [header, h('nd-answer')],
  opening: [header, form],
  conversation: [header, log, composer],
  leave: [header, form],
  rating: [header, h('nd-rating')],
  ended: [header, h('nd-ended')],
}
const footer = h('footer.panel-footer', null,
  site.privacy ? h('a', { href: site.privacy, target: '_blank', rel: 'noopener' }, t('Privacy')) : h('span'),
  h('span.made-with'))

/** @type {View} */
let view = 'home'
let isOpen = false
let answer = 0
/** The form came by itself, and goes by itself when somebody is free. */
let cameByItself = false
/** The conversation whose visitor chose to wait on. */
let waitsOn = ''
/** A ref of `leave` without an answer. */
let leaving = ''
let leaveFault = ''
let unread = -1
let hasTalk = false
let painting = false
/** Opened before the server told whether there is a talk to go on with. */
let arriving = false
/** Asked for a person while none is there. */
let asked = false

const desk = new Desk(site.key, store, paint, happened)
const bridge = new Bridge(site.origins, {
  init: (data) => {
    apply(data)
    if (data.page) desk.page = data.page
    if (data.consent === false) store.keep(false)
    desk.open()
    if (data.open) opened(data.view)
    bridge.send('ready')
    paint()
  },
  open: (data) => opened(data.view),
  close: () => {
    isOpen = false
    paint()
  },
  page: (data) => desk.visit(data.page),
  look: (data) => apply(data),
  prefill: (data) => {
    store.set('draft', String(data.text ?? ''))
    paint()
  },
  ticket: (data) => {
    store.set('draft', [data.subject, data.text].filter(Boolean).join('\n') || store.get('draft') || '')
    go('leave')
  },
  consent: (data) => {
    store.keep(data.allowed === true)
    if (!data.allowed) desk.logout()
  },
  logout: () => {
    desk.logout()
    go('home')
  },
  identify: (data) => import('./identified.js').then(({ identify }) => identify(data, desk, store, bridge, views.home, () => change(view))),
})

/** What elements ask for. @type {Record<string, (detail: any) => void>} */
const orders = {
  go: (detail) => go(detail.view),
  show: paint,
  close: () => bridge.send('close'),
  ask: () => {
    const isAlone = desk.welcomed && !desk.online
    go(desk.conversation?.isOpen ? 'conversation' : isAlone ? 'leave' : 'opening')
    asked = isAlone
    paint()
  },
  ticket: () => go('leave'),
  answer: (detail) => {
    answer = detail.index
    go('answer')
  },
  draft: (detail) => {
    store.set('draft', detail.text)
    if (detail.person) store.set('person', detail.person)
    if (detail.typing) desk.typed(Boolean(detail.text))
    paint()
  },
  say: (detail) => {
    store.set('draft', null)
    desk.say(detail.text)
  },
  start: ({ text, person, email, department }) => {
    store.set('draft', null)
    store.set('person', person)
    desk.say(text, { name: person.name.trim(), email, department, fresh: true })
    go('conversation')
  },
  leave: ({ text, person, email, department }) => {
    leaveFault = ''
    store.set('person', person)
    // What the operators have already needs no second copy.
    leaving = desk.leave({ text: text === said() ? '' : text, email, name: person.name.trim(), department })
    if (!desk.connection.live) left()
  },
  wait: () => {
    waitsOn = desk.conversation?.id ?? ''
    if (store.get('draft') === said()) store.set('draft', null)
    go('conversation')
  },
  retry: (detail) => desk.retry(detail.ref),
  earlier: () => desk.earlier(),
  again: () => desk.connection.wake(),
  end: () => desk.end(),
  rate: (detail) => {
    desk.rate(detail.score, detail.text)
    go('ended')
  },
  mute: () => {
    store.set('muted', !store.get('muted'))
    paint()
  },
}

/** The visitor's own words so far, as the form keeps them. */
function said() {
  return (desk.conversation?.entries ?? []).filter((entry) => entry.author.kind === 'visitor' && entry.kind === 'message').map((entry) => entry.text).join('\n\n')
}

/** @param {View} next */
function go(next) {
  if (!Object.hasOwn(views, next)) return
  arriving = asked = false
  if (next === 'leave' && desk.conversation?.state === 'waiting' && !store.get('draft')) store.set('draft', said())
  if (next === 'conversation' && view === 'leave' && store.get('draft') === said()) store.set('draft', null)
  cameByItself = false
  change(next)
  focus()
}

/** @param {View} next */
function change(next) {
  view = next
  if (next !== 'home') import('../late/files.js').then(({ attach }) => attach(desk, store, panel), () => {})
  panel.classList.toggle('home', next === 'home')
  const parts = next === 'home' ? [line, ...views.home] : [header, line, ...views[next].slice(1)]
  panel.replaceChildren(...parts, footer)
  const end = footer.lastElementChild
  end?.replaceChildren(...(next === 'home'
    ? [icon('logo', 0, 'logo'), 'Nightdesk']
    : next === 'leave' ? [] : [h('button.link', { click: () => go('leave') }, `${t('An outage?')} `, h('strong', null, t('Open a ticket')))]))
  paint()
}

/** To the composer, or to the heading where a form comes first. */
function focus() {
  paintNow()
  if (!isOpen) return
  if (view === 'conversation') composer.focus()
  else /** @type {HTMLElement | null} */ (panel.querySelector('[tabindex="-1"]'))?.focus()
}

/** @param {string} [wanted] */
function opened(wanted) {
  isOpen = true
  const talk = desk.conversation?.isOpen || desk.outgoing.length > 0
  if (wanted === 'ticket') go('leave')
  else if (wanted === 'conversation') orders.ask({})
  else if (view !== 'home') focus()
  else if (wanted !== 'home' && talk) go('conversation')
  else {
    focus()
    arriving = !wanted && !desk.welcomed
  }
  paint()
}

/** Looks the host page chose. @param {{ fullscreen?: boolean, theme?: string, color?: string, ink?: string, dir?: string }} look */
function apply(look) {
  if (look.fullscreen !== undefined) panel.toggleAttribute('data-fullscreen', look.fullscreen)
  if (look.dir) root.dir = look.dir
  if (look.theme) set(root, 'data-theme', look.theme === 'auto' ? null : look.theme)
  if (look.color && CSS.supports('color', look.color)) {
    const mixed = `color-mix(in oklab, ${look.color}`
    for (const [name, value] of Object.entries({
      '': look.color,
      '-ink': look.ink ?? '#fff',
      '-hover': `${mixed} 86%, #000)`,
      '-text': `light-dark(${mixed} 70%, #000), ${mixed} 55%, #fff))`,
      '-soft': `light-dark(${mixed} 9%, #fff), ${mixed} 24%, #121722))`,
      '-soft-ink': `light-dark(${mixed} 55%, #000), ${mixed} 45%, #fff))`,
    })) root.style.setProperty(`--nd-accent${name}`, value)
  }
}

/** @param {string} name @param {any} data */
function happened(name, data) {
  bridge.send('event', { name, data })
  if (name === 'message:received' && (document.hidden || !isOpen) && !store.get('muted')) import('./sound.js').then(({ chime }) => chime(), () => {})
  if (name === 'message:sent' || name === 'form:submitted') {
    if (leaving && !desk.outbox.find(leaving)) left()
  }
  if (name === 'error' && data.ref && data.ref === leaving) {
    leaveFault = desk.outbox.settle(leaving)?.refused ?? ''
    leaving = ''
  }
  if (name === 'conversation:ended' && view === 'conversation' && !store.get('draft')) go(desk.conversation?.lastOperator ? 'rating' : 'ended')
}

/** The message is on its way, or there. */
function left() {
  leaving = ''
  store.set('draft', null)
  go('conversation')
}

/** The text moves to the form by itself when nobody comes. */
function steer() {
  const it = desk.conversation
  if (view === 'conversation' && it?.state === 'waiting' && waitsOn !== it.id && desk.connection.live) {
    const waited = Date.now() - desk.waitingSince
    if (!desk.online || waited > WAIT_MAX) {
      if (!store.get('draft')) store.set('draft', said())
      change('leave')
      cameByItself = true
      if (document.hasFocus()) focus()
    }
  } else if (view === 'leave' && cameByItself && it?.state === 'active') {
    if (store.get('draft') === said()) store.set('draft', null)
    change('conversation')
    if (document.hasFocus()) focus()
  }
}

function paint() {
  if (painting) return
  painting = true
  queueMicrotask(paintNow)
}

function paintNow() {
  painting = false
  if (arriving && desk.welcomed) {
    arriving = false
    if (desk.conversation?.isOpen || desk.outgoing.length) return go('conversation')
  }
  // Access ended, or the host page signed its person out.
  if (view === 'conversation' && desk.welcomed && !desk.conversation && !desk.outgoing.length) return go('home')
  steer()
  const it = desk.conversation
  /** @type {Shown} */
  const shown = {
    desk, site, view, answer, asked, leaveFault,
    draft: store.get('draft') ?? '',
    person: { name: store.get('name') ?? '', email: store.get('email') ?? '', ...store.get('person') },
    muted: store.get('muted') === true,
    leaving: leaving !== '',
  }
  line.hidden = !desk.away
  if (desk.away && !line.firstChild) line.append(icon('retry', 16), h('span', null, t('Reconnecting … your messages will be sent.')))
  else if (!desk.away) line.replaceChildren()
  for (const element of views[view]) element.show(shown)
  if (isOpen && view === 'conversation' && !document.hidden) desk.read()
  if (unread !== (it?.unread ?? 0)) bridge.send('unread', { count: (unread = it?.unread ?? 0) })
  if (hasTalk !== Boolean(it?.isOpen)) bridge.send('talk', { on: (hasTalk = Boolean(it?.isOpen)) })
}

panel.addEventListener('nd', (event) => {
  const { detail } = /** @type {CustomEvent} */ (event)
  if (Object.hasOwn(orders, detail.name)) orders[detail.name](detail)
})
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.isComposing && !header.isMenuOpen) bridge.send('close')
})
document.addEventListener('visibilitychange', paint)
// The loader moves the panel over the phone's keyboard only while something is typed.
for (const name of ['focusin', 'focusout']) {
  document.addEventListener(name, () => setTimeout(() => bridge.send('field', { on: /** @type {HTMLElement | null} */ (document.activeElement)?.matches('textarea, input:not([type=radio])') ?? false })))
}
store.watch((key) => key !== 'draft' || document.hasFocus() || paint())
setInterval(() => desk.waitingSince && paint(), 5_000)

apply({ theme: ['dark', 'light'].find((name) => hints.has(name)), fullscreen: hints.has('full') })
change('home')
bridge.connect()
if (!bridge.isFramed) {
  isOpen = true
  desk.open()
}
