// Ticket pages of operators, kept current: parts are fetched again when the server says that something changed.
// Everything works without this module; it only saves reloads and clicks.

import "./running-clock.js";
import { attachKeys } from "./keys.js";
import { attachLooking } from "./looking.js";
import { listen } from "./nudges.js";
import { t } from "./strings.js";

const page = document.querySelector("[data-live]");
const kind = page instanceof HTMLElement ? page.dataset.live : "";
const number = page instanceof HTMLElement ? (page.dataset.number ?? "") : "";
const parts = kind === "ticket" ? ["ticket-head", "ticket-timeline", "ticket-facts"] : ["ticket-list"];
const LIST_EVERY = 700;
const address = kind === "ticket" ? `/desk/tickets/${encodeURIComponent(number)}/thread` : page instanceof HTMLElement && page.dataset.address ? page.dataset.address : location.href;

/**
 * A document that runs nothing: the parser of the request makes it, so no policy for HTML from text is needed.
 * @param {string} url @param {FormData} [body] is posted @returns {Promise<Document | null>}
 */
function fetchDocument(url, body) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(body ? "POST" : "GET", url);
    request.responseType = "document";
    request.addEventListener("load", () => resolve(request.status === 200 ? request.responseXML : null));
    request.addEventListener("error", () => resolve(null));
    request.send(body);
  });
}

let asked = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let soon;

/** The list of a busy desk changes many times a second; it is fetched once. */
function refreshSoon() {
  soon ??= setTimeout(() => {
    soon = undefined;
    refresh();
  }, LIST_EVERY);
}

async function refresh() {
  const mine = ++asked;
  const fresh = await fetchDocument(address);
  if (!fresh || mine !== asked) return;
  for (const id of parts) replace(id, fresh.getElementById(id));
}

/** @param {string} id @param {HTMLElement | null} fresh */
function replace(id, fresh) {
  const old = document.getElementById(id);
  if (!old || !fresh) return;
  // A part somebody is working in stays; the next news or the next page brings it up to date.
  if (old !== document.activeElement && old.contains(document.activeElement) && id !== "ticket-list") return;
  const bottom = old.scrollHeight - old.scrollTop - old.clientHeight < 40;
  const top = old.scrollTop;
  const opened = new Set([...old.querySelectorAll("details")].map((part, n) => (part.open ? n : -1)));
  // What is shown above the draft has been seen: whatever is sent from here is written on this state.
  for (const version of document.querySelectorAll("input[name=version]"))
    if (version instanceof HTMLInputElement && fresh.dataset.version) version.value = fresh.dataset.version;
  const had = document.activeElement === old;
  const within = document.activeElement instanceof HTMLElement && old.contains(document.activeElement) && !had ? nameOf(document.activeElement) : "";
  const next = document.adoptNode(fresh);
  keepWritten(old, next);
  const chosen = new Set([...old.querySelectorAll(".box:checked")].map((box) => box instanceof HTMLInputElement ? numberOf(box) : ""));
  old.replaceWith(next);
  for (const box of next.querySelectorAll(".box")) if (box instanceof HTMLInputElement) box.checked = chosen.has(numberOf(box));
  countChosen();
  next.querySelectorAll("details").forEach((part, n) => (part.open = opened.has(n)));
  next.scrollTop = bottom ? next.scrollHeight : top;
  if (had) next.focus();
  else if (within) [...next.querySelectorAll("a, input")].forEach((one) => one instanceof HTMLElement && nameOf(one) === within && one.focus({ preventScroll: true }));
  enhance(next);
}

/** What somebody wrote there, or what came back refused, stays; it is not sent yet. @param {HTMLElement} old @param {HTMLElement} next */
function keepWritten(old, next) {
  const { kept = "" } = old.dataset;
  if (kept) next.dataset.kept = kept;
  for (const one of old.querySelectorAll("input[id], textarea[id]")) {
    const twin = next.querySelector(`#${CSS.escape(one.id)}`);
    if (!isText(one) || !isText(twin)) continue;
    const isEdited = one.value !== one.defaultValue;
    const cameBack = kept !== "" && (twin.value === "" || (kept === "tags" && one.name === "tags"));
    if (isEdited || cameBack) twin.value = one.value;
  }
}

/** @param {Element | null} one @returns {one is HTMLInputElement | HTMLTextAreaElement} */
const isText = (one) => one instanceof HTMLTextAreaElement || (one instanceof HTMLInputElement && !["hidden", "checkbox", "radio", "file"].includes(one.type));

/** Which link or box of the list it is, whatever row it moved to. @param {HTMLElement} one */
function nameOf(one) {
  if (one instanceof HTMLAnchorElement) return `${one.getAttribute("href")} ${one.tabIndex}`;
  return one instanceof HTMLInputElement ? numberOf(one) : "";
}

/** @param {ParentNode} root */
function enhance(root) {
  for (const button of root.querySelectorAll("[data-plain]")) if (button instanceof HTMLElement) button.hidden = true;
}

document.addEventListener("change", (event) => {
  const chosen = event.target;
  if (!(chosen instanceof HTMLSelectElement) || !("offers" in chosen.dataset)) return;
  // An arrow key may change it on the way to another: its button does it, and stands there once there is something to do.
  const was = [...chosen.options].find((option) => option.defaultSelected) ?? chosen.options[0];
  const button = chosen.form?.querySelector("[data-plain]");
  if (button instanceof HTMLElement) button.hidden = chosen.selectedOptions[0] === was;
});

document.addEventListener("click", (event) => {
  const row = event.target instanceof Element ? event.target.closest(".ticket-table tbody tr:not(.lane)") : null;
  if (!row || (event.target instanceof Element && event.target.closest("a, .col-box"))) return;
  const link = row.querySelector("a");
  if (link && !getSelection()?.toString()) link.click();
});

/** @param {HTMLInputElement} box */
const numberOf = (box) => box.value.split(":")[0];

function countChosen() {
  const count = document.getElementById("bulk-count");
  if (count) count.textContent = t("{n} selected", { n: document.querySelectorAll(".box:checked").length });
}
document.addEventListener("change", (event) => {
  if (event.target instanceof HTMLInputElement && event.target.classList.contains("box")) countChosen();
});

// A second click while the first one is on its way; the server knows it by its ref all the same.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !("once" in form.dataset)) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) if (form instanceof HTMLFormElement) delete form.dataset.sent;
});

// What is written survives a reload, as in the console.
const text = document.getElementById("ticket-text");
const key = `nightdesk:ticket:${number}`;
if (text instanceof HTMLTextAreaElement) {
  if (!text.value) text.value = sessionStorage.getItem(key) ?? "";
  text.addEventListener("input", () => sessionStorage.setItem(key, text.value));
  text.form?.addEventListener("submit", () => sessionStorage.removeItem(key));
  import("./canned-reply.js").then(({ attachCanned }) => attachCanned(text), () => {});
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    text.form?.requestSubmit();
  });
}

enhance(document);
countChosen();
const timeline = document.getElementById("ticket-timeline");
if (timeline) timeline.scrollTop = timeline.scrollHeight;

const me = JSON.parse(document.getElementById("desk")?.textContent || "{}");
attachKeys(me.operator?.id ?? "");
const lookAgain = kind === "ticket" ? attachLooking(number, fetchDocument) : () => {};

const state = document.getElementById("live-state");
let wasLive = false;
if (kind) {
  listen({
    nudged(topic, id) {
      document.dispatchEvent(new CustomEvent("nightdesk:nudged", { detail: { topic, id } }));
      if (topic === "looking" && id === number) lookAgain();
      if (kind === "list" && (topic === "ticket" || topic === "waiting")) refreshSoon();
      if (topic === "ticket" && kind === "ticket" && id === number) refresh();
    },
    offered(waits) {
      const offer = document.getElementById("offer-alert");
      if (offer) offer.hidden = !waits;
    },
    live(live) {
      // What was said between the making of this page and now was told to nobody here.
      if (live && kind === "list" && !wasLive) refreshSoon();
      else if (live) refresh();
      if (live) {
        document.dispatchEvent(new CustomEvent("nightdesk:nudged", { detail: { topic: "alarm", id: "" } }));
      }
      wasLive ||= live;
      if (!(state instanceof HTMLElement)) return;
      state.hidden = false;
      state.classList.toggle("strip__item--offline", !live);
      const dot = document.createElement("span");
      dot.className = live ? "presence" : "presence presence--offline";
      state.replaceChildren(dot, live ? t("Connected") : t("Connecting …"));
    },
  });
}
