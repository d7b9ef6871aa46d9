"""Send → shown between two real browsers: Enter in the widget until the text stands in the operator's console.

Both pages run in one Chromium, so their clocks are one; the time is taken in the pages, from the key to the mutation.
"""

import asyncio
from statistics import median
from typing import Any

from playwright.async_api import Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM, sign_in
from tests.browser.visiting import open_panel, panel, start
from tests.support.demo import DemoProgram
from tests.support.needs import browser_path

MESSAGES = 200


def measure() -> dict[str, Any]:
    program = DemoProgram()
    try:
        program.start()
        return asyncio.run(_measure(program))
    finally:
        program.remove()


async def _measure(program: DemoProgram) -> dict[str, Any]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=CHROMIUM)
        visitor = await (await browser.new_context(locale="en-GB")).new_page()
        console = await (await browser.new_context(locale="en-GB")).new_page()
        await sign_in(console, program.console)
        await visitor.goto(program.site)
        await open_panel(visitor)
        await start(visitor, "Good evening")
        await console.keyboard.press("w")
        await expect(console.locator(".messages").get_by_text("Good evening")).to_be_visible()
        await console.evaluate(WATCH)
        seconds = [await _once(visitor, console, f"message number {n} of the run") for n in range(MESSAGES)]
        await browser.close()
    seconds.sort()
    return {
        "p50_ms": round(median(seconds), 1),
        "p99_ms": round(seconds[int(len(seconds) * 0.99)], 1),
        "messages": MESSAGES,
    }


WATCH = """() => {
  window.shownAt = {}
  const log = document.querySelector('.messages')
  new MutationObserver(() => {
    const text = log.lastElementChild?.querySelector('.message__bubble')?.textContent?.trim() ?? ''
    window.shownAt[text] ??= performance.timeOrigin + performance.now()
  }).observe(log, {childList: true, subtree: true})
}"""


async def _once(visitor: Page, console: Page, text: str) -> float:
    """Milliseconds. Paced below the limit of two messages a second, so that no refusal is measured."""
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill(text)
    began = await box.evaluate("box => new Promise(done => { box.addEventListener('keydown', () => done(performance.timeOrigin + performance.now()), {once: true}); box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true})) })")
    shown = await console.wait_for_function("text => window.shownAt[text]", arg=text)
    await asyncio.sleep(0.5)
    return float(await shown.json_value()) - float(began)
