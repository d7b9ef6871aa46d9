/** The visitor's side of the talk: connection, conversation and outbox put together. No DOM. */

import { Connection } from '../shared/connection.js'
import { Conversation, isReply } from './conversation.js'
import { Outbox, locked, newRef } from './storage.js'
import { locale } from './strings.js'

/** @typedef {import('../../chat/protocol/wire.d.ts').Staff} Staff */
/** @typedef {import('../shared/connection.js').Frame} Frame */
/** @typedef {import('./storage.js').Outgoing} Outgoing */
/** @typedef {{ url: string, title: string, referrer?: string }} HostPage */

const AWAY_AFTER = 3_000
const TYPING_EVERY = 2_500
const TYPING_LASTS = 6_000
const QUIET_RETRIES = 5
const QUIET_RETRY_MAX = 5 // seconds; longer waits are told to the visitor

export class Desk {
  /** @type {Staff} */
  staff = {}
  /** @type {Conversation | null} */
  conversation = null
  /** @type {HostPage | undefined} */
  page = undefined
  welcomed = false
  /** Gone for longer than a hiccup. */
  away = false
  /** When the present wait began, by this computer's clock; 0 while nobody waits. */
  waitingSince = 0
  /** Server's clock minus ours, in ms, as far as live entries told. */
  skew = 0
  /** Files that go along with what is posted next; or nothing of them stays. @type {(forget?: boolean) => import('../files/uploads.js').Attached[] | undefined} */
  take = () => undefined
  #key
  #store
  #tell
  #changed
  /** The token of the present introduction. @type {string | null} */
  #as = null
  /** Lets the next tab enroll. @type {(() => void) | null} */
  #enrolled = null
  #typedAt = 0
  #isHeld = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #heldUntil
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typingEnds
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #awayTimer

  /**
   * @param {string} key of the site
   * @param {import('./storage.js').Store} store
   * @param {() => void} changed something to show has changed
   * @param {(name: string, data: object) => void} tell an event for the host page and for the frame
   */
  constructor(key, store, changed, tell) {
    this.#key = key
    this.#store = store
    this.#tell = tell
    this.#changed = changed
    this.outbox = new Outbox(store, () => this.flush())
    this.connection = new Connection(location.pathname, {
      introduce: async () => [this.#hello()],
      receive: (frame) => this.#receive(frame),
      changed: (live, polls) => {
        if (live) store.set('polls', polls || null)
        this.#line(live)
      },
      // Without the token we are a stranger, who is welcome.
      ended: () => this.#forget(),
    }, store.get('polls'))
    addEventListener('pagehide', () => this.outbox.close())
    addEventListener('pageshow', (event) => event.persisted && this.outbox.open())
    store.watch((changedKey) => {
      if (changedKey === 'token' && !this.conversation && !this.outbox.items.length) this.connection.open()
      if (changedKey.startsWith('outbox/')) this.outbox.inherit(changedKey)
    })
  }

  open() {
    this.outbox.open()
    this.connection.open()
    this.#awayTimer = setTimeout(() => this.#setAway(true), AWAY_AFTER)
  }

  get online() {
    return this.staff.online ?? 0
  }

  /** Messages that began no conversation yet, or belong to the present one; all of them while that is not known. */
  get outgoing() {
    const id = this.conversation?.id ?? ''
    return this.outbox.items.filter((item) => item.conversation === id || (!id && !this.welcomed))
  }

  /** @param {string} text @param {{ name?: string, email?: string, department?: string, fresh?: boolean }} [details] */
  say(text, { fresh, ...details } = {}) {
    if (fresh) this.conversation = null
    this.#post({ kind: 'say', text, ...details })
    this.typed(false)
  }

  /** A message with an address, which becomes a ticket. @param {{ text: string, email: string, name?: string, department?: string }} details */
  leave(details) {
    if (!this.conversation?.isOpen) this.conversation = null
    return this.#post({ kind: 'leave', ...details })
  }

  /** @param {Omit<Outgoing, 'ref' | 'at' | 'conversation' | 'files'>} item */
  #post(item) {
    this.#store.keep(true)
    const ref = newRef()
    this.outbox.add({ ...item, files: this.take(), ref, at: Date.now() + this.skew, conversation: this.conversation?.id ?? '' })
    this.flush()
    this.#changed()
    return ref
  }

  /** @param {string} ref */
  retry(ref) {
    const item = this.outbox.find(ref)
    if (item) this.outbox.change(item, { refused: undefined, tries: 0 })
    this.flush()
    this.#changed()
  }

  /** @param {boolean} typing */
  typed(typing) {
    const now = Date.now()
    if (!this.conversation || (typing ? now - this.#typedAt < TYPING_EVERY : !this.#typedAt)) return
    this.#typedAt = typing ? now : 0
    this.connection.send({ type: 'type', conversation: this.conversation.id, typing })
  }

  /** Everything received was on screen. */
  read() {
    const it = this.conversation
    if (!it?.unread || !this.connection.send({ type: 'read', conversation: it.id, seq: it.seq })) return
    it.visitorRead = it.seq
    this.#changed()
  }

  end() {
    if (this.conversation) this.connection.send({ type: 'end', conversation: this.conversation.id, ref: newRef() })
  }

  /** @param {number} score @param {string} text */
  rate(score, text) {
    const it = this.conversation
    if (!it) return
    this.connection.send({ type: 'rate', conversation: it.id, score, text })
    it.rated = true
    this.#tell('rated', { conversation: it.id, score })
    this.#changed()
  }

  earlier() {
    const it = this.conversation
    if (it?.entries[0]) this.connection.send({ type: 'fetch', conversation: it.id, before: it.entries[0].seq })
  }

  /** @param {HostPage} page */
  visit(page) {
    this.page = page
    if (this.connection.live) this.connection.send({ type: 'visit', page })
  }

  /** The host signs its person out: nothing of them stays here. */
  logout() {
    this.take(true)
    this.outbox.clear()
    this.#store.clear()
    this.conversation = null
    this.connection.open()
    this.#changed()
  }

  /** Sends what waits, one at a time: a later word must not overtake one that is refused for a moment. */
  flush() {
    const item = this.outbox.items.find((one) => one.refused === undefined)
    if (!item || !this.connection.live || this.#isHeld || this.outbox.sent.has(item.ref)) return
    const { ref, kind, text, files, conversation, name, email, department } = item
    if (!this.#as) return this.enroll()
    this.outbox.sent.add(ref)
    const type = kind === 'leave' ? kind : conversation ? 'say' : 'start'
    this.connection.send({ type, ref, text, files: files?.map(({ id }) => id), conversation: conversation || undefined, name, email, department, page: this.page })
  }

  /** One tab of this browser after the other, so that all of them are one visitor. */
  enroll() {
    if (this.#enrolled) return
    this.#enrolled = () => {}
    locked('enroll', {}, () => new Promise((enrolled) => {
      this.#enrolled = () => enrolled(0)
      if (this.#store.get('token')) this.connection.open()
      else if (!this.connection.send({ type: 'enroll' })) enrolled(0)
    }))
  }

  /** @returns {Frame} */
  #hello() {
    this.#as = this.#store.get('token')
    const it = this.conversation
    return {
      type: 'hello',
      site: this.#key,
      token: this.#as ?? undefined,
      conversation: it?.id,
      last_seen: it?.seq,
      locale,
      time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      page: this.page,
    }
  }

  #forget() {
    const was = this.#as
    this.#as = null
    if (this.#store.get('token') === was) this.#store.set('token', null)
    // What was on its way begins a conversation of its own.
    if (this.conversation) this.outbox.move(this.conversation.id, '')
    this.conversation = null
    return was !== null
  }

  /** @param {boolean} live */
  #line(live) {
    clearTimeout(this.#awayTimer)
    this.#enrolled?.()
    this.#enrolled = null
    if (live) {
      this.outbox.sent.clear()
      this.#typedAt = 0
      this.#setAway(false)
    } else this.#awayTimer = setTimeout(() => this.#setAway(true), AWAY_AFTER)
  }

  /** @param {boolean} away */
  #setAway(away) {
    this.away = away
    this.#changed()
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (Object.hasOwn(this.#handlers, frame.type)) this.#handlers[frame.type](frame)
    this.#changed()
  }

  /** Frames of another conversation are none of this view's. @param {Frame} frame */
  #mine(frame) {
    return frame.conversation === this.conversation?.id ? this.conversation : null
  }

  /** @param {{ ref?: string }[]} entries */
  #settle(entries) {
    for (const { ref } of entries) {
      if (ref && this.outbox.settle(ref)) this.#tell('message:sent', { conversation: this.conversation?.id })
    }
    this.flush()
  }

  /** @param {any} frame @param {(it: Conversation) => boolean} take true: there is more to fetch */
  #came(frame, take) {
    this.#settle(frame.entries)
    const it = this.#mine(frame)
    if (!it) return
    // History is no news; what was said while the line was away is.
    const last = frame.reset || frame.back ? Infinity : it.seq
    if (take(it)) this.connection.send({ type: 'fetch', conversation: it.id, after: it.seq })
    for (const entry of it.entries.filter((one) => one.seq > last)) this.#heard(it, entry)
    this.#watchWait()
  }

  /** @type {Record<string, (frame: any) => void>} */
  #handlers = {
    welcomed: (/** @type {import('../../chat/protocol/wire.d.ts').Welcomed} */ frame) => {
      this.welcomed = true
      this.staff = frame.staff
      // Another tab was given a token while we were greeted as a stranger.
      if (!frame.known && this.#as !== this.#store.get('token')) return this.connection.open()
      if (!frame.known) this.#forget()
      for (const key of /** @type {const} */ (['name', 'email'])) if (frame[key] && !this.#store.get(key)) this.#store.set(key, frame[key])
      // Words on their way join an open conversation, perhaps the one they began; one that is over they leave behind.
      const isOpen = ['waiting', 'active'].includes(frame.conversation?.state ?? '')
      if (frame.conversation && (isOpen || this.outbox.items.every((item) => item.conversation))) {
        this.#follow(frame.conversation)
        this.outbox.move('', frame.conversation.id)
      }
      this.#watchWait()
      this.flush()
      this.#tell('status', { online: this.online })
    },
    enrolled: ({ token }) => {
      this.#store.set('token', (this.#as = token))
      this.#enrolled?.()
      this.flush()
    },
    started: ({ ref, conversation }) => {
      const item = this.outbox.find(ref)
      this.#follow(conversation)
      this.outbox.move('', conversation.id)
      // For words the acknowledgement is their entry: if that is lost, the resend is a `say` with the same ref.
      if (item?.kind === 'leave') this.#settle([{ ref }])
      // It may have begun before a reload, and have entries that came while nobody followed it.
      if (conversation.seq > (this.conversation?.seq ?? 0)) this.connection.send({ type: 'fetch', conversation: conversation.id, after: this.conversation?.seq })
      this.#watchWait()
      this.#tell('conversation:started', { conversation: conversation.id })
      this.flush()
    },
    said: (frame) => this.#came(frame, (it) => {
      this.skew = Date.parse(frame.entries[0].at) - Date.now()
      return it.take(frame.entries)
    }),
    paged: (frame) => this.#came(frame, (it) => {
      it.page(frame)
      return frame.more
    }),
    typed: (frame) => {
      const it = this.#mine(frame)
      clearTimeout(this.#typingEnds)
      if (!it || frame.by?.kind !== 'operator') return
      it.typing = frame.typing ? frame.by : null
      this.#typingEnds = setTimeout(() => {
        it.typing = null
        this.#changed()
      }, TYPING_LASTS)
    },
    seen: (frame) => {
      const it = this.#mine(frame)
      const mark = frame.by === 'visitor' ? 'visitorRead' : 'operatorRead'
      if (it) it[mark] = Math.max(it[mark], frame.seq)
    },
    queued: (frame) => {
      const it = this.#mine(frame)
      if (!it) return
      it.position = frame.position
      it.waitSeconds = frame.wait_seconds ?? null
      this.#tell('status', { online: this.online, position: it.position, wait_seconds: it.waitSeconds })
    },
    staffed: (frame) => {
      this.staff = frame.staff
      this.#tell('status', { online: this.online })
    },
    refused: (frame) => {
      const item = frame.ref && this.outbox.find(frame.ref)
      if (!item) return this.#tell('error', { code: frame.code })
      const tries = (item.tries ?? 0) + 1
      if (frame.retry && (frame.retry_after ?? 0) <= QUIET_RETRY_MAX && tries <= QUIET_RETRIES) {
        item.tries = tries
        this.outbox.sent.delete(item.ref)
        this.#isHeld = true
        clearTimeout(this.#heldUntil)
        this.#heldUntil = setTimeout(() => {
          this.#isHeld = false
          this.flush()
        }, (frame.retry_after || 2) * 1000)
      } else {
        this.outbox.change(item, { refused: frame.message })
        this.#tell('error', { code: frame.code, ref: item.ref })
        this.flush()
      }
    },
  }

  /** @param {import('../../chat/protocol/wire.d.ts').ConversationState} state */
  #follow(state) {
    if (this.conversation?.id === state.id) this.conversation.resume(state)
    else this.conversation = new Conversation(state)
  }

  /** An entry that nobody has seen here. @param {Conversation} it @param {import('../../chat/protocol/wire.d.ts').Entry} entry */
  #heard(it, entry) {
    const operator = entry.data?.operator
    if (isReply(entry)) this.#tell('message:received', { conversation: it.id, seq: entry.seq })
    else if (entry.event === 'assigned' || (entry.event === 'transferred' && operator)) this.#tell('operator:joined', { conversation: it.id, operator: operator?.id })
    else if (entry.event === 'ended') this.#tell('conversation:ended', { conversation: it.id })
    else if (entry.event === 'left') {
      // Where all was said before, no message of its own acknowledges it.
      for (const item of this.outgoing) if (item.kind === 'leave') this.outbox.settle(item.ref)
      this.#tell('form:submitted', { conversation: it.id })
    }
    else if (entry.card?.kind === 'ticket' && entry.card.revision <= 1) this.#tell('ticket:opened', { number: entry.card.number })
  }

  #watchWait() {
    const waits = this.conversation?.state === 'waiting'
    if (!waits) this.waitingSince = 0
    else this.waitingSince ||= this.#waitBegan()
  }

  #waitBegan() {
    const entry = this.conversation?.entries.findLast((one) => ['queued', 'returned', 'reopened'].includes(one.event ?? ''))
    return Math.min(Date.now(), entry ? Date.parse(entry.at) - this.skew : Date.now())
  }
}
