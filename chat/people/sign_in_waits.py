"""The growing wait of one account and address after wrong passwords: a guesser gets nowhere. Nor does one who tries a
few passwords on many accounts: an address has so many wrong ones in all.

Kept in this process: with several processes a guesser has the free tries once per process, which argon2id makes no
worse. Nobody is ever locked out: from another address the owner signs in at once.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from chat.clock import Clock
from chat.hub.admission import PerAddress

FREE_TRIES = 5
LONGEST = 15 * 60.0
FORGOTTEN_AFTER = 24 * 3600.0
MOST_KEYS = 10_000
WRONG_PER_ADDRESS, ADDRESS_SECONDS = 30, 600.0
"""A company behind one address has many who mistype."""


@dataclass
class _Tries:
    count: int = 0
    until: float = 0
    last: float = 0


class SignInWaits:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, str], _Tries] = OrderedDict()
        self._addresses = PerAddress(WRONG_PER_ADDRESS, ADDRESS_SECONDS)

    def take(self, account: str, address: str) -> float:
        """0 for: look at this try. It counts as a wrong one until it has `succeeded`, since hashing takes a while and
        many may come in that time. Else the seconds until the next is looked at. Empty: no address is counted."""
        if wait := self.left(account, address):
            return wait
        if address and (wait := self._addresses.take(address, self._clock.monotonic())):
            return wait
        self._count(account, address)
        return 0.0

    def left(self, account: str, address: str) -> float:
        """Seconds until the next try is looked at; 0 for now."""
        tries = self._tries.get((account, network_of(address)))
        return max(0.0, tries.until - self._clock.monotonic()) if tries else 0.0

    def _count(self, account: str, address: str) -> None:
        now = self._clock.monotonic()
        key = (account, network_of(address))
        tries = self._tries.pop(key, None)
        if tries is None or now - tries.last > FORGOTTEN_AFTER:
            tries = _Tries()
        self._tries[key] = tries
        tries.count += 1
        tries.last = now
        # The exponent is bounded: 2**10 s is beyond the longest wait already.
        wait = min(LONGEST, 2.0 ** min(tries.count - FREE_TRIES, 10)) if tries.count >= FREE_TRIES else 0.0
        tries.until = now + wait
        while len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Clears the slate of this account; of the address only this try is taken back, for anybody has an account."""
        self._tries.pop((account, network_of(address)), None)
        if address:
            self._addresses.give_back(address)


def network_of(address: str) -> str:
    """One person often has a whole IPv6 /64: it counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
