"""A number for every request: in its log lines, in the header of its answer, on the page that says something failed."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chat.ids import new_id
from chat.logs import bound


class RequestIds:
    """Pure ASGI. The server runs each request in a task of its own, so what is bound ends with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id().hex
        scope["request_id"] = request_id
        bound(request_id=request_id)

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_numbered)
