"""Runs the program behind uvicorn on sockets of its own making."""

import asyncio
import math
import socket
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from chat import garbage
from chat.ending import Ending
from chat.head_guard import GuardedProtocol
from chat.hub.gate import ROOM_SECONDS
from chat.settings import Settings

ARRIVING_SECONDS = 0.3
LOOKS = math.ceil(ROOM_SECONDS / ARRIVING_SECONDS)
"""Who waits for their turn at the door comes in before the sockets are sent away."""
GOODBYE_SECONDS = 1.0
"""In a hurry clients have so long to read why their sockets end."""

Retire = Callable[[], Coroutine[Any, Any, None]]


class Server(uvicorn.Server):
    """Tells when it is ready, and lets its clients leave before it ends: a second signal sends them away at once."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], retire: Retire | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._retire = retire
        self._ending = Ending()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # any of them will do
        return self._ending.heard()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            garbage.settle()
            self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._ending.told.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        if self._retire is not None:
            await self._ending.unless_hurried(self._send_away(self._retire))
        await self._ending.finish(self._close(super().shutdown(sockets)))

    async def _send_away(self, retire: Retire) -> None:
        await self._let_in()
        await retire()

    async def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        """uvicorn waits for requests and sockets, then ends the program behind it; told to wait for nobody it forgets
        the program, which has things to write."""
        waiting = asyncio.create_task(closing)

        async def wait() -> None:
            await asyncio.wait({waiting})

        if await self._ending.unless_hurried(wait()):
            waiting.result()
            return
        await asyncio.wait({waiting}, timeout=GOODBYE_SECONDS)
        self.force_exit = True
        for request in self.server_state.tasks:
            request.cancel()
        await self.lifespan.shutdown()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def _let_in(self) -> None:
        """Who was accepted a moment ago is answered: a proxy that sent its request once does not send it again."""
        await asyncio.sleep(ARRIVING_SECONDS)
        for _ in range(LOOKS):
            if not self._has_guests_at_the_door():
                return
            await asyncio.sleep(ARRIVING_SECONDS)

    def _has_guests_at_the_door(self) -> bool:
        """uvicorn answers a handshake that is under way at its end with 500."""
        return any(not getattr(one, "handshake_complete", True) for one in self.server_state.connections)


def config_of(app: Starlette, settings: Settings) -> uvicorn.Config:
    """`app` carries its entrance for sockets in `state.entrance`."""
    ws: Any = "websockets-sansio"
    if settings.websockets == "picows":
        from chat.sockets.upgrade import upgrading  # compiled code that the other transport does not need

        ws = upgrading(app.state.entrance, settings.frame_max_bytes, settings.trusted_proxies)
    return uvicorn.Config(
        app,
        http=GuardedProtocol,
        ws=ws,
        ws_max_size=settings.frame_max_bytes,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=20,
        forwarded_allow_ips=list(settings.trusted_proxies),
        proxy_headers=bool(settings.trusted_proxies),
        server_header=False,
        date_header=True,
        log_config=None,
        access_log=False,
        lifespan="on",
    )


def serve(
    app: Starlette,
    settings: Settings,
    sock: socket.socket,
    on_ready: Callable[[], None],
    retire: Retire | None = None,
) -> None:
    """Until a signal; `retire` is awaited when nobody new comes and before the open sockets are closed."""
    config = config_of(app, settings)
    server = Server(config, on_ready, retire)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[sock]))
