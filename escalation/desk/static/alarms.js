// The banner of alarms, in the console and on the desk: kept current, rung as its reader prefers, acknowledged once.

import { play } from "../console/sounds.js";
import "./running-clock.js";

const LOOK_EVERY = 30_000;
const RING_EVERY = 20_000;
const SETTLE = 1000;

/** Alarms that this tab has told of. @type {Set<string>} */
const told = new Set();
let leads = false;
let asked = 0;
let soon = 0;
let looked = -SETTLE;

// One tab rings for all.
if (navigator.locks) void navigator.locks.request("nightdesk-alarms", () => new Promise(() => (leads = true)));
else leads = true;

const banner = () => document.getElementById("alarms");

/** What the operator has switched on this device counts before what they prefer everywhere. */
function rings() {
  const here = banner();
  if (!here) return false;
  try {
    const chosen = localStorage.getItem(`nightdesk:${here.dataset.operator}:sound`);
    if (chosen !== null) return chosen === "true";
  } catch {
    // Nothing is kept on this device.
  }
  return here.dataset.sound === "on";
}

/**
 * A document that runs nothing: the parser of the request makes it, so no policy for HTML from text is needed.
 * @param {string} method @param {string} url @param {URLSearchParams} [body] @returns {Promise<{ status: number, page: Document | null }>}
 */
function ask(method, url, body) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = "document";
    request.setRequestHeader("X-Partial", "1");
    request.addEventListener("load", () => resolve({ status: request.status, page: request.responseXML }));
    request.addEventListener("error", () => resolve({ status: 0, page: null }));
    request.send(body);
  });
}

/** @param {Document | null} page */
function show(page) {
  const fresh = page?.getElementById("alarms");
  const old = banner();
  if (!fresh || !old) return;
  // Words that are being written stay; the next look brings the rest up to date.
  const typing = document.activeElement instanceof HTMLInputElement && old.contains(document.activeElement) && document.activeElement.value;
  if (typing) return;
  const held = document.activeElement instanceof HTMLElement && old.contains(document.activeElement);
  old.replaceWith(document.adoptNode(fresh));
  const first = fresh.querySelector("a");
  if (held && first) first.focus();
  tell();
}

async function refresh() {
  const mine = ++asked;
  looked = performance.now();
  const { status, page } = await ask("GET", "/desk/alarms");
  if (status === 200 && mine === asked) show(page);
}

/** One look for all that rang or changed in the meantime. */
function settle() {
  soon = 0;
  void refresh();
}

/** New ones are said aloud and rung. */
function tell() {
  const items = [...(banner()?.querySelectorAll("[data-alarm]") ?? [])];
  const fresh = items.filter((item) => item instanceof HTMLElement && !told.has(item.dataset.alarm ?? ""));
  for (const item of fresh) if (item instanceof HTMLElement) told.add(item.dataset.alarm ?? "");
  if (!fresh.length) return;
  const aloud = document.getElementById("alarms-aloud") ?? document.getElementById("alerts");
  if (aloud) aloud.textContent = fresh.map((item) => [".alarms__what", ".alarms__why"].map((part) => item.querySelector(part)?.textContent ?? "").join(": ")).join(". ");
  ring();
}

function ring() {
  if (leads && rings() && banner()?.querySelector("[data-alarm]")) void play("waiting");
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || !form.closest("#alarms") || "leads" in form.dataset) return;
  event.preventDefault();
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") fields.set(name, value);
  for (const field of form.querySelectorAll("input")) field.value = "";
  const { status, page } = await ask("POST", form.action, fields);
  if (status === 200 || status === 422) show(page);
  else await refresh();
});

document.addEventListener("nightdesk:nudged", (event) => {
  const topic = event instanceof CustomEvent ? event.detail.topic : "";
  // An alarm is shown at once, a burst of them once a second.
  if (topic === "alarm") soon ||= window.setTimeout(settle, Math.max(0, looked + SETTLE - performance.now()));
  else if (topic === "ticket") soon ||= window.setTimeout(settle, SETTLE);
});
document.addEventListener("visibilitychange", () => void (document.hidden || refresh()));
setInterval(() => void refresh(), LOOK_EVERY);
setInterval(ring, RING_EVERY);
tell();
