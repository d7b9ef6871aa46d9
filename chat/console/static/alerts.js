/**
 * What makes an operator look up: sound, title, icon, badge, desktop notification. One tab rings for all (Web Locks);
 * a waiting conversation rings every ten seconds until somebody has it.
 */

import { desk, keep, recall } from './desk.js'
import { byId, byIdAs, h, icon } from './dom.js'
import { play } from './sounds.js'
import { t, tn } from './strings.js'

const RING_EVERY = 10_000

export class Alerts {
  #title = document.title
  #icon = document.querySelector('link[rel=icon]')
  #rings = false
  #leads = false
  #lit = 0
  /** What is waiting for whom now: conversation -> name. @type {Map<string, string>} */
  #waiting = new Map()
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #bell
  isOn = recall('sound') ?? desk.sound

  constructor() {
    // The lock is held as long as the tab lives; the next one takes over by itself.
    if (navigator.locks) void navigator.locks.request(`nightdesk-bell-${desk.operator.id}`, () => new Promise(() => (this.#leads = true)))
    else this.#leads = true
    this.#showSound()
  }

  toggleSound() {
    this.isOn = !this.isOn
    keep('sound', this.isOn)
    this.#showSound()
    if (this.isOn) void play('reply')
  }

  #showSound() {
    const button = byId('strip-sound')
    button.ariaPressed = String(this.isOn)
    const words = this.isOn ? t('Sound on') : t('Sound off')
    button.querySelector('span')?.replaceChildren(words)
    button.querySelector('use')?.setAttribute('href', this.isOn ? '#icon-sound' : '#icon-mute')
  }

  /** A conversation waits (`name`), or does no more (undefined). @param {string} conversation @param {string | undefined} name */
  waits(conversation, name) {
    const isNew = name !== undefined && !this.#waiting.has(conversation)
    if (name === undefined) this.#waiting.delete(conversation)
    else this.#waiting.set(conversation, name)
    if (isNew) {
      this.#ring()
      this.#notify(conversation, t('{name} is waiting', { name: name ?? '' }))
    }
    this.#keepRinging()
  }

  /** Away or off: nothing rings. @param {boolean} rings */
  set rings(rings) {
    this.#rings = rings
    this.#keepRinging()
  }

  /** A visitor wrote to me, and I do not see it. @param {string} conversation @param {string} name */
  replied(conversation, name) {
    if (this.isOn && this.#leads) void play('reply')
    this.#notify(conversation, t('{name} wrote', { name }))
  }

  /** How many things are lit: waiting and unread. @param {number} count */
  light(count) {
    if (count === this.#lit) return
    this.#lit = count
    document.title = count ? `(${count}) ${this.#title}` : this.#title
    const link = this.#icon
    if (link instanceof HTMLLinkElement) link.href = link.href.replace(/mark(-lit)?\.svg/, count ? 'mark-lit.svg' : 'mark.svg')
    const { setAppBadge, clearAppBadge } = navigator
    void (count ? setAppBadge?.call(navigator, count) : clearAppBadge?.call(navigator))?.catch(() => undefined)
  }

  #ring() {
    if (this.isOn && this.#leads && this.#rings) void play('waiting')
  }

  #keepRinging() {
    const wanted = this.#rings && this.#waiting.size > 0
    if (wanted) this.#bell ??= setInterval(() => this.#ring(), RING_EVERY)
    else {
      clearInterval(this.#bell)
      this.#bell = undefined
    }
  }

  /** Tagged by conversation, so that one replaces the other; no words of the visitor on a locked screen. @param {string} conversation @param {string} words */
  #notify(conversation, words) {
    if (!this.#rings || !this.#leads || document.hasFocus()) return
    if (!('Notification' in globalThis) || Notification.permission !== 'granted') return
    const note = new Notification(words, { tag: conversation, body: 'Nightdesk' })
    note.onclick = () => {
      focus()
      dispatchEvent(new CustomEvent('nightdesk:open', { detail: conversation }))
      note.close()
    }
  }

  /** Tries each alert once and says what the browser blocks. */
  async test() {
    const list = byId('alerts-list')
    list.replaceChildren()
    byIdAs('alerts-test', HTMLDialogElement).showModal()
    /** @param {boolean} works @param {string} name @param {string} words */
    const say = (works, name, words) => {
      list.append(h('li', { class: works ? 'checks__yes' : 'checks__no' }, icon(works ? 'check' : 'warning', 18), h('b', {}, name), h('span', {}, words)))
    }
    const waiting = await play('waiting')
    say(waiting, t('Sound of a waiting conversation'), waiting ? t('played') : t('The browser blocks sound. Click anywhere on the page and try again.'))
    await new Promise((resolve) => setTimeout(resolve, 700))
    const reply = await play('reply')
    say(reply, t('Sound of a reply'), reply ? t('played') : t('The browser blocks sound. Click anywhere on the page and try again.'))
    if (!this.isOn) say(false, t('Sound'), t('Sound is switched off in the strip below.'))
    const lit = this.#lit
    this.light(lit + 1)
    say(document.title.startsWith('('), t('Title and icon of the tab'), document.title)
    setTimeout(() => this.light(lit), 3000)
    say('setAppBadge' in navigator, t('Badge of the installed app'), 'setAppBadge' in navigator ? t('set') : t('This browser has none.'))
    const words = await notifyOnce()
    say(words === '', t('Desktop notification'), words || t('shown'))
    say(this.#leads, t('This tab rings'), this.#leads ? t('Other tabs stay quiet.') : t('Another tab of the console rings for all.'))
    say(this.#rings, t('Your status'), this.#rings ? t('Online: conversations ring.') : t('Away: nothing rings.'))
  }
}

/** @returns {Promise<string>} why it was not shown, or nothing */
async function notifyOnce() {
  if (!('Notification' in globalThis)) return t('This browser has none.')
  if (Notification.permission === 'default') {
    await Promise.race([Notification.requestPermission(), new Promise((resolve) => setTimeout(resolve, 15_000))])
  }
  if (Notification.permission === 'denied') return t('Blocked: allow notifications for this address in the browser.')
  if (Notification.permission !== 'granted') return t('Not allowed yet: answer the question of the browser and try again.')
  try {
    const note = new Notification(t('This is how a waiting conversation is announced.'), { tag: 'test', body: 'Nightdesk' })
    setTimeout(() => note.close(), 4000)
    return ''
  } catch {
    return t('This browser shows none for pages.')
  }
}

/** "3 waiting, oldest 8:48": the words of the strip. @param {number} count */
export const waitingWords = (count) => tn('{n} waiting', '{n} waiting', count)
