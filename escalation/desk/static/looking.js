// Who else has the ticket open and who writes: this page says so of itself, and shows what others say.

const HERE_EVERY = 12_000;
const TYPING_EVERY = 3_000;
const TYPING_ENDS = 5_000;

/**
 * @param {string} number
 * @param {(url: string, body?: FormData) => Promise<Document | null>} fetchDocument
 * @returns {() => void} to be called when the server says that somebody came, went or writes
 */
export function attachLooking(number, fetchDocument) {
  const url = `/desk/tickets/${encodeURIComponent(number)}/lookers`;
  let typedAt = 0;
  let saidAt = 0;

  /** @param {Document | null} answer */
  function show(answer) {
    const fresh = answer?.getElementById("ticket-lookers");
    const old = document.getElementById("ticket-lookers");
    if (fresh && old && fresh.textContent !== old.textContent) old.replaceWith(document.adoptNode(fresh));
  }

  async function say() {
    const body = new FormData();
    body.set("state", Date.now() - typedAt < TYPING_ENDS ? "typing" : "looking");
    saidAt = Date.now();
    show(await fetchDocument(url, body));
  }

  const text = document.getElementById("ticket-text");
  text?.addEventListener("input", () => {
    const begins = Date.now() - typedAt > TYPING_ENDS;
    typedAt = Date.now();
    if (begins || typedAt - saidAt > TYPING_EVERY) say();
  });
  addEventListener("pagehide", () => {
    const body = new FormData();
    body.set("state", "left");
    navigator.sendBeacon(url, body);
  });
  addEventListener("pageshow", (event) => event.persisted && say());
  setInterval(() => document.visibilityState === "visible" && say(), HERE_EVERY);
  say();
  return async () => show(await fetchDocument(url));
}
