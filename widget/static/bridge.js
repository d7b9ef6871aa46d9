/** The line to the host page: one MessagePort, given by the parent, and only by a page the site lists. */

export class Bridge {
  /** @type {MessagePort | null} */
  #port = null
  #origins
  #handlers

  /**
   * @param {string[]} origins origins of the site, written into the page by the server
   * @param {Record<string, (data: any) => void>} handlers by message type
   */
  constructor(origins, handlers) {
    this.#origins = origins
    this.#handlers = handlers
  }

  get isFramed() {
    return parent !== window
  }

  connect() {
    addEventListener('message', (event) => {
      if (this.#port || event.source !== parent || !this.#origins.includes(event.origin)) return
      if (event.data?.t !== 'nightdesk:init' || !event.ports[0]) return
      this.#port = event.ports[0]
      this.#port.onmessage = ({ data }) => this.#receive(data)
      this.#receive({ ...event.data, t: 'init' })
    })
    // Carries no secret, and the parent's origin is not known yet.
    if (this.isFramed) parent.postMessage({ t: 'nightdesk:hello' }, '*')
  }

  /** @param {string} t @param {object} [data] */
  send(t, data) {
    this.#port?.postMessage({ t, ...data })
  }

  /** @param {any} data */
  #receive(data) {
    if (typeof data?.t === 'string' && Object.hasOwn(this.#handlers, data.t)) this.#handlers[data.t](data)
  }
}
