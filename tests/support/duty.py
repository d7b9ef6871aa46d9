"""An operator on duty without a browser: present, accepts every offer, says nothing by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.support.demo import DemoProgram

AGAIN_SECONDS = 0.5


class Duty:
    """`say` answers as this operator in a conversation; `conversations` are those that were accepted."""

    def __init__(self, demo: DemoProgram, browser: httpx2.AsyncClient) -> None:
        self.conversations: list[str] = []
        self.attends = asyncio.Event()
        self._demo = demo
        self._browser = browser
        self._socket: ClientConnection | None = None

    async def say(self, conversation: str, text: str, ref: str) -> None:
        await self.attends.wait()
        await self._send(type="say", conversation=conversation, ref=ref, text=text)

    async def serve(self) -> None:
        """Until cancelled. Whoever lost the line, as behind a loop that stood still, comes again."""
        address = self._demo.origin.replace("http", "ws", 1) + "/console/socket"
        while True:
            with suppress(OSError, httpx2.HTTPError, websockets.InvalidHandshake, websockets.ConnectionClosed):
                socket_pass = (await self._browser.post("/console/socket-pass")).json()["socket_pass"]
                async with connect(address, origin=websockets.Origin(self._demo.origin)) as self._socket:
                    await self._send(type="attend", socket_pass=socket_pass)
                    async for text in self._socket:
                        await self._take(json.loads(text))
            self.attends.clear()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "attended":
                self.attends.set()
            case "beat":
                await self._send(type="beat")
            case "offered":
                self.conversations.append(frame["conversation"])
                await self._send(type="accept", conversation=frame["conversation"])

    async def _send(self, **frame: Any) -> None:
        if self._socket is not None:
            await self._socket.send(json.dumps(frame))


@asynccontextmanager
async def on_duty(demo: DemoProgram, name: str = "Omar") -> AsyncIterator[Duty]:
    """Signed in as a new operator with room for many, from attending to leaving."""
    link = await asyncio.to_thread(demo.sign_in_link, name, capacity="50")
    async with httpx2.AsyncClient(base_url=demo.origin, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        answer = await browser.post(link)
        if answer.status_code != 303:
            raise RuntimeError(f"sign-in answered {answer.status_code}")
        duty = Duty(demo, browser)
        serving = asyncio.create_task(duty.serve())
        try:
            async with asyncio.timeout(30):
                await duty.attends.wait()
            yield duty
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
