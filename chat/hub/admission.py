"""How many sockets one address may hold, and how often it may try. Kept per process.

An address is one IPv4 address or an IPv6 /64: a household or an office. Offices are many people behind one address,
so the numbers are settings, and who is refused is told when to come back.
"""

import ipaddress
from functools import lru_cache

from chat.protocol.pace import Pace

FORGET_AT = 10_000
"""So many addresses are remembered before those that have been quiet are forgotten."""


class PerAddress:
    """A token bucket for each address: `times` at once, and as many again in `seconds`."""

    def __init__(self, times: int, seconds: float) -> None:
        self._times = times
        self._seconds = seconds
        self._paces: dict[str, Pace] = {}
        self._forget_at = FORGET_AT
        self._forgot = float("-inf")

    def take(self, address: str, now: float) -> float:
        """0 when allowed; else the seconds to wait."""
        is_old = len(self._paces) >= FORGET_AT and now - self._forgot >= self._seconds
        if is_old or len(self._paces) >= self._forget_at:
            self._forgot = now
            self._paces = {one: pace for one, pace in self._paces.items() if now - pace.at < self._seconds}
            # In a crowd that cannot be forgotten yet nobody looks through it at every step.
            self._forget_at = max(FORGET_AT, 2 * len(self._paces))
        fresh = Pace(burst=self._times, per_second=self._times / self._seconds)
        return self._paces.setdefault(neighbourhood(address), fresh).take(now)

    def give_back(self, address: str) -> None:
        """What it took last is not counted after all."""
        if (pace := self._paces.get(neighbourhood(address))) is not None:
            pace.give_back()


class Admission:
    """`enter` before a socket is accepted, `leave` when an admitted one has ended."""

    def __init__(self, *, sockets: int, attempts_per_minute: int) -> None:
        self._sockets = sockets
        self._attempts = PerAddress(attempts_per_minute, 60)
        self._held: dict[str, int] = {}

    def enter(self, address: str, now: float, *, tries: bool = True) -> float:
        """0 when admitted; else the seconds until a try makes sense. `tries`: this counts as one."""
        if tries and (wait := self._attempts.take(address, now)):
            return wait
        key = neighbourhood(address)
        if self._held.get(key, 0) >= self._sockets:
            return 60.0
        self._held[key] = self._held.get(key, 0) + 1
        return 0.0

    def leave(self, address: str) -> None:
        key = neighbourhood(address)
        self._held[key] = self._held.get(key, 1) - 1
        if self._held[key] <= 0:
            del self._held[key]


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """Asked three times for each try, so most of all when thousands are turned away."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
