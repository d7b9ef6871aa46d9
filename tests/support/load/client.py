"""One client that comes back by itself: dials, introduces itself, resumes, resends, answers heartbeats."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.support.histories import Ack, Error, Gone, History, Live, Lost, Resumed, Shown
from tests.support.load import wire

FIRST_RETRY = 2.0
LAST_RETRY = 30.0
SILENCE = 35.0
UNANSWERED = 7.5
"""The widget looks every 5 s whether it said something more than 5 s ago and has heard nothing since."""
ANSWER = 3.0
GREETING = 12.0
GOOD_SECONDS = 60.0
"""After so long on a good line the next loss is a first one again."""
HELD_SECONDS = 2.0


@dataclass
class World:
    """What all clients of a run share."""

    addresses: list[str]
    origin: str
    site: str
    chance: Random
    counts: dict[str, int] = field(default_factory=dict)
    detours: dict[str, str] = field(default_factory=dict)
    """server → the proxy that makes the way to it bad"""
    knocks: bool = True
    """Whether who goes by such a proxy asks before whether the server is there: a real one finds out itself."""

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def turned(self, first: str = "") -> list[str]:
        """The servers, this or any of them first: who is refused by one is passed on to the next, as a proxy does."""
        start = self.addresses.index(first) if first else self.chance.randrange(len(self.addresses))
        return self.addresses[start:] + self.addresses[:start]


class Socket(WSListener):
    """One WebSocket of a client; a client has two for a moment when it makes before it breaks."""

    def __init__(self, client: "Client", address: str) -> None:
        self.client: Client | None = client
        self.address = address
        self.by_detour = client.by_detour
        self.transport: WSTransport | None = None
        self.resumed: set[tuple[str, str]] = set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self.client is None:
            return
        if frame.msg_type is WSMsgType.TEXT:
            self.client.received(self, frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self.client is not None:
            received = getattr(transport.close_handshake, "recv", None)  # there is none after a reset
            self.client.ended(self, int(received.code) if received is not None else 1006)

    def send(self, frame: bytes) -> None:
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send(WSMsgType.TEXT, frame)

    def leave(self) -> None:
        self.client = None
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.send_close()
            self.transport.disconnect()

    def abort(self) -> None:
        """Leaves by RST: no farewell and no FIN."""
        if self.transport is not None and not self.transport.is_disconnected:
            self.transport.underlying_transport.abort()


class View:
    """A cursor in one stream of one conversation."""

    def __init__(self) -> None:
        self.cursor = 0
        self.asked = False


class Client:
    """Subclasses give the address, the introduction, and what to do with frames of their side."""

    def __init__(self, world: World, history: History) -> None:
        self.world = world
        self.history = history
        self.socket: Socket | None = None
        self._broken: Socket | None = None
        """Whose way broke by itself."""
        self.live = False
        self.gone = False
        self.unsent: dict[str, bytes] = {}
        self._again: set[str] = set()
        """Refused for now, or said while nothing goes out."""
        self._is_held = False
        """As in the widget: after a refusal for now nothing goes out for a while."""
        self.views: dict[tuple[str, str], View] = {}
        self.heard = monotonic()
        self._said = 0.0
        """When something was said that nothing was heard after."""
        self._asked = 0.0
        """When it was doubted that anybody is there."""
        self._since = 0.0
        self._attempts = 0
        self._returning = 0.0
        self._home = ""
        self.by_detour = False
        self._dialling: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self.changed: Callable[[], None] = lambda: None

    # ── to be given ──────────────────────────────────────────────────────────────────────────────────────────────

    path = ""

    async def introduction(self, address: str) -> bytes:
        raise NotImplementedError

    def greeted(self, socket: Socket, frame: Any) -> None:
        """On `welcomed` or `attended`: what must be said now."""
        raise NotImplementedError

    def take(self, kind: str, frame: Any) -> None:
        raise NotImplementedError

    def saw(self, conversation: str, entry: wire.Entry) -> None:
        """Each entry, once, in order."""

    # ── the line ─────────────────────────────────────────────────────────────────────────────────────────────────

    def dial(self, after: float = 0.0) -> None:
        if self.gone:
            return
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(after, self._dial)

    def _dial(self) -> None:
        if self.gone or (self._dialling is not None and not self._dialling.done()):
            return
        self._dialling = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        home, self._home = self._home, ""
        for address in self.world.turned(home):
            try:
                async with asyncio.timeout(GREETING):
                    if self.by_detour and self.world.knocks:
                        await self._knock(address)
                    first = await self.introduction(address)
                    socket = Socket(self, address)
                    await ws_connect(
                        lambda socket=socket: socket,
                        self._way(address).replace("http", "ws", 1) + self.path,
                        extra_headers={"Origin": self.world.origin},
                        websocket_handshake_timeout=GREETING,
                        enable_auto_ping=False,
                        read_buffer_init_size=1024,
                    )
            except ConnectionRefusedError:
                continue
            except (OSError, WSError, TimeoutError):
                break
            if self.gone:
                socket.leave()
                return
            if self.socket is None:
                self.heard = monotonic()
            socket.send(first)
            self._expect_greeting(socket)
            return
        self.world.count("dials that failed")
        if not self.live:
            self._back_off()

    async def _knock(self, address: str) -> None:
        """Raises ConnectionRefusedError, as the straight way does: a detour accepts first and finds out later, and no
        proxy in front of the servers sends a client of a bad link to one that is not there."""
        parts = urlsplit(address)
        loop = asyncio.get_running_loop()
        assert parts.hostname is not None and parts.port is not None  # noqa: PT018
        transport, _ = await loop.create_connection(asyncio.Protocol, parts.hostname, parts.port)
        transport.abort()

    def _way(self, address: str) -> str:
        return self.world.detours.get(address, address) if self.by_detour else address

    def _expect_greeting(self, socket: Socket) -> None:
        def check() -> None:
            if socket.client is self and socket is not self.socket:
                socket.client = None
                socket.abort()
                if not self.live:
                    self._back_off()

        asyncio.get_running_loop().call_later(GREETING, check)

    def return_within(self, seconds: float) -> None:
        """The next pause is of this length at most: a storm."""
        self._returning = seconds

    def _back_off(self) -> None:
        if self._returning:
            pause, self._returning = self.world.chance.random() * self._returning, 0.0
            self.dial(pause)
            return
        pause = self.world.chance.random() * min(LAST_RETRY, FIRST_RETRY * 2**self._attempts)
        self._attempts += 1
        self.dial(pause)

    def ended(self, socket: Socket, code: int) -> None:
        if 4500 <= code < 5000:
            self.world.count(f"closed {code}")
            self._error(f"closed {code}")
            self.leave()
        elif socket is self.socket:
            self._lost(code, by_link=socket is self._broken)
            self._back_off()
        elif not self.live:
            self._back_off()  # it broke before the greeting
        socket.client = None

    def _lost(self, code: int, *, by_link: bool = False) -> None:
        self.live = False
        self.socket = None
        if monotonic() - self._since > GOOD_SECONDS:
            self._attempts = 0
        self.world.count(f"lost {code}")
        self.history.add(Lost(code, monotonic(), by_link=by_link))
        self.changed()

    def look(self, now: float) -> None:
        """Called every second: a line that is silent too long is dead."""
        if not self.live or self.socket is None:
            return
        is_silent = now - self.heard > SILENCE
        if is_silent or (self._asked > self.heard and now - self._asked > ANSWER):
            self.world.count("silent" if is_silent else "unanswered")
            dead, self.socket = self.socket, None
            dead.client = None
            dead.abort()
            self._lost(0)
            self.dial()
        elif self._asked <= self.heard < self._said and now - self._said > UNANSWERED:
            self._asked = now
            self.socket.send(wire.encode("beat", ask=True))

    def move(self, address: str) -> None:
        """To this server, unless it is there: the new line is made before the old one goes."""
        if self.live and self.socket is not None and self.socket.address != address:
            self._home = address
            self.dial()

    @property
    def is_on_its_way(self) -> bool:
        """The line goes the way it should, straight or by the proxy."""
        return self.socket is not None and self.socket.by_detour == self.by_detour

    def take_detour(self, wanted: bool) -> None:
        if self.by_detour != wanted:
            self.by_detour = wanted
            if self.live:
                self.dial()

    def wake(self) -> None:
        """Somebody looks at the screen: a pause before the next try ends."""
        if not self.live:
            self.dial()

    def abort(self, *, by_link: bool = False) -> None:
        """The line breaks by RST; the client notices and comes back as after any loss."""
        if self.socket is not None:
            self._broken = self.socket if by_link else None
            self.socket.abort()

    def leave(self, *, by_reset: bool = False) -> None:
        if self.gone:
            return
        self.gone = True
        self.live = False
        self.history.add(Gone(monotonic()))
        if self._later is not None:
            self._later.cancel()
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.client = None
            if by_reset:
                socket.abort()
            else:
                socket.leave()
        self.changed()

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────

    def received(self, socket: Socket, data: bytes) -> None:
        kind = wire.head.decode(data).type
        decoder = wire.SHAPES.get(kind)
        if decoder is None:
            self.heard = monotonic()
            return
        frame = decoder.decode(data)
        if kind in ("welcomed", "attended"):
            before, self.socket = self.socket, socket
            if before is not None and before is not socket:
                before.leave()
            self.live = True
            self._since = monotonic()
            self._attempts = 0
            self.history.add(Live(self._since))
            self.heard = self._since
            self.greeted(socket, frame)
        if socket is not self.socket:
            return
        self.heard = monotonic()
        match kind:
            case "beat":
                socket.send(b'{"type":"beat"}')
            case "retired":
                self.world.count("retired")
                self.dial(frame.after)
            case "refused":
                self._refused(frame)
            case "said":
                self._show(socket, frame)
            case "noted":
                frame.stream = "internal"
                self._show(socket, frame)
            case "paged":
                self._page(socket, frame)
            case _:
                self.take(kind, frame)
        self.changed()

    def _page(self, socket: Socket, page: wire.Entries) -> None:
        key = (page.conversation, page.stream)
        view = self.views.setdefault(key, View())
        view.asked = False
        first = page.entries[0].seq if page.entries else 1
        if page.reset or key not in socket.resumed:
            socket.resumed.add(key)
            if page.reset:
                view.cursor = first - 1
            to = page.entries[-1].seq if page.entries else view.cursor
            self.history.add(Resumed(*key, view.cursor, to, monotonic(), page.reset))
        self._show(socket, page)
        if page.more:
            self._ask(socket, key, view)

    def _show(self, socket: Socket, page: wire.Entries) -> None:
        key = (page.conversation, page.stream)
        view = self.views.setdefault(key, View())
        now = monotonic()
        for entry in page.entries:
            if entry.seq <= view.cursor:
                self.world.count("repeats dropped")
                continue
            if entry.seq > view.cursor + 1:
                self.world.count("gaps asked for")
                if not view.asked:
                    self._ask(socket, key, view)
                break
            view.cursor = entry.seq
            self.history.add(Shown(*key, entry.seq, entry.mark, now))
            if entry.ref:
                self.history.add(Ack(entry.ref, *key, entry.seq, now))
                self.unsent.pop(entry.ref, None)
            self.saw(page.conversation, entry)

    def _ask(self, socket: Socket, key: tuple[str, str], view: View) -> None:
        view.asked = True
        socket.send(wire.encode("fetch", conversation=key[0], stream=key[1], after=view.cursor))

    def _refused(self, frame: wire.Refused) -> None:
        self.world.count(f"refused {frame.code}")
        if frame.retry:
            self._again.add(frame.ref)
            if not self._is_held:
                self._is_held = True
                asyncio.get_running_loop().call_later(frame.retry_after or HELD_SECONDS, self._let_go)
        else:
            self._error(f"refused {frame.code}")
            self.unsent.pop(frame.ref, None)

    def _error(self, text: str) -> None:
        self.history.add(Error(text, monotonic()))

    def _let_go(self) -> None:
        self._is_held = False
        again, self._again = self._again, set()
        for ref, frame in self.unsent.items():
            if ref in again:
                self.send(frame)

    def resend(self) -> None:
        self._again.clear()
        for frame in self.unsent.values():
            self.send(frame)

    def post(self, ref: str, frame: bytes) -> None:
        """Into the outbox, and out when there is a line."""
        self.unsent[ref] = frame
        if self._is_held:
            self._again.add(ref)
        else:
            self.send(frame)

    def send(self, frame: bytes) -> None:
        if self.live and self.socket is not None:
            self.socket.send(frame)
            if self._said <= self.heard:
                self._said = monotonic()
