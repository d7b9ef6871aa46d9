"""python-socketio with its Redis manager: a room for each conversation, what is said goes to the room."""

import os
from typing import Any

import socketio

server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(os.environ["PEER_REDIS_URL"]),
    cors_allowed_origins="*",
)
app = socketio.ASGIApp(server)


@server.on("join")
async def join(sid: str, room: str) -> None:
    await server.enter_room(sid, room)
    await server.emit("joined", to=sid)


@server.on("say")
async def say(_sid: str, said: dict[str, Any]) -> None:
    await server.emit("said", {"ref": said["ref"], "text": said["text"]}, room=said["room"])
