/** The help on keys, by groups, in its dialog. */

import { byId, h } from './dom.js'
import { capsOf } from './shortcuts.js'

/** @param {{ group: string, label: string, keys: string[] }[]} lines */
export function drawHelp(lines) {
  const groups = [...new Set(lines.map((one) => one.group))]
  byId('keys').replaceChildren(
    ...groups.map((group) => {
      const found = lines
        .filter((one) => one.group === group)
        .map((one) => h('div', {}, h('dt', {}, one.label), h('dd', {}, ...one.keys.flatMap(capsOf).map((cap) => h('kbd', {}, cap)))))
      return h('section', {}, h('h3', {}, group), h('dl', {}, ...found))
    }),
  )
}
