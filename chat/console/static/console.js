/** The console: what comes over the socket goes to its part of the page, what people do goes out. */

import { Acts } from './acts.js'
import { Alerts } from './alerts.js'
import { ask } from './asking.js'
import { attachClicks } from './clicks.js'
import { Composer } from './composer.js'
import { Connection } from '../shared/connection.js'
import { OpenConversation } from './conversation.js'
import { desk, keep, newRef, recall } from './desk.js'
import { Dialogs } from './dialogs.js'
import { alertAloud, byId, byIdAs, toast } from './dom.js'
import { Drafts } from './drafts.js'
import './elements/wait-timer.js'
import { commandsOf, helpOf } from './commands.js'
import { Inbox, attachSearch } from './inbox.js'
import { attachMenu, showStatus } from './menu.js'
import { Offers } from './offer.js'
import { Outbox } from './outbox.js'
import { Palette } from './palette.js'
import { Shortcuts } from './shortcuts.js'
import { Log } from './stream.js'
import { t, timeOf, tn } from './strings.js'
import { showConnection, showCounts } from './strip.js'

/** @typedef {import('../../protocol/wire.d.ts').ToOperator} ToOperator */
/** @typedef {import('../../protocol/wire.d.ts').OperatorFrame} OperatorFrame */
/** @typedef {import('./outbox.js').Unsent} Unsent */

const COMPARE_EVERY = 60_000
const AWAY_SHOWN_AFTER = 3_000

export class Console {
  status = desk.status
  #lostAt = 0
  #sinceLoss = 0
  #known = ''
  #readSent = 0
  #isNew = false
  /** The conversation that the line was told to follow from its beginning. */
  #introducedIn = ''
  acts = new Acts(this)
  /** @type {Connection<OperatorFrame>} */
  connection = new Connection('/console', {
    introduce: () => this.#introduce(),
    receive: (frame) => this.#receive(frame),
    changed: (live, polls) => this.#lineChanged(live, polls),
    ended: () => this.#accessEnded(),
  }, recall('polls'))
  alerts = new Alerts()
  log = new Log()
  inbox = new Inbox((id, now, before) => this.#rowChanged(id, now, before))
  outbox = new Outbox(this.connection, (unsent) => this.#showUnsent(unsent))
  drafts = new Drafts(this.connection)
  composer = new Composer({
    drafts: this.drafts,
    send: (mode, text, then, files) => this.#sendWords(mode, text, then, files),
    typed: (typing) => this.connection.send({ type: 'type', conversation: this.open.id, typing }),
    changed: (conversation) => this.inbox.draft(conversation),
  })
  open = new OpenConversation({
    log: this.log,
    composer: this.composer,
    inbox: this.inbox,
    follow: (id, follow) => this.#follow(id, follow),
  })
  offers = new Offers((conversation, take) => void this.acts.answerOffer(conversation, take))
  dialogs = new Dialogs((name, conversation, fields) => this.acts.sendPanel(name, conversation, fields))

  start() {
    this.open.adopt()
    this.#showOutbox()
    attachSearch(this.inbox)
    attachMenu((status) => this.connection.send({ type: 'appear', status }))
    showStatus(this.status)
    this.alerts.rings = this.status === 'online'
    for (const row of this.inbox.all()) this.#ringFor(row.id)
    this.#light()
    const shortcuts = new Shortcuts(commandsOf(this))
    const palette = new Palette(
      () => shortcuts.commands,
      () => this.inbox.all().map((row) => ({ label: row.name, detail: row.text, icon: 'chat', keys: [], group: t('Jump to'), run: () => void this.open.show(row.id) })),
    )
    attachClicks(this, shortcuts, palette)
    shortcuts.commands.push({ id: 'palette', label: t('All actions'), group: t('Everywhere'), keys: ['Control+K'], run: () => palette.open() })
    helpOf(shortcuts.commands)
    setInterval(() => void this.#compare(), COMPARE_EVERY)
    setInterval(() => this.#eachSecond(), 1000)
    this.connection.open()
  }

  /** @param {string} view */
  show(view) {
    this.inbox.show(view)
    document.querySelector('.desk')?.setAttribute('data-pane', 'list')
  }

  /** Nothing is shown twice as read: the server hears of it once per message. */
  read() {
    const { id, operator, state } = this.open
    if (!id || operator !== desk.operator.id || state !== 'active' || document.hidden || !document.hasFocus()) return
    this.inbox.read(id)
    this.#light()
    if (this.log.lastSeq <= this.#readSent) return
    if (this.connection.send({ type: 'read', conversation: id, seq: this.log.lastSeq })) this.#readSent = this.log.lastSeq
  }

  // ── the line ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A pass that works once, and what is open: so each line begins where the last one ended. @returns {Promise<OperatorFrame[] | null>} */
  async #introduce() {
    const answer = await ask('/console/socket-pass', { method: 'POST' })
    if (answer.status === 401 || answer.status === 403) return null
    if (!answer.ok) throw new Error(`socket-pass: ${answer.status}`)
    const { socket_pass } = await answer.json()
    this.#introducedIn = this.open.id
    return this.open.id ? [{ type: 'attend', socket_pass }, this.#opening()] : [{ type: 'attend', socket_pass }]
  }

  /** @returns {OperatorFrame} */
  #opening() {
    return { type: 'open', conversation: this.open.id, last_seen: this.log.lastSeq, last_note: this.log.lastNote }
  }

  /** @param {boolean} live @param {boolean} polls */
  #lineChanged(live, polls) {
    this.#isNew = live
    if (live) keep('polls', polls || undefined)
    else this.#lostAt = this.connection.lostAt
    // Less than three seconds away is nothing that people must know.
    if (live) this.#showLine()
    else setTimeout(() => this.#showLine(), AWAY_SHOWN_AFTER)
  }

  #showLine() {
    const { live, lostAt, stopped } = this.connection
    showConnection(this.connection)
    const banner = byId('banner')
    banner.hidden = live
    const words = banner.querySelector('b')
    if (words) words.textContent = stopped ? t('Signed out.') : t('Offline since {time}.', { time: timeOf(lostAt || Date.now()) })
    byId('held').hidden = live
    for (const id of ['send-reply', 'send-note']) byId(id).classList.toggle('button--waits', !live)
  }

  #eachSecond() {
    if (this.connection.live) showConnection(this.connection)
    for (const place of document.querySelectorAll('[data-zone]')) {
      if (!(place instanceof HTMLElement) || !place.dataset.zone) continue
      const now = new Intl.DateTimeFormat(desk.locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: place.dataset.zone }).format()
      if (place.textContent !== now) place.textContent = now
    }
  }

  #accessEnded() {
    this.#showLine()
    const dialog = byIdAs('ended-access', HTMLDialogElement)
    byIdAs('sign-in-again', HTMLAnchorElement).href = `/console/sign-in?next=${encodeURIComponent(location.pathname)}`
    if (!dialog.open) dialog.showModal()
  }

  /** The list as the server has it; then what was held may go out. */
  async #compare() {
    if (!this.connection.live) return
    const loading = byId('loading')
    const slow = setTimeout(() => (loading.hidden = false), 300)
    try {
      const answer = await ask(`/console/inbox.json?known=${this.#known}`)
      if (answer.status === 401) this.connection.open()
      if (answer.status !== 200) return
      const news = await answer.json()
      this.#known = news.known
      this.inbox.replaceAll(news.rows)
      showCounts(news)
      this.#light()
    } catch {
      // The socket says when the line is away; the next minute compares again.
    } finally {
      clearTimeout(slow)
      loading.hidden = true
    }
  }

  /** @param {string} id @param {boolean} follow */
  #follow(id, follow) {
    if (!follow) this.connection.send({ type: 'close', conversation: id })
    else {
      this.#readSent = 0
      this.#showOutbox()
      this.connection.send(this.#opening())
    }
  }

  /** Once on a socket, and with the answer to each poll: what is in no stream may have changed between two of them. */
  async #attended() {
    const isNew = this.#isNew
    const began = Date.now()
    this.#isNew = false
    if (isNew) {
      // What rang between the making of this page and now was told to nobody here.
      document.dispatchEvent(new CustomEvent('nightdesk:nudged', { detail: { topic: 'alarm', id: '' } }))
      this.#sinceLoss = this.#readSent = 0
      if (this.open.id && this.open.id !== this.#introducedIn) this.#follow(this.open.id, true)
    } else this.#lostAt = 0
    await this.#compare()
    for (const id of this.offers.toldBefore(began)) {
      const row = this.inbox.facts(id)
      if (row?.state !== 'offered' || row.operator !== desk.operator.id) this.offers.remove(id)
    }
    if (!isNew) return
    this.drafts.flush()
    this.outbox.flush((unsent) => this.#answeredMeanwhile(unsent))
  }

  /** @param {Unsent} unsent */
  #answeredMeanwhile(unsent) {
    const row = this.inbox.facts(unsent.conversation)
    if (!row || row.by !== 'operator' || Date.parse(row.at) < unsent.at) return ''
    return t('Not sent: a colleague has answered meanwhile.')
  }

  // ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param {ToOperator} frame */
  #receive(frame) {
    switch (frame.type) {
      case 'attended':
        this.#appeared(frame.status)
        return void this.#attended()
      case 'said':
      case 'noted':
        return this.#entries(frame.conversation, frame.type === 'said' ? 'public' : 'internal', frame.entries)
      case 'paged':
        return this.#paged(frame)
      case 'listed':
        this.inbox.upsert(frame.html)
        return this.#light()
      case 'counted':
        return showCounts({ waiting: frame.waiting, oldest_since: frame.oldest_since, online: frame.online })
      case 'offered':
        return this.alerts.waits(frame.conversation, this.offers.show(frame.conversation, frame.seconds, frame.html))
      case 'withdrawn':
        this.offers.remove(frame.conversation)
        if (frame.because === 'moved') {
          this.inbox.remove(frame.conversation)
          if (frame.conversation === this.open.id) toast(t('The conversation is with another department now.'))
        }
        return this.#ringFor(frame.conversation)
      case 'typed':
        this.inbox.typing(frame.conversation, frame.typing && frame.by.kind === 'visitor')
        if (frame.conversation === this.open.id) this.open.typed(frame.by, frame.typing)
        return undefined
      case 'seen':
        if (frame.conversation === this.open.id && frame.by === 'visitor') this.log.seen(frame.seq)
        return undefined
      case 'viewed':
        if (frame.conversation === this.open.id) this.open.viewed(frame.operators)
        return undefined
      case 'appeared':
        this.#appeared(frame.status)
        if (frame.because === 'missed-offers') toast(t('You are away now: two offers were not taken.'), { label: t('I am here'), run: () => this.appear('online') })
        return undefined
      case 'done':
        this.acts.settle(frame.ref, '', frame.conversation ?? '')
        this.outbox.confirm(frame.ref)
        return this.log.removeUnsent(frame.ref)
      case 'refused':
        return this.#refused(frame)
      case 'nudged':
        // Who looks at a ticket is no news of a conversation.
        if (frame.topic === 'looking') return undefined
        document.dispatchEvent(new CustomEvent('nightdesk:nudged', { detail: frame }))
        return void this.open.renewContext()
      default:
        return undefined
    }
  }

  /** @param {string} conversation @param {string} stream @param {import('../../protocol/wire.d.ts').Entry[]} entries */
  #entries(conversation, stream, entries) {
    for (const entry of entries) if (entry.ref) this.outbox.confirm(entry.ref)
    if (conversation !== this.open.id) return
    this.log.add(entries, stream)
    this.open.typed({ kind: 'visitor' }, false)
    if (entries.some((entry) => entry.event === 'assigned' || entry.event === 'ended')) void this.open.renewContext()
    this.read()
  }

  /** @param {import('../../protocol/wire.d.ts').Paged} page */
  #paged(page) {
    for (const entry of page.entries) if (entry.ref) this.outbox.confirm(entry.ref)
    if (page.conversation !== this.open.id) return
    const fresh = this.log.add(page.entries, page.stream, { back: page.back, reset: page.reset })
    const earlier = document.querySelector('.log__earlier')
    if (earlier instanceof HTMLElement && page.stream === 'public' && (page.back || page.reset)) earlier.hidden = !page.earlier
    if (page.more) this.connection.send({ type: 'fetch', conversation: page.conversation, after: this.log.lastSeq })
    if (this.#lostAt && !page.reset && !page.back) this.#newSince(fresh.length)
    this.read()
  }

  /** "3 new since 10:31" above the draft, once per absence. @param {number} count */
  #newSince(count) {
    this.#sinceLoss += count
    if (this.#sinceLoss) toast(tn('{n} new since {time}', '{n} new since {time}', this.#sinceLoss, { time: timeOf(this.#lostAt) }))
  }

  /** @param {import('../../protocol/wire.d.ts').Refused} frame */
  #refused({ ref = '', message, retry = false, retry_after = 0 }) {
    if (this.acts.settle(ref, message, '')) return
    const unsent = this.outbox.refuse(ref, message, retry, retry_after)
    if (unsent) alertAloud(`${t('Not sent.')} ${message}`)
    else if (!ref) toast(message)
  }

  /** @param {string} status */
  #appeared(status) {
    this.status = status
    this.alerts.rings = status === 'online'
    showStatus(status)
  }

  /** @param {string} id @param {import('./inbox.js').RowFacts} now @param {import('./inbox.js').RowFacts | undefined} before */
  #rowChanged(id, now, before) {
    this.#ringFor(id)
    const row = this.inbox.row(id)
    if (id === this.open.id && row) {
      this.open.follow(row)
      this.read()
    }
    const isMine = now.operator === desk.operator.id && now.state === 'active'
    const isSeen = id === this.open.id && document.hasFocus() && !document.hidden
    if (isMine && before && now.unread > before.unread && !isSeen) this.alerts.replied(id, now.name)
  }

  /** @param {string} id */
  #ringFor(id) {
    const row = this.inbox.facts(id)
    this.alerts.waits(id, row?.state === 'waiting' || (row?.state === 'offered' && row.operator === desk.operator.id) ? row.name : undefined)
  }

  #light() {
    this.alerts.light(this.inbox.lit)
  }

  // ── what people do ───────────────────────────────────────────────────────────────────────────────────────────────

  /** @param {'reply' | 'note'} mode @param {string} text @param {string} then @param {import('../files/uploads.js').Attached[]} files */
  #sendWords(mode, text, then, files) {
    const conversation = this.open.id
    this.outbox.send(conversation, mode, text, files)
    if (then === 'end') void this.acts.ask({ type: 'end', conversation, ref: newRef() }, true)
  }

  /** @param {Unsent} unsent */
  #showUnsent(unsent) {
    if (unsent.conversation !== this.open.id) return
    this.log.showUnsent(unsent, (act) => {
      if (act === 'again') this.outbox.again(unsent.ref)
      else if (act === 'copy') void navigator.clipboard.writeText(unsent.text).then(() => toast(t('Copied.')))
      else {
        this.outbox.confirm(unsent.ref)
        this.log.removeUnsent(unsent.ref)
        this.composer.putBack(unsent.mode, unsent.text, unsent.files ?? [])
      }
    })
  }

  #showOutbox() {
    for (const unsent of this.outbox.of(this.open.id)) this.#showUnsent(unsent)
  }

  /** @param {'online' | 'away'} status */
  appear(status) {
    this.connection.send({ type: 'appear', status })
  }

}

if (recall('context') === 'hidden') document.querySelector('.desk')?.setAttribute('data-context', 'hidden')
new Console().start()
