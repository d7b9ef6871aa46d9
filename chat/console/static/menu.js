/** The menu of one's own status, with arrows, Escape and a click elsewhere. */

import { byId } from './dom.js'

/** @param {(status: 'online' | 'away') => void} choose */
export function attachMenu(choose) {
  const menu = byId('me-menu')
  /** @type {HTMLElement | null} */
  let opener = null
  const items = () => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role^=menuitem]')]).filter((item) => item.offsetParent)

  const close = () => {
    menu.hidden = true
    if (opener) opener.ariaExpanded = 'false'
    opener?.focus()
    opener = null
  }

  for (const button of document.querySelectorAll('[data-act="menu"]')) {
    if (!(button instanceof HTMLElement)) continue
    button.addEventListener('click', (event) => {
      event.stopPropagation()
      if (!menu.hidden) return close()
      opener = button
      button.ariaExpanded = 'true'
      menu.hidden = false
      items()[0]?.focus()
      return undefined
    })
  }
  menu.addEventListener('keydown', (event) => {
    const all = items()
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement))
    if (event.key === 'Escape') close()
    else if (event.key === 'ArrowDown') all[(at + 1) % all.length].focus()
    else if (event.key === 'ArrowUp') all[(at + all.length - 1) % all.length].focus()
    else if (event.key === 'Tab') return close()
    else return undefined
    event.preventDefault()
    event.stopPropagation()
    return undefined
  })
  menu.addEventListener('click', (event) => {
    const item = event.target instanceof Element ? event.target.closest('[data-status]') : null
    if (item instanceof HTMLElement) choose(item.dataset.status === 'away' ? 'away' : 'online')
    close()
  })
  document.addEventListener('click', (event) => {
    if (!menu.hidden && event.target instanceof Node && !menu.contains(event.target)) close()
  })
}

/** @param {string} status */
export function showStatus(status) {
  for (const item of document.querySelectorAll('[data-status]')) {
    if (item instanceof HTMLElement) item.ariaChecked = String(item.dataset.status === status)
  }
  const away = document.getElementById('away')
  if (away) away.hidden = status !== 'away'
  const sign = document.querySelector('.rail__me .presence')
  if (sign) sign.className = status === 'away' ? 'presence presence--away' : 'presence'
}
