"""The long poll, `POST /w/{site_key}/poll` and `POST /console/poll`: the frames of a socket for those to whom a proxy
gives none. Stateless: each request introduces itself, resumes from its cursor, and may reach any process."""

import asyncio
import hashlib
import math

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.hub.admission import PerAddress
from chat.protocol import frames
from chat.settings import Settings
from chat.sockets.door import Admitted, Denied, Knock, address_of
from chat.sockets.entrance import Entrance
from chat.sockets.poll import Poll

LONGEST_SECONDS = 25.0
BODY_SECONDS = 10.0
MOST_BYTES = 64 * 1024
MOST_FRAMES = 64
PER_MINUTE = 240
"""Polls of one client: each is answered as soon as there is news."""
POLLS_PER_ATTEMPT = 20
"""Of one address: where a socket is opened once, polls follow each other."""


GONE = Denied(400, "")
"""Nobody reads it."""


class Refused(Exception):
    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.answer = PlainTextResponse(text, status, headers)


class Polling:
    def __init__(self, entrance: Entrance, clock: Clock, settings: Settings) -> None:
        self._entrance = entrance
        self._clock = clock
        self._base_url = settings.base_url
        self._clients = PerAddress(PER_MINUTE, 60)
        self._addresses = PerAddress(POLLS_PER_ATTEMPT * settings.attempts_per_minute, 60)
        self._open: set[Poll] = set()
        self._has_ended = False

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/w/{site_key}/poll", self._answer, methods=["POST"]),
            Route("/console/poll", self._answer, methods=["POST"]),
        ]

    def end(self) -> None:
        """The server leaves: all polls are answered with what there is."""
        self._has_ended = True
        for poll in self._open:
            poll.due.set()

    async def _answer(self, request: Request) -> Response:
        try:
            self._require_ours(request)
            self._require_pace(self._addresses, address_of(request))
            wait = _seconds(request.query_params.get("wait", "0"))
            async with asyncio.timeout(BODY_SECONDS):
                texts = await _texts(request)
            self._require_pace(self._clients, _who(request, texts[0]))
        except Refused as refused:
            return refused.answer
        except TimeoutError:
            return PlainTextResponse("Too slow", 408)
        except ClientDisconnect:
            return Response(status_code=400)
        knock = Knock(
            request.url.path.removesuffix("poll") + "socket",
            request.headers.get("origin"),
            request.headers.get("user-agent", ""),
            address_of(request),
            polls=True,
        )
        listening = asyncio.create_task(_disconnected(request))
        try:
            entered = await self._enter(knock, listening)
            if isinstance(entered, Denied):
                return PlainTextResponse(entered.text, entered.status, entered.headers)
            poll = Poll(texts, request.query_params.get("state", ""))
            entered.open(poll)
            if await self._serve(listening, poll, wait):
                return self._answer_of(poll)
        finally:
            listening.cancel()
        return Response(status_code=400)  # nobody reads it

    async def _enter(self, knock: Knock, listening: asyncio.Task[None]) -> Admitted | Denied:
        """Who hangs up at the door holds no place there."""
        entering = asyncio.create_task(self._entrance.enter(knock))
        try:
            await asyncio.wait({entering, listening}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            entering.add_done_callback(_let_out)
            entering.cancel()
            raise
        if entering.done():
            return entering.result()
        entering.add_done_callback(_let_out)
        entering.cancel()
        return GONE

    async def _serve(self, listening: asyncio.Task[None], poll: Poll, wait: float) -> bool:
        """Until the answer is due; False when nobody waits for it any more."""
        self._open.add(poll)
        try:
            poll.begin()
            await _first(poll.acted, listening)
            if wait and not self._has_ended and not listening.done():
                try:
                    async with asyncio.timeout(wait):
                        await _first(poll.due, listening)
                except TimeoutError:
                    pass
            poll.is_answered = not listening.done()
            return poll.is_answered
        finally:
            self._open.discard(poll)
            poll.leave()

    def _answer_of(self, poll: Poll) -> Response:
        last = frames.Polled(poll.state) if poll.closed is None else frames.Closed(poll.closed)
        lines = [*poll.frames, frames.encode(last)]
        # The next poll must reach another server, so the line to this one ends.
        headers = {"Connection": "close"} if self._has_ended else {}
        return Response("".join(f"{line}\n" for line in lines), headers=headers, media_type="application/x-ndjson")

    def _require_ours(self, request: Request) -> None:
        """What a socket asks of `Origin` the entrance asks; a browser that says where a request comes from must say
        that it is from here."""
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site not in (None, "same-origin") or origin not in (None, self._base_url):
            raise Refused(403, "Forbidden")

    def _require_pace(self, paces: PerAddress, whose: str) -> None:
        if wait := paces.take(whose, self._clock.monotonic()):
            raise Refused(429, "Too many polls", {"Retry-After": str(math.ceil(wait))})


def _let_out(entering: asyncio.Task[Admitted | Denied]) -> None:
    if not entering.cancelled() and entering.exception() is None and isinstance(entered := entering.result(), Admitted):
        entered.leave()


async def _first(event: asyncio.Event, listening: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({waiting, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise Refused(400, f"wait is a number of seconds from 0 to {LONGEST_SECONDS:.0f}")
    return seconds


async def _texts(request: Request) -> list[str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Refused(413, "A poll holds 64 kB at most")
    try:
        lines = body.decode().split("\n")
    except UnicodeDecodeError:
        raise Refused(400, "Frames are UTF-8") from None
    texts = [line for line in lines if line.strip()]
    if not 0 < len(texts) <= MOST_FRAMES:
        raise Refused(400, f"A poll holds 1 to {MOST_FRAMES} frames, one a line")
    return texts


def _who(request: Request, introduction: str) -> str:
    """Thousands may sit behind one address: a visitor is told by their token, an operator by their cookie."""
    try:
        secret = msgspec.json.decode(introduction, type=frames.Hello).token or ""
    except (msgspec.DecodeError, RecursionError):
        secret = request.headers.get("cookie", "")
    return hashlib.blake2b(secret.encode(), digest_size=16).hexdigest() if secret else address_of(request)
