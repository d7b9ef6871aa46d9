// Keys of the ticket pages: the same letters as in the console, never inside a field, never a destructive one alone.

import { isField } from "../console/dom.js";
import { drawHelp } from "../console/help.js";
import { Shortcuts } from "../console/shortcuts.js";
import { t } from "./strings.js";

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

/** @typedef {import("../console/shortcuts.js").Command} Command */

/** @param {string} group @param {[string, string, () => void][]} lines keys, what they do, how @returns {Command[]} */
const commands = (group, lines) =>
  lines.map(([keys, label, run]) => ({ id: keys, label, group, keys: keys === "Escape" ? [keys] : keys.split(" "), run }));

/** @returns {Command[]} */
const everywhere = () =>
  commands(t("Everywhere"), [
    ["?", t("Keyboard shortcuts"), help],
    ["/", t("Search"), search],
  ]);

const goTo = () =>
  commands(t("Go to"), [
    ["g i", t("Inbox"), go("/console")],
    ["g t", t("Tickets"), go("/desk/tickets")],
    ["g m", t("My tickets"), go("/desk/tickets?lane=mine")],
    ["g f", t("Search"), go("/desk/search")],
    ["g d", t("Shifts"), go("/desk/shifts")],
    ["g s", t("Settings"), go("/console/settings")],
  ]);

const ofList = () =>
  commands(t("List"), [
    ["j", t("Down"), () => move(1)],
    ["k", t("Up"), () => move(-1)],
    ["o", t("Open"), () => document.activeElement instanceof HTMLElement && document.activeElement.click()],
    ["x", t("Select"), select],
    ["w", t("Take next"), press("[data-key=w]")],
  ]);

/** @param {string} operator @returns {Command[]} */
const ofTicket = (operator) =>
  commands(t("Ticket"), [
    ["r", t("Reply"), () => write("reply")],
    ["n", t("Note"), () => write("note")],
    ["e", t("Solve"), () => choose("p-state", "solved")],
    ["m", t("Assign to me"), () => choose("p-operator", operator)],
    ["a", t("Assign"), focus("#p-operator")],
    ["t", t("Transfer to another department"), press("[data-key=t]")],
    ["p", t("Priority"), focus("#p-priority")],
    ["l", t("Tags"), focus("#tags-text")],
    ["u", t("Next update by"), focus("#update-by")],
    ["Escape", t("Back to the list"), go("/desk/tickets")],
  ]);

/** Of the page that is open. @param {string} operator @returns {Command[]} */
function here(operator) {
  if (document.querySelector("[data-live=list]")) return ofList();
  if (document.querySelector("[data-live=ticket]")) return ofTicket(operator);
  const back = document.querySelector("[data-key=back]");
  return back ? commands(t("Ticket"), [["Escape", t("One step back"), press("[data-key=back]")]]) : [];
}

function search() {
  const field = seen("#search-text");
  if (field) field.focus();
  else location.assign("/desk/search");
}

const dialog = () => /** @type {HTMLDialogElement} */ (document.getElementById("help"));

function help() {
  if (!dialog().open) dialog().showModal();
}

/** @param {Command[]} all */
function attachHelp(all) {
  const composer = document.getElementById("ticket-composer") ? t("Composer") : "";
  drawHelp([
    ...all,
    ...(composer ? [{ group: composer, label: t("Send"), keys: ["Control+Enter"] }, { group: composer, label: t("Canned responses"), keys: ["/"] }] : []),
  ]);
  dialog().addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-close]")) dialog().close();
  });
  for (const button of document.querySelectorAll("[data-act=help]")) {
    if (!(button instanceof HTMLElement)) continue;
    button.hidden = false;
    button.addEventListener("click", help);
  }
}

/** @param {string} operator the id of who is signed in */
export function attachKeys(operator) {
  const all = [...everywhere(), ...here(operator), ...goTo()];
  new Shortcuts(all);
  attachHelp(all);
  document.addEventListener("keydown", (event) => {
    // Out of a field first; the page is left by the next one.
    if (event.key === "Escape" && !event.defaultPrevented && isField(event.target) && event.target instanceof HTMLElement)
      event.target.blur();
  });
}
