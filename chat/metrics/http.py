"""Counts what HTTP answers, by the template of the route and never by the address that was asked for. Pure ASGI."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat.tally import Counts, Spread

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NOWHERE = "other"


class HttpTally:
    """`requests` by method, route and status; `seconds` by route."""

    def __init__(self) -> None:
        self.requests = Counts()
        self.seconds: dict[tuple[str, ...], Spread] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests[method if method in METHODS else NOWHERE, route, str(status)] += 1
        spread = self.seconds.get((route,))
        if spread is None:
            spread = self.seconds[route,] = Spread()
        spread.add(seconds)


class CountRequests:
    """Outermost, so that what other layers answer is counted too."""

    def __init__(self, app: ASGIApp, tally: HttpTally) -> None:
        self._app = app
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            route = getattr(scope.get("route"), "path", NOWHERE)
            self._tally.add(scope["method"], route, status, time.perf_counter() - began)
