/** What is pressed on the page of the console: actions, panels, views and conversations by their links. */

import { idOf } from './conversation.js'
import { forgetAll } from './desk.js'
import { byId } from './dom.js'

/** @typedef {import('./console.js').Console} Console */
/** @typedef {import('./shortcuts.js').Shortcuts} Shortcuts */
/** @typedef {import('./palette.js').Palette} Palette */

/** @param {Console} console @param {Shortcuts} shortcuts @param {Palette} palette */
export function attachClicks(console, shortcuts, palette) {
  document.addEventListener('click', (event) => {
    const target = event.target instanceof Element ? event.target : null
    const actor = target?.closest('[data-act], [data-panel], [data-view]')
    if (actor instanceof HTMLElement) {
      const { act, panel, view } = actor.dataset
      if (view) return console.show(view)
      const command = shortcuts.commands.find(({ id }) => id === (act ?? `panel-${panel}`))
      if (act === 'palette') palette.open()
      else if (act === 'reconnect') console.connection.wake()
      else if (act === 'discard') console.composer.discard()
      else if (act === 'canned') console.composer.canned.begin()
      else if (act === 'earlier') console.connection.send({ type: 'fetch', conversation: console.open.id, before: console.log.firstSeq })
      else if (act === 'newest') console.log.toEnd()
      else if (act === 'back') console.open.leave()
      else if (command) command.run()
      else return undefined
      if (actor instanceof HTMLAnchorElement) event.preventDefault()
      return undefined
    }
    const link = target?.closest('a')
    const id = link && !event.ctrlKey && !event.metaKey && !event.shiftKey && link.origin === location.origin ? idOf(link.pathname) : ''
    if (id) {
      event.preventDefault()
      void console.open.show(id).then(() => console.read())
    }
    return undefined
  })
  for (const tabs of document.querySelectorAll('.tabs')) {
    tabs.addEventListener('keydown', (event) => moveTab(console, /** @type {KeyboardEvent} */ (event)))
  }
  document.querySelector('form[action="/console/sign-out"]')?.addEventListener('submit', forgetAll)
  addEventListener('nightdesk:open', (event) => event instanceof CustomEvent && void console.open.show(event.detail))
  addEventListener('focus', () => console.read())
  document.addEventListener('visibilitychange', () => console.read())
}

/** @param {Console} console @param {KeyboardEvent} event */
function moveTab(console, event) {
  const views = ['mine', 'waiting', 'all']
  const step = { ArrowLeft: 2, ArrowRight: 1 }[event.key]
  if (!step) return
  event.preventDefault()
  console.show(views[(views.indexOf(console.inbox.view) + step) % 3])
  byId(`tab-${console.inbox.view}`).focus()
}
