"""Computers sleep, tabs are hidden and frozen, pages come back from the back/forward cache, networks go and come, and
the line dies meanwhile without a word. What was said is shown soon after waking: each once, in order."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM
from tests.browser.hosts import HostServer
from tests.browser.scenes import attend, log, texts_in, thread
from tests.browser.visiting import open_panel, panel, start
from tests.support.demo import DemoProgram
from tests.support.duty import Duty, on_duty
from tests.support.faults import ThreadedProxy
from tests.support.needs import browser_path, need_browser

WAKES = 8_000
"""3 s are promised; a line that nobody tests is found dead after 35 s."""

MESSAGES = """new Promise((done) => {
  const look = () => {
    const texts = [...document.querySelectorAll('[role=log] .message')].map((message) => message.textContent)
    if (texts.length >= COUNT) done(texts)
    else setTimeout(look, 50)
  }
  look()
})"""

NOTICES = 20_000
"""Whoever says something into a dead line finds that out before they would by its silence."""


class Night:
    """A visitor's computer of their own, whose way to the server can be spoilt, and an operator who stays awake."""

    def __init__(self, demo: DemoProgram, duty: Duty, road: ThreadedProxy, browser: Browser, host: HostServer) -> None:
        self.demo = demo
        self.duty = duty
        self.road = road
        self.browser = browser
        self.page = host.url("plain", same_site=True)
        self.elsewhere = host.url("rtl", same_site=True)
        self._said = 0

    async def visitor(self) -> Page:
        """Somebody who has said the first word and was answered."""
        page = await (await self.browser.new_context(locale="en-GB")).new_page()
        page.set_default_timeout(30_000)
        await page.goto(self.page)
        await open_panel(page)
        await start(page, "first")
        await expect(log(page).get_by_text("joined at")).to_be_visible()
        await self.say("second")
        await expect(log(page).get_by_text("second", exact=True)).to_be_visible()
        return page

    async def say(self, *texts: str) -> None:
        for text in texts:
            self._said += 1
            await self.duty.say(self.duty.conversations[-1], text, f"ref-of-night-{self._said}")

    async def processes(self) -> list[int]:
        session = await self.browser.new_browser_cdp_session()
        told = await session.send("SystemInfo.getProcessInfo")
        await session.detach()
        return [int(process["id"]) for process in told["processInfo"]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def night() -> AsyncIterator[Night]:
    need_browser()
    demo = DemoProgram()
    host = HostServer()
    try:
        await asyncio.to_thread(demo.start)
        host.loader_origin = demo.origin
        host.start()
        demo.run("site", "add", "--key", host.site_key, "--name", "P", "--origin", host.same_site_origin)
        road = ThreadedProxy("127.0.0.1", demo.port)
        way = f"--host-resolver-rules=MAP 127.0.0.1:{demo.port} 127.0.0.1:{road.port}"
        async with on_duty(demo) as duty, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=browser_path(windows=True),  # the other keeps no page to come back to
                args=[*CHROMIUM, way],
                ignore_default_args=["--disable-back-forward-cache"],
            )
            yield Night(demo, duty, road, browser, host)
            await browser.close()
        await asyncio.to_thread(road.stop)
    finally:
        demo.remove()
        host.stop()


async def write(page: Page, text: str) -> None:
    box = panel(page).get_by_role("textbox", name="Message")
    await box.fill(text)
    await box.press("Enter")


async def expect_all(page: Page, *texts: str) -> None:
    """All of it soon, each once and in order, and what the visitor wrote is acknowledged."""
    await expect(log(page).get_by_text(texts[-1], exact=True)).to_be_visible(timeout=WAKES)
    await expect(panel(page).locator("[data-state=pending]")).to_have_count(0, timeout=WAKES)
    assert await texts_in(log(page), ".message") == ["first", "second", *texts]


async def test_the_network_comes_back_as_another_one(night: Night) -> None:
    page = await night.visitor()
    assert night.road.do(lambda proxy: proxy.orphan()) > 0
    await page.context.set_offline(True)
    await write(page, "mine")
    await night.say("yours")
    await page.context.set_offline(False)
    await expect(log(page).get_by_text("mine", exact=True)).to_be_visible()
    await expect(log(page).get_by_text("yours", exact=True)).to_be_visible(timeout=WAKES)
    await expect(panel(page).locator("[data-state=pending]")).to_have_count(0, timeout=WAKES)
    # Whose word was stored first is the server's to say: each is there once.
    assert sorted(await texts_in(log(page), ".message")) == ["first", "mine", "second", "yours"]


async def test_what_is_said_into_a_line_that_died_in_silence_gets_there(night: Night) -> None:
    page = await night.visitor()
    assert night.road.do(lambda proxy: proxy.orphan()) > 0
    await write(page, "mine")
    await expect(panel(page).locator("[data-state=pending]")).to_have_count(0, timeout=NOTICES)
    await expect_all(page, "mine")


async def test_a_laptop_is_opened_again(night: Night) -> None:
    """Its clock has jumped, its timers are late, and the line is gone without a word."""
    page = await night.visitor()
    await page.clock.install()
    await write(page, "mine")
    await expect_all(page, "mine")
    assert night.road.do(lambda proxy: proxy.orphan()) > 0
    await night.say("yours", "yours again")
    await page.clock.fast_forward("30:00")
    await expect_all(page, "mine", "yours", "yours again")


async def test_a_browser_that_stood_still_goes_on(night: Night) -> None:
    page = await night.visitor()
    await write(page, "mine")
    processes = await night.processes()
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        await night.say("yours", "yours again")
        assert night.road.do(lambda proxy: proxy.reset()) > 0
        await night.say("and again")
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    await expect_all(page, "mine", "yours", "yours again", "and again")


async def test_a_tab_is_looked_at_again(night: Night) -> None:
    """All tabs of a Chromium without a screen are looked at: so it is told that something changed."""
    page = await night.visitor()
    assert night.road.do(lambda proxy: proxy.orphan()) > 0
    await night.say("yours")
    await write(page, "mine")
    await panel(page).locator("body").evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect_all(page, "yours", "mine")


async def test_a_page_comes_back_from_the_back_forward_cache(night: Night) -> None:
    """Hidden, frozen, and then shown as it was left, without being loaded."""
    page = await night.visitor()
    await write(page, "mine")
    await expect_all(page, "mine")
    await page.evaluate("addEventListener('pageshow', (event) => { window.cameBack = event.persisted })")
    await page.goto(night.elsewhere)
    await night.say("yours", "yours again")
    await page.evaluate("history.back()")
    await page.wait_for_function("window.cameBack === true")
    assert await shown_in_frame(page, night.demo.origin, 5) == ["first", "second", "mine", "yours", "yours again"]


async def test_a_console_is_looked_at_again(night: Night) -> None:
    visitor = await night.visitor()
    console = await (await night.browser.new_context(locale="en-GB")).new_page()
    await attend(console, await asyncio.to_thread(night.demo.sign_in_link, "Nika", capacity="1"))
    await console.goto(f"{night.demo.origin}/console/conversations/{night.duty.conversations[-1]}")
    await expect(thread(console).get_by_text("second", exact=True)).to_be_visible()
    await expect(console.locator(".strip").get_by_text("Connected")).to_be_visible()
    assert night.road.do(lambda proxy: proxy.orphan()) > 0
    await night.say("yours")
    await console.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    # The pass for a new line is asked for on connections that are dead too.
    await expect(thread(console).get_by_text("yours", exact=True)).to_be_visible(timeout=2 * WAKES)
    assert await texts_in(thread(console), ".message__bubble") == ["first", "second", "yours"]
    await console.context.close()
    await visitor.context.close()


async def shown_in_frame(page: Page, origin: str, count: int) -> list[str]:
    """The messages when there are so many. Of a page from that cache, Playwright knows no frames."""
    session = await page.context.new_cdp_session(page)
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def created(told: dict[str, Any]) -> None:
        if told["context"]["origin"] == origin and not found.done():
            found.set_result(told["context"]["id"])

    session.on("Runtime.executionContextCreated", created)
    await session.send("Runtime.enable")
    async with asyncio.timeout(WAKES / 1000):
        told = await session.send(
            "Runtime.evaluate",
            {
                "contextId": await found,
                "expression": MESSAGES.replace("COUNT", str(count)),
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
    await session.detach()
    return list(told["result"]["value"])
