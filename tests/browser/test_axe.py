"""axe finds nothing: every page and state, both themes, both languages."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext, sign_in
from tests.browser.scenes import thread, visit
from tests.browser.visiting import bubble, open_panel, panel, start
from tests.support.demo import DemoProgram

# Colours do not depend on words: each theme is looked at in one language, and both are looked at.
pytestmark = [
    pytest.mark.usefixtures("colleague"),
    pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "sl")], ids=["light-en", "dark-sl"]),
]
OpenPage = Callable[[Page], Awaitable[None]]
PANEL = "/w/"
# Behind a panel that fills the screen the page is inert, so axe sees neither its main part nor its heading.
BEHIND = ("landmark-one-main", "page-has-heading-one")
LOCALES = {"en": "en-GB", "sl": "sl-SI"}


async def looking(new_context: NewContext, scheme: str, locale: str = "en", **options: Any) -> Page:
    """A page as somebody sees it who wants no motion, so that nothing is half faded while axe measures."""
    context = await new_context(color_scheme=scheme, locale=LOCALES[locale], reduced_motion="reduce", **options)
    return await context.new_page()


async def test_demo_page_and_bubble(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    page = await looking(new_context, scheme, locale)
    await page.goto(demo.site)
    await expect(bubble(page)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    await axe.check(page)


async def test_every_view_of_the_panel(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    page = await looking(new_context, scheme)
    await page.goto(demo.site)
    frame = await open_panel(page)
    await axe.check(page, of=PANEL)

    await frame.get_by_role("button", name="Open a ticket").first.click()
    await expect(frame.get_by_role("textbox", name="E-mail")).to_be_visible()
    await axe.check(page, of=PANEL)

    await page.reload()
    frame = await open_panel(page)
    await frame.get_by_role("button", name="Ask a quick question").click()
    await expect(frame.get_by_role("button", name="Start the conversation")).to_be_visible()
    await axe.check(page, of=PANEL)


async def test_a_conversation(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme)
    await page.goto(demo.site)
    await open_panel(page)
    await start(page, "My invoice 123456 shows the wrong tax")
    await axe.check(page, of=PANEL)


async def test_the_panel_in_slovenian_on_a_phone(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    page = await looking(new_context, scheme, "sl", viewport={"width": 320, "height": 640}, has_touch=True)
    await page.goto(demo.site)
    await bubble(page).click()
    await expect(panel(page).get_by_role("button").first).to_be_visible()
    await axe.check(page, without=BEHIND)


async def test_sign_in(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme, locale)
    await page.goto(f"{demo.origin}/console")
    await expect(page.locator("form input[type=password]")).to_be_visible()
    await axe.check(page)


async def test_console(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme, locale)
    await sign_in(page, demo.sign_in_link(language=locale))
    await expect(page.locator("main")).to_be_visible()
    await axe.check(page)


async def test_console_with_a_conversation(
    new_context: NewContext, demo: DemoProgram, open_console: OpenPage, axe: Axe, scheme: str, locale: str
) -> None:
    visitor = await looking(new_context, scheme)
    await visitor.goto(demo.site)
    await open_panel(visitor)
    await start(visitor, "Which plan has backups?")
    operator = await looking(new_context, scheme)
    await open_console(operator)
    await expect(operator.get_by_text("Which plan has backups?").first).to_be_visible()
    await operator.get_by_text("Which plan has backups?").first.click()
    await axe.check(operator)


async def test_from_the_dialog_to_the_requesters_page(
    new_context: NewContext, own_demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    visitor = await looking(new_context, scheme)
    operator = await looking(new_context, scheme, locale)
    # The visitor reads English: the words of the panel are how this test finds its way.
    await sign_in(operator, own_demo.sign_in_link(language=locale))
    await expect(operator.locator("#messages")).to_be_attached()
    await visit(visitor, own_demo, "Server down since 14:20, order #482913")
    await expect(operator.locator(".offer")).to_be_visible()
    await axe.check(operator)
    await operator.keyboard.press("w")
    await expect(thread(operator).get_by_text("Server down")).to_be_visible()
    await expect(operator.locator(".offer")).to_have_count(0)
    await operator.keyboard.press("Escape")
    await operator.keyboard.press("c")
    await expect(operator.locator("dialog[open] #d-subject")).to_be_focused()
    await axe.check(operator)
    await operator.keyboard.press("Enter")
    await expect(thread(operator).locator(".ticket-card")).to_be_visible()
    await axe.check(operator)
    await expect(panel(visitor).get_by_role("link", name="View ticket")).to_be_visible()
    await axe.check(visitor, of=PANEL)

    await operator.goto(f"{own_demo.origin}/desk/tickets")
    await axe.check(operator)
    await operator.get_by_text("-000001").first.click()
    await expect(operator.locator("#ticket-timeline")).to_be_visible()
    await axe.check(operator)

    async with visitor.context.expect_page() as opened:
        await panel(visitor).get_by_role("link", name="View ticket").click()
    page = await opened.value
    await expect(page.get_by_role("textbox")).to_be_visible()
    await axe.check(page)


async def test_settings_and_pages_that_say_no(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    page = await looking(new_context, scheme, locale)
    await page.goto(f"{demo.origin}/console/sign-in/expired-or-invented")
    await axe.check(page)
    await sign_in(page, demo.sign_in_link(language=locale))
    for path in ("/console/settings", "/console/conversations/none", "/desk/tickets/none", "/no/such/place"):
        await page.goto(f"{demo.origin}{path}")
        if await page.locator("html[lang]").count():
            await axe.check(page)
