// <running-clock due="RFC 3339">: counts down to a promise and up after it. Without script the due time stands there.

import { t } from "./strings.js";

/** @param {number} milliseconds @returns {string} 72000 -> 1:12 */
function spoken(milliseconds) {
  const seconds = Math.floor(Math.abs(milliseconds) / 1000);
  const minutes = Math.floor(seconds / 60);
  const rest = String(seconds % 60).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

class RunningClock extends HTMLElement {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  connectedCallback() {
    this.#show();
    this.#timer = setInterval(() => this.#show(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  #show() {
    const due = Date.parse(this.getAttribute("due") ?? "");
    if (Number.isNaN(due)) return;
    const left = due - Date.now();
    const time = spoken(left);
    const bare = this.hasAttribute("bare");
    this.textContent = left < 0 ? t("{time} over", { time }) : bare ? time : t("{time} left", { time });
    const level = left < 0 ? "over" : left < 120_000 ? "danger" : left < 300_000 ? "warning" : "";
    const holder = this.closest(".property--clock, .promise");
    if (holder instanceof HTMLElement) holder.dataset.level = level;
  }
}

customElements.define("running-clock", RunningClock);
