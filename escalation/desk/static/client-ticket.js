// The page of a ticket, kept current while it is looked at. Without this module a reload does the same.

import "./running-clock.js";
import "./too-long.js";

const AGAIN = 5_000;
const PARTS = ["standing", "thread", "reply", "about"];
let asking = new AbortController();

/** Waits at the server until the page would look different, then asks for the page. */
async function watch() {
  while (document.visibilityState === "visible") {
    asking = new AbortController();
    try {
      const look = document.getElementById("standing")?.dataset.look ?? "";
      const answer = await fetch(`${location.pathname}/news?look=${look}`, { signal: asking.signal });
      if (answer.status === 401 || answer.status === 404) return over();
      if (!answer.ok) throw new Error(String(answer.status));
      const ended = document.getElementById("ended");
      if (ended) ended.hidden = true;
      if ((await answer.json()).look !== look) await refresh();
    } catch {
      if (asking.signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}

/** Nobody is signed in any more, or the ticket is theirs no longer. What is being written stays. */
function over() {
  const ended = document.getElementById("ended");
  if (!ended || !isWritten()) return location.reload();
  ended.hidden = false;
}

/** Whether there is something that would be missed. */
function isWritten() {
  const box = document.getElementById("answer");
  return (box instanceof HTMLTextAreaElement && box.value.trim()) || document.querySelector(".answer .tray:not([hidden])");
}

/** @returns {Promise<void>} */
function refresh() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search.replace(/([?&])(?:sent|opened)=1&?/, "$1"));
    request.responseType = "document";
    request.addEventListener("load", () => {
      if (request.status !== 200 || !request.responseXML) return reject(new Error(String(request.status)));
      for (const id of PARTS) replace(id, request.responseXML.getElementById(id));
      resolve();
    });
    request.addEventListener("error", () => reject(new Error("away")));
    request.send();
  });
}

/** @param {string} id @param {HTMLElement | null} fresh */
function replace(id, fresh) {
  const old = document.getElementById(id);
  if (!old || !fresh) return;
  // New posts are added to the log that stands there, so that a screen reader reads out only these.
  if (id === "thread") {
    for (const post of fresh.querySelectorAll(".post")) {
      if (!document.getElementById(post.id)) old.querySelector("ol")?.append(document.adoptNode(post));
    }
    return;
  }
  if (id === "reply") return answerable(old, fresh);
  const opened = [...old.querySelectorAll("details")].map((part) => part.open);
  const next = document.adoptNode(fresh);
  old.replaceWith(next);
  next.querySelectorAll("details").forEach((part, n) => (part.open = opened[n] ?? part.open));
}

/**
 * The ticket was closed, perhaps into another one, or is open again. What is being written stays to be copied, or goes
 * into the ticket that follows.
 * @param {HTMLElement} old @param {HTMLElement} fresh
 */
function answerable(old, fresh) {
  const closed = fresh.querySelector(".closed");
  if (Boolean(closed) === "closed" in old.dataset) return endable(old, fresh);
  if (closed) document.querySelector(".said")?.remove();
  if (!closed || !(isWritten() || old.contains(document.activeElement))) return old.replaceWith(document.adoptNode(fresh));
  old.dataset.closed = "";
  const onward = fresh.querySelector('.closed a[href*="follows="], [value="fill"]');
  old.prepend(document.adoptNode(closed));
  if (onward) return carry(old, onward);
  for (const part of old.querySelectorAll(".answer__bar, .file-field")) part.remove();
  const box = document.getElementById("answer");
  if (box instanceof HTMLTextAreaElement) box.readOnly = true;
}

/** Whether its reader can still say that it is solved. @param {HTMLElement} old @param {HTMLElement} fresh */
function endable(old, fresh) {
  const hint = old.querySelector(".answer__hint");
  if (hint) hint.textContent = fresh.querySelector(".answer__hint")?.textContent ?? "";
  const [had, has] = [old, fresh].map((part) => part.querySelector("[value=solved]"));
  if (had instanceof HTMLElement) had.hidden = !has;
  else if (has) hint?.after(document.adoptNode(has));
}

/** @param {HTMLElement} old @param {Element} onward the link or button to the form of the ticket that follows */
function carry(old, onward) {
  const [form, send] = [old.querySelector("form"), old.querySelector('[value="send"]')];
  if (!form || !(send instanceof HTMLButtonElement)) return;
  form.action = onward.getAttribute("href") ?? onward.closest("form")?.getAttribute("action") ?? form.action;
  send.value = "fill";
  send.textContent = onward.textContent;
  for (const part of old.querySelectorAll('[value="solved"], .closed a')) part.remove();
}

document.addEventListener("visibilitychange", () => {
  asking.abort();
  if (document.visibilityState === "visible") watch();
});
addEventListener("pagehide", () => asking.abort());
watch();
