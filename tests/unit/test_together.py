"""Who asks at the same time is answered by one question, from what was read after they asked."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from chat.together import Together


class Shelf:
    """Counts trips; each one ends when it is let go."""

    def __init__(self) -> None:
        self.trips: list[list[str]] = []
        self.items = {"a": 1, "b": 2}
        self.began = asyncio.Event()
        self.lets_go = asyncio.Event()
        self.lets_go.set()
        self.fails = False

    async def load(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.trips.append(list(keys))
        self.began.set()
        found = {key: self.items[key] for key in keys if key in self.items}
        await self.lets_go.wait()
        if self.fails:
            raise LookupError
        return found


async def test_a_crowd_is_one_question_and_what_is_not_there_is_none() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    assert await asyncio.gather(*(together.get(key) for key in "abca")) == [1, 2, None, 1]
    assert shelf.trips == [["a", "b", "c"]]


async def test_who_asks_while_others_are_answered_goes_with_the_next_and_reads_anew() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    shelf.lets_go.clear()
    first = asyncio.create_task(together.get("a"))
    await shelf.began.wait()
    shelf.items["a"] = 9
    second = asyncio.create_task(together.get("a"))
    await asyncio.sleep(0)
    shelf.lets_go.set()
    assert (await first, await second) == (1, 9)
    assert shelf.trips == [["a"], ["a"]]


async def test_how_long_the_first_has_waited_is_known() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    assert together.lateness == 0
    shelf.lets_go.clear()
    asking = asyncio.create_task(together.get("a"))
    await shelf.began.wait()
    await asyncio.sleep(0.02)  # time itself is the subject
    assert together.lateness >= 0.02
    shelf.lets_go.set()
    await asking
    await asyncio.sleep(0)
    assert together.lateness == 0


async def test_no_question_is_longer_than_agreed() -> None:
    shelf = Shelf()
    together = Together(shelf.load, most=2)
    await asyncio.gather(*(together.get(key) for key in "abcde"))
    assert [len(trip) for trip in shelf.trips] == [2, 2, 1]


async def test_a_failure_is_everybodys_and_the_next_question_is_asked() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    shelf.fails = True
    answers = await asyncio.gather(together.get("a"), together.get("b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError, LookupError]
    shelf.fails = False
    assert await together.get("a") == 1


async def test_who_waits_behind_a_question_that_fails_is_told_and_not_made_to_wait_for_another() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    shelf.fails = True
    shelf.lets_go.clear()
    first = asyncio.create_task(together.get("a"))
    await shelf.began.wait()
    behind = [asyncio.create_task(together.get(key)) for key in "ab"]
    await asyncio.sleep(0)
    shelf.lets_go.set()
    answers = await asyncio.gather(first, *behind, return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError] * 3
    assert shelf.trips == [["a"]]
    assert together.lateness == 0
    shelf.fails = False
    assert await together.get("a") == 1


async def test_who_leaves_while_waiting_takes_nobody_along() -> None:
    shelf = Shelf()
    together = Together(shelf.load)
    shelf.lets_go.clear()
    leaving, staying = asyncio.create_task(together.get("a")), asyncio.create_task(together.get("a"))
    await shelf.began.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    shelf.lets_go.set()
    assert await staying == 1
