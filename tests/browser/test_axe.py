"""axe finds nothing: every page and state, both themes, both languages."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext, sign_in
from tests.browser.visiting import bubble, open_panel, panel, start
from tests.support.demo import DemoProgram

pytestmark = [pytest.mark.usefixtures("colleague"), pytest.mark.parametrize("scheme", ["light", "dark"])]
OpenPage = Callable[[Page], Awaitable[None]]
PANEL = "/w/"
# Behind a panel that fills the screen the page is inert, so axe sees neither its main part nor its heading.
BEHIND = ("landmark-one-main", "page-has-heading-one")
LOCALES = {"en": "en-GB", "sl": "sl-SI"}


async def looking(new_context: NewContext, scheme: str, locale: str = "en", **options: Any) -> Page:
    """A page as somebody sees it who wants no motion, so that nothing is half faded while axe measures."""
    context = await new_context(color_scheme=scheme, locale=LOCALES[locale], reduced_motion="reduce", **options)
    return await context.new_page()


@pytest.mark.parametrize("locale", ["en", "sl"])
async def test_demo_page_and_bubble(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str
) -> None:
    page = await looking(new_context, scheme, locale)
    await page.goto(demo.site)
    await expect(bubble(page)).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    await axe.check(page)


async def test_every_view_of_the_panel(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str) -> None:
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


async def test_a_conversation(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str) -> None:
    page = await looking(new_context, scheme)
    await page.goto(demo.site)
    await open_panel(page)
    await start(page, "My invoice 123456 shows the wrong tax")
    await axe.check(page, of=PANEL)


async def test_the_panel_in_slovenian_on_a_phone(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str
) -> None:
    page = await looking(new_context, scheme, "sl", viewport={"width": 320, "height": 640}, has_touch=True)
    await page.goto(demo.site)
    await bubble(page).click()
    await expect(panel(page).get_by_role("button").first).to_be_visible()
    await axe.check(page, without=BEHIND)


@pytest.mark.parametrize("locale", ["en", "sl"])
async def test_sign_in(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme, locale)
    await page.goto(f"{demo.origin}/console")
    await expect(page.locator("form input[type=password]")).to_be_visible()
    await axe.check(page)


@pytest.mark.parametrize("locale", ["en", "sl"])
async def test_console(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme, locale)
    await sign_in(page, demo.sign_in_link(language=locale))
    await expect(page.locator("main")).to_be_visible()
    await axe.check(page)


async def test_console_with_a_conversation(
    new_context: NewContext, demo: DemoProgram, open_console: OpenPage, axe: Axe, scheme: str
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


@pytest.mark.parametrize("locale", ["en", "sl"])
async def test_tickets(new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str) -> None:
    page = await looking(new_context, scheme, locale)
    await sign_in(page, demo.sign_in_link(language=locale))
    await page.goto(f"{demo.origin}/desk/tickets")
    await expect(page.locator("main")).to_be_visible()
    await axe.check(page)
