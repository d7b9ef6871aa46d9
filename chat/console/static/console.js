/** The console: what comes over the socket goes to its part of the page, what people do goes out. */

import { Alerts } from './alerts.js'
import { ask } from './asking.js'
import { Composer } from './composer.js'
import { Connection } from '../shared/connection.js'
import { OpenConversation, idOf } from './conversation.js'
import { desk, forgetAll, keep, newRef, recall } from './desk.js'
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
const ANSWER_WITHIN = 10_000

export class Console {
  status = desk.status
  #lostAt = 0
  #sinceLoss = 0
  #known = ''
  #readSent = 0
  #isNew = false
  /** The conversation that the line was told to follow from its beginning. */
  #introducedIn = ''
  /** Commands that wait for `done` or `refused`. @type {Map<string, (reason: string, conversation: string) => void>} */
  #asked = new Map()

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
  offers = new Offers((conversation, take) => void this.#answerOffer(conversation, take))
  dialogs = new Dialogs((name, conversation, fields) => this.#sendPanel(name, conversation, fields))

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
    helpOf(shortcuts.commands)
    const palette = new Palette(
      () => shortcuts.commands,
      () => this.inbox.all().map((row) => ({ label: row.name, detail: row.text, icon: 'chat', keys: [], group: t('Jump to'), run: () => void this.open.show(row.id) })),
    )
    this.#listen(shortcuts, palette)
    setInterval(() => void this.#compare(), COMPARE_EVERY)
    setInterval(() => this.#eachSecond(), 1000)
    this.connection.open()
  }

  /** @param {Shortcuts} shortcuts @param {Palette} palette */
  #listen(shortcuts, palette) {
    document.addEventListener('click', (event) => {
      const target = event.target instanceof Element ? event.target : null
      const actor = target?.closest('[data-act], [data-panel], [data-view]')
      if (actor instanceof HTMLElement) {
        const { act, panel, view } = actor.dataset
        if (view) return this.show(view)
        const command = shortcuts.commands.find(({ id }) => id === (act ?? `panel-${panel}`))
        if (act === 'palette') palette.open()
        else if (act === 'reconnect') this.connection.wake()
        else if (act === 'discard') this.composer.discard()
        else if (act === 'canned') this.composer.canned.begin()
        else if (act === 'earlier') this.connection.send({ type: 'fetch', conversation: this.open.id, before: this.log.firstSeq })
        else if (act === 'newest') this.log.toEnd()
        else if (act === 'back') this.open.leave()
        else if (command) command.run()
        else return undefined
        if (actor instanceof HTMLAnchorElement) event.preventDefault()
        return undefined
      }
      const link = target?.closest('a')
      const id = link && !event.ctrlKey && !event.metaKey && !event.shiftKey && link.origin === location.origin ? idOf(link.pathname) : ''
      if (id) {
        event.preventDefault()
        void this.open.show(id).then(() => this.#read())
      }
      return undefined
    })
    for (const tabs of document.querySelectorAll('.tabs')) {
      tabs.addEventListener('keydown', (event) => this.#moveTab(/** @type {KeyboardEvent} */ (event)))
    }
    document.querySelector('form[action="/console/sign-out"]')?.addEventListener('submit', forgetAll)
    addEventListener('nightdesk:open', (event) => event instanceof CustomEvent && void this.open.show(event.detail))
    addEventListener('focus', () => this.#read())
    document.addEventListener('visibilitychange', () => this.#read())
    shortcuts.commands.push({ id: 'palette', label: t('All actions'), group: t('Everywhere'), keys: ['Control+K'], run: () => palette.open() })
    helpOf(shortcuts.commands)
  }

  /** @param {KeyboardEvent} event */
  #moveTab(event) {
    const views = ['mine', 'waiting', 'all']
    const step = { ArrowLeft: 2, ArrowRight: 1 }[event.key]
    if (!step) return
    event.preventDefault()
    this.show(views[(views.indexOf(this.inbox.view) + step) % 3])
    byId(`tab-${this.inbox.view}`).focus()
  }

  /** @param {string} view */
  show(view) {
    this.inbox.show(view)
    document.querySelector('.desk')?.setAttribute('data-pane', 'list')
  }

  /** Nothing is shown twice as read: the server hears of it once per message. */
  #read() {
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
        this.#settle(frame.ref, '', frame.conversation ?? '')
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
    this.#read()
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
    this.#read()
  }

  /** "3 new since 10:31" above the draft, once per absence. @param {number} count */
  #newSince(count) {
    this.#sinceLoss += count
    if (this.#sinceLoss) toast(tn('{n} new since {time}', '{n} new since {time}', this.#sinceLoss, { time: timeOf(this.#lostAt) }))
  }

  /** @param {import('../../protocol/wire.d.ts').Refused} frame */
  #refused({ ref = '', message, retry = false, retry_after = 0 }) {
    if (this.#settle(ref, message, '')) return
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
      this.#read()
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
    if (then === 'end') void this.ask({ type: 'end', conversation, ref: newRef() }, true)
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

  /**
   * A command that is answered by `done` or `refused`.
   * @param {OperatorFrame & { ref?: string | null }} frame
   * @param {boolean} [aloud] whether a refusal is shown here
   * @returns {Promise<{ reason: string, conversation: string }>}
   */
  ask(frame, aloud = false) {
    return new Promise((resolve) => {
      const ref = frame.ref ?? ''
      const patience = setTimeout(() => this.#settle(ref, t('The line is away. Nothing was lost; try again.'), ''), ANSWER_WITHIN)
      this.#asked.set(ref, (reason, conversation) => {
        clearTimeout(patience)
        if (reason && aloud) toast(reason)
        resolve({ reason, conversation })
      })
      if (!this.connection.send(frame)) this.#settle(ref, t('The line is away. Nothing was lost; try again.'), '')
    })
  }

  /** @param {string} ref @param {string} reason @param {string} conversation @returns {boolean} whether it was asked */
  #settle(ref, reason, conversation) {
    const asked = this.#asked.get(ref)
    this.#asked.delete(ref)
    asked?.(reason, conversation)
    return asked !== undefined
  }

  /** The offer, else the oldest that waits. */
  async takeOldest() {
    if (this.offers.takeFirst()) return
    const { reason, conversation } = await this.ask({ type: 'take', ref: newRef() }, true)
    if (!reason && conversation) await this.open.show(conversation)
  }

  async takeThis() {
    const { id } = this.open
    if (id) await this.ask({ type: 'take', ref: newRef(), conversation: id }, true)
  }

  /** @param {string} conversation @param {boolean} take */
  async #answerOffer(conversation, take) {
    this.alerts.waits(conversation, undefined)
    const { reason } = await this.ask({ type: take ? 'accept' : 'decline', conversation, ref: newRef() }, true)
    if (take && !reason) {
      await this.open.show(conversation)
      this.composer.write('reply')
    }
  }

  /** @param {string} name @param {string} conversation @param {{ [name: string]: string }} fields @returns {Promise<string>} */
  async #sendPanel(name, conversation, fields) {
    if (name === 'transfer') {
      const [kind, target] = (fields.to ?? '').split(':')
      const to = kind === 'operator' ? { operator: target } : { department: target }
      return (await this.ask({ type: 'transfer', ref: newRef(), conversation, note: fields.note ?? '', ...to })).reason
    }
    const { reason } = await this.ask({ type: 'end', ref: newRef(), conversation })
    if (!reason && fields.next) await this.openNext()
    return reason
  }

  async end(next = false) {
    const { id, state } = this.open
    if (!id || state === 'ended') return
    if (!next) return this.dialogs.open(`/console/conversations/${id}/end`)
    const { reason } = await this.ask({ type: 'end', ref: newRef(), conversation: id }, true)
    if (!reason) await this.openNext()
  }

  /** The next one whose turn is ours. */
  async openNext() {
    const next = this.inbox.ourTurn().find((id) => id !== this.open.id)
    if (next) await this.open.show(next)
    else toast(t('Nobody is waiting.'))
  }

  toggleContext() {
    const page = document.querySelector('.desk')
    const hidden = page?.getAttribute('data-context') === 'hidden'
    const wide = matchMedia('(min-width: 1101px)').matches
    if (wide) {
      page?.setAttribute('data-context', hidden ? 'shown' : 'hidden')
      keep('context', hidden ? undefined : 'hidden')
    } else page?.toggleAttribute('data-drawer')
    if (page?.hasAttribute('data-drawer')) byId('context').querySelector('button')?.focus()
  }
}

if (recall('context') === 'hidden') document.querySelector('.desk')?.setAttribute('data-context', 'hidden')
new Console().start()
