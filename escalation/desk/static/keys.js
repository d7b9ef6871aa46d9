// Keys of the ticket pages: the same letters as in the console, never inside a field, never a destructive one alone.

import { isField } from "../console/dom.js";
import { Shortcuts } from "../console/shortcuts.js";

/** @param {string} selector @returns {HTMLElement | undefined} */
function seen(selector) {
  const found = document.querySelector(selector);
  return found instanceof HTMLElement && found.offsetParent ? found : undefined;
}

/** @param {string} selector */
const focus = (selector) => () => seen(selector)?.focus();
/** @param {string} selector */
const press = (selector) => () => seen(selector)?.click();
/** @param {string} path */
const go = (path) => () => location.assign(path);

/** @returns {HTMLElement[]} */
const rows = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".ticket-table td.num > a")]);

/** @param {number} step */
function move(step) {
  const all = rows();
  const at = all.findIndex((row) => row.closest("tr")?.contains(document.activeElement) ?? false);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
  all[next]?.focus();
  all[next]?.scrollIntoView({ block: "nearest" });
}

function select() {
  const box = document.activeElement?.closest("tr")?.querySelector(".box");
  if (!(box instanceof HTMLInputElement)) return;
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}

/** @param {"reply" | "note"} mode */
function write(mode) {
  const tab = document.querySelector(`#ticket-composer [value="${mode}"]`);
  if (tab instanceof HTMLInputElement) tab.checked = true;
  document.getElementById("ticket-text")?.focus();
}

/** @param {string} id @param {string} value */
function choose(id, value) {
  const list = document.getElementById(id);
  if (!(list instanceof HTMLSelectElement) || ![...list.options].some((option) => option.value === value)) return;
  list.value = value;
  list.form?.requestSubmit();
}

/** @param {string} operator @returns {import("../console/shortcuts.js").Command[]} */
function commands(operator) {
  const all = {
    "g t": go("/desk/tickets"),
    "g i": go("/console"),
    "g m": go("/desk/tickets?lane=mine"),
    "/": focus("#search-text"),
  };
  const list = {
    j: () => move(1),
    k: () => move(-1),
    o: () => document.activeElement instanceof HTMLElement && document.activeElement.click(),
    x: select,
    w: press("[data-key=w]"),
  };
  const ticket = {
    r: () => write("reply"),
    n: () => write("note"),
    e: () => choose("p-state", "solved"),
    m: () => choose("p-operator", operator),
    a: focus("#p-operator"),
    t: focus("#p-department"),
    p: focus("#p-priority"),
    l: focus("#tags-text"),
    u: focus("#update-by"),
    Escape: go("/desk/tickets"),
  };
  const here = document.querySelector("[data-live=list]") ? list : document.querySelector("[data-live=ticket]") ? ticket : {};
  return Object.entries({ ...all, ...here }).map(([keys, run]) => ({
    id: keys,
    label: "",
    group: "",
    keys: keys === "/" ? [keys] : keys.split(" "),
    run,
  }));
}

/** @param {string} operator the id of who is signed in */
export function attachKeys(operator) {
  new Shortcuts(commands(operator));
  document.addEventListener("keydown", (event) => {
    // Out of a field first; the page is left by the next one.
    if (event.key === "Escape" && !event.defaultPrevented && isField(event.target) && event.target instanceof HTMLElement)
      event.target.blur();
  });
}
