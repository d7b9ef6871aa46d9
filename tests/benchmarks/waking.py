"""Twenty browsers wake at the same moment: from the waking until what was said meanwhile stands before the visitor's
eyes. Their lines have died without a word: only the browser can find that out.

`network`: offline and online again. `tab`: hidden and looked at again. `sleep`: the whole browser stood still.
The browsers are contexts of one Chromium on the processors that the server works on, too.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM
from tests.browser.visiting import open_panel, panel, start
from tests.support.demo import DemoProgram
from tests.support.duty import Duty, on_duty
from tests.support.faults import ThreadedProxy
from tests.support.measured import percentile
from tests.support.needs import browser_path

BROWSERS = 20
ROUNDS = 3
GOOD_SECONDS = 61.0
ASLEEP_SECONDS = 5.0
SAYS_SECONDS = 0.11
"""Below the pace that is allowed to an operator."""
LONGEST_SECONDS = 60.0

WATCH = """() => {
  window.shownAt = {}
  new MutationObserver(() => {
    for (const one of document.querySelectorAll('[role=log] .message'))
      window.shownAt[one.textContent.trim()] ??= Date.now()
  }).observe(document.body, {childList: true, subtree: true})
}"""
SHOWN = """(_, text) => new Promise((done) => {
  const look = () => window.shownAt[text] ? done(window.shownAt[text]) : setTimeout(look, 20)
  look()
})"""
LOOKED_AT = "document.dispatchEvent(new Event('visibilitychange'))"
TEXTS = "all => all.map((message) => message.textContent.trim())"


def measure() -> dict[str, Any]:
    program = DemoProgram(NIGHTDESK_ATTEMPTS_PER_MINUTE="1000", NIGHTDESK_CONVERSATIONS_PER_HOUR="1000")
    try:
        program.start()
        return asyncio.run(_measure(program))
    finally:
        program.remove()


async def _measure(program: DemoProgram) -> dict[str, Any]:
    road = ThreadedProxy("127.0.0.1", program.port)
    try:
        async with on_duty(program) as duty, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=browser_path(),
                args=[*CHROMIUM, f"--host-resolver-rules=MAP 127.0.0.1:{program.port} 127.0.0.1:{road.port}"],
            )
            night = Night(browser, road, duty)
            for _ in range(BROWSERS):
                await night.come(program.site)
            figures = {name: await night.measure(name, wake) for name, wake in night.ways.items()}
            wrong = [texts for page in night.pages if (texts := await night.texts(page)) != night.said(page)]
            await browser.close()
    finally:
        await asyncio.to_thread(road.stop)
    return {"browsers": BROWSERS, **figures, "logs_that_differ": len(wrong)}


class Night:
    def __init__(self, browser: Browser, road: ThreadedProxy, duty: Duty) -> None:
        self._browser = browser
        self._road = road
        self._duty = duty
        self.pages: list[Page] = []
        self._said: list[str] = []
        self.ways: dict[str, Callable[[], Awaitable[list[float]]]] = {
            "network": self._network, "tab": self._tab, "sleep": self._sleep,
        }  # fmt: skip

    async def come(self, site: str) -> None:
        """One more, in a conversation that was answered."""
        page = await (await self._browser.new_context(locale="en-GB")).new_page()
        page.set_default_timeout(60_000)
        await page.goto(site)
        await open_panel(page)
        number = len(self.pages)
        await start(page, f"first {number}")
        await expect(panel(page).get_by_role("log").get_by_text("joined at")).to_be_visible()
        await panel(page).locator("body").evaluate(WATCH)
        self.pages.append(page)

    async def measure(self, name: str, wake: Callable[[], Awaitable[list[float]]]) -> dict[str, float]:
        """`wake` returns when each of them woke, in ms of the clock of all."""
        seconds = []
        for number in range(ROUNDS):
            self._said.append(f"{name} {number}")
            woken = await wake()
            seconds += [(shown - at) / 1000 for at, shown in zip(woken, await self._shown(self._said[-1]), strict=True)]
        seconds.sort()
        return {
            "p50_s": round(median(seconds), 2),
            "p95_s": round(percentile(seconds, 0.95), 2),
            "longest_s": round(seconds[-1], 2),
        }

    def said(self, page: Page) -> list[str]:
        return [f"first {self.pages.index(page)}", *self._said]

    async def texts(self, page: Page) -> list[str]:
        found: list[str] = await panel(page).locator("[role=log] .message").evaluate_all(TEXTS)
        return found

    async def _network(self) -> list[float]:
        await self._each(lambda page: page.context.set_offline(True))
        await self._lose_lines_and_say()
        return await self._each(lambda page: page.context.set_offline(False))

    async def _tab(self) -> list[float]:
        await self._lose_lines_and_say()
        return await self._each(lambda page: panel(page).locator("body").evaluate(LOOKED_AT))

    async def _sleep(self) -> list[float]:
        await asyncio.sleep(GOOD_SECONDS)  # else these would be further losses of one bad line, and waited for longer
        session = await self._browser.new_browser_cdp_session()
        processes = [int(one["id"]) for one in (await session.send("SystemInfo.getProcessInfo"))["processInfo"]]
        await session.detach()
        _signal(processes, signal.SIGSTOP)
        try:
            await self._lose_lines_and_say()
            self._road.do(lambda proxy: proxy.reset())
            await asyncio.sleep(ASLEEP_SECONDS)
        finally:
            woken = time.time() * 1000
            _signal(processes, signal.SIGCONT)
        return [woken] * len(self.pages)

    async def _lose_lines_and_say(self) -> None:
        self._road.do(lambda proxy: proxy.orphan())
        for number, conversation in enumerate(self._duty.conversations):
            await self._duty.say(conversation, self._said[-1], f"ref-of-{len(self._said)}-for-{number}")
            await asyncio.sleep(SAYS_SECONDS)

    async def _each(self, act: Callable[[Page], Awaitable[Any]]) -> list[float]:
        """When it began with each."""

        async def once(page: Page) -> float:
            began = time.time() * 1000
            await act(page)
            return began

        return await asyncio.gather(*(once(page) for page in self.pages))

    async def _shown(self, text: str) -> list[float]:
        async def once(page: Page) -> float:
            return float(await panel(page).locator("body").evaluate(SHOWN, text))

        async with asyncio.timeout(LONGEST_SECONDS):
            return await asyncio.gather(*(once(page) for page in self.pages))


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    for process in processes:
        os.kill(process, number)
