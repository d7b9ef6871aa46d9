"""Bad ways from clients to servers: a fault proxy before each server, taken by some of the clients."""

from collections.abc import Iterable
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.support.faults import Conduct, FaultProxy
from tests.support.load.client import Client, World


class Links:
    def __init__(self, world: World, chance: Random) -> None:
        self._world = world
        self._chance = chance
        self._proxies: list[FaultProxy] = []
        self.breaks_per_minute = 0.0
        self._breaks = 0.0

    async def lead(self, clients: Iterable[Client], share: float, conduct: dict[str, Any]) -> int:
        """That share of them goes by the proxies from now on, with this conduct; the others go straight."""
        await self._start()
        self._world.knocks = True
        self.behave(conduct)
        led = 0
        for client in clients:
            wanted = self._chance.random() < share
            led += wanted
            client.take_detour(wanted)
        return led

    def by_proxy(self, clients: Iterable[Client], url: str) -> None:
        self._world.detours.update(dict.fromkeys(self._world.addresses, url))
        self._world.knocks = False
        for client in clients:
            client.take_detour(True)

    @property
    def are_breaking(self) -> bool:
        """All the time: somebody is always away."""
        return self.breaks_per_minute > 0 or self._breaks > 0

    def behave(self, conduct: dict[str, Any]) -> None:
        self._breaks = float(conduct.get("breaks", 0.0))
        for proxy in self._proxies:
            proxy.behave(Conduct(**conduct))

    def strike(self, what: str) -> int:
        """`reset`, `finish` or `orphan` on all links that are open."""
        return sum(getattr(proxy, what)() for proxy in self._proxies)

    async def _start(self) -> None:
        if self._proxies:
            return
        for address in self._world.addresses:
            port = urlsplit(address).port
            assert port is not None
            proxy = FaultProxy("127.0.0.1", port, seed=self._chance.getrandbits(32))
            await proxy.start()
            self._proxies.append(proxy)
            self._world.detours[address] = f"http://127.0.0.1:{proxy.port}"

    async def stop(self) -> None:
        for proxy in self._proxies:
            await proxy.stop()
