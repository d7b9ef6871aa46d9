"""Who comes alone to a process that is late waits in line at the door, until it has caught up or they are called."""

import asyncio
from dataclasses import dataclass, field
from math import inf

import pytest

from chat.hub.admission import Admission
from chat.hub.gate import LATE_STEP_SECONDS, PLACES_PER_ADDRESS, ROOM_SECONDS, Gate
from chat.sockets import door as doors
from chat.sockets.door import Denied, Door, Knock
from tests.support.clock import FakeClock

KNOCK = Knock("/w/polaris/socket", None, "", "127.0.0.1")


@dataclass
class Late:
    seconds: float = 1.0
    clock: FakeClock = field(default_factory=FakeClock)

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def late() -> Late:
    return Late()


def door_of(late: Late, **limits: int) -> Door:
    admission = Admission(**({"sockets": 20, "attempts_per_minute": 1000} | limits))
    return Door(admission, Gate(500, late), late.clock)


async def guests(door: Door, count: int) -> list[asyncio.Task[Denied | None]]:
    """In line, but for the first of them, who is called at once."""
    coming = [asyncio.create_task(door.enter(KNOCK)) for _ in range(count)]
    assert await coming[0] is None
    assert not any(one.done() for one in coming[1:])
    return coming[1:]


async def end(waiting: list[asyncio.Task[Denied | None]]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_who_waits_comes_in_as_soon_as_the_process_has_caught_up(late: Late) -> None:
    waiting = await guests(door_of(late), PLACES_PER_ADDRESS)
    late.seconds = 0.0
    assert await asyncio.gather(*waiting) == [None] * len(waiting)  # by the clock nobody else was called


async def test_who_waits_is_called_in_turn_though_it_is_late_still(late: Late) -> None:
    waiting = await guests(door_of(late), 3)
    for place in range(2):
        late.clock.advance(LATE_STEP_SECONDS)
        assert await waiting[place] is None
        assert not any(one.done() for one in waiting[place + 1 :])


async def test_a_crowd_is_told_at_once_to_come_again(late: Late) -> None:
    door = door_of(late)
    waiting = await guests(door, PLACES_PER_ADDRESS)
    waiting.append(asyncio.create_task(door.enter(KNOCK)))
    await asyncio.sleep(0)
    denied = await door.enter(KNOCK)
    assert denied is not None
    assert (denied.status, denied.headers) == (503, {"Retry-After": str(int(2 * ROOM_SECONDS))})
    await end(waiting)


async def test_who_was_not_called_in_time_is_told_to_come_again(late: Late, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "ROOM_SECONDS", 0.05)
    (waiting,) = await guests(door_of(late), 2)
    denied = await waiting
    assert denied is not None
    assert denied.status == 503


async def test_a_process_that_wants_nobody_any_more_says_so_to_who_waits(late: Late) -> None:
    waiting = await guests(door_of(late), 3)
    late.seconds = inf
    late.clock.advance(LATE_STEP_SECONDS)
    assert [one.status for one in await asyncio.gather(*waiting) if one is not None] == [503, 503]


async def test_who_waited_in_a_crowd_and_finds_it_late_waits_in_line(late: Late) -> None:
    late.seconds = 0.0
    door = door_of(late, sockets=200)
    crowd = [asyncio.create_task(door.enter(KNOCK)) for _ in range(105)]  # a few more than come in at once
    await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
    late.seconds = 1.0
    assert await asyncio.gather(*crowd[:100]) == [None] * 100
    rest = crowd[100:]
    first, _ = await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
    assert [one.result() for one in first] == [None]
    late.seconds = 0.0
    assert await asyncio.gather(*rest) == [None] * 5


async def test_who_gives_up_in_line_holds_neither_place_nor_count(late: Late) -> None:
    door = door_of(late, sockets=2)
    waiting = await guests(door, 2)
    assert isinstance(await door.enter(KNOCK), Denied)
    await end(waiting)
    late.clock.advance(LATE_STEP_SECONDS)
    assert await door.enter(KNOCK) is None  # the head of the line, though it is late still
