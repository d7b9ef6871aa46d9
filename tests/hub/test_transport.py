"""What waits for one client is counted wherever it waits, in the connection or in the transport below it."""

import asyncio
from typing import Any

from starlette.websockets import WebSocket

from chat.hub.connection import OUTBOUND_BYTES, Connection
from chat.hub.transport import HIGH_WATER, AsgiTransport
from chat.protocol.closing import Closing


class Server:
    """Takes one text each time it is let."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.lets = asyncio.Semaphore(0)
        self.took = asyncio.Event()
        self.says = asyncio.Queue[dict[str, Any]]()

    async def receive(self) -> dict[str, Any]:
        return await self.says.get()

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.lets.acquire()
            self.sent.append(message["text"])
            self.took.set()


class Listener:
    def __init__(self, transport: AsgiTransport) -> None:
        self.connection = Connection(transport)
        self.heard: list[str] = []
        transport.start(self)

    def received(self, text: str) -> None:
        self.heard.append(text)

    def malformed(self) -> None: ...

    def drained(self) -> None:
        self.connection.drained()

    def ended(self) -> None:
        self.connection.ended()


async def opened() -> tuple[Server, AsgiTransport, Listener]:
    server = Server()
    server.says.put_nowait({"type": "websocket.connect"})
    websocket = WebSocket({"type": "websocket"}, server.receive, server.send)
    await websocket.accept()
    transport = AsgiTransport(websocket)
    return server, transport, Listener(transport)


async def test_who_reads_a_little_now_and_then_holds_no_more_for_it() -> None:
    server, _, slow = await opened()
    text = "x" * 8000
    pushed = 0
    async with asyncio.timeout(10):
        while slow.connection.closing is None:
            slow.connection.push(text)
            pushed += 1
            if pushed % 40 == 20:
                # What was held moves down, and makes room for as much again.
                for _ in range(6):
                    server.took.clear()
                    server.lets.release()
                    await server.took.wait()
            assert (pushed - len(server.sent)) * len(text) <= OUTBOUND_BYTES + HIGH_WATER + 2 * len(text)
    assert slow.connection.closing is Closing.TOO_SLOW


async def test_all_arrives_in_order_however_slowly_it_is_taken() -> None:
    server, transport, slow = await opened()
    texts = [f"{n}{'x' * 5000}" for n in range(40)]
    for text in texts:
        slow.connection.push(text)
    assert transport.is_full
    async with asyncio.timeout(10):
        while len(server.sent) < len(texts):
            server.took.clear()
            server.lets.release()
            await server.took.wait()
    assert server.sent == texts


async def test_who_was_made_to_wait_is_heard_when_it_says_goodbye() -> None:
    server, transport, leaving = await opened()
    running = asyncio.create_task(transport.run())
    transport.pause()
    leaving.connection.close(Closing.ACCESS_ENDED)
    server.says.put_nowait({"type": "websocket.disconnect", "code": 4503})
    async with asyncio.timeout(10):
        await running
    assert leaving.connection.closed
