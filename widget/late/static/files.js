/**
 * Files in the panel: what waits to be sent along, and what stands in the talk. Loaded when a visitor comes to write; its
 * words come with `files.json`, so that nobody else loads them.
 */

import { CLIP, Tray, invite, know, make, sign, sizeOf, t } from '../files/tray.js'

/** @typedef {import('../files/uploads.js').Attached} Attached */
/** @typedef {import('../widget/desk.js').Desk} Desk */
/** @typedef {import('../widget/storage.js').Store} Store */

/** Minutes less than a link lives. */
const LINK_LIFE = 150_000
const SHEET = 'M6 3h8l5 5v13H6zM14 3v5h5'

class Files {
  #desk
  #store
  #panel
  #tray
  /** @type {Map<string, { at: number, links: Promise<Record<string, string> | undefined> }>} */
  #links = new Map()
  /** @type {Map<string, (links: Record<string, string> | undefined) => void>} */
  #wanted = new Map()

  /** @param {Desk} desk @param {Store} store @param {HTMLElement} panel */
  constructor(desk, store, panel) {
    this.#desk = desk
    this.#store = store
    this.#panel = panel
    const door = { address: `${location.pathname}/uploads`, headers: () => this.#who() }
    this.#tray = new Tray(door, store.get('files') ?? [], () => this.#keep())
    desk.take = (forget) => {
      if (forget) this.#tray.clear()
      const taken = this.#tray.take()
      return taken.length ? taken : undefined
    }
    invite(document, panel, (files) => this.#tray.add(files), () => this.#tray.element.isConnected)
    // Before the composer and the forms themselves.
    panel.addEventListener('submit', (event) => this.#submit(event), true)
    panel.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && /** @type {Element} */ (event.target).id === 'say') this.#submit(event)
    }, true)
    new MutationObserver(() => this.#settle()).observe(panel, { childList: true, subtree: true, attributes: true, attributeFilter: ['aria-disabled'] })
    this.#settle()
  }

  /** Into the view that is shown now. */
  #settle() {
    const composer = this.#panel.querySelector('form.composer')
    const form = this.#panel.querySelector('#form')
    const place = composer ?? form
    const { element, button, input, ready } = this.#tray
    if (place && element.parentElement !== place) {
      if (composer) {
        composer.prepend(element)
        composer.insertBefore(button, composer.querySelector('textarea'))
      } else form?.append(button, element)
      place.append(input)
      button.replaceChildren(sign(CLIP), composer ? '' : make('span', {}, t('Attach files')))
    }
    const send = composer?.querySelector('.send')
    if (ready.length && send?.hasAttribute('aria-disabled')) send.removeAttribute('aria-disabled')
  }

  #keep() {
    const { ready } = this.#tray
    this.#store.set('files', ready.length ? ready : null)
    this.#settle()
  }

  /** Who is no visitor yet becomes one. */
  async #who() {
    // Sending a file is as much a word as writing one.
    this.#store.keep(true)
    for (let tries = 0; !this.#store.get('token'); tries++) {
      if (this.#desk.connection.live && tries % 20 === 0) this.#desk.enroll()
      await new Promise((done) => setTimeout(done, 250))
    }
    return { Authorization: `Bearer ${this.#store.get('token')}` }
  }

  /** The words wait for the files; files alone go without words. @param {Event} event */
  #submit(event) {
    const box = this.#panel.querySelector('#say')
    const held = this.#tray.holds(() => this.#panel.querySelector('form')?.requestSubmit())
    const alone = !held && this.#tray.ready.length > 0 && box instanceof HTMLTextAreaElement && !box.value.trim()
    if (!held && !alone) return
    event.preventDefault()
    event.stopPropagation()
    if (alone) this.#desk.say('')
  }

  // ── in the talk ────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param {Element} node of a message @param {Attached[]} files */
  shown(node, files) {
    if (!node.textContent) node.replaceChildren()
    node.classList.add('with-files')
    node.classList.toggle('files-only', !node.textContent)
    node.append(make('ul.file-list', {}, ...files.map((file) => make('li', {}, file.width ? this.#picture(file) : this.#card(file)))))
  }

  /** @param {Attached} file */
  #picture(file) {
    const picture = make('img', { alt: file.name, width: file.width ?? 0, height: file.height ?? 0, decoding: 'async' })
    const link = this.#link(file, 'url', 'a.file-picture', { target: '_blank', rel: 'noopener' }, picture)
    void this.#linksOf(file.id).then((links) => links?.small && (picture.src = links.small))
    return link
  }

  /** @param {Attached} file */
  #card(file) {
    return this.#link(file, 'save', 'a.file-card', { download: '' }, sign(SHEET), make('span', {}, make('b', { dir: 'auto' }, file.name), make('small', {}, sizeOf(file.size))))
  }

  /** A link lives for minutes: a fresh one is got when somebody is about to use it. @param {Attached} file @param {string} form @param {string} name @param {Record<string, string>} attributes @param {...Node} children */
  #link(file, form, name, attributes, ...children) {
    const link = make(name, { href: '#', ...attributes, click: (/** @type {Event} */ event) => this.#follow(event, link, file, form) }, ...children)
    const renew = () => void this.#linksOf(file.id).then((links) => links?.[form] && (link.href = links[form]))
    for (const kind of ['pointerenter', 'focus']) link.addEventListener(kind, renew)
    renew()
    return link
  }

  /** @param {Event} event @param {HTMLAnchorElement} link @param {Attached} file @param {string} form */
  async #follow(event, link, file, form) {
    const known = this.#links.get(file.id)
    if (known && Date.now() - known.at < LINK_LIFE && link.getAttribute('href') !== '#') return
    event.preventDefault()
    const links = await this.#linksOf(file.id)
    if (!links) return
    link.href = links[form]
    link.click()
  }

  /** @param {string} id */
  #linksOf(id) {
    const known = this.#links.get(id)
    if (known && Date.now() - known.at < LINK_LIFE) return known.links
    /** @type {Promise<Record<string, string> | undefined>} */
    const links = new Promise((found) => {
      if (!this.#wanted.size) setTimeout(() => void this.#ask(), 20)
      this.#wanted.set(id, found)
    })
    this.#links.set(id, { at: Date.now(), links })
    void links.then((got) => got || this.#links.delete(id))
    return links
  }

  /** All that are wanted together. */
  async #ask() {
    const wanted = this.#wanted
    this.#wanted = new Map()
    /** @type {Record<string, Record<string, string>>} */
    let found = {}
    try {
      const body = JSON.stringify({ ids: [...wanted.keys()].slice(0, 100) })
      const answer = await fetch(`${location.pathname}/files`, { method: 'POST', body, headers: await this.#who() })
      if (answer.ok) found = await answer.json()
    } catch {
      // Asked again when somebody points at it.
    }
    for (const [id, tell] of wanted) tell(found[id])
  }
}

/** @type {(files: Files) => void} */
let made = () => {}
/** @type {Promise<Files>} */
const files = new Promise((done) => (made = done))
const prepared = prepare()
let isAttached = false

/** Done again it changes nothing. @param {Desk} desk @param {Store} store @param {HTMLElement} panel */
export async function attach(desk, store, panel) {
  await prepared
  if (!isAttached) made(new Files(desk, store, panel))
  isAttached = true
}

/** @param {Element} node of a message @param {Attached[]} attached */
export const show = async (node, attached) => (await files).shown(node, attached)

async function prepare() {
  const styles = ['../files/tray.css', './files.css'].map((name) => {
    const style = make('link', { rel: 'stylesheet', href: new URL(name, import.meta.url).href })
    const styled = new Promise((done) => ['load', 'error'].forEach((end) => style.addEventListener(end, done)))
    document.head.append(style)
    return styled
  })
  try {
    know(await (await fetch(`${location.pathname}/files.json?lang=${document.documentElement.lang}`)).json())
  } catch {
    // English is the source text.
  }
  await Promise.all(styles)
}
