/** The line below: connection, who waits, who is online. */

import { waitingWords } from './alerts.js'
import { byId, h, icon } from './dom.js'
import { waitTimer } from './elements/wait-timer.js'
import { exactTimeOf, t, timeOf, tn } from './strings.js'

/** @param {{ live: boolean, lostAt: number }} connection */
export function showConnection(connection) {
  const state = byId('strip-state')
  const synced = byId('strip-synced')
  if (connection.live) {
    state.className = 'strip__item strip__item--state'
    if (state.dataset.live !== 'true') state.replaceChildren(h('span', { class: 'presence' }), h('span', {}, t('Connected')))
    synced.hidden = false
    const time = synced.querySelector('time')
    if (time) time.textContent = exactTimeOf(Date.now())
  } else {
    state.className = 'strip__item strip__item--state strip__item--offline'
    if (state.dataset.live !== 'false') {
      state.replaceChildren(icon('offline', 14), h('span', {}, t('Offline since {time}', { time: timeOf(connection.lostAt || Date.now()) })))
    }
    synced.hidden = true
  }
  state.dataset.live = String(connection.live)
  document.documentElement.dataset.line = connection.live ? 'live' : 'away'
}

/** @param {{ waiting: number, oldest_since?: string, online: number }} counts */
export function showCounts({ waiting, oldest_since, online }) {
  const place = byId('strip-waiting')
  const words = h('span', {}, h('b', { class: 'num' }, waitingWords(waiting)))
  if (waiting && oldest_since) words.append(`, ${t('oldest')} `, waitTimer('waits', oldest_since))
  place.replaceChildren(words)
  byId('strip-online').textContent = tn('{n} operator online', '{n} operators online', online)
  for (const badge of document.querySelectorAll('[data-count="waiting"]')) {
    if (!(badge instanceof HTMLElement)) continue
    badge.hidden = waiting === 0
    badge.textContent = String(waiting)
  }
  const title = document.querySelector('[data-empty-title]')
  if (title) title.textContent = waiting ? waitingWords(waiting) : t('Nobody is waiting')
  const text = document.querySelector('[data-empty-text]')
  const people = tn('{n} operator online.', '{n} operators online.', online)
  if (text) text.textContent = waiting ? people : `${people} ${t('The next conversation rings here.')}`
  const take = document.querySelector('[data-when-waiting]')
  if (take instanceof HTMLElement) take.hidden = waiting === 0
}
