"""Send → shown between two real browsers: Enter in the widget until the text stands in the operator's console.

Both pages run in one Chromium, so their clocks are one; the time is taken in the pages, from the key to the mutation.
"""

import asyncio
from statistics import median
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.browser.conftest import CHROMIUM
from tests.browser.scenes import attend, take
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
        await attend(console, program.console)
        await visitor.goto(program.site)
        await open_panel(visitor)
        await start(visitor, "Good evening")
        await take(console, "Good evening")
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
    const bubbles = log.querySelectorAll('.message__bubble')
    const text = bubbles[bubbles.length - 1]?.textContent?.trim() ?? ''
    window.shownAt[text] ??= performance.timeOrigin + performance.now()
  }).observe(log, {childList: true, subtree: true})
}"""


SHOWN = """text => new Promise(done => {
  const look = () => window.shownAt[text] ? done(window.shownAt[text]) : setTimeout(look, 20)
  look()
})"""
PRESS_ENTER = """box => {
  const began = performance.timeOrigin + performance.now()
  box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}))
  return began
}"""


async def _once(visitor: Page, console: Page, text: str) -> float:
    """Milliseconds. Paced below the limit of two messages a second, so that no refusal is measured."""
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill(text)
    began = await box.evaluate(PRESS_ENTER)
    async with asyncio.timeout(10):
        shown = await console.evaluate(SHOWN, text)
    await asyncio.sleep(0.5)
    return float(shown) - float(began)
