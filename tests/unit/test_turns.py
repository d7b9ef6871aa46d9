"""Who writes next."""

import asyncio
from collections.abc import Callable

import pytest

from chat.turns import Turns

Ask = Callable[[str, bool], "asyncio.Task[None]"]


class Queue:
    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self.go = asyncio.Event()

    def ask(self, name: str, *, first: bool = False) -> "asyncio.Task[None]":
        async def take() -> None:
            async with self.turns.take(first=first):
                self.order.append(name)
                await self.go.wait()

        return asyncio.create_task(take())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_messages_go_first_and_every_second_turn_is_another_s() -> None:
    queue = Queue()
    asked = [queue.ask("holder")]
    await settle()
    asked += [queue.ask(name) for name in ("pairing", "marks", "presence")]
    asked += [queue.ask(name, first=True) for name in ("said 1", "said 2")]
    await settle()
    queue.go.set()
    await asyncio.gather(*asked)
    assert queue.order == ["holder", "said 1", "pairing", "said 2", "marks", "presence"]


async def test_one_at_a_time() -> None:
    queue = Queue()
    asked = [queue.ask(str(number), first=number % 2 == 0) for number in range(4)]
    await settle()
    assert queue.order == ["0"]
    queue.go.set()
    await asyncio.gather(*asked)
    assert queue.order == ["0", "1", "2", "3"]


@pytest.mark.parametrize("given", [False, True])
async def test_who_leaves_holds_nobody_up(given: bool) -> None:
    """`given`: at the moment at which it was given its turn."""
    queue = Queue()
    holder = queue.ask("holder")
    await settle()
    leaver, last = queue.ask("leaver"), queue.ask("last")
    await settle()
    if given:
        queue.go.set()
        await asyncio.sleep(0)
    leaver.cancel()
    queue.go.set()
    await asyncio.gather(holder, last)
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert queue.order == ["holder", "last"]
    await asyncio.wait_for(queue.ask("later"), 1)


async def test_a_turn_that_fails_is_over() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no"):
        async with turns.take():
            raise ValueError("no")
    async with asyncio.timeout(1), turns.take(first=True):
        pass
