"""A WebSocket on picows: the C parser calls this listener, and between two frames nothing of it lives but itself."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import structlog
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from chat.hub.transport import HIGH_WATER, LOW_WATER, Accept, Receiver

MOST_PIECES = 256
"""Frames between two texts, and one more for each `PIECE_BYTES` of a text in several: more are no conversation, and
each costs as much as a text."""
PIECE_BYTES = 32
NEVER_SENT = (0, 1005, 1006, 1015)
"""Codes that stand for what was not said."""

log = structlog.get_logger(__name__)


class PicowsTransport(WSListener):
    """Made for one upgraded connection; `accept` says who listens to it."""

    __slots__ = (
        "_accept",
        "_is_reading",
        "_limit",
        "_on_lost",
        "_parts",
        "_pieces",
        "_receiver",
        "_size",
        "_waiting",
        "_waiting_bytes",
        "_ws",
        "is_full",
    )

    keeps_order = False
    farewell = ""
    lingers = 0.0

    def __init__(self, accept: Accept, limit: int, on_lost: Callable[["PicowsTransport"], None]) -> None:
        self._accept: Accept | None = accept
        self._limit = limit
        self._on_lost = on_lost
        self._ws: WSTransport | None = None
        self._receiver: Receiver | None = None
        self._parts: list[bytes] | None = None
        """Of a text in several frames."""
        self._pieces = 0
        self._size = 0
        self._is_reading = True
        self._waiting: list[bytes] | None = None
        self._waiting_bytes = 0
        self.is_full = False

    # ── what picows tells ────────────────────────────────────────────────────────────────────────────────────────

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        transport.request.headers.clear()  # picows keeps the request as long as the connection lives
        transport.underlying_transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        accept, self._accept = self._accept, None
        try:
            if accept is not None:
                accept(self)
        except Exception:
            log.exception("a socket could not be opened")
            self.abort()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(WSCloseCode.PROTOCOL_ERROR)
            return
        self._pieces += 1
        if self._pieces > MOST_PIECES + self._size // PIECE_BYTES:
            self._fail(WSCloseCode.POLICY_VIOLATION)
            return
        match frame.msg_type:
            case WSMsgType.TEXT if frame.fin and self._parts is None:
                self._hand_on(frame.get_payload_as_bytes())
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._assemble(frame)
            case WSMsgType.BINARY:
                if self._parts is not None:
                    self._fail(WSCloseCode.PROTOCOL_ERROR)
                elif self._receiver is not None:
                    self._receiver.malformed()
            case WSMsgType.PING if not self.is_full:
                # Who does not read gets no more answers: they would wait in our memory.
                transport.send_pong(frame.get_payload_as_bytes())
            case WSMsgType.CLOSE:
                self._flush()
                code = frame.get_close_code()
                if frame.payload_size >= 2 and int(cast("int", code)) in NEVER_SENT:
                    self._fail(WSCloseCode.PROTOCOL_ERROR)
                    return
                if not transport.is_close_frame_sent:
                    transport.send_close(code if code != WSCloseCode.NO_INFO else WSCloseCode.OK)
                transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        receiver, self._receiver = self._receiver, None
        try:
            if receiver is not None:
                receiver.ended()
        finally:
            self._on_lost(self)

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self._receiver is not None:
            self._receiver.drained()

    def _assemble(self, frame: WSFrame) -> None:
        is_first = frame.msg_type == WSMsgType.TEXT
        if is_first == (self._parts is not None):
            self._fail(WSCloseCode.PROTOCOL_ERROR)
            return
        if self._parts is None:
            self._parts, self._size = [], 0
        self._parts.append(frame.get_payload_as_bytes())
        self._size += frame.payload_size
        if self._size > self._limit:
            self._fail(WSCloseCode.MESSAGE_TOO_BIG)
        elif frame.fin:
            whole, self._parts = b"".join(self._parts), None
            self._hand_on(whole)

    def _hand_on(self, payload: bytes) -> None:
        self._pieces = self._size = 0
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(WSCloseCode.INVALID_TEXT)
            return
        if self._receiver is not None:
            self._receiver.received(text)

    def _fail(self, code: WSCloseCode) -> None:
        """The client breaks the protocol of WebSockets: nothing more is read from it."""
        self._parts = None
        self._flush()
        if self._ws is not None and not self._ws.is_close_frame_sent:
            self._ws.send_close(code)
            self._ws.disconnect()

    # ── what the product asks for ────────────────────────────────────────────────────────────────────────────────

    @property
    def has_started(self) -> bool:
        return self._receiver is not None

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def write(self, text: str) -> None:
        """What is written in one turn of the loop leaves together, at its end: most of a write is the system call."""
        payload = text.encode()
        if self._waiting is None:
            self._waiting = [payload]
            self._waiting_bytes = len(payload)
            asyncio.get_running_loop().call_soon(self._flush)
            return
        self._waiting.append(payload)
        self._waiting_bytes += len(payload)
        if self._waiting_bytes > HIGH_WATER:
            self._flush()  # the socket says whether it takes more

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, None
        if not waiting or self._ws is None or self._ws.is_close_frame_sent or self._ws.is_disconnected:
            return
        if len(waiting) == 1:
            self._ws.send(WSMsgType.TEXT, waiting[0])
            return
        parts: list[bytes] = []
        for payload in waiting:
            parts += (_head_of(payload), payload)
        self._ws.underlying_transport.write(b"".join(parts))

    def pause(self) -> None:
        if self._is_reading and (socket := self._open_socket()) is not None:
            self._is_reading = False
            socket.pause_reading()

    def resume(self) -> None:
        if not self._is_reading and (socket := self._open_socket()) is not None:
            self._is_reading = True
            socket.resume_reading()

    def close(self, code: int, reason: str) -> None:
        self._flush()
        if self._ws is not None:
            self._ws.send_close(cast("WSCloseCode", code), reason.encode())
            self.resume()  # the answer to the goodbye must be read

    def abort(self) -> None:
        if self._ws is not None:
            self._ws.underlying_transport.abort()

    def shutdown(self) -> None:
        """The server ends and waits until this has ended."""
        self._flush()
        if self._ws is not None and not self._ws.is_close_frame_sent:
            self._ws.send_close(WSCloseCode.SERVICE_RESTART)
            self._ws.disconnect()

    def _open_socket(self) -> Any:
        socket = self._ws.underlying_transport if self._ws is not None else None
        return None if socket is None or socket.is_closing() else socket


def _head_of(payload: bytes) -> bytes:
    """Of a whole text that a server sends, so without a mask (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2)
    return b"\x81\x7f" + size.to_bytes(8)
