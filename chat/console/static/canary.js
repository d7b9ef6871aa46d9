/** A word above the inbox when the program's own test conversation is late or lost. Asks over HTTP, since the socket may
 * be just what is broken. */

const ASK_EVERY = 15_000
const ANSWER_WITHIN = 10_000

const banner = document.getElementById('canary')

/** @param {string} state */
function show(state) {
  if (!banner) return
  let known = false
  for (const words of banner.querySelectorAll('[data-canary]')) {
    const fits = words instanceof HTMLElement && words.dataset.canary === state
    if (words instanceof HTMLElement) words.hidden = !fits
    known ||= fits
  }
  banner.hidden = !known
}

async function ask() {
  try {
    const answer = await fetch('/console/canary.json', { signal: AbortSignal.timeout(ANSWER_WITHIN) })
    if (answer.ok) show((await answer.json()).state)
  } catch {
    // The line itself is away: the strip below says so.
  }
}

if (banner) {
  setInterval(() => void ask(), ASK_EVERY)
  void ask()
}
