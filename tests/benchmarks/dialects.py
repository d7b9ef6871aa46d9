"""How the load generator speaks to each server: Nightdesk, and the peers of the same run.

A dialect makes two ends of a conversation, visitor and operator, and says how a text is sent.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from chat.ids import new_id

SAID = b'"said"'
TOGETHER = 8
MARK = b"~"
"""Texts are ~SECONDS~NUMBER~ and padding: what comes back is found without decoding."""


class End(WSListener):
    """One connection. `heard` holds frames until `live`; then texts are told to `on_text` and nothing is kept."""

    def __init__(self, dialect: "Dialect", is_visitor: bool) -> None:
        self.dialect = dialect
        self.is_visitor = is_visitor
        self.transport: WSTransport | None = None
        self.conversation = ""
        self.live = False
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.outstanding = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            return
        data = frame.get_payload_as_bytes()
        if SAID in data and MARK in data:
            self.dialect.on_text(self, data)
        elif not self.dialect.answered(self, data) and not self.live:
            self.heard.put_nowait(data.decode())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        received = transport.close_handshake.recv
        self.dialect.refused.append(f"closed: {received.code if received else 'without a word'}")

    def send(self, text: str | bytes) -> None:
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, text if isinstance(text, bytes) else text.encode())

    async def until(self, fits: Any, seconds: float = 60) -> str:
        async with asyncio.timeout(seconds):
            while not fits(text := await self.heard.get()):
                pass
        return text


class Dialect(ABC):
    def __init__(self, visitors_at: str, operators_at: str, origin: str) -> None:
        self.visitors_at = visitors_at
        self.operators_at = operators_at
        self.origin = origin
        self.on_text: Any = lambda _end, _data: None
        self.refused: list[str] = []

    async def connected(self, address: str, is_visitor: bool) -> End:
        end = End(self, is_visitor)
        await ws_connect(
            lambda: end,
            address.replace("http", "ws", 1),
            extra_headers=[("Origin", self.origin)],
            websocket_handshake_timeout=30,
        )
        return end

    @abstractmethod
    async def meet(self, pairs: int) -> list[End]:
        """Brings visitors and operators together; the visitors' ends, live."""

    @abstractmethod
    def say(self, end: End, text: str) -> None: ...

    def answered(self, end: End, data: bytes) -> bool:
        """Whether it was only a heartbeat, which is answered here."""
        return False


class Nightdesk(Dialect):
    """`talks`: conversation and visitor's token; `passes`: one for each console, which opens its share of the talks."""

    def __init__(
        self, visitors_at: str, operators_at: str, origin: str, site: str, talks: list[list[str]], passes: list[str]
    ) -> None:
        super().__init__(visitors_at, operators_at, origin)
        self._site = site
        self._talks = talks
        self._passes = passes

    def answered(self, end: End, data: bytes) -> bool:
        if data == b'{"type":"beat"}':
            end.send(data)
            return True
        if b'"type":"refused"' in data:
            self.refused.append(data.decode())
        return False

    async def meet(self, pairs: int) -> list[End]:
        visitors: list[End] = []
        for first in range(0, pairs, TOGETHER):
            visitors += await asyncio.gather(*(self._visitor(*talk) for talk in self._talks[first : first + TOGETHER]))
        consoles = [
            await self._console(one, [talk[0] for talk in self._talks[place :: len(self._passes)]])
            for place, one in enumerate(self._passes)
        ]
        for end in (*visitors, *consoles):
            end.live = True
        return visitors

    async def _visitor(self, conversation: str, token: str) -> End:
        end = await self.connected(f"{self.visitors_at}/w/{self._site}/socket", True)
        end.conversation = conversation
        end.send(json.dumps({"type": "hello", "site": self._site, "token": token, "conversation": conversation}))
        await end.until(lambda text: '"paged"' in text)
        return end

    async def _console(self, socket_pass: str, conversations: list[str]) -> End:
        end = await self.connected(self.operators_at + "/console/socket", False)
        end.send(json.dumps({"type": "attend", "socket_pass": socket_pass}))
        await end.until(lambda text: '"attended"' in text)
        for one in conversations:
            end.send(json.dumps({"type": "open", "conversation": one}))
            await end.until(lambda text: '"paged"' in text and '"internal"' in text)
        return end

    def say(self, end: End, text: str) -> None:
        end.send(f'{{"type":"say","ref":"{new_id().hex}","conversation":"{end.conversation}","text":"{text}"}}')


class SocketIo(Dialect):
    """Engine.IO 4 on a WebSocket; both ends are in one room."""

    def answered(self, end: End, data: bytes) -> bool:
        if data == b"2":
            end.send("3")
            return True
        return False

    async def meet(self, pairs: int) -> list[End]:
        visitors = []
        for number in range(pairs):
            for address, is_visitor in ((self.visitors_at, True), (self.operators_at, False)):
                end = await self.connected(address + "/socket.io/?EIO=4&transport=websocket", is_visitor)
                await end.until(lambda text: text.startswith("0"))
                end.send("40")
                await end.until(lambda text: text.startswith("40"))
                end.send(f'42["join","room-{number}"]')
                await end.until(lambda text: "joined" in text)
                end.conversation, end.live = f"room-{number}", True
                if is_visitor:
                    visitors.append(end)
        return visitors

    def say(self, end: End, text: str) -> None:
        end.send(f'42["say",{{"room":"{end.conversation}","ref":"{new_id().hex}","text":"{text}"}}]')


class Channels(Dialect):
    """JSON over a consumer's WebSocket; both ends are in one group."""

    async def meet(self, pairs: int) -> list[End]:
        visitors = []
        for number in range(pairs):
            for address, is_visitor in ((self.visitors_at, True), (self.operators_at, False)):
                end = await self.connected(f"{address}/rooms/room-{number}", is_visitor)
                await end.until(lambda text: "joined" in text)
                end.live = True
                if is_visitor:
                    visitors.append(end)
        return visitors

    def say(self, end: End, text: str) -> None:
        end.send(f'{{"type":"say","ref":"{new_id().hex}","text":"{text}"}}')
