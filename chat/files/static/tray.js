/**
 * Files that wait to go along with a message: those on their way, with progress and a way out, and those that are there.
 * Shared by the panel, the console and the forms; each brings the words (`know`) and says what becomes of the files.
 */

import { MOST, Upload } from './uploads.js'

/** @typedef {import('./uploads.js').Attached} Attached */
/** @typedef {import('./uploads.js').Door} Door */

const MB = 1_048_576
const SHEET = 'M6 3h8l5 5v13H6zM14 3v5h5'
const CROSS = 'M6 6l12 12M18 6L6 18'
const AGAIN = 'M19 12a7 7 0 1 1-2-5m2-3v4h-4'
export const CLIP = 'M20 11.5 12.3 19a5 5 0 0 1-7.1-7.1l8-7.8a3.3 3.3 0 0 1 4.7 4.7l-8 7.8a1.7 1.7 0 0 1-2.4-2.4l7.2-7'

/** @type {Record<string, string | string[]>} */
let strings = {}

/** Translations; English is the source text. @param {Record<string, string | string[]>} words */
export const know = (words) => void (strings = words)

/** @param {string} message @param {Record<string, string | number>} [values] */
export function t(message, values = {}) {
  const found = strings[message]
  return (typeof found === 'string' ? found : message).replace(/\{(\w+)\}/g, (all, name) => String(values[name] ?? all))
}

/**
 * @param {string} name tag and classes
 * @param {Record<string, string | number | boolean | null | ((event: any) => void)>} [attributes] functions become listeners
 * @param {...(Node | string | false | null | undefined)} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split('.')
  const node = document.createElement(tag)
  if (node instanceof HTMLButtonElement) node.type = 'button'
  if (classes.length) node.className = classes.join(' ')
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(key, value)
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? '' : String(value))
  }
  node.append(...children.filter((child) => child || child === '').map((child) => /** @type {Node | string} */ (child)))
  return node
}

/** @param {string} path */
export function sign(path) {
  const [svg, line] = ['svg', 'path'].map((name) => document.createElementNS('http://www.w3.org/2000/svg', name))
  svg.setAttribute('class', 'icon')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  line.setAttribute('d', path)
  svg.append(line)
  return svg
}

/** @param {number} size */
export const sizeOf = (size) => (size >= MB ? `${(size / MB).toFixed(1)} MB` : `${Math.max(1, Math.round(size / 1024))} kB`)

export class Tray {
  /** On their way, or refused. @type {Upload[]} */
  uploads = []
  /** @type {Attached[]} */
  ready
  #list = make('ul.tray-files')
  #told = make('p.tray-told', { role: 'status' })
  element = make('div.tray', { hidden: true, role: 'group', 'aria-label': t('Files') }, this.#list, this.#told)
  input = make('input', { type: 'file', multiple: true, hidden: true, 'aria-label': t('Attach files'), change: () => this.#chosen() })
  button = make('button.attach', { 'aria-label': t('Attach files'), title: t('Attach files'), click: () => this.input.click() }, sign(CLIP))
  #door
  #changed
  /** @type {(() => void) | null} */
  #then = null

  /** @param {Door} door @param {Attached[]} ready @param {() => void} changed */
  constructor(door, ready, changed) {
    this.#door = door
    this.ready = ready
    this.#changed = changed
    this.show()
  }

  get isBusy() {
    return this.uploads.some((one) => one.isUnderWay)
  }

  /** What was refused is seen, and taken away or tried again, before anything goes without it. */
  get hasTrouble() {
    return this.uploads.length > 0 && !this.isBusy
  }

  #chosen() {
    this.add([...this.input.files])
    this.input.value = ''
  }

  /** @param {File[]} files */
  add(files) {
    const room = Math.max(0, MOST - this.uploads.length - this.ready.length)
    for (const file of files.slice(0, room)) {
      const upload = new Upload(file, this.#door, (one) => this.#moved(one))
      this.uploads.push(upload)
      void upload.start()
    }
    this.show()
    this.element.scrollIntoView({ block: 'nearest' })
    if (files.length > room) this.tell(t('Up to 10 files go with one message.'))
  }

  /** Whether what is written may go now. If not, `then` is called when all files are there. @param {() => void} then */
  holds(then) {
    if (this.isBusy) {
      this.#then = then
      this.tell(t('Sends as soon as the files are there.'))
      return true
    }
    if (this.hasTrouble) this.tell(t('A file was not accepted. Remove it, or try again.'))
    return this.hasTrouble
  }

  /** They go along now. @returns {Attached[]} */
  take() {
    const taken = this.ready
    this.ready = []
    this.#changed()
    queueMicrotask(() => this.show())
    return taken
  }

  /** @param {Attached[]} files */
  putBack(files) {
    this.ready.push(...files)
    this.#changed()
    this.show()
  }

  /** Nothing of them stays here. */
  clear() {
    for (const one of this.uploads) one.cancel()
    this.uploads = []
    this.ready = []
    this.show()
  }

  /** @param {string} words */
  tell(words) {
    this.#told.textContent = words
  }

  /** @param {Upload} upload */
  #moved(upload) {
    if (!this.uploads.includes(upload)) return
    if (upload.attached) {
      this.ready.push(upload.attached)
      this.uploads = this.uploads.filter((one) => one !== upload)
      this.#changed()
    }
    this.show()
    if (this.#then && !this.isBusy) {
      const then = this.#then
      this.#then = null
      then()
    }
  }

  /** @param {Upload | Attached} one */
  #remove(one) {
    if (one instanceof Upload) one.cancel()
    this.uploads = this.uploads.filter((other) => other !== one)
    this.ready = this.ready.filter((other) => other !== one)
    this.#changed()
    this.show()
    const next = this.#list.querySelector('button') ?? this.button
    next.focus()
  }

  show() {
    this.element.hidden = !this.uploads.length && !this.ready.length
    const known = new Map([...this.#list.children].map((node) => [node.getAttribute('data-file'), node]))
    const nodes = [...this.ready, ...this.uploads].map((one) => this.#node(one, known))
    for (const node of [...this.#list.children]) if (!nodes.includes(node)) node.remove()
    nodes.forEach((node, index) => this.#list.children[index] !== node && this.#list.insertBefore(node, this.#list.children[index] ?? null))
    if (!this.#then) this.tell('')
  }

  /** @param {Upload | Attached} one @param {Map<string | null, Element>} known */
  #node(one, known) {
    const upload = one instanceof Upload ? one : null
    const key = upload?.ref ?? one.id
    const state = upload ? `${upload.state} ${upload.message}` : 'ready'
    let node = known.get(key)
    if (node?.getAttribute('data-state') !== state) {
      const fresh = upload ? this.#underWay(upload) : this.#there(one)
      fresh.setAttribute('data-file', key)
      fresh.setAttribute('data-state', state)
      if (node?.contains(document.activeElement)) queueMicrotask(() => fresh.querySelector('button')?.focus())
      node = fresh
    }
    const bar = node?.querySelector('progress')
    if (bar && upload) bar.value = upload.received
    return /** @type {Element} */ (node)
  }

  /** @param {Upload | Attached} one */
  #there(one) {
    return make('li', {}, sign(SHEET), make('div', {}, make('b', { dir: 'auto' }, one.name), make('span', {}, sizeOf(one.size))), this.#out(t('Remove {name}', { name: one.name }), one))
  }

  /** @param {Upload} upload */
  #underWay(upload) {
    const { name, state, message } = upload
    const bad = !upload.isUnderWay
    const words = bad ? (message ? t('Not sent: {reason}', { reason: message }) : t('This did not work.'))
      : message || (state === 'waiting' ? t('Waiting for the connection') : state === 'checking' ? t('Being checked') : sizeOf(upload.size))
    return make('li', { 'data-bad': bad }, sign(SHEET),
      make('div', {}, make('b', { dir: 'auto' }, name), make('span', { role: bad && 'alert' }, words),
        !bad && make('progress', { max: upload.size, value: upload.received, 'aria-label': t('Sending {name}', { name }) })),
      bad && make('button', { 'aria-label': t('Try again: {name}', { name }), click: () => upload.retry() }, sign(AGAIN)),
      this.#out(bad ? t('Remove {name}', { name }) : t('Cancel {name}', { name }), upload))
  }

  /** @param {string} label @param {Upload | Attached} one */
  #out(label, one) {
    return make('button', { 'aria-label': label, click: () => this.#remove(one) }, sign(CROSS))
  }
}

/**
 * Files that are dropped on a part of the page, or pasted into it.
 * @param {HTMLElement | Document} place @param {HTMLElement} cover where the invitation is shown @param {(files: File[]) => void} add @param {() => boolean} takes
 */
export function invite(place, cover, add, takes) {
  const over = make('div.file-drop', { hidden: true, 'aria-hidden': 'true' }, make('p', {}, sign(CLIP), t('Drop files here')))
  /** @param {Event} event @param {DataTransfer | null} data */
  const take = (event, data) => {
    const files = [...(data?.files ?? [])]
    if (!files.length || !takes()) return
    event.preventDefault()
    add(files)
  }
  /** @param {any} event @param {boolean} shown */
  const drag = (event, shown) => {
    if (!event.dataTransfer?.types.includes('Files') || !takes()) return
    event.preventDefault()
    if (over.parentElement !== cover) cover.append(over)
    over.hidden = !shown
  }
  place.addEventListener('dragover', (event) => drag(event, true))
  place.addEventListener('dragleave', (event) => /** @type {DragEvent} */ (event).relatedTarget || drag(event, false))
  place.addEventListener('drop', (event) => {
    over.hidden = true
    take(event, /** @type {DragEvent} */ (event).dataTransfer)
  })
  place.addEventListener('paste', (event) => take(event, /** @type {ClipboardEvent} */ (event).clipboardData))
}
