/** The open conversation: which one it is, how another one comes, and what is live in it beside its messages. */

import { desk } from './desk.js'
import { byId, dots, fragmentOf, h, toast } from './dom.js'
import { waitTimer } from './elements/wait-timer.js'
import { listOf, localise, t } from './strings.js'

/** @typedef {import('./stream.js').Log} Log */
/** @typedef {import('./composer.js').Composer} Composer */
/** @typedef {import('./inbox.js').Inbox} Inbox */
/** @typedef {import('../../protocol/wire.d.ts').Person} Person */

const TYPING_LASTS = 8_000
const AHEAD = 3
const FRESH = 60_000

export class OpenConversation {
  id = ''
  state = ''
  operator = ''
  operatorName = ''
  name = ''
  #log
  #composer
  #inbox
  /** Follow it, or no longer. @type {(id: string, follow: boolean) => void} */
  #follow
  /** @type {Map<string, { html: Promise<string>, version: number, at: number }>} */
  #ahead = new Map()
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #typing = new Map()
  #opening = 0

  /**
   * @param {object} parts
   * @param {Log} parts.log
   * @param {Composer} parts.composer
   * @param {Inbox} parts.inbox
   * @param {(id: string, follow: boolean) => void} parts.follow
   */
  constructor({ log, composer, inbox, follow }) {
    this.#log = log
    this.#composer = composer
    this.#inbox = inbox
    this.#follow = follow
    addEventListener('popstate', () => {
      const id = idOf(location.pathname)
      if (id) void this.show(id, false)
      else this.leave(false)
    })
  }

  /** The page came with a conversation in it. */
  adopt() {
    if (!byId('conversation-head').dataset.conversation) return
    this.#take()
  }

  /** @param {string} id @param {boolean} [remember] a step of the browser's history */
  async show(id, remember = true) {
    document.querySelector('.desk')?.setAttribute('data-pane', 'work')
    if (id === this.id) return
    const turn = ++this.#opening
    this.#inbox.select(id)
    let html
    try {
      html = await this.#fetch(id)
    } catch {
      if (turn === this.#opening) {
        toast(t('This did not load.'), { label: t('Try again'), run: () => void this.show(id, remember) })
        this.#inbox.select(this.id)
      }
      return
    }
    // Somebody was faster with another one.
    if (turn !== this.#opening) return
    this.#ahead.delete(id)
    if (this.id) this.#follow(this.id, false)
    for (const part of [...fragmentOf(html).children]) document.getElementById(part.id)?.replaceWith(part)
    this.#take()
    if (remember) history.pushState(null, '', `/console/conversations/${id}`)
    this.#follow(id, true)
    this.#loadAhead()
  }

  /** Nothing is open. @param {boolean} [remember] */
  leave(remember = true) {
    this.#opening++
    document.querySelector('.desk')?.setAttribute('data-pane', 'list')
    if (remember && this.id && matchMedia('(max-width: 720px)').matches) history.pushState(null, '', '/console')
  }

  #take() {
    const head = byId('conversation-head')
    const data = head.dataset
    this.id = data.conversation ?? ''
    this.name = data.name ?? ''
    this.setState(data.state ?? '', data.operator ?? '', data.operatorName ?? '')
    byId('empty').hidden = true
    byId('conversation').hidden = false
    document.querySelector('.desk')?.removeAttribute('data-empty')
    this.#log.renew()
    this.#composer.bind({
      id: this.id,
      name: this.name,
      visitor: data.visitor ?? '',
      locale: data.locale ?? '',
      site: data.site ?? '',
      draft: { mode: data.draftMode, text: data.draftText, at: data.draftAt },
    })
    localise(byId('context'))
    this.#inbox.select(this.id)
    for (const timer of this.#typing.values()) clearTimeout(timer)
    this.#typing.clear()
    this.#showTyping([])
  }

  /** @param {string} id @returns {Promise<string>} */
  #fetch(id) {
    const kept = this.#ahead.get(id)
    if (kept && Date.now() - kept.at < FRESH) return kept.html
    return partial(id)
  }

  /** The next ones whose turn is ours: opening them then takes no time. */
  #loadAhead() {
    for (const id of this.#inbox.ourTurn().filter((id) => id !== this.id).slice(0, AHEAD)) {
      const version = this.#inbox.facts(id)?.version ?? 0
      if (this.#ahead.get(id)?.version === version) continue
      const html = partial(id)
      html.catch(() => this.#ahead.delete(id))
      this.#ahead.set(id, { html, version, at: Date.now() })
    }
  }

  /** @param {string} state @param {string} operator @param {string} operatorName */
  setState(state, operator, operatorName) {
    this.state = state
    this.operator = operator
    this.operatorName = operatorName
    const chip = document.getElementById('conversation-state')
    const words = {
      waiting: t('Waiting'),
      offered: t('Offered'),
      active: operator === desk.operator.id ? t('Yours') : operatorName,
      left: t('Left a message'),
      ended: t('Ended'),
    }
    if (chip) {
      chip.textContent = words[/** @type {keyof typeof words} */ (state)] ?? state
      chip.dataset.state = state
    }
    const foreign = state === 'active' && operator !== desk.operator.id
    const free = state === 'waiting' || state === 'offered'
    const note = byId('colleague')
    const over = state === 'ended' || state === 'left'
    note.hidden = !foreign && !free && !over
    const text = note.querySelector('p')
    if (text && foreign) text.textContent = t('{name} has this conversation.', { name: operatorName })
    else if (text && over) text.textContent = t('This conversation has ended. A reply opens it again.')
    else if (text) text.textContent = t('Nobody has this conversation yet.')
    const button = note.querySelector('button')
    if (button) button.hidden = over
    button?.replaceChildren(foreign ? t('Take over') : t('Take'), ' ', h('kbd', {}, 'm'))
    const end = document.querySelector('#conversation-head [data-act="end"]')
    if (end instanceof HTMLElement) end.hidden = state === 'ended'
  }

  /** What the row now says of it. @param {HTMLElement} row */
  follow(row) {
    const { state = '', operator = '', waitingSince } = row.dataset
    const name = row.querySelector('.row__who')?.lastChild?.textContent ?? ''
    this.setState(state, operator, operator === this.operator && this.operatorName ? this.operatorName : name)
    const clock = document.getElementById('conversation-clock')
    if (!clock) return
    const shown = clock.querySelector('wait-timer')?.getAttribute('since') ?? ''
    const wanted = ['waiting', 'offered', 'active'].includes(state) ? (waitingSince ?? '') : ''
    if (shown === wanted) return
    if (!wanted) clock.replaceChildren()
    else clock.replaceChildren(h('span', { class: 'clock__label' }, t('Reply within 10 min')), waitTimer('clock', wanted))
  }

  /** @param {Person} by @param {boolean} typing */
  typed(by, typing) {
    const who = by.kind === 'visitor' ? this.name : (by.name ?? '')
    clearTimeout(this.#typing.get(who))
    this.#typing.delete(who)
    if (typing) {
      const forget = () => {
        this.#typing.delete(who)
        this.#showTyping([...this.#typing.keys()])
      }
      this.#typing.set(who, setTimeout(forget, TYPING_LASTS))
    }
    this.#showTyping([...this.#typing.keys()])
    if (by.kind === 'operator') {
      const others = this.#composer.colleagues.filter((name) => name !== who)
      this.#composer.colleagues = typing ? [...others, who] : others
    }
  }

  /** @param {string[]} names */
  #showTyping(names) {
    const place = byId('typing')
    if (!names.length) place.replaceChildren()
    else place.replaceChildren(dots(), t('{names} is typing', { names: listOf(names) }))
  }

  /** @param {Person[]} colleagues */
  viewed(colleagues) {
    const place = document.getElementById('viewing')
    const names = colleagues.map((one) => one.name ?? '')
    if (place) place.textContent = names.length ? t('{names} is viewing', { names: listOf(names) }) : ''
  }

  /** Something outside the streams changed: the pane beside is read again. */
  async renewContext() {
    if (!this.id) return
    const id = this.id
    try {
      const fresh = [...fragmentOf(await partial(id)).children].find((part) => part.id === 'context')
      const old = byId('context')
      if (id !== this.id || !fresh || old.contains(document.activeElement)) return
      localise(fresh)
      old.replaceWith(fresh)
    } catch {
      // The pane stays as it was; the next change tries again.
    }
  }
}

/** @param {string} id @returns {Promise<string>} */
async function partial(id) {
  const answer = await fetch(`/console/conversations/${id}`, { headers: { 'X-Partial': '1' } })
  if (!answer.ok) throw new Error(String(answer.status))
  return answer.text()
}

/** @param {string} path */
export const idOf = (path) => /^\/console\/conversations\/([0-9a-f-]{32,36})$/.exec(path)?.[1] ?? ''
