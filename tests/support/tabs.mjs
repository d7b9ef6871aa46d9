/**
 * Tabs of one browser without a screen: the widget's own `Desk` in each, on a clock, storage, locks and sockets that a
 * story controls. One JSON command per line comes in, one JSON list of what the tabs did goes out.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { registerHooks } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

/**
 * @typedef {object} Tab
 * @property {string} name
 * @property {any} desk
 * @property {{ name: string, run: (event: any) => void }[]} listeners
 * @property {Map<number, TabSocket>} sockets
 */

/** What the tabs did since the last answer. @type {Record<string, unknown>[]} */
let events = []
let now = 1_700_000_000_000
let numbers = 0
/** Whose code runs, after an await too. @type {AsyncLocalStorage<Tab | null>} */
const running = new AsyncLocalStorage()
/** @type {Map<string, Tab>} */
const tabs = new Map()
/** @type {Map<number, { at: number, every: number, run: () => void, tab: Tab | null }>} */
const timers = new Map()
/** @type {Map<string, { tab: Tab | null, release: () => void }>} */
const held = new Map()
/** @type {{ name: string, tab: Tab | null, grant: () => void }[]} */
let queue = []

/** @param {Tab | null} tab @param {() => any} work */
const as = (tab, work) => running.run(tab, work)
const current = () => running.getStore() ?? null

class TabSocket {
  static CONNECTING = 0
  static OPEN = 1
  static CLOSING = 2
  static CLOSED = 3
  readyState = 0
  number = ++numbers
  tab = current()
  /** @type {((event: any) => void) | null} */
  onopen = null
  /** @type {((event: any) => void) | null} */
  onmessage = null
  /** @type {((event: any) => void) | null} */
  onclose = null

  constructor() {
    // A tab that is gone may still finish a thought, but nobody hears it.
    if (!this.tab || tabs.get(this.tab.name) !== this.tab) return
    this.tab.sockets.set(this.number, this)
    events.push({ kind: 'dialled', tab: this.tab.name, socket: this.number })
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState === 1) events.push({ kind: 'sent', tab: this.tab?.name, socket: this.number, text })
  }

  close() {
    if (this.readyState > 1) return
    this.readyState = 3
    events.push({ kind: 'left', tab: this.tab?.name, socket: this.number })
    setImmediate(() => as(this.tab, () => this.onclose?.({ code: 1006 })))
  }
}

const storage = Object.create({
  /** @param {string} key */
  getItem(key) {
    return Object.hasOwn(storage, key) ? storage[key] : null
  },
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    if (storage.getItem(key) === value) return // as the standard says: no change, no event
    storage[key] = value
    wrote(key)
  },
  /** @param {string} key */
  removeItem(key) {
    if (!Object.hasOwn(storage, key)) return
    delete storage[key]
    wrote(key)
  },
})

/** The other tabs hear of it. @param {string} key */
function wrote(key) {
  const writer = current()
  for (const tab of tabs.values()) if (tab !== writer) queueMicrotask(() => tabs.get(tab.name) === tab && dispatch(tab, 'storage', { key }))
}

/** @param {Tab} tab @param {string} name @param {object} event */
function dispatch(tab, name, event) {
  as(tab, () => tab.listeners.filter((one) => one.name === name).forEach((one) => one.run(event)))
}

const locks = {
  /** @param {string} name @param {LockOptions} options @param {(lock: object | null) => any} work */
  request(name, options, work) {
    const tab = current()
    return new Promise((resolve, reject) => {
      const grant = () => {
        let release = () => {}
        const until = new Promise((done) => (release = () => done(undefined)))
        held.set(name, { tab, release })
        queueMicrotask(() => {
          const result = as(tab, () => work({ name }))
          Promise.race([result, until]).then(
            () => free(name, resolve),
            (error) => free(name, () => reject(error)),
          )
        })
      }
      if (!held.has(name)) grant()
      else if (options.ifAvailable) queueMicrotask(() => resolve(as(tab, () => work(null))))
      else queue.push({ name, tab, grant })
    })
  },
}

/** @param {string} name @param {(value?: any) => void} then */
function free(name, then) {
  held.delete(name)
  const next = queue.find((one) => one.name === name)
  if (next) {
    queue = queue.filter((one) => one !== next)
    next.grant()
  }
  then()
}

/** @param {() => void} run @param {number} wait @param {number} every */
function timer(run, wait, every) {
  timers.set(++numbers, { at: now + (wait || 0), every, run, tab: current() })
  return numbers
}

/** @param {number} time */
function advance(time) {
  const until = now + time
  for (;;) {
    const next = [...timers].filter(([, one]) => one.at <= until).sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0]
    if (!next) break
    const [number, one] = next
    now = Math.max(now, one.at)
    if (one.every) one.at = now + one.every
    else timers.delete(number)
    as(one.tab, one.run)
  }
  now = until
}

/** @param {Record<string, unknown>} names */
function provide(names) {
  for (const [name, value] of Object.entries(names)) Object.defineProperty(globalThis, name, { value, writable: true, configurable: true })
}

provide({
  WebSocket: TabSocket,
  localStorage: storage,
  navigator: { locks, onLine: true },
  document: {
    hidden: false,
    visibilityState: 'visible',
    documentElement: { lang: 'en' },
    querySelector: () => null,
    addEventListener: () => {},
  },
  location: new URL('http://127.0.0.1/w/polaris'),
  performance: { now: () => now },
  addEventListener: (/** @type {string} */ name, /** @type {(event: any) => void} */ run) => current()?.listeners.push({ name, run }),
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ wait) => timer(run, wait, 0),
  setInterval: (/** @type {() => void} */ run, /** @type {number} */ wait) => timer(run, wait, wait),
  clearTimeout: (/** @type {number} */ number) => timers.delete(number),
  clearInterval: (/** @type {number} */ number) => timers.delete(number),
  fetch: () => new Promise(() => {}),
})
Date.now = () => now

const source = pathToFileURL(`${process.argv[2]}/`)
const shared = pathToFileURL(`${process.argv[3]}/`)
// As they are served: what all pages share stands beside the widget's own modules.
registerHooks({ resolve: (name, context, next) => next(name.startsWith('../shared/') ? new URL(name.slice(10), shared).href : name, context) })
const { Desk } = await import(new URL('desk.js', source).href)
const { Store } = await import(new URL('storage.js', source).href)

/** @param {string} name */
function open(name) {
  /** @type {Tab} */
  const tab = { name, desk: null, listeners: [], sockets: new Map() }
  tabs.set(name, tab)
  as(tab, () => {
    tab.desk = new Desk('polaris', new Store('polaris', true), () => {}, () => {})
    tab.desk.open()
  })
}

/** It goes without a word, as in a crash: its sockets break, its timers stop, its locks are free. @param {Tab} tab */
function crash(tab) {
  tabs.delete(tab.name)
  for (const socket of tab.sockets.values()) as(tab, () => socket.close())
  for (const [number, one] of timers) if (one.tab === tab) timers.delete(number)
  queue = queue.filter((one) => one.tab !== tab)
  for (const one of [...held.values()]) if (one.tab === tab) one.release()
}

/** @type {Record<string, (command: any) => void>} */
const commands = {
  open: ({ tab }) => open(tab),
  crash: ({ tab }) => crash(/** @type {Tab} */ (tabs.get(tab))),
  leave: ({ tab: name }) => {
    const tab = /** @type {Tab} */ (tabs.get(name))
    dispatch(tab, 'pagehide', { persisted: false })
    crash(tab)
  },
  say: ({ tab, text }) => as(tabs.get(tab) ?? null, () => tabs.get(tab)?.desk.say(text)),
  opened: ({ tab, socket: number }) => {
    const socket = tabs.get(tab)?.sockets.get(number)
    if (!socket || socket.readyState !== 0) return
    socket.readyState = 1
    as(socket.tab, () => socket.onopen?.({}))
  },
  heard: ({ tab, socket: number, text }) => {
    const socket = tabs.get(tab)?.sockets.get(number)
    if (socket?.readyState === 1) as(socket.tab, () => socket.onmessage?.({ data: text }))
  },
  broke: ({ tab, socket: number, code }) => {
    const socket = tabs.get(tab)?.sockets.get(number)
    if (!socket || socket.readyState === 3) return
    socket.readyState = 3
    as(socket.tab, () => socket.onclose?.({ code }))
  },
  advance: ({ ms }) => advance(ms),
  /** Another browser, that knows nothing. */
  reset: () => {
    for (const tab of [...tabs.values()]) crash(tab)
    timers.clear()
    held.clear()
    for (const key of Object.keys(storage)) delete storage[key]
    events = []
  },
  view: ({ tab: name }) => {
    const desk = tabs.get(name)?.desk
    const it = desk.conversation
    events.push({
      kind: 'view',
      tab: name,
      live: desk.connection.live,
      conversation: it?.id ?? '',
      entries: (it?.entries ?? []).map((/** @type {any} */ entry) => [entry.seq, entry.ref ?? '', entry.text ?? '']),
      outbox: desk.outbox.items.map((/** @type {any} */ item) => [item.ref, item.text, item.refused ?? '']),
    })
  },
}

const breath = () => new Promise((resolve) => setImmediate(resolve))

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  commands[command.do](command)
  for (let turn = 0; turn < 3; turn++) await breath()
  process.stdout.write(`${JSON.stringify(events)}\n`)
  events = []
}
