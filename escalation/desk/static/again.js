// "Send again" counts down to when it makes sense. Without this module the button works at once, and the server counts.

import { t } from "./strings.js";

const button = document.querySelector("[data-again]");
if (button instanceof HTMLButtonElement) countDown(button, Number(button.dataset.again));

/** @param {HTMLButtonElement} button @param {number} seconds */
function countDown(button, seconds) {
  const until = performance.now() + seconds * 1000;
  button.disabled = true;
  const timer = setInterval(show, 1000);
  show();

  function show() {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left > 0) {
      const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      button.textContent = t("Send again in {time}", { time: clock });
      return;
    }
    clearInterval(timer);
    button.disabled = false;
    button.textContent = t("Send again");
  }
}
