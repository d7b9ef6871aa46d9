"""What people do in the scenes, in the words of the pages."""

import re

from playwright.async_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import sign_in
from tests.browser.visiting import open_panel, panel, start
from tests.support.demo import DemoProgram

TROUBLE = "Server down since 14:20, order #482913"


async def visit(page: Page, demo: DemoProgram, text: str, name: str = "") -> None:
    """Opens the demo page and the panel and says the first words."""
    await page.goto(demo.site)
    await open_panel(page)
    await start(page, text, name)


async def attend(page: Page, link: str) -> None:
    """Signs in and waits until the console is live."""
    await sign_in(page, link)
    await expect(page.locator(".strip").get_by_text("Connected")).to_be_visible()


def payload(name: str, data: bytes) -> FilePayload:
    """A file as somebody chooses it."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


async def drop_and_paste(place: Locator) -> None:
    """`dropped.txt` by mouse, `pasted.txt` by keyboard."""
    await place.evaluate(
        """(place) => {
          const data = new DataTransfer()
          data.items.add(new File(['dropped words'], 'dropped.txt', { type: 'text/plain' }))
          place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
          const pasted = new DataTransfer()
          pasted.items.add(new File(['pasted words'], 'pasted.txt', { type: 'text/plain' }))
          place.dispatchEvent(new ClipboardEvent('paste', { clipboardData: pasted, bubbles: true, cancelable: true }))
        }"""
    )


def offer(page: Page) -> Locator:
    return page.locator(".offer")


def thread(page: Page) -> Locator:
    """The messages of the open conversation in the console."""
    return page.locator(".messages")


def log(page: Page) -> Locator:
    """The messages in the widget."""
    return panel(page).get_by_role("log")


async def take(page: Page, text: str) -> None:
    """Takes what is offered with `w`; the conversation is open when this returns."""
    await expect(offer(page)).to_be_visible()
    await page.keyboard.press("w")
    await expect(thread(page).get_by_text(text)).to_be_visible()
    await expect(offer(page)).to_have_count(0)


async def escalated(operator: Page, visitor: Page, demo: DemoProgram, text: str = TROUBLE) -> str:
    """The visitor asks, the operator takes it and makes a ticket with `c` and Enter; its number."""
    await visit(visitor, demo, text)
    await take(operator, text)
    await operator.keyboard.press("Escape")
    await operator.keyboard.press("c")
    await expect(operator.locator("dialog[open] #d-subject")).to_be_focused()
    await operator.keyboard.press("Enter")
    card = thread(operator).locator(".ticket-card")
    await expect(card).to_be_visible()
    await expect(operator.locator("dialog[open]")).to_have_count(0)
    found = re.search(r"T-\d\d-\d{6}", await card.inner_text())
    assert found is not None
    return found[0]


async def answer(page: Page, text: str) -> None:
    """Writes and sends; the message is durable when this returns."""
    box = page.locator("#composer-text")
    await box.fill(text)
    await box.press("Enter")
    await expect(thread(page).locator(".message--operator").get_by_text(text, exact=True)).to_be_visible()
    await expect(thread(page).locator("[data-pending]")).to_have_count(0)


async def texts_in(messages: Locator, selector: str) -> list[str]:
    return [text.strip() for text in await messages.locator(selector).all_inner_texts()]
