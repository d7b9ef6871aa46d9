"""What administrators do, by keyboard alone; axe over each of their pages; and the alarm above the inbox."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext, sign_in
from tests.browser.earlier import all_earlier
from tests.browser.scenes import TROUBLE, attend, escalated, offer, take, thread, visit
from tests.support.administration import PAGES
from tests.support.demo import DemoProgram


async def choose(page: Page, name: str, text: str) -> None:
    """By keyboard: into the field, and written."""
    field = page.get_by_label(name, exact=True)
    await field.focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)


@pytest.mark.parametrize(
    ("scheme", "locale", "width"), [("light", "en", 1280), ("dark", "sl", 360)], ids=["light-en", "dark-sl-phone"]
)
async def test_every_page_of_administrators(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str, width: int
) -> None:
    context = await new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 800}, has_touch=width < 500
    )
    page = await context.new_page()
    await sign_in(page, demo.sign_in_link("Ada", language=locale, role="administrator"))
    for path in PAGES:
        await page.goto(f"{demo.origin}{path}")
        await expect(page.locator("html")).to_have_attribute("lang", locale)
        await axe.check(page)
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, path
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.matches('a.skip')"), path
    # A form that is refused is as readable.
    await page.goto(f"{demo.origin}/desk/admin/calendars/new")
    await page.locator("#name").fill("Office")
    await page.locator("#day_0").fill("from eight")
    await page.locator("form.settings__card button").click()
    await expect(page.locator("#day_0-error")).to_be_visible()
    await axe.check(page)


async def test_a_roster_is_made_by_keyboard_alone_and_the_end_of_a_shift_hands_over(
    new_context: NewContext, own_demo: DemoProgram
) -> None:
    page, visitor, omar, nina = [await (await new_context(reduced_motion="reduce")).new_page() for _ in range(4)]
    await attend(omar, own_demo.sign_in_link("Omar"))
    number = await escalated(omar, visitor, own_demo)
    await attend(nina, own_demo.sign_in_link("Nina"))
    await attend(page, own_demo.sign_in_link("Ada", role="administrator", department="financial"))
    await page.get_by_role("link", name="Administration").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Shifts").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Add a shift").focus()
    assert "0px 0px 0px 4px" in await page.evaluate("getComputedStyle(document.activeElement).boxShadow"), "no ring"
    await page.keyboard.press("Enter")
    await choose(page, "Name", "Early")
    await choose(page, "Begins", "noon")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Write a time as 06:00.")).to_be_visible()
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Early")
    await choose(page, "Begins", "00:00")
    await choose(page, "Ends", "24:00")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Added.")
    for name in ("Luka Zajc", "Omar"):
        await page.get_by_label("Operator", exact=True).focus()
        await page.keyboard.type(name)
        await page.get_by_role("button", name="Add to the shift").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name=f"Remove {name} from this shift")).to_be_visible()
    await page.get_by_role("link", name="Shifts").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".roster__bar rect")).to_have_count(2)

    # The talk has been quiet for a while, and the shift is over.
    await all_earlier(own_demo, minutes=4)
    await page.get_by_role("link", name="Early").press("Enter")
    now = datetime.now(ZoneInfo("Europe/Ljubljana"))
    await choose(page, "Begins", f"{now - timedelta(hours=1):%H:%M}")
    await choose(page, "Ends", f"{now:%H:%M}")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    await expect(offer(nina)).to_contain_text(TROUBLE)
    await nina.keyboard.press("w")
    await expect(thread(nina).get_by_text("Hand-over: Omar is off duty since")).to_be_visible()
    await expect(thread(nina)).to_contain_text("Omar is off duty; the conversation waits for the department Technical")
    await expect(nina.locator(".context")).to_contain_text("handed over, off duty")
    await nina.goto(f"{own_demo.origin}/desk/tickets")
    await expect(nina.get_by_role("row", name=number)).to_contain_text("Nina, you")
    await nina.get_by_role("link", name=number).press("Enter")
    brief = nina.locator(".letter--note", has_text="Hand-over: Omar is off duty since")
    for line in (
        "Now with Nina, the least loaded of 1 on shift.",
        "Normal priority. State: In progress.",
        "Reply due ",
    ):
        await expect(brief).to_contain_text(line)
    history = nina.locator("#ticket-timeline")
    await expect(history).to_contain_text("Omar is off duty: handed over to Nina, the least loaded of 1")
    await expect(nina.locator("#p-operator option:checked")).to_have_text("Nina")
    await expect(nina.locator("#p-operator option", has_text="Omar, off duty")).to_be_disabled()
    await expect(nina.locator("#live-state").get_by_text("Connected")).to_be_visible()

    # A promise that is changed moves what runs under it, with a line of why.
    await page.get_by_role("link", name="Promises").press("Enter")
    await page.locator("a[href='/desk/admin/policies/tickets']").press("Enter")
    await choose(page, "Promised within", "20")
    await choose(page, "Breached at", "20")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").get_by_text("1 running clock was computed again")).to_be_visible()
    await expect(history).to_contain_text("changed to version 2: the due was computed again")
    left = nina.locator(".property--clock", has_text="First reply")
    await expect(left).to_contain_text(re.compile("1[45]:[0-5][0-9] left"))
    await page.get_by_role("link", name="Changes").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("roster.added")).to_have_count(2)
    await expect(page.get_by_text("policy.changed")).to_be_visible()


async def test_departments_people_responses_and_sites_are_added_by_keyboard_alone(
    new_context: NewContext, own_demo: DemoProgram
) -> None:
    page, sara = [await (await new_context()).new_page() for _ in range(2)]
    await sign_in(page, own_demo.sign_in_link("Ada", role="administrator"))
    await page.goto(f"{own_demo.origin}/console/admin/departments")

    async def add(section: str, button: str, fields: dict[str, str], boxes: tuple[str, ...] = ()) -> None:
        await page.get_by_role("navigation").get_by_role("link", name=section).press("Enter")
        await page.get_by_role("link", name=button).press("Enter")
        for name, text in fields.items():
            await choose(page, name, text)
        for name in boxes:
            await page.get_by_label(name, exact=True).press("Space")
        await page.get_by_role("button", name="Save").press("Enter")

    names = {"Name in English": "Sales", "Name in Slovenian": "Prodaja"}
    await add("Departments", "Add a department", names | {"Short name": "Sales and more"})
    await expect(page.get_by_role("alert")).to_contain_text("Not saved.")
    await choose(page, "Short name", "sales")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Added.")
    answer = {"Shortcut": "offer", "Title": "Offer", "Text in English": "Here is our offer."}
    await add("Canned responses", "Add a response", answer)
    await expect(page.get_by_role("status")).to_contain_text("Added.")
    site = {"Name": "Shop", "Origins": "https://shop.example.com"}
    await add("Sites", "Add a site", site)
    await expect(page.locator(".admin__code")).to_contain_text("<script")
    person = {"Name that visitors read": "Sara", "E-mail": "sara@polaris.example"}
    await add("Operators", "Add an operator", person, boxes=("Sales",))
    await page.get_by_role("button", name="Make a sign-in link").press("Enter")
    await attend(sara, await page.locator(".admin__link code").inner_text())
    await page.get_by_role("button", name="Deactivate").press("Enter")
    await expect(page.get_by_role("listitem").filter(has_text="Sara")).to_contain_text("Deactivated")
    await sara.goto(f"{own_demo.origin}/console")
    await expect(sara.locator("form input[type=password]")).to_be_visible()
    await page.get_by_role("link", name="Changes").press("Enter")
    for action in ("department.added", "canned.added", "site.added", "operator.added"):
        await expect(page.get_by_text(action)).to_be_visible()


async def test_to_operators_the_pages_do_not_exist(new_context: NewContext, demo: DemoProgram) -> None:
    page = await (await new_context()).new_page()
    await sign_in(page, demo.sign_in_link("Omar"))
    await expect(page.get_by_role("link", name="Administration")).to_have_count(0)
    answer = await page.goto(f"{demo.origin}/console/admin/operators")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


async def test_an_alarm_stands_above_the_inbox_until_it_is_seen(
    new_context: NewContext, own_demo: DemoProgram, axe: Axe
) -> None:
    visitor = await (await new_context()).new_page()
    operator = await (await new_context(reduced_motion="reduce")).new_page()
    await attend(operator, own_demo.sign_in_link("Omar"))
    await visit(visitor, own_demo, "The server is down")
    await take(operator, "The server is down")
    alarms = operator.get_by_role("region", name="Alarms")
    await expect(alarms).to_have_count(0)
    await all_earlier(own_demo, minutes=6)
    await expect(alarms.get_by_text("it is yours and waits for a reply")).to_be_visible()
    await axe.check(operator)
    # What is new in it is said aloud, and the next tab shows the same.
    await expect(operator.locator("#alarms-aloud, #alerts").first).to_contain_text("waits for a reply")
    await alarms.get_by_role("button", name="Seen").focus()
    await operator.keyboard.press("Enter")
    await expect(alarms).to_have_count(0)
    await operator.reload()
    await expect(operator.locator(".strip").get_by_text("Connected")).to_be_visible()
    await expect(alarms).to_have_count(0)
    await all_earlier(own_demo, minutes=6)
    await expect(alarms.get_by_text("breached: reply, and say why it was late")).to_be_visible()
    await alarms.get_by_label("Why was it late?").fill("I was on the telephone")
    await operator.keyboard.press("Enter")
    await expect(operator.get_by_text("Why it was late: I was on the telephone")).to_be_visible()


async def test_who_is_offered_an_alarm_takes_the_ticket(new_context: NewContext, own_demo: DemoProgram) -> None:
    visitor, omar, nina = [await (await new_context(reduced_motion="reduce")).new_page() for _ in range(3)]
    await attend(omar, own_demo.sign_in_link("Omar"))
    number = await escalated(omar, visitor, own_demo)
    await attend(nina, own_demo.sign_in_link("Nina"))
    await all_earlier(own_demo, minutes=8)
    alarms = nina.get_by_role("region", name="Alarms")
    await expect(alarms.get_by_text("offered to you: you have the most room")).to_be_visible()
    await alarms.get_by_role("button", name="Take it").focus()
    await nina.keyboard.press("Enter")
    await nina.wait_for_url(f"**/desk/tickets/{number}")
    await expect(nina.locator("#ticket-timeline")).to_contain_text("Nina")
    # It is hers now, and rings as such until she replies; on Omar's page it is hers, too.
    await expect(alarms).to_contain_text("it is yours and waits for a reply")
    await expect(alarms.get_by_role("button", name="Take it")).to_have_count(0)
    await omar.goto(f"{own_demo.origin}/desk/tickets/{number}")
    await expect(omar.locator("#p-operator option:checked")).to_have_text("Nina")
