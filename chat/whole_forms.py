"""Forms are waited for before anybody asks who sent them.

Who is signed in, and with which role, is asked once at the door of a page. A body that is held back at that moment, and
sent when that sign-in has been ended, would still count: so no page is entered before its form is there.
"""

import asyncio
from collections import deque

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WHOLE = 64 * 1024
"""Bytes. No form without files is larger; who reads more than that asks again who is there when all has come."""
SILENT_SECONDS = 30.0


class WholeForms:
    """Pure ASGI. A POST is passed on when its first 64 kB are there, any request only where its address holds no NUL:
    no database of ours keeps one, so nothing is named by it. A body that falls silent is 408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if refused := _refused(scope):
            await refused(scope, receive, send)
            return
        body = _Body(receive)
        if scope["method"] == "POST":
            try:
                await body.begin()
            except HTTPException as silent:
                answer = PlainTextResponse(silent.detail, silent.status_code, silent.headers)
                await answer(scope, receive, send)
                return
            if body.is_gone:
                return
        await self._app(scope, body.receive, send)


class _Body:
    """`receive` gives what `begin` has read, then the rest."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[Message] = deque()
        self._is_whole = False
        self.is_gone = False

    async def begin(self) -> None:
        size = 0
        while not self._is_whole and not self.is_gone and size <= WHOLE:
            message = await self._next()
            size += len(message.get("body", b""))
            self._read.append(message)

    async def receive(self) -> Message:
        return self._read.popleft() if self._read else await self._next()

    async def _next(self) -> Message:
        """Raises HTTPException 408. Behind the end of a body nothing comes but the end of the line, whenever."""
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self.is_gone = message["type"] == "http.disconnect"
        self._is_whole = self.is_gone or not message.get("more_body", False)
        return message


def _refused(scope: Scope) -> PlainTextResponse | None:
    if "\x00" in scope["path"]:
        return PlainTextResponse("Not Found", 404)
    if b"%00" in scope["query_string"]:
        return PlainTextResponse("Bad Request", 400)
    return None
