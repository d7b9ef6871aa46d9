"""Whoever asks something that hangs gets an answer in time, or none; and one question is asked at a time."""

import asyncio

import pytest

from chat.patience import Patience


async def test_what_hangs_is_not_waited_for_and_not_asked_twice() -> None:
    asked = 0
    release = asyncio.Event()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await release.wait()
        return asked

    patience = Patience(ask, seconds=0.05, kept_seconds=60)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await patience.answer()
    assert asked == 1
    release.set()
    assert await patience.answer() == 1
    assert await patience.answer() == 1
    assert asked == 1
    await patience.stop()


async def test_a_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("away")
        return asked

    patience = Patience(ask, seconds=5, kept_seconds=60)
    answers = await asyncio.gather(patience.answer(), patience.answer(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError, OSError]
    assert await patience.answer() == 2
