/** Everything an operator can do, with its keys: for shortcuts, palette and help. */

import { desk, keep } from './desk.js'
import { byId, byIdAs } from './dom.js'
import { drawHelp } from './help.js'
import { closeSearch, openSearch } from './inbox.js'
import { t } from './strings.js'

/** @typedef {import('./console.js').Console} Console */
/** @typedef {import('./shortcuts.js').Command} Command */

/** @param {Console} console @returns {Command[]} */
export function commandsOf(console) {
  return [...everywhere(console), ...ofList(console), ...ofConversation(console), ...goTo(console)]
}

/** @param {Console} console @returns {Command[]} */
function everywhere(console) {
  const group = t('Everywhere')
  return [
    { id: 'help', label: t('Keyboard shortcuts'), group, icon: 'keyboard', keys: ['?'], run: () => byIdAs('help', HTMLDialogElement).showModal() },
    { id: 'search', label: t('Search in this list'), group, icon: 'search', keys: ['/'], run: openSearch },
    { id: 'back-step', label: t('One step back'), group, icon: 'arrow-left', keys: ['Escape'], run: () => stepBack(console) },
    { id: 'sound', label: t('Sound on or off'), group, icon: 'sound', keys: [], run: () => console.alerts.toggleSound() },
    { id: 'test-alerts', label: t('Test my alerts'), group, icon: 'bell', keys: [], run: () => void console.alerts.test() },
    { id: 'online', label: t('I am online'), group, icon: 'check', keys: [], when: () => console.status !== 'online', run: () => console.appear('online') },
    { id: 'away', label: t('I am away'), group, icon: 'pause', keys: [], when: () => console.status === 'online', run: () => console.appear('away') },
  ]
}

/** @param {Console} console @returns {Command[]} */
function ofList(console) {
  const group = t('List')
  return [
    { id: 'down', label: t('Down'), group, icon: 'chevron-down', keys: ['j'], run: () => move(console, 1) },
    { id: 'up', label: t('Up'), group, icon: 'chevron-up', keys: ['k'], run: () => move(console, -1) },
    { id: 'open', label: t('Open'), group, icon: 'chat', keys: ['o'], run: () => focusedRow(console)?.click() },
    { id: 'take', label: t('Take the oldest waiting'), group, icon: 'assign', keys: ['w'], run: () => void console.acts.takeOldest() },
  ]
}

/** @param {Console} console @returns {Command[]} */
function ofConversation(console) {
  const group = t('Conversation')
  const when = () => console.open.id !== ''
  return [
    { id: 'reply', label: t('Reply'), group, icon: 'chat', keys: ['r'], when, run: () => console.composer.write('reply') },
    { id: 'note', label: t('Note'), group, icon: 'note', keys: ['n'], when, run: () => console.composer.write('note') },
    { id: 'mode', label: t('Reply or note'), group, icon: 'note', keys: ['Control+Shift+L'], when, run: () => console.composer.toggleMode() },
    ...desk.panels.map((panel) => ({
      id: `panel-${panel.key}`,
      label: panel.label,
      group,
      icon: panel.icon,
      keys: [panel.key],
      when,
      run: () => void console.dialogs.open(panel.url.replace('{id}', console.open.id)),
    })),
    { id: 'transfer', label: t('Transfer to a department or operator'), group, icon: 'transfer', keys: ['t'], when, run: () => void console.dialogs.open(`/console/conversations/${console.open.id}/transfer`) },
    { id: 'take-this', label: t('Assign to me'), group, icon: 'assign', keys: ['m'], when, run: () => void console.acts.takeThis() },
    { id: 'end', label: t('End'), group, icon: 'check', keys: ['e'], when, run: () => void console.acts.end() },
    { id: 'end-next', label: t('End and next'), group, icon: 'check', keys: ['Shift+E'], when, run: () => void console.acts.end(true) },
    { id: 'context', label: t('About the visitor'), group, icon: 'users', keys: ['i'], when, run: () => toggleContext() },
  ]
}

/** @param {Console} console @returns {Command[]} */
function goTo(console) {
  const group = t('Go to')
  return [
    { id: 'go-inbox', label: t('Inbox'), group, icon: 'inbox', keys: ['g', 'i'], run: () => view(console, 'all') },
    { id: 'go-mine', label: t('Mine'), group, icon: 'assign', keys: ['g', 'm'], run: () => view(console, 'mine') },
    { id: 'go-waiting', label: t('Waiting'), group, icon: 'hourglass', keys: ['g', 'w'], run: () => view(console, 'waiting') },
    ...desk.links.map((link) => ({
      id: `go-${link.url}`,
      label: link.label,
      group,
      icon: link.icon,
      keys: link.keys.split(' ').filter(Boolean),
      run: () => location.assign(link.url),
    })),
    { id: 'go-settings', label: t('Settings'), group, icon: 'settings', keys: ['g', 's'], run: () => location.assign('/console/settings') },
  ]
}

/** @param {Console} console @param {string} name */
function view(console, name) {
  console.show(name)
  console.inbox.links()[0]?.focus()
}

/** @param {Console} console @param {number} step */
function move(console, step) {
  const links = console.inbox.links()
  if (!links.length) return
  const at = links.findIndex((link) => link === document.activeElement)
  const current = at >= 0 ? at : links.findIndex((link) => link.ariaCurrent === 'true')
  const next = current < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, current + step))
  links[next].focus()
  links[next].scrollIntoView({ block: 'nearest' })
}

function toggleContext() {
  const page = document.querySelector('.desk')
  const hidden = page?.getAttribute('data-context') === 'hidden'
  const wide = matchMedia('(min-width: 1101px)').matches
  if (wide) {
    page?.setAttribute('data-context', hidden ? 'shown' : 'hidden')
    keep('context', hidden ? undefined : 'hidden')
  } else page?.toggleAttribute('data-drawer')
  if (page?.hasAttribute('data-drawer')) byId('context').querySelector('button')?.focus()
}

/** @param {Console} console */
const focusedRow = (console) => console.inbox.links().find((link) => link === document.activeElement)

/** @param {Console} console */
function stepBack(console) {
  const page = document.querySelector('.desk')
  if (page?.hasAttribute('data-drawer')) page.removeAttribute('data-drawer')
  else if (!byId('search').hidden) closeSearch(console.inbox)
  else if (page?.getAttribute('data-pane') === 'work' && matchMedia('(max-width: 720px)').matches) console.open.leave()
  else (console.inbox.links().find((link) => link.ariaCurrent === 'true') ?? console.inbox.links()[0])?.focus()
}

/** What the help says of them. @param {Command[]} commands */
export function helpOf(commands) {
  const composer = t('Composer')
  drawHelp([
    ...commands.filter((command) => command.keys.length),
    { group: composer, label: t('Send'), keys: desk.enter_sends ? ['Enter'] : ['Control+Enter'] },
    { group: composer, label: t('New line'), keys: desk.enter_sends ? ['Shift+Enter'] : ['Enter'] },
    { group: composer, label: t('Send and end'), keys: ['Control+Shift+Enter'] },
    { group: composer, label: t('Canned responses'), keys: ['/'] },
  ])
}
