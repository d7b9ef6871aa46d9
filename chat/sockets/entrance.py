"""The two addresses of sockets, `/w/{site_key}/socket` and `/console/socket`: whichever transport carries them, the
same doors are asked."""

from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from chat.db import DatabaseAway
from chat.hub.transport import AsgiTransport
from chat.sockets.door import NOT_FOUND, Admitted, Denied, Knock, address_of
from chat.sockets.operators import OperatorSockets
from chat.sockets.visitors import VisitorSockets

CONSOLE = "/console/socket"
AWAY = Denied(503, "The database is away", {"Retry-After": "5"})


class Entrance:
    def __init__(self, visitors: VisitorSockets, operators: OperatorSockets) -> None:
        self._visitors = visitors
        self._operators = operators

    def routes(self) -> list[BaseRoute]:
        """For sockets that come through ASGI."""
        return [WebSocketRoute("/w/{site_key}/socket", self._asgi), WebSocketRoute(CONSOLE, self._asgi)]

    async def enter(self, knock: Knock) -> Admitted | Denied:
        try:
            return await self._enter(knock)
        except DatabaseAway:
            return AWAY

    async def _enter(self, knock: Knock) -> Admitted | Denied:
        if knock.path == CONSOLE:
            return await self._operators.enter(knock)
        match knock.path.split("/"):
            case ["", "w", site_key, "socket"] if site_key:
                return await self._visitors.enter(knock, site_key)
        return NOT_FOUND

    async def _asgi(self, websocket: WebSocket) -> None:
        knock = Knock(
            websocket.url.path,
            websocket.headers.get("origin"),
            websocket.headers.get("user-agent", ""),
            address_of(websocket),
        )
        entered = await self.enter(knock)
        if isinstance(entered, Denied):
            await websocket.send_denial_response(PlainTextResponse(entered.text, entered.status, entered.headers))
            return
        try:
            await websocket.accept()
        except BaseException:
            entered.leave()
            raise
        transport = AsgiTransport(websocket)
        entered.open(transport)
        await transport.run()
