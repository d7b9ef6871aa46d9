/**
 * What stands in a stranger's page: the bubble, the frame on intent, `window.nightdesk`. Runs as written; the server
 * writes the site's settings in the place of the one free name below. Storage holds no secret.
 */
;(() => {
  const site = NIGHTDESK
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript)
  const global = /** @type {any} */ (window)
  const before = global.nightdesk
  const warn = (/** @type {unknown[]} */ ...words) => console.warn('nightdesk:', ...words)
  if (before?.version) return warn('already on this page')

  /** @type {any} */
  const options = { color: site.color, ...script?.dataset }
  const origin = new URL(site.base).origin
  const root = document.documentElement
  const phone = matchMedia('(max-width: 480px), (max-height: 420px)')
  /** @type {Record<string, Set<(data: any) => void>>} */
  const listeners = {}
  let words = pick(options.lang || root.lang)
  let isOpen = false
  let isReady = false
  /** Who the host page says its visitor is. @type {any} */
  let who
  let isHidden = false
  let unread = 0
  let hasField = false
  let consent = options.consent !== 'required'
  /** @type {HTMLIFrameElement | null} */
  let frame = null
  /** @type {MessagePort | null} */
  let port = null
  /** Messages for a frame that is still on its way. @type {any[]} */
  let waiting = []
  /** @type {HTMLElement | null} */
  let opener = null
  /** @type {Element[]} */
  let silenced = []
  let overflow = ''
  let url = location.href

  // Storage of the host page: open or closed, has an open conversation.
  const place = `nightdesk:${site.key}`
  /** @type {any} */
  let kept = {}
  /** @param {object} [change] null wipes */
  const keep = (change) => {
    Object.assign(kept, change)
    try {
      if (consent) localStorage[place] = JSON.stringify(kept)
      else delete localStorage[place]
    } catch {}
  }
  try {
    if (consent) kept = JSON.parse(localStorage[place] || '{}')
  } catch {}

  /** @param {string} tag @param {Record<string, any>} attributes @param {(Node | string)[]} children @returns {any} */
  const make = (tag, attributes, ...children) => {
    const node = /svg|circle|path/.test(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
    for (const name in attributes) node.setAttribute(name, attributes[name])
    node.append(...children)
    return node
  }
  const badge = make('span', { class: 'badge', 'aria-hidden': true })
  const bubble = make('button', { class: 'bubble', type: 'button', 'aria-haspopup': 'dialog' },
    make('svg', { viewBox: '0 0 32 32', 'aria-hidden': true },
      ...[5.5, 16, 26.5].map((cx) => make('circle', { cx, cy: 16, r: 3.75 })), make('path', { d: 'm8 12.5 8 8 8-8' })),
    badge)
  const status = make('div', { role: 'status' })
  const box = make('aside', {}, status, bubble)
  const holder = make('div', { id: 'nightdesk' })
  const shadow = holder.attachShadow({ mode: 'open' })
  shadow.append(box)
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(site.css)
    shadow.adoptedStyleSheets = [sheet]
  } catch {
    shadow.append(make('style', { nonce: script?.nonce }, site.css))
  }

  /** @param {string} [wanted] */
  function pick(wanted = '') {
    return site.strings[wanted.slice(0, 2).toLowerCase()] ?? site.strings[site.locale]
  }

  /** White or near-black, whichever reads better on `#rrggbb`; other notations count as dark. */
  function ink() {
    const [r, g, b] = (/^#(..)(..)(..)$/.exec(options.color) ?? []).slice(1).map((part) => (parseInt(part, 16) / 255) ** 2.2)
    return 0.21 * r + 0.72 * g + 0.07 * b > 0.3 ? '#141A28' : '#fff'
  }

  const look = () => ({ theme: options.theme || 'auto', color: options.color, ink: ink(), fullscreen: phone.matches })

  function paint() {
    const count = words.unread[new Intl.PluralRules(words.lang).select(unread)].replace('{n}', unread)
    bubble.ariaLabel = isOpen ? words.close : unread ? count : words.open
    bubble.ariaExpanded = String(isOpen)
    badge.textContent = unread
    badge.hidden = !unread || isOpen
    holder.lang = words.lang
    holder.hidden = isHidden || (options.hideOnPhone && phone.matches && !isOpen)
    box.classList.toggle('start', /start|left/.test(options.position))
    box.ariaLabel = words.title
    const { theme, color, z, offset } = options
    const [x, y = x] = `${offset ?? ''}`.split(/\D+/)
    const dark = color && ink() !== '#fff'
    for (const [name, value] of Object.entries({
      '--ndw-scheme': /light|dark/.test(theme) && theme, '--ndw-accent': color, '--ndw-ink': color && ink(), '--ndw-light': dark && 'currentColor',
      '--ndw-z': z, '--ndw-x': x && `${x}px`, '--ndw-y': y && `${y}px`,
    })) holder.style.setProperty(name, value || '')
    if (frame) {
      frame.hidden = !isOpen
      frame.title = words.title
      frame.className = phone.matches ? 'full' : ''
      // The keyboard of a phone covers the page, not the layout: the host's visual viewport alone knows it.
      const seen = visualViewport
      const isTyping = seen && hasField && isOpen
      frame.style.setProperty('--ndw-height', isTyping ? `${seen.height}px` : '')
      frame.style.setProperty('--ndw-top', isTyping ? `${seen.offsetTop}px` : '')
    }
    // The page behind a full-screen panel neither takes focus nor scrolls.
    const hush = isOpen && phone.matches
    if (hush === silenced.length > 0) return
    if (hush) {
      silenced = [...document.body.children].filter((node) => node !== holder && !node.hasAttribute('inert'))
      overflow = root.style.overflow
    }
    for (const node of silenced) node.toggleAttribute('inert', hush)
    root.style.overflow = hush ? 'hidden' : overflow
    if (!hush) silenced = []
  }

  const page = () => ({ url: location.href, title: document.title, referrer: document.referrer })

  const address = () => `${site.base}/w/${site.key}?lang=${words.lang}#${options.theme},${phone.matches && 'full'},${consent || 'ask'}`

  function load() {
    if (frame) return
    frame = make('iframe', { id: 'panel', allow: 'clipboard-write', src: address() })
    bubble.before(frame)
    bubble.setAttribute('aria-controls', 'panel')
    box.classList.add('loading')
    paint()
  }

  /** @param {string} t @param {object} [data] */
  function send(t, data) {
    load()
    if (isReady) port?.postMessage({ t, ...data })
    else waiting.push({ t, ...data })
  }

  addEventListener('message', (event) => {
    if (event.origin !== origin || !frame || event.source !== frame.contentWindow || event.data?.t !== 'nightdesk:hello') return
    const { port1, port2 } = new MessageChannel()
    port = port1
    isReady = false
    port.onmessage = ({ data }) => Object.hasOwn(heard, data?.t) && heard[data.t](data)
    frame.contentWindow?.postMessage(
      { t: 'nightdesk:init', page: page(), open: isOpen, consent, dir: getComputedStyle(holder).direction, ...look() }, origin, [port2])
  })

  /** What the frame may say. @type {Record<string, (data: any) => void>} */
  const heard = {
    ready() {
      isReady = true
      box.classList.remove('loading')
      for (const message of waiting.splice(0)) port?.postMessage(message)
      api.identify(who)
      tell('ready')
    },
    close: () => shut(),
    unread({ count }) {
      unread = count
      paint()
      status.textContent = count && !isOpen ? bubble.ariaLabel : ''
      tell('unread', { count })
    },
    talk: ({ on }) => keep({ talk: on }),
    field({ on }) {
      hasField = on
      paint()
    },
    event({ name, data }) {
      if (name === 'message:sent') api.consent(true)
      if (name === 'status') bubble.classList.toggle('nobody', !data.online)
      tell(name, data)
    },
  }

  /** @param {string} name @param {any} [detail] */
  function tell(name, detail = {}) {
    for (const listener of listeners[name] ?? []) {
      try {
        listener(detail)
      } catch (error) {
        warn(error)
      }
    }
    dispatchEvent(new CustomEvent(`nightdesk:${name}`, { detail }))
  }

  /** @param {string} [view] */
  function open(view) {
    isHidden = false
    load()
    if (!isOpen) {
      opener = /** @type {HTMLElement} */ (document.activeElement)
      isOpen = true
      keep({ open: 1 })
      paint()
      tell('open')
    }
    send('open', { view })
    frame?.focus()
  }

  function shut() {
    if (!isOpen) return
    isOpen = hasField = false
    keep({ open: 0 })
    paint()
    send('close')
    // Who opened gets the focus back; the page as such or a node that is gone does not.
    const isThere = opener?.isConnected && !opener.matches('body, #nightdesk')
    ;/** @type {HTMLElement} */ (isThere ? opener : bubble).focus()
    tell('close')
  }

  function moved() {
    // The title of a single-page host changes a moment after its address.
    if (url !== (url = location.href)) setTimeout(() => api.page(), 300)
  }

  /** Back to the page when a framework has swapped the body. A frame that was moved loads again by itself. */
  const watcher = new MutationObserver(attach)
  function attach() {
    if (!document.body || holder.parentNode === document.body) return
    document.body.append(holder)
    watcher.observe(root, { childList: true })
    watcher.observe(document.body, { childList: true })
  }

  /** @type {Record<string, (...args: any[]) => any>} */
  const api = {
    open,
    close: shut,
    toggle: () => (isOpen ? shut() : open()),
    show: () => api.update((isHidden = false)),
    hide() {
      shut()
      api.update((isHidden = true))
    },
    isOpen: () => isOpen,
    unread: () => unread,
    destroy() {
      shut()
      watcher.disconnect()
      holder.remove()
      frame = null
      delete global.nightdesk
    },
    async identify(value) {
      who = value
      if (isReady && who) send('identify', typeof who === 'function' ? await who() : who)
    },
    logout() {
      if (frame) send('logout')
      if (who && isReady) send('identify', { token: (who = '') })
      keep({ talk: 0 })
      shut()
    },
    set: (attributes) => send('set', { attributes }),
    consent(allowed) {
      if (consent === (consent = allowed === true)) return
      keep()
      if (frame) send('consent', { allowed: consent })
    },
    page: (value) => frame && send('page', { page: { ...page(), ...value } }),
    prefill: (text) => send('prefill', { text }),
    newTicket(fields) {
      open('ticket')
      send('ticket', fields)
    },
    locale(wanted) {
      words = pick(wanted)
      if (frame) frame.src = address()
      paint()
    },
    theme: (theme) => api.update(theme?.accent ? { color: theme.accent } : { theme }),
    update(change) {
      Object.assign(options, change)
      paint()
      if (frame) send('look', look())
    },
    on(name, listener) {
      ;(listeners[name] ??= new Set()).add(listener)
      if (name === 'ready' && isReady) listener({})
      return () => api.off(name, listener)
    },
    off: (name, listener) => listeners[name]?.delete(listener),
  }

  /** Never throws: a mistake in a call must not break the host's page. @param {string} name @param {any[]} args */
  async function nightdesk(name, ...args) {
    try {
      if (Object.hasOwn(api, name)) return await api[name](...args)
      warn('no such call:', name)
    } catch (error) {
      warn(name, error)
    }
  }
  nightdesk.version = site.version
  global.nightdesk = nightdesk

  // A hint opens the line, nothing is loaded before intent.
  for (const name of ['pointerenter', 'focus']) {
    bubble.addEventListener(name, () => document.head.append(make('link', { rel: 'preconnect', href: origin })), { once: true, passive: true })
  }
  bubble.onclick = api.toggle
  holder.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && shut())
  phone.onchange = () => api.update()
  for (const name of ['resize', 'scroll']) visualViewport?.addEventListener(name, paint)
  if (global.navigation) global.navigation.addEventListener('currententrychange', moved)
  else {
    for (const name of /** @type {const} */ (['pushState', 'replaceState'])) {
      const real = history[name]
      history[name] = function (...args) {
        real.apply(this, args)
        moved()
      }
    }
    addEventListener('popstate', moved)
  }
  const start = () => {
    attach()
    paint()
    for (const call of before?.q ?? []) nightdesk(.../** @type {[string]} */ ([...call]))
    // Replies to an open conversation must arrive; nothing else is loaded without a click.
    setTimeout(() => {
      if (!kept.talk) return
      isOpen ||= kept.open && !phone.matches
      load()
    }, 200)
  }
  if (options.defer === 'load' && document.readyState !== 'complete') addEventListener('load', start)
  else if (document.body) start()
  else addEventListener('DOMContentLoaded', start)
})()
