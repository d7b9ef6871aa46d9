/** What a conversation adds up to. Pure: frames in, state and rows out; no DOM, no socket, no clock of its own. */

/** @typedef {import('../../chat/protocol/wire.d.ts').Entry} Entry */
/** @typedef {import('../../chat/protocol/wire.d.ts').ConversationState} ConversationState */
/** @typedef {import('../../chat/protocol/wire.d.ts').Person} Person */
/** @typedef {import('../../chat/protocol/wire.d.ts').Card} Card */
/** @typedef {import('./storage.js').Outgoing} Outgoing */

/** @typedef {{ key: string, text: string, state: 'pending' | 'failed' | 'sent' | 'seen', at: number, refused?: string, files?: import('../files/uploads.js').Attached[] }} Message */
/**
 * @typedef {{ kind: 'day', key: string, at: number }
 *   | { kind: 'event', key: string, event: string, at: number, data: Record<string, any>, text: string }
 *   | { kind: 'card', key: string, card: Card, at: number }
 *   | { kind: 'group', key: string, from: 'visitor' | 'operator', name: string, at: number, messages: Message[] }} Row
 */

const TOGETHER = 5 * 60_000
const SHOWN_EVENTS = new Set(['assigned', 'transferred', 'returned', 'ended', 'reopened', 'left', 'escalated'])

export class Conversation {
  id
  /** waiting, active, left, ended */
  state = 'waiting'
  /** Everything up to here was received. */
  seq = 0
  /** @type {Entry[]} */
  entries = []
  /** @type {Person | null} */
  operator = null
  department = ''
  visitorRead = 0
  operatorRead = 0
  rated = false
  earlier = false
  startedAt = 0
  endedAt = 0
  /** @type {number | null} */
  firstReplySeconds = null
  /** Place in line and seconds, while waiting. @type {number} */
  position = 0
  /** @type {number | null} */
  waitSeconds = null
  /** @type {Person | null} */
  typing = null
  /** Own entries keep the key they had while pending, so that what is on screen stays. @type {Map<number, string>} */
  #refs = new Map()
  /** What the server summed up at this seq is not counted again from older events. */
  #summed = 0

  /** @param {ConversationState} state */
  constructor(state) {
    this.id = state.id
    this.resume(state)
  }

  /** The server's sum of the stream. @param {ConversationState} state */
  resume(state) {
    // A sum that was made before entries we have is older news.
    if ((state.seq ?? 0) < this.seq) return
    this.state = state.state
    this.operator = state.operator ?? null
    this.department = state.department_name ?? ''
    this.visitorRead = Math.max(this.visitorRead, state.visitor_read ?? 0)
    this.operatorRead = Math.max(this.operatorRead, state.operator_read ?? 0)
    this.rated = state.rated ?? false
    this.startedAt = Date.parse(state.started_at ?? '') || this.startedAt
    this.firstReplySeconds = state.first_reply_seconds ?? null
    this.#summed = state.seq ?? 0
  }

  get isOpen() {
    return this.state === 'waiting' || this.state === 'active'
  }

  /** Operators' messages that the visitor has not seen. */
  get unread() {
    return this.entries.filter((entry) => entry.seq > this.visitorRead && isReply(entry)).length
  }

  /** New entries; true if there is a hole before them, which must be fetched. @param {Entry[]} entries */
  take(entries) {
    for (const entry of entries) {
      if (entry.seq <= this.seq) continue
      if (entry.seq > this.seq + 1) return true
      this.#append(entry)
    }
    return false
  }

  /** @param {import('../../chat/protocol/wire.d.ts').Paged} page */
  page(page) {
    const entries = page.entries ?? []
    if (page.back) {
      const first = this.entries[0]?.seq ?? Infinity
      this.entries.unshift(...entries.filter((entry) => entry.seq < first))
    } else {
      if (page.reset) {
        this.entries = []
        this.seq = 0
      }
      // The first page may begin in the middle of the story.
      for (const entry of entries) {
        if (entry.seq === this.seq + 1 || (!this.entries.length && entry.seq > this.seq)) this.#append(entry)
      }
    }
    if (page.earlier !== undefined || page.back || page.reset) this.earlier = page.earlier ?? false
  }

  /** @param {Entry} entry */
  #append(entry) {
    this.entries.push(entry)
    this.seq = entry.seq
    if (entry.ref) this.#refs.set(entry.seq, entry.ref)
    if (entry.event === 'ended') this.endedAt = Date.parse(entry.at)
    if (isReply(entry)) this.typing = null
    if (entry.kind === 'event' && entry.seq > this.#summed) this.#happened(entry)
  }

  /** @param {Entry} entry */
  #happened({ event, data }) {
    /** @type {Person | undefined} */
    const operator = data?.operator
    switch (event) {
      case 'assigned':
      case 'transferred':
        this.state = operator ? 'active' : 'waiting'
        this.operator = operator ?? null
        if (data?.department) this.department = data.department.name ?? this.department
        break
      case 'queued':
      case 'returned':
      case 'reopened':
        this.state = 'waiting'
        this.operator = null
        this.position = 0
        this.rated = false
        break
      case 'left':
      case 'ended':
        this.state = event
        break
      case 'rated':
        this.rated = true
    }
    if (this.state !== 'active') this.typing = null
  }

  /** Who answered last: for the rating and the summary. @returns {Person | null} */
  get lastOperator() {
    return this.operator ?? this.entries.findLast((entry) => isReply(entry))?.author ?? null
  }

  /** The ticket that came of it. @returns {Card | null} */
  get ticket() {
    return this.entries.findLast((entry) => entry.card?.kind === 'ticket')?.card ?? null
  }

  /** What stands in the list, oldest first. @param {Outgoing[]} outgoing @returns {Row[]} */
  rows(outgoing) {
    return rowsOf(this.entries, outgoing.filter((item) => item.conversation === this.id), this.operatorRead, this.#refs)
  }
}

/** @param {Entry} entry */
export const isReply = (entry) => entry.kind === 'message' && entry.author.kind === 'operator'

/**
 * @param {Entry[]} entries
 * @param {Outgoing[]} outgoing
 * @param {number} read everything up to this seq was seen by the operators
 * @param {Map<number, string>} refs
 * @returns {Row[]}
 */
export function rowsOf(entries, outgoing, read = 0, refs = new Map()) {
  /** @type {Row[]} */
  const rows = []
  let day = ''
  /** @param {number} at */
  const dated = (at) => {
    const next = new Date(at).toDateString()
    if (next !== day) rows.push({ kind: 'day', key: `d${next}`, at })
    day = next
  }
  /** @param {'visitor' | 'operator'} from @param {string} name @param {Message} message */
  const say = (from, name, message) => {
    dated(message.at)
    const last = rows.at(-1)
    const joins =
      last?.kind === 'group' && last.from === from && last.name === name && message.state !== 'failed' &&
      last.messages.at(-1)?.state !== 'failed' && message.at - last.at < TOGETHER
    if (joins) {
      last.messages.push(message)
      last.at = message.at
    } else rows.push({ kind: 'group', key: `g${message.key}`, from, name, at: message.at, messages: [message] })
  }
  const latest = new Map()
  for (const { card } of entries) {
    if (card && card.revision >= (latest.get(card.key)?.revision ?? 0)) latest.set(card.key, card)
  }
  for (const entry of entries) {
    const at = Date.parse(entry.at)
    const key = refs.get(entry.seq) ?? String(entry.seq)
    if (entry.kind === 'message' && entry.author.kind !== 'system') {
      const isVisitor = entry.author.kind === 'visitor'
      const state = isVisitor && entry.seq <= read ? 'seen' : 'sent'
      say(isVisitor ? 'visitor' : 'operator', isVisitor ? '' : (entry.author.name ?? ''), { key, text: entry.text ?? '', state, at, files: entry.files })
    } else if (entry.card) {
      const card = latest.get(entry.card.key)
      if (!card) continue
      latest.delete(entry.card.key)
      dated(at)
      rows.push({ kind: 'card', key: `c${card.key}`, card, at })
    } else if (entry.kind === 'message' || SHOWN_EVENTS.has(entry.event ?? '')) {
      dated(at)
      rows.push({ kind: 'event', key, event: entry.event ?? '', at, data: entry.data ?? {}, text: entry.text ?? '' })
    }
  }
  for (const { ref, text, at, refused, files } of outgoing) {
    if (text || files) say('visitor', '', { key: ref, text, at, state: refused === undefined ? 'pending' : 'failed', refused, files })
  }
  return rows
}
