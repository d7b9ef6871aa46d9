"""Operators at the one list and at a ticket: by keyboard, two at once, and Mallory of another department."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext, sign_in
from tests.browser.earlier import all_earlier
from tests.browser.scenes import attend, drop_and_paste, escalated, log, thread, visit
from tests.browser.visiting import panel, say
from tests.support.demo import DemoProgram

LOCALES = {"en": "en-GB", "sl": "sl-SI"}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


async def person(new_context: NewContext, scheme: str = "light", locale: str = "en", **options: object) -> Page:
    context = await new_context(color_scheme=scheme, locale=LOCALES[locale], reduced_motion="reduce", **options)
    return await context.new_page()


@pytest.mark.parametrize(
    ("scheme", "locale", "options"), [("light", "en", {}), ("dark", "sl", PHONE)], ids=["light-en", "phone-dark-sl"]
)
async def test_axe_finds_nothing_on_any_page_of_the_desk(
    new_context: NewContext, own_demo: DemoProgram, axe: Axe, scheme: str, locale: str, options: dict[str, object]
) -> None:
    visitor, operator = await person(new_context), await person(new_context)
    await attend(operator, own_demo.sign_in_link())
    number = await escalated(operator, visitor, own_demo)
    await say(visitor, "And the invoice is wrong, too")
    waiting = await person(new_context)
    await visit(waiting, own_demo, "Nobody has answered me yet")
    page = await person(new_context, scheme, locale, **options)
    await sign_in(page, own_demo.sign_in_link("Luka", language=locale, role="supervisor"))

    async def look(path: str, there: str = "#work") -> None:
        await page.goto(f"{own_demo.origin}{path}")
        await expect(page.locator(there).first).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", locale)
        await page.evaluate("document.querySelectorAll('details').forEach((fold) => (fold.open = true))")
        await axe.check(page)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        # The parts of the desk scroll; there is no empty page below it.
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), path
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.matches('a, button, input, select, textarea, summary')"), (
            path
        )

    await look("/desk/tickets")
    await expect(page.get_by_text("Nobody has answered me yet").first).to_be_visible()
    await page.locator(".box").first.check()
    await page.locator("#bulk-act").select_option("department:financial")
    await page.locator(".bulk button").click()
    await expect(page.locator(".page__said--wrong")).to_be_visible()
    await expect(page.locator("#bulk-act")).to_have_value("department:financial")
    await axe.check(page)
    ticket = f"/desk/tickets/{number}"
    for path in (f"{ticket}/transfer", "/desk/shifts", "/desk/search?q=server", "/desk/search?q=zebra",
                 "/desk/mail", "/desk/tickets?lane=closed", "/desk/tickets?lane=mine&said=none",
                 "/desk/tickets/T-26-999999"):  # fmt: skip
        await look(path)
    await page.goto(f"{own_demo.origin}{ticket}")
    await expect(page.locator("#canned-button")).to_be_visible()
    await page.get_by_role("link", name=re.compile("Split off|Izloči")).click()
    await expect(page.locator("#split-subject")).to_have_value("And the invoice is wrong, too")
    await axe.check(page)
    await page.goto(f"{own_demo.origin}{ticket}")
    await page.locator("#ticket-head .toolbar a").click()
    await expect(thread(page).locator(".ticket-card")).to_be_visible()
    await axe.check(page)
    # What runs out stands on every page of a supervisor, and in the inbox.
    await all_earlier(own_demo, minutes=11)
    for path in (ticket, "/desk/tickets", "/console"):
        await look(path, f"#alarms:not([hidden]) a[href='{ticket}']")


@pytest.mark.parametrize(
    ("scheme", "locale", "options"),
    [("light", "en", {}), ("dark", "sl", {}), ("light", "sl", PHONE), ("dark", "en", PHONE)],
    ids=["light-en", "dark-sl", "phone-light-sl", "phone-dark-en"],
)
async def test_axe_finds_nothing_on_the_contact_page(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str, options: dict[str, object]
) -> None:
    page = await person(new_context, scheme, locale, **options)
    await page.goto(f"{demo.origin}/contact?lang={locale}")
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    await expect(page.locator("table tbody tr")).to_have_count(4)
    await axe.check(page)
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.matches('a, button, [tabindex]')")


async def test_omar_works_by_keyboard_alone(new_context: NewContext, own_demo: DemoProgram) -> None:
    visitor, operator = await person(new_context), await person(new_context)
    await attend(operator, own_demo.sign_in_link())
    number = await escalated(operator, visitor, own_demo)
    await operator.keyboard.press("g")
    await operator.keyboard.press("t")
    await operator.wait_for_url("**/desk/tickets")
    await operator.keyboard.press("j")
    await expect(operator.get_by_role("link", name=number)).to_be_focused()
    await operator.keyboard.press("x")
    await expect(operator.locator("#bulk-count")).to_have_text("1 selected")
    await operator.keyboard.press("x")
    await expect(operator.locator(".bulk")).to_be_hidden()
    row = operator.get_by_role("row", name=number)
    await expect(row.locator("running-clock")).to_have_text(re.compile(r"^\d:\d\d left$"))
    # One order for many, and the way back.
    await operator.keyboard.press("x")
    await operator.keyboard.press("j")
    await operator.keyboard.press("x")
    await expect(operator.locator("#bulk-count")).to_have_text("2 selected")
    high = operator.locator(".ticket-table .high")
    await expect(high).to_have_count(0)
    await choose(operator, "#bulk-act", "Priority high")
    await operator.get_by_role("button", name="Change them").press("Enter")
    await expect(operator.get_by_role("status").filter(has_text="2 tickets changed.")).to_be_visible()
    await expect(high).to_have_count(2)
    lane = operator.locator("tbody", has=row).locator(".lane")
    await expect(lane).to_contain_text("Our turn, high")
    await operator.get_by_role("button", name="Undo").press("Enter")
    await expect(operator.get_by_role("status").filter(has_text="2 changes taken back.")).to_be_visible()
    await expect(high).to_have_count(0)
    await expect(lane).to_have_text(re.compile(r"^Our turn\s"))
    await expect(operator.get_by_role("button", name="Undo")).to_have_count(0)
    await expect(operator.locator("#live-state").get_by_text("Connected")).to_be_visible()
    await operator.keyboard.press("j")
    await expect(operator.get_by_role("link", name=number)).to_be_focused()
    await operator.keyboard.press("o")
    await expect(operator.locator("#ticket-timeline")).to_be_visible()
    await expect(operator.locator("#canned-button")).to_be_visible()
    await operator.keyboard.press("n")
    await operator.keyboard.type("Watch for packet loss")
    await drop_and_paste(operator.locator("#ticket-text"))
    await expect(operator.get_by_role("button", name="Remove pasted.txt")).to_be_visible()
    await operator.keyboard.press("Control+Enter")
    note = operator.locator(".letter--note")
    await expect(note.get_by_text("Watch for packet loss")).to_be_visible()
    for name in ("dropped.txt", "pasted.txt"):
        await expect(note.get_by_role("link", name=re.compile(name))).to_have_count(1)
    await expect(operator.locator("#ticket-text")).to_have_value("")
    await expect(operator.locator("#canned-button")).to_be_visible()
    await operator.keyboard.press("r")
    await operator.keyboard.type("/")
    await expect(operator.get_by_role("listbox")).to_be_visible()
    await operator.keyboard.press("Enter")
    await expect(operator.get_by_role("listbox")).to_have_count(0)
    assert len(await operator.locator("#ticket-text").input_value()) > 10
    await operator.keyboard.press("Control+Enter")
    await expect(operator.locator(".letter--ours")).to_be_visible()
    await expect(operator.locator("#ticket-text")).to_have_value("")
    await expect(operator.locator("#canned-button")).to_be_visible()
    await operator.keyboard.press("?")
    await expect(operator.locator("#help")).to_be_visible()
    await expect(operator.locator("#keys").get_by_text("Transfer to another department")).to_be_visible()
    await operator.keyboard.press("Escape")
    await expect(operator.locator("#help")).to_be_hidden()
    # What a select says is done by its button alone, never by an arrow key on the way.
    done = operator.locator("#ticket-timeline")
    await operator.locator("#p-state").focus()
    await operator.keyboard.press("ArrowDown")
    await expect(operator.locator("#p-state")).to_have_value("waiting_customer")
    await expect(done.get_by_text("State: Waiting for customer")).to_have_count(0)
    await operator.keyboard.press("Tab")
    await submit(operator, "Enter")
    await expect(done.get_by_text("State: Waiting for customer")).to_be_visible()
    for key, field, option, told in (
        ("", "#p-state", "Waiting for third party", "State: Waiting for third party"),
        ("p", "#p-priority", "High", "Priority: high"),
        ("a", "#p-operator", "Nobody", "Assigned to nobody"),
    ):
        await expect(operator.locator("#canned-button")).to_be_visible()
        if key:
            await operator.keyboard.press(key)
            await expect(operator.locator(field)).to_be_focused()
        await choose(operator, field, option)
        await operator.keyboard.press("Tab")
        await submit(operator, "Enter")
        await expect(done.get_by_text(told).last).to_be_visible()
    await expect(operator.locator("#canned-button")).to_be_visible()
    await submit(operator, "m")
    await expect(operator.locator("#p-operator option[selected]")).to_have_text("Omar")
    for field, text, told in (
        ("#update-by", "23:59", "Investigating, next update by"),
        ("#tags-text", "network", "Tags: +network"),
        ("#other-number", "T-26-004159", "T-26-004159"),
        ("#owner-reason", "He read out the invoice", "although asked for at level 0"),
    ):
        await operator.locator("details:not([open]):has(#owner-reason) summary").evaluate_all(
            "(folds) => folds.forEach((fold) => fold.click())"
        )
        if field == "#owner-reason":
            await operator.locator(field).press("Enter")
            refused = operator.locator("#owner-refused")
            await expect(refused).to_contain_text("This needs level 2, and who asks is at level 0.")
        await operator.locator(field).fill(text)
        await operator.locator(field).press("Enter")
        await expect(done.get_by_text(told).first).to_be_visible()
    await operator.locator("#other-number").fill("T-26-004159")
    await operator.get_by_role("button", name="Merge into it").press("Enter")
    await expect(operator.get_by_text("not known to be of one person")).to_be_visible()
    await operator.goto(f"{own_demo.origin}/desk/tickets/{number}")
    await expect(operator.locator("#canned-button")).to_be_visible()
    await operator.keyboard.press("t")
    await operator.wait_for_url("**/transfer")
    await expect(operator.locator("#transfer-note")).to_be_focused()
    await operator.keyboard.type("He asks for a refund")
    await operator.keyboard.press("Tab")
    await operator.keyboard.press("Enter")
    await operator.wait_for_url(f"**/{number}")
    await expect(operator.get_by_role("region", name="Handed over by Omar")).to_contain_text("He asks for a refund")
    await expect(operator.locator("#canned-button")).to_be_visible()
    await submit(operator, "e")
    await expect(operator.locator("#ticket-timeline").get_by_text("State: Solved")).to_be_visible()
    await expect(operator.locator("#canned-button")).to_be_visible()
    await choose(operator, "#p-state", "In progress")
    await operator.keyboard.press("Tab")
    await submit(operator, "Enter")
    await expect(operator.locator("#p-state option[selected]")).to_have_text("In progress")
    await expect(operator.locator("#canned-button")).to_be_visible()
    await operator.keyboard.press("Escape")
    await operator.wait_for_url("**/desk/tickets")


async def choose(page: Page, field: str, option: str) -> None:
    """By the letters of an option, as with keys."""
    await page.locator(field).focus()
    await page.keyboard.type(option)
    await expect(page.locator(f"{field} option:checked")).to_have_text(option)


async def submit(page: Page, key: str) -> None:
    """By a key; the next page is there when this returns, though the one before shows what became of it as well."""
    async with page.expect_event("load"):
        await page.keyboard.press(key)


async def test_w_takes_who_has_waited_longest(new_context: NewContext, own_demo: DemoProgram) -> None:
    operator = await person(new_context)
    await attend(operator, own_demo.sign_in_link(capacity="1"))
    for n in range(2):
        await visit(await person(new_context), own_demo, f"Question {n}")
    await operator.goto(f"{own_demo.origin}/desk/tickets")
    for n in range(2):
        await expect(operator.get_by_text(f"Question {n}").first).to_be_visible()
    # Who waits for us stands before who waits for them.
    subjects = ["Question 0", "Question 1", "Second backup location"]
    await expect(operator.locator(".ticket-table .subject b")).to_have_text(subjects)
    await expect(operator.locator("#live-state").get_by_text("Connected")).to_be_visible()
    await operator.keyboard.press("w")
    await operator.wait_for_url("**/console/conversations/**")
    await expect(thread(operator).get_by_text("Question 0")).to_be_visible()


async def test_what_is_said_in_any_window_stands_in_the_others_once(
    new_context: NewContext, own_demo: DemoProgram
) -> None:
    visitor, operator = await person(new_context), await person(new_context)
    await attend(operator, own_demo.sign_in_link())
    number = await escalated(operator, visitor, own_demo)
    desk = await operator.context.new_page()
    await desk.goto(f"{own_demo.origin}/desk/tickets/{number}")
    await expect(desk.locator("#live-state").get_by_text("Connected")).to_be_visible()

    async with visitor.context.expect_page() as opened:
        await panel(visitor).get_by_role("link", name="View ticket").click()
    rita = await opened.value
    # Each sends with a double click.
    await operator.locator("#composer-text").fill("From the conversation")
    await operator.locator("#send-reply").dblclick()
    await expect(desk.locator(".letter").get_by_text("From the conversation")).to_have_count(1)
    await desk.locator("#ticket-text").fill("From the ticket")
    await desk.locator(".composer__send").dblclick()
    await expect(thread(operator).get_by_text("From the ticket", exact=True)).to_have_count(1)
    await expect(log(visitor).get_by_text("From the ticket", exact=True)).to_have_count(1)
    await say(visitor, "From the visitor")
    await expect(desk.locator(".letter").get_by_text("From the visitor")).to_have_count(1)
    await expect(rita.get_by_text("From the visitor")).to_have_count(1)
    await rita.locator("#answer").fill("From the page")
    await rita.locator(".answer__bar .button--primary").dblclick()
    await expect(desk.locator(".letter").get_by_text("From the page")).to_have_count(1)
    await expect(thread(operator).get_by_text("From the page", exact=True)).to_have_count(1)
    await desk.reload()
    await rita.reload()
    for text in ("From the conversation", "From the ticket", "From the visitor", "From the page"):
        await expect(desk.locator(".letter").get_by_text(text, exact=True)).to_have_count(1)
        await expect(rita.get_by_text(text, exact=True)).to_have_count(1)
        await expect(thread(operator).get_by_text(text, exact=True)).to_have_count(1)


async def test_two_operators_see_each_other_look_and_write_and_one_supervises(
    new_context: NewContext, own_demo: DemoProgram
) -> None:
    visitor, omar = await person(new_context), await person(new_context)
    await attend(omar, own_demo.sign_in_link())
    number = await escalated(omar, visitor, own_demo)
    luka = await person(new_context)
    # The clock of this computer is ten minutes slow; what is left is told by the server's.
    await luka.add_init_script("const now = Date.now; Date.now = () => now() - 600_000")
    await sign_in(luka, own_demo.sign_in_link("Luka", role="supervisor"))
    for page in (omar, luka):
        await page.goto(f"{own_demo.origin}/desk/tickets/{number}")
        await expect(page.locator("#live-state").get_by_text("Connected")).to_be_visible()
    await expect(omar.locator("#ticket-lookers")).to_have_text("LLuka is looking")
    await luka.locator("#ticket-text").press_sequentially("I think")
    await expect(omar.locator("#ticket-lookers")).to_have_text("LLuka is writing")
    # What one does with the ticket stands on the other's page, without a reload; what came back refused stays there.
    await luka.locator("#other-number").fill("T-26-999999")
    await luka.locator("#other-number").press("Enter")
    await expect(luka.get_by_text("There is no such ticket.").first).to_be_visible()
    await expect(luka.locator("#live-state").get_by_text("Connected")).to_be_visible()
    await omar.locator("#participants summary").click()
    await omar.locator("#person-address").fill("vito@supplier.example")
    await omar.keyboard.press("Enter")
    await expect(omar.locator("#participants .lines")).to_contain_text("vito@supplier.example")
    await expect(luka.locator("#participants .lines")).to_contain_text("added by Omar")
    await expect(luka.locator("#other-number")).to_have_value("T-26-999999")
    await omar.get_by_role("button", name="Mark as spam").click()
    await expect(omar.locator(".ticket__closed")).to_contain_text("nobody was told")
    await luka.get_by_role("button", name="It is no spam").click()
    await expect(omar.locator("#ticket-timeline")).to_contain_text("No spam, taken back by Luka")
    await luka.goto(f"{own_demo.origin}/desk/tickets")
    await expect(omar.locator("#ticket-lookers")).to_have_text("")
    # Nobody answers. The supervisor sees the promise run out and broken, in the list that is open, and says why.
    await expect(luka.locator("#live-state").get_by_text("Connected")).to_be_visible()
    row = luka.get_by_role("row", name=number)
    await expect(row.locator("running-clock")).to_have_text(re.compile(r"^\d:\d\d left$"))
    await all_earlier(own_demo, minutes=11)
    await expect(row.get_by_text("breached")).to_be_visible()
    await expect(row.locator("running-clock")).to_have_text(re.compile(r"^\d:\d\d over$"))
    await expect(luka.locator("tbody", has=row).locator(".lane")).to_contain_text("Our turn, overdue")
    await luka.get_by_role("region", name="Alarms").get_by_role("link", name=number).press("Enter")
    await luka.get_by_label("Why was it late?").fill("Two outages at once")
    await luka.keyboard.press("Enter")
    await expect(luka.locator(".promises__line")).to_have_text(
        re.compile(r"breached\s+First reply, by .*\d\d:\d\d: Two outages at once")
    )
    await expect(luka.get_by_label("Why was it late?")).to_have_count(0)
    for line in (
        "5:00 without a reply: Omar alerted again, the ticket is theirs",
        "8:00 without a reply: offered to Luka, the least loaded of 1",
        "9:00 without a reply: supervisors alerted: Luka",
        "Breached: no first reply by the time promised. Omar had it.",
        "Why it was late: Two outages at once",
    ):
        await expect(omar.locator("#ticket-timeline").get_by_text(line)).to_be_visible()


async def test_mallory_of_another_department_sees_nothing(new_context: NewContext, own_demo: DemoProgram) -> None:
    visitor, omar = await person(new_context), await person(new_context)
    await attend(omar, own_demo.sign_in_link(department="technical"))
    number = await escalated(omar, visitor, own_demo)
    mallory = await person(new_context)
    await sign_in(mallory, own_demo.sign_in_link("Mallory", department="financial"))
    for path in (f"/desk/tickets/{number}", f"/desk/tickets/{number}/thread", f"/desk/tickets/{number}/lookers"):
        found = await mallory.request.get(f"{own_demo.origin}{path}")
        unknown = await mallory.request.get(f"{own_demo.origin}{path.replace(number, 'T-26-999999')}")
        assert (found.status, unknown.status) == (404, 404)
    await mallory.goto(f"{own_demo.origin}/desk/tickets")
    await expect(mallory.get_by_text("No tickets here.")).to_be_visible()
    assert "Server down" not in await mallory.content()
