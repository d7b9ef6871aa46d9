/** A ticket in the conversation, with its clock running. */

import { spanOf, t, timeOf } from '../strings.js'
import { emit, h, icon } from './dom.js'

/** Only web addresses become links. @param {string} url */
const isWeb = (url) => /^https?:\/\//.test(url)

const SVG = 'http://www.w3.org/2000/svg'

/** @returns {SVGElement} the ring; its second circle is what is left */
function ring() {
  const node = document.createElementNS(SVG, 'svg')
  node.setAttribute('viewBox', '0 0 36 36')
  node.setAttribute('aria-hidden', 'true')
  for (let part = 0; part < 2; part++) {
    const circle = node.appendChild(document.createElementNS(SVG, 'circle'))
    for (const [name, value] of Object.entries({ cx: 18, cy: 18, r: 15.5, pathLength: 100 })) circle.setAttribute(name, String(value))
  }
  return node
}

export class TicketCard extends HTMLElement {
  #revision = -1
  #due = 0
  #from = 0
  #skew = 0
  #left = h('span')
  #ring = ring()
  /** @type {AbortController | null} */
  #life = null

  connectedCallback() {
    this.#life = new AbortController()
    const timer = setInterval(() => this.#tick(), 1000)
    this.#life.signal.addEventListener('abort', () => clearInterval(timer))
  }

  disconnectedCallback() {
    this.#life?.abort()
  }

  /** @param {import('../../../chat/protocol/wire.d.ts').Card} card @param {number} at when it came @param {number} skew */
  show(card, at, skew) {
    this.#skew = skew
    if (card.revision === this.#revision) return
    this.#revision = card.revision
    this.#due = Date.parse(card.due_at ?? '') || 0
    this.#from = at
    const number = card.number ?? ''
    const label = card.due_label || t('First reply by')
    const time = timeOf(this.#due)
    const links = (card.links ?? []).filter((link) => isWeb(link.url))
    this.replaceChildren(h('section.card.ticket-card', { 'aria-label': card.kind === 'ticket' ? t('Ticket {number}', { number }) : card.title },
      h('div.ticket-card-head', null, icon('ticket'), h('span', null, number),
        card.state && h('span.state-chip', { 'data-tone': card.tone || null }, card.tone === 'success' && icon('check', 'icon', 16), card.state)),
      h('h3', { dir: 'auto' }, card.title),
      h('p.ticket-card-about', null, (card.facts ?? []).join(' · ')),
      this.#due > 0 && h('div.due', { role: 'timer', 'aria-label': `${label} ${time}` }, this.#ring,
        h('span', null, h('b', null, `${label} `, h('time', null, time)), this.#left)),
      h('div.button-row', null,
        links.map((link, index) => h('a.button', { 'data-kind': index ? null : 'soft', href: link.url, target: '_blank', rel: 'noopener' }, link.label)),
        h('button.button', { type: 'button', click: () => emit(this, 'go', { view: 'conversation' }) }, t('Add details')))))
    this.#tick()
  }

  #tick() {
    if (!this.#due) return
    const seconds = Math.round((this.#due - Date.now() - this.#skew) / 1000)
    const minutes = Math.floor(seconds / 60)
    this.#left.textContent = seconds < 0 ? t('{time} late; we are on it', { time: spanOf(-seconds) })
      : minutes > 59 ? t('{time} left', { time: spanOf(seconds) })
        : t('{minutes} min {seconds} s left', { minutes, seconds: seconds % 60 })
    const share = Math.max(0, Math.min(100, (seconds * 1e5) / Math.max(1, this.#due - this.#from)))
    this.#ring.lastElementChild?.setAttribute('stroke-dasharray', `${share} 100`)
  }
}
customElements.define('nd-ticket-card', TicketCard)
