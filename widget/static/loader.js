/**
 * What stands in a stranger's page: the bubble, the frame on intent, `window.nightdesk`. Runs as written; the server
 * writes the site's settings in the place of the one free name below. Storage holds no secret.
 */
;(() => {
  const site = NIGHTDESK
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript)
  const before = /** @type {any} */ (window).nightdesk
  const warn = (/** @type {unknown[]} */ ...words) => console.warn('nightdesk:', ...words)
  if (before?.version) return warn('a second loader on this page does nothing')

  /** @type {Record<string, string | undefined>} */
  const options = { ...script?.dataset }
  const origin = new URL(site.base).origin
  const root = document.documentElement
  const phone = matchMedia('(max-width: 480px), (max-height: 420px)')
  /** @type {Record<string, Set<(data: any) => void>>} */
  const listeners = {}
  /** @type {any} */
  let look = { theme: options.theme, color: options.color || site.color }
  let locale = pickLocale(options.lang || root.lang || site.locale)
  let isOpen = false
  let isReady = false
  let isShown = options.defer !== 'load'
  let isAlive = true
  let unread = 0
  let hasField = false
  let consent = options.consent !== 'required'
  let hideOnPhone = false
  /** @type {HTMLIFrameElement | null} */
  let frame = null
  /** @type {MessagePort | null} */
  let port = null
  /** Messages for a frame that is still on its way. @type {any[]} */
  let waiting = []
  /** @type {Element | null} */
  let opener = null
  /** @type {Element[]} */
  let silenced = []
  let overflow = ''
  let url = location.href

  // ── storage: open or closed, open conversation, greeting dismissed ──
  const place = `nightdesk:${site.key}`
  /** @type {any} */
  let kept = {}
  try {
    if (consent) kept = JSON.parse(localStorage.getItem(place) || '{}')
  } catch {}
  /** @param {object} change */
  const keep = (change) => {
    Object.assign(kept, change)
    try {
      if (consent) localStorage.setItem(place, JSON.stringify(kept))
    } catch {}
  }

  // ── nodes ──
  /** @param {string} tag @param {Record<string, string>} attributes @param {Node[]} children @returns {any} */
  const make = (tag, attributes, ...children) => {
    const node = /^(svg|circle|path)$/.test(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag)
    for (const name in attributes) node.setAttribute(name, attributes[name])
    node.append(...children)
    return node
  }
  const holder = make('div', { id: 'nightdesk' })
  const shadow = holder.attachShadow({ mode: 'open' })
  try {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(site.css)
    shadow.adoptedStyleSheets = [sheet]
  } catch {
    const style = make('style', { nonce: script?.nonce ?? '' })
    style.textContent = site.css
    shadow.append(style)
  }
  const dots = [5.5, 16, 26.5].map((x) => make('circle', { cx: String(x), cy: '16', r: '3.75', class: x > 20 ? 'light' : '' }))
  const badge = make('span', { class: 'badge', 'aria-hidden': 'true', hidden: '' })
  const bubble = make('button', { class: 'bubble', type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false' },
    make('svg', { viewBox: '0 0 32 32', 'aria-hidden': 'true' }, ...dots, make('path', { d: 'm8 12.5 8 8 8-8' })), badge)
  const status = make('div', { role: 'status' })
  shadow.append(status, bubble)

  const strings = () => site.strings[locale]
  function paint() {
    const words = strings()
    const rule = new Intl.PluralRules(locale).select(unread)
    bubble.setAttribute('aria-label', isOpen ? words.close : unread ? words.unread[rule].replace('{n}', unread) : words.open)
    bubble.setAttribute('aria-expanded', String(isOpen))
    badge.textContent = unread > 99 ? '99+' : unread
    badge.hidden = !unread || isOpen
    holder.lang = locale
    holder.hidden = !isShown || (hideOnPhone && phone.matches && !isOpen)
    holder.toggleAttribute('data-theme', false)
    if (look.theme && look.theme !== 'auto') holder.dataset.theme = look.theme
    if (look.color && CSS.supports('color', look.color)) {
      holder.style.setProperty('--accent', look.color)
      const isLight = luminance(look.color) > 0.36
      look.ink = isLight ? '#141A28' : '#fff'
      bubble.classList.toggle('dark', isLight)
      holder.style.setProperty('--ink', look.ink)
    }
    holder.dataset.side = /start|left/.test(options.position || '') ? 'start' : 'end'
    const [x, y] = (options.offset || '').split(/[\s,]+/)
    if (x) holder.style.setProperty('--x', `${parseInt(x, 10)}px`)
    if (x) holder.style.setProperty('--y', `${parseInt(y || x, 10)}px`)
    if (options.z) holder.style.setProperty('--z', options.z)
    if (frame) {
      frame.hidden = !isOpen
      frame.title = words.title
      frame.className = phone.matches ? 'full' : ''
    }
    hush(isOpen && phone.matches)
  }

  /** Relative luminance of #rrggbb; other notations count as dark. @param {string} color */
  function luminance(color) {
    const parts = /^#(..)(..)(..)$/.exec(color)
    if (!parts) return 0
    const [r, g, b] = parts.slice(1).map((part) => (parseInt(part, 16) / 255) ** 2.2)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }

  /** @param {string} wanted */
  function pickLocale(wanted) {
    const short = wanted.slice(0, 2).toLowerCase()
    return short in site.strings ? short : site.locale in site.strings ? site.locale : 'en'
  }

  /** The page behind a full-screen panel neither takes focus nor scrolls. @param {boolean} on */
  function hush(on) {
    if (on === silenced.length > 0) return
    if (on) {
      silenced = [...document.body.children].filter((node) => node !== holder && !node.hasAttribute('inert'))
      overflow = root.style.overflow
    }
    for (const node of silenced) node.toggleAttribute('inert', on)
    root.style.overflow = on ? 'hidden' : overflow
    if (!on) silenced = []
  }

  /** Back to the page, also after a framework has swapped the body. */
  function attach() {
    if (isAlive && document.body && holder.parentNode !== document.body) {
      if (frame) {
        // A frame that was moved loads again, so it starts from nothing.
        port = null
        isReady = false
      }
      document.body.append(holder)
    }
  }

  // ── the frame ──
  const hint = () => {
    if (!document.querySelector(`link[rel=preconnect][href="${origin}"]`)) document.head.append(make('link', { rel: 'preconnect', href: origin }))
  }
  const page = () => ({ url: location.href, title: document.title, referrer: document.referrer })

  function load() {
    if (frame) return
    const hints = [look.theme, phone.matches && 'full', !consent && 'ask'].filter(Boolean)
    frame = /** @type {HTMLIFrameElement} */ (make('iframe', { id: 'panel', allow: 'clipboard-write; web-share' }))
    frame.hidden = true
    frame.src = `${site.base}/w/${site.key}?lang=${locale}#${hints}`
    bubble.before(frame)
    bubble.setAttribute('aria-controls', 'panel')
    bubble.classList.add('loading')
    paint()
  }

  function unload() {
    frame?.remove()
    frame = port = null
    isReady = false
    bubble.classList.remove('loading')
  }

  /** @param {string} t @param {object} [data] */
  function send(t, data) {
    load()
    if (isReady) port?.postMessage({ t, ...data })
    else waiting.push({ t, ...data })
  }

  const onMessage = (/** @type {MessageEvent} */ event) => {
    if (event.origin !== origin || !frame || event.source !== frame.contentWindow || event.data?.t !== 'nightdesk:hello') return
    const channel = new MessageChannel()
    port = channel.port1
    port.onmessage = ({ data }) => typeof data?.t === 'string' && Object.hasOwn(heard, data.t) && heard[data.t](data)
    frame.contentWindow?.postMessage(
      { t: 'nightdesk:init', page: page(), open: isOpen, consent, dir: getComputedStyle(holder).direction, fullscreen: phone.matches, ...look },
      origin, [channel.port2])
  }

  /** What the frame may say. @type {Record<string, (data: any) => void>} */
  const heard = {
    ready: () => {
      isReady = true
      bubble.classList.remove('loading')
      for (const message of waiting.splice(0)) port?.postMessage(message)
      tell('ready')
    },
    close: () => shut(),
    unread: ({ count }) => {
      if (unread === count) return
      unread = count
      paint()
      status.textContent = ''
      tell('unread', { count })
    },
    talk: ({ on }) => keep({ talk: on }),
    field: ({ on }) => {
      hasField = on
      fit()
    },
    event: ({ name, data }) => {
      if (name === 'message:sent') allow(true)
      if (name === 'status') bubble.classList.toggle('nobody', data.online === 0)
      tell(name, data)
    },
  }

  /** @param {string} name @param {any} [data] */
  function tell(name, data = {}) {
    for (const listener of listeners[name] ?? []) {
      try {
        listener(data)
      } catch (error) {
        warn(error)
      }
    }
    dispatchEvent(new CustomEvent(`nightdesk:${name}`, { detail: data }))
  }

  /** The keyboard of a phone covers the page, not the layout: the host's visual viewport alone knows it. */
  function fit() {
    const seen = visualViewport
    if (!frame || !seen) return
    const on = hasField && phone.matches && isOpen
    frame.style.setProperty('--height', on ? `${seen.height}px` : '100dvh')
    frame.style.setProperty('--top', on ? `${seen.offsetTop}px` : '0px')
  }

  // ── open and close ──
  /** @param {string} [view] */
  function open(view) {
    greeting(false)
    opener ??= document.activeElement
    load()
    if (!isOpen) {
      isOpen = true
      isShown = true
      keep({ open: true })
      paint()
      tell('open')
    }
    if (isReady || view) send('open', { view })
    frame?.focus()
  }

  function shut() {
    if (!isOpen) return
    isOpen = hasField = false
    keep({ open: false })
    paint()
    fit()
    if (isReady) send('close')
    const back = opener && opener !== document.body && opener !== holder && opener.isConnected ? opener : bubble
    opener = null
    ;/** @type {HTMLElement} */ (back).focus()
    tell('close')
  }

  /** @param {boolean} allowed */
  function allow(allowed) {
    if (!allowed) {
      try {
        localStorage.removeItem(place)
      } catch {}
    }
    consent = allowed
    if (allowed) keep({})
  }

  /** A small card, told once and politely. It takes no focus. @param {boolean} on */
  function greeting(on) {
    const card = shadow.querySelector('.greeting')
    if (!on) {
      if (card) keep({ greeted: true })
      return card?.remove()
    }
    const words = strings()
    if (!words.greeting || kept.greeted || card || isOpen) return
    const [from, text] = [make('b', {}), make('p', {})]
    from.textContent = words.from
    text.textContent = words.greeting
    const dismiss = make('button', { class: 'dismiss', type: 'button', 'aria-label': words.dismiss })
    dismiss.textContent = '×'
    dismiss.onclick = () => {
      greeting(false)
      bubble.focus()
    }
    text.prepend(from)
    bubble.before(make('div', { class: 'greeting' }, text, dismiss))
    status.textContent = ''
  }

  function moved() {
    if (url === location.href) return
    url = location.href
    // The title of a single-page host changes a moment after its address.
    setTimeout(() => api.page(page()), 300)
  }

  /** @type {Record<string, (...args: any[]) => any>} */
  const api = {
    open,
    close: shut,
    toggle: () => (isOpen ? shut() : open()),
    show: () => ((isShown = true), paint()),
    hide: () => (shut(), (isShown = false), paint()),
    isOpen: () => isOpen,
    unread: () => unread,
    destroy: () => {
      hush(false)
      isAlive = false
      watcher.disconnect()
      removeEventListener('message', onMessage)
      holder.remove()
      delete (/** @type {any} */ (window).nightdesk)
    },
    identify: (value) => {
      if (typeof value !== 'function' && typeof value?.token !== 'string') throw 'identify wants { token } or a function'
      tell('identity:error', { reason: 'not-configured' })
    },
    logout: () => {
      if (frame) send('logout')
      keep({ talk: false })
      unread = 0
      shut()
      paint()
    },
    set: (attributes) => send('set', { attributes }),
    consent: (allowed) => {
      allow(allowed === true)
      if (frame) send('consent', { allowed: consent })
    },
    page: (value) => frame && send('page', { page: { ...page(), ...value } }),
    track: (name, data) => frame && send('track', { name, data }),
    prefill: (text) => send('prefill', { text: String(text) }),
    newTicket: (fields) => {
      open('ticket')
      send('ticket', fields)
    },
    locale: (wanted) => {
      locale = pickLocale(String(wanted))
      const again = isOpen
      unload()
      if (again) load()
      paint()
    },
    theme: (theme) => {
      look = { ...look, ...(typeof theme === 'string' ? { theme } : { color: theme?.accent }) }
      paint()
      if (frame) send('look', { ...look, theme: look.theme || 'auto' })
    },
    update: (change) => {
      if (change.position) options.position = change.position
      if (change.offset !== undefined) options.offset = String(change.offset)
      if (change.hideOnPhone !== undefined) hideOnPhone = change.hideOnPhone
      if (change.color) api.theme({ accent: change.color })
      paint()
    },
    on: (name, listener) => {
      if (typeof listener !== 'function') throw 'on wants a name and a function'
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
      warn(`there is no call ${name}`)
    } catch (error) {
      warn(name, error)
    }
  }
  nightdesk.version = site.version
  /** @type {any} */ (window).nightdesk = nightdesk

  // ── start ──
  bubble.onclick = () => api.toggle()
  for (const name of ['pointerenter', 'focus', 'touchstart']) bubble.addEventListener(name, hint, { once: true, passive: true })
  holder.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && shut())
  addEventListener('message', onMessage)
  phone.addEventListener('change', () => {
    paint()
    if (frame) send('look', { fullscreen: phone.matches })
  })
  for (const name of ['resize', 'scroll']) visualViewport?.addEventListener(name, fit)
  const watcher = new MutationObserver(attach)
  watcher.observe(root, { childList: true })
  if ('navigation' in window) /** @type {any} */ (window).navigation.addEventListener('currententrychange', moved)
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
    // The framework may replace the content of <html> or only take our node out of <body>.
    watcher.observe(document.body, { childList: true })
    paint()
    for (const call of before?.q ?? []) nightdesk(.../** @type {[string]} */ ([...call]))
    const idle = window.requestIdleCallback ?? ((/** @type {() => void} */ work) => setTimeout(work, 200))
    // Replies to an open conversation must arrive; nothing else is loaded before intent.
    idle(() => {
      if (kept.talk) load()
      if (kept.open && kept.talk && !phone.matches) {
        isOpen = true
        paint()
      } else setTimeout(greeting, 5000, true)
    })
  }
  if (options.defer === 'load' && document.readyState !== 'complete') addEventListener('load', () => ((isShown = true), start()))
  else if (document.body) start()
  else addEventListener('DOMContentLoaded', start)
})()
