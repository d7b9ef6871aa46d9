// The requester's page, kept current while it is looked at. Without this module a reload does the same.

import "./running-clock.js";

const EVERY = 5_000;
const PARTS = ["standing", "thread"];

function refresh() {
  const request = new XMLHttpRequest();
  request.open("GET", location.pathname + location.search.replace(/([?&])sent=1&?/, "$1"));
  request.responseType = "document";
  request.addEventListener("load", () => {
    if (request.status !== 200 || !request.responseXML) return;
    for (const id of PARTS) replace(id, request.responseXML.getElementById(id));
  });
  request.send();
}

/** @param {string} id @param {HTMLElement | null} fresh */
function replace(id, fresh) {
  const old = document.getElementById(id);
  if (!old || !fresh || old.contains(document.activeElement)) return;
  if (old.textContent === fresh.textContent) return;
  const opened = [...old.querySelectorAll("details")].map((part) => part.open);
  // New posts are added to the log that stands there, so that a screen reader reads out only these.
  if (id === "thread") {
    for (const post of fresh.querySelectorAll(".post")) {
      if (!document.getElementById(post.id)) old.querySelector("ol")?.append(document.adoptNode(post));
    }
    return;
  }
  const next = document.adoptNode(fresh);
  old.replaceWith(next);
  next.querySelectorAll("details").forEach((part, n) => (part.open = opened[n] ?? part.open));
}

setInterval(() => {
  if (document.visibilityState === "visible") refresh();
}, EVERY);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});

const answer = document.getElementById("answer");
if (answer instanceof HTMLTextAreaElement) {
  const key = `nightdesk:answer:${location.pathname}`;
  if (!answer.value) answer.value = sessionStorage.getItem(key) ?? "";
  answer.addEventListener("input", () => sessionStorage.setItem(key, answer.value));
  answer.form?.addEventListener("submit", () => sessionStorage.removeItem(key));
}
