"""Between uvicorn and picows: uvicorn hands over a connection that wants to become a WebSocket; the entrance is asked,
and picows takes it, or it gets an answer of HTTP. HTTP itself stays with uvicorn, on the same port and loop."""

import asyncio
import base64
import ipaddress
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from picows import WSAutoPingStrategy, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stub
from uvicorn.server import ServerState

from chat.hub.picows_transport import PicowsTransport
from chat.sockets.door import Admitted, Denied, Knock
from chat.sockets.entrance import Entrance

READ_BUFFER = 2048
"""The least that picows takes."""
READ_BYTES = 8 * 1024
"""At a time. A buffer that was filled whole is doubled by picows, and never becomes smaller."""
KEY_BYTES = 16
BAD_HANDSHAKE = Denied(400, "This is no handshake of WebSockets, version 13", {"Sec-WebSocket-Version": "13"})

log = structlog.get_logger(__name__)


class _Faults(logging.LoggerAdapter[logging.Logger]):
    """Of what picows says only what is our fault: the rest any client can make it say, as often as it likes."""

    def exception(self, msg: object, *_args: object, **_more: Any) -> None:
        log.error("a socket failed", because=str(msg), exc_info=sys.exception())


_faults = _Faults(logging.getLogger("picows"))
_faults.setLevel(logging.CRITICAL)
_upgraded = WSUpgradeResponse.create_101_response()
"""One for all: picows writes the accepting key of the moment into it, and sends it at once."""


def upgrading(entrance: Entrance, limit: int, trusted: Sequence[str]) -> Callable[..., "Upgrade"]:
    """What uvicorn's `ws=` takes: called with its configuration and state for each upgrade."""
    proxies = [ipaddress.ip_network(one) for one in trusted]

    def make(*, server_state: ServerState, **_more: Any) -> Upgrade:
        return Upgrade(entrance, limit, proxies, server_state)

    return make


class Upgrade(asyncio.Protocol):
    """From the request's head until picows or an answer."""

    handshake_complete = False
    """So the server waits for it before it ends."""

    def __init__(self, entrance: Entrance, limit: int, proxies: Iterable[Any], state: ServerState) -> None:
        self._entrance = entrance
        self._limit = limit
        self._proxies = proxies
        self._state = state
        self._transport: Any = None
        self._early = b""
        """What came before the answer: a client in a hurry."""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        connections: set[Any] = self._state.connections
        connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._task is not None:
            self._early += data
            if len(self._early) > self._limit:
                self._transport.abort()
            return
        self._task = asyncio.create_task(self._enter(data))
        self._state.tasks.add(self._task)
        self._task.add_done_callback(self._state.tasks.discard)

    def connection_lost(self, _error: Exception | None) -> None:
        connections: set[Any] = self._state.connections
        connections.discard(self)
        if self._task is not None:
            self._task.cancel()  # nobody waits at the door any more

    def shutdown(self) -> None:
        self._transport.close()

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    async def _enter(self, head: bytes) -> None:
        method, target, headers = _parsed(head)
        knock = Knock(
            target.partition("?")[0],
            headers.get("origin"),
            headers.get("user-agent", ""),
            client_address(self._peer(), headers.get("x-forwarded-for", ""), self._proxies),
        )
        entered: Admitted | Denied
        try:
            entered = await self._entrance.enter(knock) if _is_handshake(method, headers) else BAD_HANDSHAKE
        except Exception:
            log.exception("an upgrade failed")
            entered = Denied(500, "Something failed on our side")
        if isinstance(entered, Denied):
            self._deny(entered)
        else:
            self._hand_over(entered, headers["sec-websocket-key"])

    def _peer(self) -> str:
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    def _deny(self, denied: Denied) -> None:
        if self._transport.is_closing():
            return
        body = denied.text.encode()
        lines = {
            **{name.decode(): value.decode() for name, value in self._state.default_headers},
            "content-type": "text/plain; charset=utf-8",
            "content-length": str(len(body)),
            "connection": "close",
            **denied.headers,
        }
        head = f"HTTP/1.1 {denied.status} {HTTPStatus(denied.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._transport.write(head.encode() + b"\r\n" + body)
        self._transport.close()

    def _hand_over(self, admitted: Admitted, key: str) -> None:
        connections: set[Any] = self._state.connections
        connections.discard(self)
        if self._transport.is_closing():
            admitted.leave()
            return
        opened = PicowsTransport(admitted.open, self._limit, connections.discard)
        connections.add(opened)
        protocol = _Protocol(
            None,
            None,
            False,
            lambda _request: WSUpgradeResponseWithListener(_upgraded, opened),
            _faults,
            True,
            None,
            False,
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # the listener answers pings
            self._limit,
            None,
            READ_BUFFER,
        )
        try:
            protocol.connection_made(self._transport)
            self._transport.set_protocol(protocol)
            _feed(protocol, _head_for_picows(key) + self._early)
        except Exception:
            log.exception("an upgrade failed")
        if not opened.has_started:
            connections.discard(opened)
            admitted.leave()
            self._transport.abort()


class _Protocol(WSProtocol):  # type: ignore[misc]  # it has no types
    __slots__ = ()

    def get_buffer(self, size_hint: int) -> memoryview:
        buffer: memoryview = super().get_buffer(size_hint)
        return buffer[:READ_BYTES]


def client_address(peer: str, forwarded: str, proxies: Iterable[Any]) -> str:
    """The last address that no trusted proxy vouches for: what a client itself writes there is not believed."""

    def is_trusted(address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in proxies)

    address = peer
    for named in reversed([one.strip() for one in forwarded.split(",") if one.strip()]):
        if not is_trusted(address):
            break
        address = named
    return address


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers of a head that uvicorn has parsed and written anew."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon:
            name = name.lower()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    method, target = first.split(" ")[:2]
    return method, target, headers


def _is_handshake(method: str, headers: dict[str, str]) -> bool:
    """All that makes one, so that nobody is admitted who cannot be opened."""
    tokens = {one.strip().lower() for one in headers.get("connection", "").split(",")}
    try:
        key = base64.b64decode(headers.get("sec-websocket-key", ""), validate=True)
    except ValueError:
        return False
    is_13 = headers.get("sec-websocket-version") == "13"
    return method == "GET" and "upgrade" in tokens and is_13 and len(key) == KEY_BYTES


def _head_for_picows(key: str) -> bytes:
    """In our words, not the client's: picows refuses `Connection: keep-alive, Upgrade`, which Firefox sends, and keeps
    the head for as long as the connection lives."""
    lines = ("GET / HTTP/1.1", "Host: desk", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    return ("\r\n".join([*lines, f"Sec-WebSocket-Key: {key}"]) + "\r\n\r\n").encode("ascii")


def _feed(protocol: Any, data: bytes) -> None:
    while data:
        buffer = protocol.get_buffer(-1)
        part = data[: len(buffer)]
        buffer[: len(part)] = part
        data = data[len(part) :]
        protocol.buffer_updated(len(part))
