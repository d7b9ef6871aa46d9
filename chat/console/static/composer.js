/** Where replies and notes are written. The mode is sticky per conversation and changes only by tabs and keys. */

import { Canned } from './canned.js'
import { desk, keep, recall } from './desk.js'
import { byId, byIdAs, h } from './dom.js'
import { Tray, invite, know } from '../files/tray.js'
import { momentOf, strings, t } from './strings.js'

/** @typedef {import('./drafts.js').Drafts} Drafts */
/** @typedef {import('./drafts.js').Draft} Draft */
/** @typedef {import('../files/uploads.js').Attached} Attached */
/** @typedef {{ id: string, name: string, visitor: string, locale: string, site: string, draft: { mode?: string, text?: string, at?: string } }} Subject */

const TYPING_EVERY = 2_500
const TYPING_ENDS = 4_000

export class Composer {
  /** @type {(mode: 'reply' | 'note', text: string, then: string, files: Attached[]) => void} */
  #send
  /** @type {(typing: boolean) => void} */
  #typed
  #drafts
  #changed
  #form = byIdAs('composer', HTMLFormElement)
  #field = byIdAs('composer-text', HTMLTextAreaElement)
  /** @type {Subject | undefined} */
  #subject
  /** @type {Draft} */
  #draft = { mode: 'reply', reply: '', note: '', at: 0 }
  #typingSince = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typingEnds
  /** Names of colleagues who write in this conversation now. @type {string[]} */
  colleagues = []
  #asked = false
  /** Of each conversation that was open: what is on its way goes on. @type {Map<string, Tray>} */
  #trays = new Map()
  canned

  /**
   * @param {object} parts
   * @param {Drafts} parts.drafts
   * @param {(mode: 'reply' | 'note', text: string, then: string, files: Attached[]) => void} parts.send `then` is `end` for "send and end"
   * @param {(typing: boolean) => void} parts.typed
   * @param {(conversation: string) => void} parts.changed the draft of a conversation changed
   */
  constructor({ drafts, send, typed, changed }) {
    this.#drafts = drafts
    this.#send = send
    this.#typed = typed
    this.#changed = changed
    this.canned = new Canned(this.#field, () => this.#input())
    this.#field.addEventListener('input', () => this.#input())
    this.#field.addEventListener('keydown', (event) => this.#key(event))
    this.#field.addEventListener('blur', () => this.#stopTyping())
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.submit()
    })
    for (const tab of this.#form.querySelectorAll('[role=tab]')) {
      if (!(tab instanceof HTMLElement)) continue
      tab.addEventListener('click', () => this.write(tab.dataset.mode === 'note' ? 'note' : 'reply'))
      tab.addEventListener('keydown', (event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
        this.setMode(this.#draft.mode === 'note' ? 'reply' : 'note')
        byId(`mode-${this.#draft.mode}`).focus()
      })
    }
    know(strings)
    invite(document, byId('conversation'), (files) => {
      if (this.#draft.mode === 'note') this.setMode('reply')
      this.#tray?.add(files)
    }, () => Boolean(this.#subject) && !document.querySelector('dialog[open]'))
    byId('composer-keys').replaceChildren(
      ...(desk.enter_sends ? [h('kbd', {}, 'Enter')] : [h('kbd', {}, 'Ctrl'), h('kbd', {}, 'Enter')]),
      ` ${t('sends')}`,
      h('span', { class: 'visually-hidden' }, desk.enter_sends ? `, ${t('Shift+Enter makes a new line')}` : ''),
    )
  }

  /** Another conversation was opened. @param {Subject} subject */
  bind(subject) {
    this.#stopTyping()
    this.canned.close()
    this.#subject = subject
    this.canned.subject = subject
    this.#draft = this.#drafts.of(subject.id, subject.draft)
    this.#asked = false
    this.colleagues = []
    this.#showTray(subject.id)
    this.setMode(this.#draft.mode, false)
    const restored = byId('draft-note')
    restored.hidden = !this.#draft[this.#draft.mode]
    const words = restored.querySelector('span')
    if (words) words.textContent = this.#draft.at ? t('Draft of {time} restored', { time: momentOf(this.#draft.at) }) : t('Draft restored')
  }

  /** @returns {Tray | undefined} */
  get #tray() {
    return this.#trays.get(this.#subject?.id ?? '')
  }

  /** @param {string} id */
  #showTray(id) {
    const key = `files:${id}`
    let tray = this.#trays.get(id)
    if (!tray) {
      tray = new Tray({ address: '/console/uploads' }, recall(key) ?? [], () => keep(key, tray?.ready.length ? tray.ready : undefined))
      tray.button.className = 'icon-button icon-button--small attach when-reply'
      this.#trays.set(id, tray)
    }
    byId('composer-files').replaceChildren(tray.element)
    const bar = this.#form.querySelector('.composer__bar')
    bar?.querySelector('.attach')?.remove()
    bar?.prepend(tray.button, tray.input)
  }

  /** @param {'reply' | 'note'} mode @param {boolean} [kept] */
  setMode(mode, kept = true) {
    this.#draft.mode = mode
    this.#form.dataset.mode = mode
    this.#field.value = this.#draft[mode]
    for (const name of /** @type {const} */ (['reply', 'note'])) {
      const tab = byId(`mode-${name}`)
      tab.ariaSelected = String(name === mode)
      tab.tabIndex = name === mode ? 0 : -1
    }
    const name = this.#subject?.name ?? ''
    byId('composer-to').textContent = mode === 'note' ? t('Only operators see this') : t('to {name}', { name })
    const label = mode === 'note' ? t('Note for operators') : t('Message to {name}', { name })
    this.#field.setAttribute('aria-label', label)
    this.#field.placeholder = mode === 'note' ? t('Write a note for colleagues') : t('Write a reply, / for canned responses')
    this.#grow()
    if (kept) this.#keep()
  }

  /** To the field, in this mode. @param {'reply' | 'note'} mode */
  write(mode) {
    if (mode !== this.#draft.mode) this.setMode(mode)
    this.#field.focus()
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length)
  }

  toggleMode() {
    this.write(this.#draft.mode === 'note' ? 'reply' : 'note')
  }

  discard() {
    this.#field.value = ''
    this.#input()
    byId('draft-note').hidden = true
    this.#field.focus()
  }

  /** Puts back what could not be sent. @param {'reply' | 'note'} mode @param {string} text @param {Attached[]} files */
  putBack(mode, text, files) {
    this.#tray?.putBack(files)
    this.#draft[mode] = this.#draft[mode] ? `${this.#draft[mode]}\n${text}` : text
    this.setMode(mode)
    this.#field.focus()
  }

  /** @param {string} [then] */
  submit(then = '') {
    const text = this.#field.value.trim()
    const id = this.#subject?.id
    const tray = this.#draft.mode === 'reply' ? this.#tray : undefined
    if (!id || tray?.holds(() => id === this.#subject?.id && this.submit(then))) return
    if (!text && !tray?.ready.length) return
    if (this.#draft.mode === 'reply' && this.colleagues.length && !this.#asked) {
      this.#asked = true
      this.#ask(t('{name} is writing to the visitor now. Send again to send anyway.', { name: this.colleagues.join(', ') }))
      return
    }
    this.#ask('')
    this.#asked = false
    this.#stopTyping()
    this.#send(this.#draft.mode, text, then, tray?.take() ?? [])
    this.#field.value = ''
    byId('draft-note').hidden = true
    this.#input(false)
    this.#field.focus()
  }

  /** @param {string} words */
  #ask(words) {
    const ask = byId('composer-ask')
    ask.hidden = !words
    ask.textContent = words
  }

  /** @param {boolean} [typing] */
  #input(typing = true) {
    this.#draft[this.#draft.mode] = this.#field.value
    this.#draft.at = Date.now()
    this.#grow()
    this.#keep()
    this.canned.look()
    if (typing && this.#draft.mode === 'reply' && this.#field.value.trim()) this.#type()
  }

  #keep() {
    if (!this.#subject) return
    this.#drafts.keep(this.#subject.id, { ...this.#draft })
    this.#changed(this.#subject.id)
  }

  #grow() {
    this.#field.style.blockSize = 'auto'
    this.#field.style.blockSize = `${this.#field.scrollHeight}px`
  }

  #type() {
    const now = performance.now()
    if (now - this.#typingSince > TYPING_EVERY || !this.#typingSince) {
      this.#typingSince = now
      this.#typed(true)
    }
    clearTimeout(this.#typingEnds)
    this.#typingEnds = setTimeout(() => this.#stopTyping(), TYPING_ENDS)
  }

  #stopTyping() {
    clearTimeout(this.#typingEnds)
    if (this.#typingSince) this.#typed(false)
    this.#typingSince = 0
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || this.canned.key(event)) return
    const control = (event.ctrlKey || event.metaKey) && !event.altKey
    if (event.key === 'Enter' && control && event.shiftKey) this.submit('end')
    else if (event.key === 'Enter' && (control || (desk.enter_sends && !event.shiftKey && !event.altKey))) this.submit()
    else if (event.key === 'Escape') byId('messages').focus()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}
