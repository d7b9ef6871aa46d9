"""What people read is in their language, in the pages as they stand in the browser, not only in the catalogue."""

import re

from playwright.async_api import expect

from tests.browser.conftest import NewContext
from tests.browser.visiting import bubble, panel
from tests.support.demo import DemoProgram
from tests.support.duty import on_duty


async def test_a_slovenian_visitor_reads_slovenian_from_the_bubble_to_the_queue(
    own_demo: DemoProgram, new_context: NewContext
) -> None:
    page = await (await new_context(locale="sl-SI")).new_page()
    async with on_duty(own_demo):
        await page.goto(own_demo.site)
        await expect(bubble(page)).to_have_attribute("aria-label", "Odpri klepet")
        await bubble(page).click()
        frame = panel(page)
        await expect(frame.get_by_role("button", name="Odpri zahtevek").first).to_be_visible()
        await frame.get_by_role("button", name=re.compile("vprašanje")).first.click()
        await frame.get_by_role("button", name="Začni pogovor").click()
        await expect(frame.get_by_text("Napišite nekaj besed").first).to_be_visible()
        await frame.get_by_role("textbox", name="Sporočilo").fill("Dober večer")
        await frame.get_by_role("button", name="Začni pogovor").click()
        await expect(frame.get_by_role("log").get_by_text(re.compile("^(Poslano|Prebrano) "))).to_be_visible()


async def test_an_operator_reads_slovenian_where_that_is_their_language(
    own_demo: DemoProgram, new_context: NewContext
) -> None:
    link = own_demo.sign_in_link("Maja", language="sl")
    page = await (await new_context()).new_page()
    await page.goto(link)
    await page.locator("form button").click()
    await expect(page.get_by_role("heading", name="Pogovori").first).to_be_visible()
    await expect(page.locator(".strip").get_by_text("Povezano")).to_be_visible()
    await page.goto(f"{own_demo.origin}/desk/tickets")
    await expect(page.get_by_role("heading", name="Zahtevki").first).to_be_visible()
