"""Clients that behave badly: too slow, too loud, silent, malformed. Each says how it was ended."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.utils import accept_key

LONG = "x" * 9_900
TALKERS = 8
ARRIVALS = 40
BURST = 10
"""So many messages at once are allowed to one socket."""
EACH_SECOND = 2
"""And so many after that."""
TABS = 10
PATIENCE = 30.0
MANY = 340
"""More than one page."""
NO_ROOM = (429, 503)
Codes = list[int]


class Place:
    """Where they come."""

    def __init__(self, address: str, origin: str, site: str) -> None:
        self.address = address
        self.origin = websockets.Origin(origin)
        self.site = site

    @property
    def url(self) -> str:
        return f"{self.address.replace('http', 'ws', 1)}/w/{self.site}/socket"

    @contextlib.asynccontextmanager
    async def come(self, *, receives: int = 0, **more: Any) -> AsyncIterator[ClientConnection]:
        """Comes again when told that there is no room yet: behaving badly begins inside. `receives`: bytes that the
        system takes for a client that does not read."""
        until = asyncio.get_running_loop().time() + 2 * PATIENCE
        while True:
            link = await self._link(receives)
            try:
                client = await connect(
                    self.url,
                    sock=link,
                    origin=self.origin,
                    compression=None,
                    ping_interval=None,
                    close_timeout=1,
                    **more,
                )
            except websockets.InvalidStatus as refused:
                wait = float(refused.response.headers.get("Retry-After", "inf"))
                if refused.response.status_code not in NO_ROOM or asyncio.get_running_loop().time() + wait > until:
                    raise
                await asyncio.sleep(wait)
            else:
                async with client:
                    yield client
                return

    async def _link(self, receives: int) -> socket.socket:
        link = socket.socket()
        if receives:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        link.setblocking(False)
        parts = urlsplit(self.address)
        await asyncio.get_running_loop().sock_connect(link, (parts.hostname, parts.port))
        return link


async def ask(client: ClientConnection, kind: str, answered_by: str, **fields: Any) -> dict[str, Any]:
    await client.send(json.dumps({"type": kind, **fields}))
    async for text in client:
        frame: dict[str, Any] = json.loads(text)
        if frame["type"] == answered_by:
            return frame
    raise ConnectionError("closed")


async def begin(client: ClientConnection, place: Place) -> tuple[str, str]:
    """A token and a conversation."""
    await ask(client, "hello", "welcomed", site=place.site)
    token = (await ask(client, "enroll", "enrolled"))["token"]
    ref = new_ref()
    started = await ask(client, "start", "started", ref=ref, text=f"{ref} hello")
    return token, started["conversation"]["id"]


def said(conversation: str, text: str, ref: str = "") -> str:
    """The text begins with its ref, as the judge wants it."""
    ref = ref or new_ref()
    return json.dumps({"type": "say", "ref": ref, "conversation": conversation, "text": f"{ref} {text}"})


def new_ref() -> str:
    return f"bad-{uuid4().hex}"


async def code_of(client: ClientConnection, seconds: float) -> int:
    """Reads what is left, and how it ended; 0 when it did not."""
    try:
        async with asyncio.timeout(seconds):
            async for _ in client:
                pass
    except TimeoutError:
        return 0
    except websockets.ConnectionClosed:
        pass
    return client.close_code or 1006


async def slow_readers(place: Place, count: int, over: float = 0.0, *, reads: bool = False) -> Codes:
    """Of several people, since one may not hold so many sockets. `over`: seconds in which they are sent too much.
    `reads`: they read it all, as others do, and are not ended: what is said is the same, nobody is slow."""
    groups = [min(TABS, count - start) for start in range(0, count, TABS)]
    ended = await asyncio.gather(*(slow_tabs(place, size, over, reads=reads) for size in groups))
    return [code for codes in ended for code in codes]


async def slow_tabs(place: Place, count: int, over: float, *, reads: bool = False) -> Codes:
    """Tabs that read nothing while other tabs of the same person say more than may wait; then they look again."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(place.come())
        token, conversation = await begin(first, place)
        introduction = json.dumps({"type": "hello", "site": place.site, "token": token})
        enough = asyncio.create_task(until_heard(first, TALKERS * BURST * 3 // 4))
        reading = [enough]
        slow = []
        for _ in range(count):
            if reads:
                client = await stack.enter_async_context(place.come())
                reading.append(asyncio.create_task(code_of(client, over + PATIENCE)))
            else:
                client = await stack.enter_async_context(place.come(receives=4096, max_queue=1))
                slow.append(client)
            await client.send(introduction)
            await asyncio.sleep(over / ARRIVALS)  # people come one after the other
        talkers = []
        for _ in range(TALKERS):
            talker = await stack.enter_async_context(place.come())
            reading.append(asyncio.create_task(code_of(talker, over + PATIENCE)))
            await talker.send(introduction)
            talkers.append(talker)
            await asyncio.sleep(over / ARRIVALS)
        for _ in range(BURST):
            for talker in talkers:
                await talker.send(said(conversation, LONG))
            await asyncio.sleep(over / BURST)  # people talk, they do not burst
        await enough
        codes = list(await asyncio.gather(*(code_of(client, PATIENCE) for client in slow)))
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        return codes


async def until_heard(client: ClientConnection, count: int) -> int:
    """So many long messages."""
    heard = 0
    async with asyncio.timeout(2 * PATIENCE):
        while heard < count:
            heard += str(await client.recv()).count(LONG)
    return heard


async def flood(place: Place, per_second: float, seconds: float) -> Codes:
    """One that says as much as it can. It is refused and read more slowly, and keeps its socket."""
    async with place.come() as client:
        _, conversation = await begin(client, place)
        return [await _pour(client, conversation, per_second, seconds)]


async def talk(place: Place, seconds: float) -> None:
    """One that says as much as is taken of a flood, and no more."""
    async with place.come() as client:
        _, conversation = await begin(client, place)
        reading = asyncio.create_task(code_of(client, seconds + 10))
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        left = BURST
        while loop.time() < until:
            for _ in range(left):
                await client.send(said(conversation, "!"))
            left = 1
            await asyncio.sleep(1 / EACH_SECOND)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def visits(place: Place, count: int) -> None:
    """Some who look in, one after the other, and say nothing that is wrong."""
    for _ in range(count):
        async with place.come() as client:
            await ask(client, "hello", "welcomed", site=place.site)


class Sink(asyncio.Protocol):
    """Agrees to a WebSocket and throws away what comes."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._head: bytes | None = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._head is None:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            key = re.search(r"(?i)sec-websocket-key: (\S+)", self._head.decode())
            assert key is not None
            self._head = None
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + f"Sec-WebSocket-Accept: {accept_key(key[1])}\r\n\r\n".encode()
            )

    def connection_lost(self, _error: Exception | None) -> None:
        self.gone.set()


async def flood_nobody(per_second: float, seconds: float) -> Codes:
    """The same, to somebody who throws it away: what it costs the computer of who floods."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: sink, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", compression=None, ping_interval=None) as client:
            code = await _pour(client, str(uuid4()), per_second, seconds)
            client.transport.abort()
        await sink.gone.wait()
    return [code]


async def _pour(client: ClientConnection, conversation: str, per_second: float, seconds: float) -> int:
    reading = asyncio.create_task(code_of(client, seconds + 10))
    loop = asyncio.get_running_loop()
    start = loop.time()
    sent = 0
    with contextlib.suppress(websockets.ConnectionClosed, TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                while sent < (loop.time() - start) * per_second:
                    await client.send(said(conversation, "!"))
                    sent += 1
                await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return client.close_code or 0


async def silent(place: Place, count: int, seconds: float) -> Codes:
    """A third says nothing at all, a third half a request, a third upgrades and does not introduce itself."""
    parts = urlsplit(place.address)

    async def mute(first: bytes) -> int:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(first)
        try:
            async with asyncio.timeout(seconds):
                while await reader.read(4096):
                    pass
        except TimeoutError:
            return 0
        except OSError:
            pass
        finally:
            writer.close()
        return 1006

    async def nameless() -> int:
        async with place.come() as client:
            return await code_of(client, seconds)

    kinds: list[Callable[[], Awaitable[int]]] = [lambda: mute(b""), lambda: mute(b"GET / HTTP/1.1\r\nHost: "), nameless]
    return list(await asyncio.gather(*(kinds[number % 3]() for number in range(count))))


async def malformed(place: Place) -> dict[str, int]:
    """What each kind of nonsense is closed with."""

    async def after(what: str | bytes) -> int:
        async with place.come() as client:
            await ask(client, "hello", "welcomed", site=place.site)
            await client.send(what)
            return await code_of(client, 10)

    async def raw(data: bytes) -> int:
        async with place.come() as client:
            await ask(client, "hello", "welcomed", site=place.site)
            client.transport.write(data)
            return await code_of(client, 10)

    return {
        "binary": await after(b"\x00\x01"),
        "no JSON": await after("no json"),
        "too large": await after("x" * 70_000),
        "deflated though nobody agreed": await raw(b"\xc1\x85aaaabbbbb"),
        "not masked": await raw(b"\x81\x05hello"),
    }


async def away_from_much(places: list[Place]) -> tuple[list[int], int]:
    """Somebody leaves, hundreds of messages are said, they come back with their cursor and fetch page by page. What
    they saw in all, and how much there is."""
    async with places[0].come() as client:
        token, conversation = await begin(client, places[0])
        paged = json.loads(await client.recv())
        while paged["type"] != "paged":
            paged = json.loads(await client.recv())
        seen = [entry["seq"] for entry in paged["entries"]]
    introduction = json.dumps({"type": "hello", "site": places[0].site, "token": token})
    for number in range(MANY // BURST):
        async with places[number % len(places)].come(max_queue=None) as talker:
            await talker.send(introduction)
            refs = [new_ref() for _ in range(BURST)]
            for ref in refs:
                await talker.send(said(conversation, "!", ref))
            await until_acknowledged(talker, refs)
    resuming = {"token": token, "conversation": conversation, "last_seen": seen[-1], "site": places[-1].site}
    async with places[-1].come() as client:
        state = (await ask(client, "hello", "welcomed", **resuming))["conversation"]
        async for text in client:
            frame = json.loads(text)
            if frame["type"] not in ("paged", "said"):
                continue
            seen += [entry["seq"] for entry in frame["entries"]]
            if seen[-1] >= state["seq"]:
                break
            if frame.get("more"):
                await client.send(json.dumps({"type": "fetch", "conversation": conversation, "after": seen[-1]}))
    return seen, state["seq"]


async def until_acknowledged(client: ClientConnection, refs: list[str]) -> None:
    waiting = set(refs)
    async with asyncio.timeout(PATIENCE):
        while waiting:
            frame = json.loads(await client.recv())
            if frame["type"] in ("said", "paged"):
                waiting -= {entry.get("ref") for entry in frame["entries"]}
