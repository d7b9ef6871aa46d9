// The operator's socket as far as tickets need it: it says when something changed, and whether we are connected.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;

/**
 * @typedef {object} Listener
 * @property {(topic: string, id: string) => void} nudged topic `waiting`: who waits in conversations changed
 * @property {(waits: boolean) => void} offered
 * @property {(live: boolean) => void} live
 */

/**
 * Opens and keeps a socket. A lost one comes back with a growing, random pause; a close code of 4500 or more means
 * that there is no way back but a new sign-in.
 * @param {Listener} listener
 */
export function listen(listener) {
  let pause = FIRST_PAUSE;

  async function connect() {
    const answer = await fetch("/console/socket-pass", { method: "POST" });
    if (answer.redirected || answer.status === 401 || answer.status === 403) return;
    if (!answer.ok) throw new Error("no pass");
    const body = await answer.json();
    const url = new URL("/console/socket", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "attend", socket_pass: body.socket_pass })));
    socket.addEventListener("message", (event) => take(socket, JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      listener.live(false);
      if (event.code < 4500) again();
    });
  }

  /** @param {WebSocket} socket @param {{type: string, topic?: string, id?: string}} frame */
  function take(socket, frame) {
    if (frame.type === "beat") socket.send('{"type":"beat"}');
    else if (frame.type === "nudged") listener.nudged(frame.topic ?? "", frame.id ?? "");
    else if (frame.type === "counted") listener.nudged("waiting", "");
    else if (frame.type === "offered" || frame.type === "withdrawn") listener.offered(frame.type === "offered");
    else if (frame.type === "retired") socket.close(4000);
    else if (frame.type === "attended") {
      pause = FIRST_PAUSE;
      listener.live(true);
    }
  }

  function again() {
    setTimeout(attempt, Math.random() * pause);
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  }

  function attempt() {
    connect().catch(again);
  }

  attempt();
}
