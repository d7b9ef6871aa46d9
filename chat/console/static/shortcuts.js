/**
 * One list of commands for keys, palette and help.
 *
 * Central European layouts type @ € { } with AltGr, which is Ctrl+Alt: so nothing here uses Alt, keys are matched by
 * what they write (`event.key`; Y and Z change places), and AltGr, composition and fields keep their letters.
 */

import { desk } from './desk.js'
import { isField } from './dom.js'

/**
 * @typedef {object} Command
 * @property {string} id
 * @property {string} label
 * @property {string} group
 * @property {string} [icon]
 * @property {string[]} keys one key, or `g` and a letter; empty: palette only. `Shift+E` asks for the capital
 * @property {() => void} run
 * @property {() => boolean} [when]
 */

const SEQUENCE = 1200

export class Shortcuts {
  /** @type {Command[]} */
  commands
  #first = ''
  #at = 0

  /** @param {Command[]} commands */
  constructor(commands) {
    this.commands = commands
    document.addEventListener('keydown', (event) => this.#key(event))
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.defaultPrevented || event.isComposing || event.getModifierState('AltGraph') || event.altKey) return
    const control = event.ctrlKey || event.metaKey
    if (control) {
      const name = `Control+${event.shiftKey ? 'Shift+' : ''}${event.key.toUpperCase()}`
      this.#run(this.#available().find((command) => command.keys[0] === name), event)
      return
    }
    if (isField(event.target) || document.querySelector('dialog[open]')) return
    // "?" and "." are no letters, but "letters off" is for speech input, which says them as well.
    if (!desk.letters) return
    const key = event.shiftKey && /^\p{L}$/u.test(event.key) ? `Shift+${event.key.toUpperCase()}` : event.key
    const now = event.timeStamp
    if (this.#first && now - this.#at < SEQUENCE) {
      const both = this.#available().find(({ keys }) => keys.length === 2 && keys[0] === this.#first && keys[1] === key)
      this.#first = ''
      if (both) return this.#run(both, event)
    }
    if (key === 'g') {
      this.#first = key
      this.#at = now
      return
    }
    if ((key === 'Enter' || key === ' ') && event.target instanceof Element && event.target.closest('a, button, summary')) return
    this.#run(this.#available().find(({ keys }) => keys.length === 1 && keys[0] === key), event)
  }

  #available() {
    return this.commands.filter((command) => command.when?.() ?? true)
  }

  /** @param {Command | undefined} command @param {KeyboardEvent} event */
  #run(command, event) {
    if (!command) return
    event.preventDefault()
    command.run()
  }
}

/** @param {string} key @returns {string[]} as it stands on the caps */
export const capsOf = (key) => key.split('+').map((part) => (part === 'Control' ? 'Ctrl' : part))
