"""Live pages of a ticket: a request waits until something changes that its reader may see.

A hint only says that something happened to the ticket; whether the reader may see it, their own query says. So a note
wakes nobody.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chat.patience import at_most
from chat.public import Conversations
from escalation.requesters_store import RequestersTicket

LONGEST_SECONDS = 25.0
LOOK_SECONDS = 3.0
"""Without a hint it is looked at so often."""
MOST = 2000
"""Requests that wait in one process; others look again by themselves."""


class Watching:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._count = 0
        self._has_ended = False
        conversations.on_nudge(self._heard)

    def end(self) -> None:
        """The server leaves: whoever waits is answered at once."""
        self._has_ended = True
        for number in self._waiting:
            self._wake(number)

    def _heard(self, topic: str, about: str) -> None:
        if topic == "ticket":
            self._wake(about)

    def _wake(self, number: str) -> None:
        for event in self._waiting.get(number, ()):
            event.set()

    async def answer(self, request: Request, number: str, look: Callable[[], Awaitable[str | None]]) -> Response:
        """`look`: None where the reader may see the ticket no longer."""
        known = request.query_params.get("look", "")
        event = asyncio.Event()
        seen = await look()
        if seen is not None and seen == known and not self._has_ended and self._count < MOST:
            self._enter(number, event)
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    while seen == known and not await self._is_over(request):
                        await at_most(LOOK_SECONDS, event)
                        event.clear()
                        seen = await look()
            except TimeoutError:
                pass
            finally:
                self._leave(number, event)
        return JSONResponse({"look": seen}) if seen is not None else JSONResponse({}, 404)

    async def _is_over(self, request: Request) -> bool:
        return self._has_ended or await request.is_disconnected()

    def _enter(self, number: str, event: asyncio.Event) -> None:
        if self._count == 0:
            self._conversations.follow_nudges()
        self._count += 1
        self._waiting.setdefault(number, set()).add(event)

    def _leave(self, number: str, event: asyncio.Event) -> None:
        self._count -= 1
        self._waiting[number].discard(event)
        if not self._waiting[number]:
            del self._waiting[number]
        if self._count == 0:
            self._conversations.unfollow_nudges()


def look_of(found: RequestersTicket) -> str:
    """The same as long as the page would look the same."""
    seen = (
        (found.state, found.priority, found.operator_name, found.department, found.service_label, found.started_at),
        (found.due_at, found.due_metric, found.first_reply_at, found.update_by, found.speaks_in_chat),
        (found.messages, found.events),
    )
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]
