"""What a visitor does on a page with the widget, in the words of the page (English)."""

from playwright.async_api import FrameLocator, Locator, Page, expect


def bubble(page: Page) -> Locator:
    return page.locator("#nightdesk button.bubble")


def panel(page: Page) -> FrameLocator:
    return page.frame_locator("#nightdesk iframe")


async def open_panel(page: Page) -> FrameLocator:
    """Click on the bubble; the first view is there and the server has said who is here when this returns."""
    await bubble(page).click()
    found = panel(page)
    await expect(found.locator(".home-people p")).to_be_visible()
    return found


async def expect_open(page: Page) -> None:
    """A page of somebody who talks opens the panel by itself, a moment after it was loaded."""
    await expect(bubble(page)).to_have_attribute("aria-expanded", "true", timeout=15_000)


async def start(page: Page, text: str, name: str = "") -> FrameLocator:
    """From the first view to a conversation; returns when the first message is durable."""
    frame = panel(page)
    await frame.get_by_role("button", name="Ask a quick question").click()
    if name:
        await frame.get_by_role("textbox", name="Name").fill(name)
    await frame.get_by_role("textbox", name="Message").fill(text)
    await frame.get_by_role("button", name="Start the conversation").click()
    await expect_sent(page, text)
    return frame


async def say(page: Page, text: str) -> None:
    """One more message; returns when it is durable."""
    box = panel(page).get_by_role("textbox", name="Message")
    await box.fill(text)
    await box.press("Enter")
    await expect_sent(page, text)


async def expect_sent(page: Page, text: str) -> None:
    log = panel(page).get_by_role("log")
    await expect(log.get_by_text(text, exact=True)).to_be_visible()
    await expect(log.locator("[data-state=sending]")).to_have_count(0)
