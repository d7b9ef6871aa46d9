"""Starlette's WebSocket as a `Transport`: text in, text out, and one meaning of "gone"."""

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from chat.hub.connection import Gone


class BinaryRefused(Exception):
    """The protocol is text; a binary message is malformed."""


class StarletteTransport:
    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str:
        try:
            message = await self._websocket.receive()
        except (WebSocketDisconnect, RuntimeError) as error:
            raise Gone from error
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        if not isinstance(text, str):
            raise BinaryRefused
        return text

    async def send(self, text: str) -> None:
        # Sending after the close raises RuntimeError, not WebSocketDisconnect: both mean gone.
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise Gone from error

    async def close(self, code: int, reason: str) -> None:
        if self._websocket.application_state is WebSocketState.DISCONNECTED:
            raise Gone
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise Gone from error
