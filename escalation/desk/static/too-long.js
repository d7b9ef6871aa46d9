// A form with more text than the server reads stays where it is and says so. Without this module the server says it.

const MOST = 1_000_000;

for (const form of document.querySelectorAll("form")) {
  const told = form.querySelector("[data-too-long]");
  if (told instanceof HTMLElement) form.addEventListener("submit", (event) => check(form, told, event), { capture: true });
}

/** @param {HTMLFormElement} form @param {HTMLElement} told @param {Event} event */
function check(form, told, event) {
  let bytes = 0;
  for (const value of new FormData(form).values()) if (typeof value === "string") bytes += new Blob([value]).size;
  told.hidden = bytes <= MOST;
  if (told.hidden) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  told.focus();
}
