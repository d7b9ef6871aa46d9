"""Clients that do what widget and console do: an outbox, a cursor, coming back. And a judge of what they saw."""

import asyncio
import json
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import websockets
from websockets.asyncio.client import ClientConnection, connect

from chat.ids import new_id

WITHIN = 30.0


@dataclass
class View:
    """A client that does what the widget and the console do: an outbox, a cursor, coming back."""

    origin: str
    """The public address: what a browser sends as Origin."""
    addresses: list[str]
    """Of the servers behind it."""
    token: str = ""
    conversation: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    unsent: dict[str, str] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    socket: ClientConnection | None = None
    link: str = ""
    browser: httpx2.AsyncClient | None = None
    trust: ssl.SSLContext | None = None
    """For addresses with https."""
    attended: bool = False
    retirements: int = 0
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)

    async def live(self) -> None:
        """Until cancelled: connect somewhere, resume, listen; when it breaks, elsewhere."""
        turn = 0
        while True:
            address = self.addresses[turn % len(self.addresses)]
            turn += 1
            try:
                await self._once(address)
            except (OSError, websockets.WebSocketException, httpx2.HTTPError, KeyError, ValueError):
                self.socket = None
                await asyncio.sleep(0.1)  # a pause before the next server, as the browser makes one

    async def _once(self, server: str) -> None:
        path = "/console/socket" if self.link else "/w/polaris/socket"
        address = server.replace("http", "ws", 1) + path
        first = await self._attend(server) if self.link else self._hello()
        origin = websockets.Origin(self.origin)
        async with connect(address, origin=origin, ssl=self.trust, open_timeout=5) as socket:
            await socket.send(json.dumps(first))
            self.socket = socket
            async for text in socket:
                await self._take(json.loads(text))
        self.socket = None

    def _hello(self) -> dict[str, Any]:
        last = self.shown[-1]["seq"] if self.shown else 0
        known = {"token": self.token, "conversation": self.conversation, "last_seen": last} if self.conversation else {}
        return {"type": "hello", "site": "polaris", **known}

    async def _attend(self, server: str) -> dict[str, Any]:
        if self.browser is None:
            headers = {"Sec-Fetch-Site": "same-origin"}
            self.browser = httpx2.AsyncClient(headers=headers, timeout=5, verify=self.trust or True)
            secret = self.link.rpartition("/")[2]
            await self.browser.post(f"{server}/console/sign-in/{secret}")
        answer = await self.browser.post(f"{server}/console/socket-pass")
        return {"type": "attend", "socket_pass": answer.json()["socket_pass"]}

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "beat":
                await self.send("beat")
            case "offered":
                self.conversation = frame["conversation"]
                await self._open()
            case "attended" if self.conversation:
                await self._open()
            case "welcomed" | "attended":
                pass
            case "retired":
                self.retirements += 1
                if self.socket is not None:
                    await self.socket.close()
            case "enrolled":
                self.token = frame["token"]
            case "started":
                self.conversation = frame["conversation"]["id"]
            case "refused" if frame.get("retry"):
                self._later(frame["ref"], frame.get("retry_after", 1))
            case "said" | "paged" if frame.get("stream", "public") == "public":
                await self._show(frame)
        if frame["type"] in ("welcomed", "paged"):
            await self._resend()
        async with self.news:
            self.attended = self.attended or frame["type"] == "attended"
            self.news.notify_all()

    async def _open(self) -> None:
        last = self.shown[-1]["seq"] if self.shown else 0
        await self.send("open", conversation=self.conversation, last_seen=last)

    async def _show(self, frame: dict[str, Any]) -> None:
        for entry in frame["entries"]:
            if entry["seq"] <= (self.shown[-1]["seq"] if self.shown else 0):
                continue  # shown already: the cursor says so, as in the browser
            self.shown.append(entry)
            self.unsent.pop(entry.get("ref", ""), None)
        if frame.get("more"):
            await self.send("fetch", conversation=self.conversation, after=self.shown[-1]["seq"])

    async def _resend(self) -> None:
        if self.conversation:
            for ref, text in list(self.unsent.items()):
                await self.send("say", conversation=self.conversation, ref=ref, text=text)

    def _later(self, ref: str, seconds: float) -> None:
        """Too fast, or the database is away: the text is kept and sent again when the server says."""

        async def again() -> None:
            await asyncio.sleep(seconds)
            if ref in self.unsent:
                await self.send("say", conversation=self.conversation, ref=ref, text=self.unsent[ref])

        task = asyncio.create_task(again())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def send(self, kind: str, **fields: Any) -> None:
        if self.socket is not None:
            try:
                await self.socket.send(json.dumps({"type": kind, **fields}))
            except websockets.ConnectionClosed:
                return  # it is in the outbox

    async def say(self, text: str) -> None:
        ref = f"ref-{new_id().hex}"
        self.unsent[ref] = text
        await self.send("say", conversation=self.conversation, ref=ref, text=text)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(WITHIN), self.news:
                await self.news.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"never: {what}; {self.unsent=} {len(self.shown)=}") from None

    def texts(self) -> list[str]:
        return [entry["text"] for entry in self.shown if entry["kind"] == "message"]


async def begin(ann: View, operators: Sequence[View], words: str) -> View:
    """Ann's first words, and the operator who reads them: the conversation of both."""
    await ann.until(lambda: ann.socket is not None, "Ann is connected")
    await ann.send("enroll")
    await ann.until(lambda: bool(ann.token), "a token")
    await ann.send("start", ref=f"ref-{new_id().hex}", text=words)
    await ann.until(lambda: bool(ann.conversation), "a conversation")
    reading = [asyncio.create_task(one.until(lambda one=one: words in one.texts(), words)) for one in operators]  # type: ignore[misc]
    done, others = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    for task in done:
        await task
    return next(one for one in operators if words in one.texts())


def check(ann: View, omar: View, rows: list[tuple[int, str]], said: list[str]) -> None:
    """Lost, doubled, reordered, holes: none of them, in the database and in both views."""
    assert [seq for seq, _ in rows] == list(range(1, len(rows) + 1))
    stored = [text for _, text in rows if text]
    assert sorted(stored) == sorted(said)
    for view in (ann, omar):
        assert [entry["seq"] for entry in view.shown] == list(range(1, len(rows) + 1))
        assert view.texts() == stored
        assert not view.unsent
