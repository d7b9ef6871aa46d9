"""Which bus a program has: by Redis, where it is one of many processes."""

from chat.hub.bus import Bus
from chat.hub.memory_bus import MemoryBus
from chat.keys import secret_key_of
from chat.settings import Settings


def bus_of(settings: Settings) -> Bus:
    if settings.redis_url is None:
        return MemoryBus()
    # A quarter of a second of imports that a program of one process does not need.
    from chat.hub.redis_bus import RedisBus

    return RedisBus(settings.redis_url, secret_key_of(settings))
