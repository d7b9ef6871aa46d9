// <running-clock due="RFC 3339" left="seconds">: counts down to a promise and up after it. Without script the due time
// stands there. `left` is what was left when the page was made, by the clock of the server: that of a device may be wrong.

import { t } from "./strings.js";

/** @param {number} milliseconds @returns {string} 72000 -> 1:12 */
function spoken(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const minutes = Math.floor(seconds / 60);
  const rest = String(seconds % 60).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

const DELAY = 10_000;
/** How far the clock of this device is behind; what may be a slow line does not count. */
let behind = 0;
/** Since the answer that brought an element, in milliseconds. */
let age = sincePage();

function sincePage() {
  const [page] = performance.getEntriesByType("navigation");
  return performance.now() - (page instanceof PerformanceNavigationTiming ? page.responseStart : 0);
}

class RunningClock extends HTMLElement {
  #compared = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  connectedCallback() {
    if (!this.#compared) this.#compare();
    this.#show();
    this.#timer = setInterval(() => this.#show(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #compare() {
    this.#compared = true;
    const made = this.#due() - Number(this.getAttribute("left") ?? NaN) * 1000;
    const found = made + age - Date.now();
    if (!Number.isNaN(found)) behind = Math.abs(found) > DELAY ? found : 0;
  }

  #due() {
    return Date.parse(this.getAttribute("due") ?? "");
  }

  #show() {
    const left = this.#due() - Date.now() - behind;
    if (Number.isNaN(left)) return;
    const time = spoken(left);
    const bare = this.hasAttribute("bare");
    this.textContent = left < 0 ? t("{time} over", { time }) : bare ? time : t("{time} left", { time });
    const level = left < 0 ? "over" : left < 120_000 ? "danger" : left < 300_000 ? "warning" : "";
    const holder = this.closest(".property--clock, .promise");
    if (holder instanceof HTMLElement) holder.dataset.level = level;
  }
}

customElements.define("running-clock", RunningClock);
// Those of the page are compared; what comes from now on has just been made.
age = 0;
