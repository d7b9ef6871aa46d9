"""An operator on duty without a browser: present, accepts every offer, says nothing by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.support.demo import DemoProgram


class Duty:
    """`say` answers as this operator in a conversation; `conversations` are those that were accepted."""

    def __init__(self, socket: ClientConnection) -> None:
        self.conversations: list[str] = []
        self._socket = socket

    async def say(self, conversation: str, text: str, ref: str) -> None:
        await self._send(type="say", conversation=conversation, ref=ref, text=text)

    async def serve(self) -> None:
        try:
            async for text in self._socket:
                frame = json.loads(text)
                if frame["type"] == "beat":
                    await self._send(type="beat")
                elif frame["type"] == "offered":
                    self.conversations.append(frame["conversation"])
                    await self._send(type="accept", conversation=frame["conversation"])
        except websockets.ConnectionClosed:
            return

    async def _send(self, **frame: Any) -> None:
        await self._socket.send(json.dumps(frame))


@asynccontextmanager
async def on_duty(demo: DemoProgram, name: str = "Omar") -> AsyncIterator[Duty]:
    """Signed in as a new operator with room for many, from attending to leaving."""
    link = demo.sign_in_link(name, capacity="50")
    async with httpx2.AsyncClient(base_url=demo.origin, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        answer = await browser.post(link)
        if answer.status_code != 303:
            raise RuntimeError(f"sign-in answered {answer.status_code}")
        socket_pass = (await browser.post("/console/socket-pass")).json()["socket_pass"]
    address = demo.origin.replace("http", "ws", 1) + "/console/socket"
    async with connect(address, origin=websockets.Origin(demo.origin)) as socket:
        await socket.send(json.dumps({"type": "attend", "socket_pass": socket_pass}))
        async for text in socket:
            if json.loads(text)["type"] == "attended":
                break
        duty = Duty(socket)
        serving = asyncio.create_task(duty.serve())
        try:
            yield duty
        finally:
            await socket.close()
            await serving
