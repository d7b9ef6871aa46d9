/**
 * Requests that no dead connection holds up: those that are kept alive may be gone without a word. Another is tried
 * beside one that is late, and then in its place: only what is given up lets go of its connection.
 */

const LATE = 600
const BESIDE = 3
const MOST = 8 // more than the connections that a browser keeps to one server
const PATIENCE = 10_000

/**
 * The first answer. Only for what may be asked more than once.
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export function ask(url, options) {
  const limit = AbortSignal.timeout(PATIENCE)
  /** @type {AbortController[]} */
  let open = []
  let tries = 0
  return new Promise((resolve, reject) => {
    const attempt = () => {
      const own = new AbortController()
      open.push(own)
      if (open.length > BESIDE) open.shift()?.abort()
      if (++tries === MOST) clearInterval(timer)
      fetch(url, { cache: 'no-store', ...options, signal: AbortSignal.any([own.signal, limit]) }).then(
        (answer) => {
          clearInterval(timer)
          for (const other of open) if (other !== own) other.abort()
          resolve(answer)
        },
        (error) => {
          open = open.filter((other) => other !== own)
          if (open.length) return
          clearInterval(timer)
          reject(error)
        },
      )
    }
    const timer = setInterval(attempt, LATE)
    attempt()
  })
}
