/**
 * `<wait-timer mode since>`: how long somebody waits. One stopwatch moves them all, once a second.
 *
 * Modes: `waits` 1:51 · `ago` "2 min" · `left` a chip with the rest of ten minutes, from half of them on ·
 * `clock` the same for the head, with ten marks.
 */

import { h, icon } from '../dom.js'
import { agoOf, spanOf, t } from '../strings.js'

const TARGET = 600
const SOON = 300
const LATE = 480
const SVG = 'http://www.w3.org/2000/svg'

/** @type {Set<WaitTimer>} */
const all = new Set()
setInterval(() => {
  if (!document.hidden) for (const timer of all) timer.update()
}, 1000)
document.addEventListener('visibilitychange', () => {
  for (const timer of all) timer.update()
})

export class WaitTimer extends HTMLElement {
  #shown = ''

  connectedCallback() {
    all.add(this)
    this.#shown = ''
    this.update()
  }

  disconnectedCallback() {
    all.delete(this)
  }

  update() {
    const passed = (Date.now() - Date.parse(this.getAttribute('since') ?? '')) / 1000
    if (Number.isNaN(passed)) return
    const mode = this.getAttribute('mode')
    const level = passed >= TARGET ? 'over' : passed >= LATE ? 'late' : passed >= SOON ? 'soon' : 'early'
    if (mode === 'waits') this.#show(spanOf(passed), spanOf(passed))
    else if (mode === 'ago') this.#show(agoOf(passed), agoOf(passed))
    else if (mode === 'left') this.#left(passed, level)
    else if (mode === 'clock') this.#clock(passed, level)
  }

  /** @param {string} key @param {...(Node | string)} content */
  #show(key, ...content) {
    if (key === this.#shown) return
    this.#shown = key
    this.replaceChildren(...content)
  }

  /** @param {number} passed @param {string} level */
  #left(passed, level) {
    const words = restOf(passed)
    if (level === 'early') this.#show('early')
    else {
      const tone = { soon: 'warning', late: 'danger', over: 'ringing' }[level] ?? ''
      const sign = { soon: 'hourglass', late: 'warning', over: 'overdue' }[level] ?? ''
      this.#show(words, h('span', { class: `chip chip--${tone} num` }, icon(sign), words))
    }
  }

  /** @param {number} passed @param {string} level */
  #clock(passed, level) {
    const words = restOf(passed)
    this.#show(words, h('b', { class: `num${level === 'early' ? '' : ` clock--${level}`}` }, words), track(passed, level))
  }
}

/** "8:47 left" or "2:04 over". @param {number} passed */
function restOf(passed) {
  return passed < TARGET ? t('{time} left', { time: spanOf(TARGET - passed) }) : t('{time} over', { time: spanOf(passed - TARGET) })
}

/** Ten minutes as ten marks. @param {number} passed @param {string} level */
function track(passed, level) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', `sla-track${level === 'soon' ? ' sla-track--soon' : level === 'early' ? '' : ' sla-track--late'}`)
  svg.setAttribute('viewBox', '0 0 68 4')
  svg.setAttribute('aria-hidden', 'true')
  for (let mark = 0; mark < 10; mark++) {
    const rect = document.createElementNS(SVG, 'rect')
    for (const [name, value] of Object.entries({ x: mark * 7, width: 5, height: 4, rx: 1.5 })) rect.setAttribute(name, String(value))
    if (mark < passed / 60) rect.setAttribute('class', 'on')
    svg.append(rect)
  }
  return svg
}

customElements.define('wait-timer', WaitTimer)

/** @param {string} mode @param {string} since */
export function waitTimer(mode, since) {
  const timer = new WaitTimer()
  timer.setAttribute('mode', mode)
  timer.setAttribute('since', since)
  return timer
}
