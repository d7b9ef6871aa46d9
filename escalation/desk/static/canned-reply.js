// Canned responses in the composer of a ticket: the console's own list, for another field.

import { Canned } from "../console/canned.js";

/** @param {HTMLTextAreaElement} text */
export function attachCanned(text) {
  const form = text.form;
  const button = document.getElementById("canned-button");
  if (!form || !button) return;
  const canned = new Canned(text, () => text.dispatchEvent(new Event("input", { bubbles: true })));
  canned.subject = {
    id: "",
    name: form.dataset.name ?? "",
    visitor: form.dataset.name ?? "",
    locale: form.dataset.locale ?? "",
    site: form.dataset.site ?? "",
    draft: {},
  };
  text.addEventListener("input", () => void canned.look());
  text.addEventListener("keydown", (event) => canned.key(event));
  button.hidden = false;
  button.addEventListener("click", () => canned.begin());
}
