"""Who comes alone to a process that is late waits at the door, and comes in when it has caught up or at their turn."""

import asyncio
from dataclasses import dataclass

import pytest

from chat.clock import SystemClock
from chat.hub.admission import Admission
from chat.hub.gate import LATE_STEP_SECONDS, ROOM_SECONDS, Gate
from chat.sockets.door import Denied, Door, Knock

KNOCK = Knock("/w/polaris/socket", None, "", "127.0.0.1")


@dataclass
class Late:
    seconds: float = 1.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def late() -> Late:
    return Late()


@pytest.fixture
def door(late: Late) -> Door:
    clock = SystemClock()
    gate = Gate(500, late)
    gate.take(clock.monotonic())
    return Door(Admission(sockets=10, attempts_per_minute=100), gate, clock)


async def test_who_waits_comes_in_as_soon_as_the_process_has_caught_up(door: Door, late: Late) -> None:
    loop = asyncio.get_running_loop()
    coming = [asyncio.create_task(door.enter(KNOCK)) for _ in range(4)]
    came, _ = await asyncio.wait(coming, timeout=0)
    assert not came
    late.seconds, began = 0.0, loop.time()
    assert await asyncio.gather(*coming) == [None] * 4
    assert loop.time() - began < ROOM_SECONDS - 1  # the last had been given a turn in four seconds


async def test_who_waits_comes_in_at_their_turn_though_it_is_late_still_and_a_crowd_comes_again(door: Door) -> None:
    crowd = [asyncio.create_task(door.enter(KNOCK)) for _ in range(8)]
    turned_away: set[asyncio.Task[Denied | None]] = set()
    waiting = set(crowd)
    while len(turned_away) < 8 - ROOM_SECONDS / LATE_STEP_SECONDS:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        turned_away |= done
    for one in turned_away:
        denied = one.result()
        assert isinstance(denied, Denied)
        assert (denied.status, denied.headers) == (503, {"Retry-After": str(int(2 * ROOM_SECONDS))})
    first, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [one.result() for one in first] == [None]
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_gives_up_at_the_door_is_counted_no_longer(late: Late) -> None:
    clock = SystemClock()
    gate = Gate(500, late)
    gate.take(clock.monotonic())
    door = Door(Admission(sockets=1, attempts_per_minute=100), gate, clock)
    coming = asyncio.create_task(door.enter(KNOCK))
    await asyncio.wait([coming], timeout=0)
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    late.seconds = 0.0
    assert await door.enter(KNOCK) is None
