"""The word above the inbox when our own test conversation is late or lost."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.axe import Axe
from tests.browser.conftest import sign_in
from tests.support.demo import DemoProgram


@pytest.fixture
def watched() -> Iterator[DemoProgram]:
    program = DemoProgram(NIGHTDESK_CANARY="true")
    try:
        program.start()
        yield program
    finally:
        program.remove()


async def test_an_operator_reads_that_messages_are_late_or_lost_and_that_all_is_well_again(
    watched: DemoProgram, operator: Page, axe: Axe
) -> None:
    state = "well"

    async def answer(route: Route) -> None:
        await route.fulfill(json={"state": state})

    await operator.route("**/console/canary.json", answer)
    await sign_in(operator, watched.sign_in_link(language="sl"))
    banner = operator.locator("#canary")
    await expect(banner).to_be_hidden()
    for state, words in (  # noqa: B007 — read by the answer
        ("late", "Sporočila prihajajo z zamudo"),
        ("lost", "Sporočila morda ne prihajajo"),
    ):
        await operator.reload()
        await expect(banner).to_be_visible()
        await expect(banner.get_by_text(words)).to_be_visible()
        await expect(banner.locator(":scope > span > span:visible")).to_have_count(1)
    await axe.check(operator)
    state = "well"
    await operator.reload()
    await expect(operator.locator("#inbox-title")).to_be_visible()
    await expect(banner).to_be_hidden()


async def test_where_nobody_sings_nothing_is_asked(demo: DemoProgram, operator: Page) -> None:
    asked: list[str] = []
    operator.on("request", lambda request: asked.append(request.url))
    await sign_in(operator, demo.sign_in_link())
    await expect(operator.locator("#inbox-title")).to_be_visible()
    assert not [url for url in asked if "canary" in url]
    await expect(operator.locator("#canary")).to_have_count(0)
