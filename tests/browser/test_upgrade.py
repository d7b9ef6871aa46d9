"""A page that was loaded before an upgrade talks with a later version: what it does not know, it leaves alone."""

import sys
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.scenes import answer, attend, log, take, thread, visit
from tests.browser.visiting import expect_sent, say
from tests.support.demo import DemoProgram

HELLO = "Hello from today"


@pytest.fixture
def tomorrow() -> Iterator[DemoProgram]:
    program = DemoProgram()
    program.program = [sys.executable, "-m", "tests.support.tomorrow"]
    try:
        program.start()
        yield program
    finally:
        program.remove()


async def test_widget_and_console_talk_with_a_server_that_says_more_than_they_know(
    tomorrow: DemoProgram, visitor: Page, operator: Page
) -> None:
    await attend(operator, tomorrow.console)
    await visit(visitor, tomorrow, HELLO)
    await take(operator, HELLO)
    await answer(operator, "Good evening.")
    await expect(log(visitor).get_by_text("Good evening.")).to_be_visible()
    await say(visitor, "And thank you.")
    await expect_sent(visitor, "And thank you.")
    await expect(thread(operator).get_by_text("And thank you.")).to_be_visible()
    # An event and a kind of entry of tomorrow stand between the words: kept for who knows them, shown to nobody.
    strange = thread(operator).locator("[data-event=foretold], [data-event='']")
    await expect(strange).to_have_count(2)
    for number in range(2):
        await expect(strange.nth(number)).to_be_hidden()
    await expect(log(visitor).get_by_text("foretold")).to_have_count(0)
