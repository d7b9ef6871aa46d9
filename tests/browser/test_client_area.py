"""The client area in a real browser: a customer asks, is answered while looking, and needs no script for it."""

import re
import time
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, StorageState, expect

from escalation.client_area.tokens import signed
from tests.browser.axe import Axe
from tests.browser.conftest import NewContext, sign_in
from tests.browser.scenes import payload
from tests.browser.visiting import expect_open, open_panel, panel, start
from tests.support import files
from tests.support.demo import DemoProgram

PASSWORD = "three plain words here"
PAGES = (
    "/client/tickets",
    "/client/tickets?q=nothing-like-it",
    "/client/tickets/new",
    "/client/conversations",
    "/client/services",
    "/client/settings",
    "/client/settings/security",
    "/client/tickets/T-00-000000",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def aino(demo: DemoProgram, browser: Browser) -> StorageState:
    """Cookies of the demo's customer, who has used the link and set a password."""
    context = await browser.new_context()
    page = await context.new_page()
    await sign_in(page, demo.client)
    await page.goto(f"{demo.origin}/client/settings/security")
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Save the password").click()
    await expect(page.get_by_text("The password is saved.")).to_be_visible()
    state = await context.storage_state()
    await context.close()
    return state


async def write(page: Page, *, high: bool = False, text: str = "No ping and no SSH since noon.") -> None:
    if high:
        await page.get_by_text("High", exact=True).click()
    await page.get_by_label("Subject").fill("VPS-2 does not answer")
    await page.locator("#service").select_option(label="VPS-2 Ljubljana")
    await page.get_by_label("Server IP or order number").fill("185.203.118.7 #482913")
    await page.get_by_label("What happens").fill(text)


async def test_a_ticket_is_added_by_keyboard_and_answered_before_the_customers_eyes(
    demo: DemoProgram, aino: StorageState, new_context: NewContext, operator: Page
) -> None:
    page = await (await new_context(storage_state=aino)).new_page()
    await page.goto(f"{demo.origin}/client/tickets")
    await expect(page.get_by_role("heading", name="Needs your answer")).to_be_visible()
    for name in ("Second backup location", "Waiting for you"):
        await expect(page.get_by_text(name).first).to_be_visible()
    await page.get_by_role("link", name="Add ticket").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Normal").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_label("High")).to_be_checked()
    await page.get_by_label("What happens").fill("No ping and no SSH since noon, the shop is down.")
    await page.get_by_role("button", name="Send ticket").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#summary")).to_be_focused()
    await page.get_by_role("link", name=re.compile("For a critical incident")).focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("#482913")
    await page.locator("input[type=file]").set_input_files([payload("x.exe", files.EXE)])
    await expect(page.locator(".tray").get_by_role("alert")).to_be_visible()
    await page.get_by_label("Server IP or order number").press("Enter")
    await expect(page.get_by_text(re.compile(r"First reply by (\w+ \d+ )?\d\d:\d\d"))).to_be_visible()
    await expect(page.get_by_text("A file did not come along.")).to_be_visible()
    await expect(page.get_by_text("It helps to add here")).to_be_visible()
    number = await page.locator(".crumb .num").inner_text()

    await sign_in(operator, demo.sign_in_link())
    await operator.goto(f"{demo.origin}/desk/tickets/{number}")
    # Who asks and what they have stands there before the first reply.
    for fact in ("level 3: signed in", "Korhonen Design Oy", "VPS-2 Ljubljana", "Second backup location"):
        await expect(operator.locator("#ticket-facts").get_by_text(fact).first).to_be_visible()
    await operator.locator("#ticket-text").fill("I am at the rack now.")
    await operator.locator("#ticket-text").press("Control+Enter")
    await expect(page.locator(".post--operator").get_by_text("I am at the rack now.")).to_be_visible(timeout=5_000)
    await expect(page.get_by_text("Answered")).to_be_visible()
    await page.locator("#answer").fill("0123456789" * 110_000)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("[data-too-long]")).to_be_focused()
    await page.locator("#answer").fill("Thank you, it answers again.")
    await page.get_by_role("button", name="Send").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Your message is in the ticket.")).to_be_visible()
    await expect(operator.locator(".letter").get_by_text("Thank you, it answers again.")).to_be_visible()
    await split_off_and_merged_again(demo, page, operator, number, "Thank you, it answers again.")

    # The session ends while half a reply is written.
    await page.locator("#answer").fill("One more thing")
    await page.context.clear_cookies()
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(page.locator("#ended")).to_contain_text("You are signed out.")
    await expect(page.locator("#answer")).to_have_value("One more thing")
    await page.get_by_role("button", name="Sign in again").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Sign in with a password").click()
    await page.get_by_label("E-mail").fill("aino@korhonendesign.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#answer")).to_have_value("One more thing")
    await expect(page.get_by_text("One more thing", exact=True)).to_have_count(1)
    # Nor is it lost when the ticket is closed meanwhile: it goes into the one that follows.
    await operator.locator("#p-state").select_option("closed")
    await operator.locator("form", has=operator.locator("#p-state")).get_by_role("button", name="Set").press("Enter")
    await page.get_by_role("button", name="Add a ticket that follows it").press("Enter")
    await expect(page.get_by_text(f"Follows {number}.")).to_be_visible()
    await expect(page.get_by_label("What happens")).to_have_value("One more thing")


async def test_everything_works_without_script(demo: DemoProgram, aino: StorageState, new_context: NewContext) -> None:
    page = await (await new_context(storage_state=aino, java_script_enabled=False)).new_page()
    await page.goto(f"{demo.origin}/client/services")
    await page.get_by_role("link", name="Add ticket for VPS-2 Ljubljana").click()
    await expect(page.get_by_label("Server IP or order number")).to_have_value("#482913")
    await page.get_by_label("Began on").fill("2026-10-25")
    await page.get_by_label("At", exact=True).fill("02:30")
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Write what happens").first).to_be_visible()
    await page.get_by_label("What happens").fill("The clock of the server went wrong.")
    await page.get_by_role("button", name="Send ticket").click()
    await page.get_by_text("02:30 CET", exact=True).click()
    await page.locator("input[name=files]").set_input_files(
        [payload("clock.log", files.LOG), payload("x.exe", files.EXE)]
    )
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.locator("#files-error")).to_contain_text("x.exe: This file type is not allowed.")
    await expect(page.get_by_role("checkbox", name="clock.log")).to_be_checked()
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Your ticket is open.")).to_be_visible()
    await expect(page.get_by_role("link", name=re.compile("clock.log"))).to_have_count(1)
    await page.locator("#answer").fill("It is the second 02:30.")
    await page.locator("input[name=files]").set_input_files([payload("second.log", files.LOG)])
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("It is the second 02:30.")).to_be_visible()
    await expect(page.get_by_role("link", name=re.compile("second.log"))).to_have_count(1)
    await page.get_by_role("button", name="This is solved").click()
    await expect(page.get_by_text("A message opens the ticket again.")).to_be_visible()
    await page.locator("#answer").fill("It is back.")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".path [aria-current]")).to_contain_text("In progress")


async def split_off_and_merged_again(demo: DemoProgram, page: Page, operator: Page, number: str, text: str) -> None:
    """The operator makes a ticket of its own of a message, by keyboard, and merges it back: each window shows what is
    so, without a reload. `page`: the customer's, of the ticket `number`."""
    desk = await operator.context.new_page()
    await desk.goto(f"{demo.origin}/desk/tickets/{number}")
    await desk.locator(".letter", has_text=text).get_by_role("link", name="Split off").press("Enter")
    await expect(desk.locator("#split-subject")).to_have_value(text)
    await desk.locator("#split-subject").fill("It answers again")
    await desk.keyboard.press("Enter")
    await expect(desk.locator("#ticket-head")).to_contain_text("split off from another ticket")
    fresh = str(await desk.locator("#ticket-head").get_attribute("data-number"))
    assert fresh != number
    await expect(desk.locator(".letter").get_by_text(text)).to_have_count(1)
    await expect(desk.locator("#ticket-timeline")).to_contain_text(f"Split off from {number}")
    await expect(desk.locator(".property--clock", has_text="First reply")).to_contain_text(re.compile(r"\d:\d\d left"))
    await expect(operator.locator("#ticket-timeline")).to_contain_text(f"A message was split off as {fresh}")
    await expect(operator.locator(".letter").get_by_text(text)).to_have_count(1)
    linked = operator.locator("#ticket-facts li", has_text="split off from this one")
    await expect(linked).to_contain_text(fresh)
    await expect(page.get_by_text(text)).to_have_count(1)

    own = await page.context.new_page()
    await own.goto(f"{demo.origin}/client/tickets")
    await own.locator(f"a[href='/client/tickets/{fresh}']").focus()
    await own.keyboard.press("Enter")
    await expect(own.get_by_role("heading", name="It answers again")).to_be_visible()
    await expect(own.get_by_text(text)).to_have_count(1)
    await expect(own.get_by_text("I am at the rack now.")).to_have_count(0)
    await expect(own.get_by_text(re.compile(r"First reply by (\w+ \d+ )?\d\d:\d\d"))).to_be_visible()

    await own.locator("#answer").fill("Wait, it is")
    await desk.locator("#other-number").fill(number)
    await desk.get_by_role("button", name="Merge into it").press("Enter")
    await desk.wait_for_url(f"**/{number}")
    for window in (desk, operator):
        await expect(window.locator("#ticket-timeline")).to_contain_text(f"{fresh} was merged into this ticket")
        await expect(window.locator(".letter").get_by_text(text)).to_have_count(1)
    await expect(own.get_by_text("This ticket goes on in another one")).to_be_visible()
    await expect(own.locator("#answer")).to_have_value("Wait, it is")
    await expect(own.locator("#answer")).not_to_be_editable()
    await expect(own.locator("#reply .answer__bar")).to_have_count(0)
    await expect(own.get_by_text("What you write here reaches us at once.")).to_have_count(0)
    await own.get_by_role("link", name=number).press("Enter")
    await own.wait_for_url(f"**/client/tickets/{number}")
    await expect(own.get_by_text("I am at the rack now.")).to_be_visible()
    await expect(own.get_by_text(text)).to_have_count(1)
    # What can be said of it follows, too.
    await expect(page.get_by_role("button", name="This is solved")).to_be_visible()
    await expect(desk.locator("#canned-button")).to_be_visible()
    await desk.keyboard.press("e")
    await expect(page.get_by_text("A message opens the ticket again.")).to_be_visible()
    await expect(page.get_by_role("button", name="This is solved")).to_be_hidden()
    await own.close()
    await desk.close()


async def test_who_was_signed_out_meanwhile_comes_back_to_the_form(
    demo: DemoProgram, aino: StorageState, new_context: NewContext
) -> None:
    context = await new_context(storage_state=aino)
    page = await context.new_page()
    await page.goto(f"{demo.origin}/client/tickets/new")
    await write(page, high=True)
    await context.clear_cookies()
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Your ticket “VPS-2 does not answer” is kept.")).to_be_visible()
    await page.get_by_role("link", name="Sign in with a password").click()
    await page.get_by_label("E-mail").fill("aino@korhonendesign.example")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Nothing has been sent yet.")).to_be_visible()
    await expect(page.get_by_label("What happens")).to_have_value("No ping and no SSH since noon.")
    await expect(page.get_by_label("High")).to_be_checked()
    await expect(page.get_by_label("Server IP or order number")).to_have_value("185.203.118.7 #482913")
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Your ticket is open.")).to_be_visible()


async def test_files_are_dropped_on_the_form_and_a_clock_elsewhere_is_asked_about(
    demo: DemoProgram, aino: StorageState, new_context: NewContext, axe: Axe
) -> None:
    page = await (await new_context(storage_state=aino, timezone_id="Europe/Helsinki")).new_page()
    await page.goto(f"{demo.origin}/client/tickets/new")
    await write(page)
    tray = page.locator(".tray")
    await expect(page.get_by_role("button", name="Attach files")).to_be_visible()
    await drop(page, "form.form", ["mtr.log", "x.exe"])
    await expect(tray.get_by_role("button", name="Remove mtr.log")).to_be_visible()
    await expect(tray.get_by_role("alert")).to_contain_text("This file type is not allowed")
    await axe.check(page)
    await page.get_by_label("Began on").fill("2026-11-21")
    await page.get_by_label("At", exact=True).fill("13:50")
    await page.get_by_role("button", name="Send ticket").click()
    await expect(tray.get_by_role("status")).to_contain_text("A file was not accepted.")
    await tray.get_by_role("button", name="Remove x.exe").click()
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Which clock showed 13:50?")).to_be_visible()
    await expect(tray.get_by_role("button", name="Remove mtr.log")).to_be_visible()
    await page.get_by_text("13:50 EET", exact=True).click()
    await page.get_by_role("button", name="Send ticket").click()
    await expect(page.get_by_text("Your ticket is open.")).to_be_visible()
    await expect(page.locator(".side").get_by_text(re.compile("12:50"))).to_be_visible()
    await expect(page.get_by_role("link", name=re.compile("mtr.log"))).to_have_count(1)
    await drop(page, "form.answer", ["later.log"])
    await expect(tray.get_by_role("button", name="Remove later.log")).to_be_visible()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("link", name=re.compile("later.log"))).to_have_count(1)


async def drop(page: Page, place: str, names: list[str]) -> None:
    """Files with these names, by the mouse."""
    await page.locator(place).evaluate(
        """(place, names) => {
          const data = new DataTransfer()
          for (const name of names) data.items.add(new File(['eth0: link is down'], name))
          place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
        }""",
        names,
    )


@pytest.mark.usefixtures("colleague")
async def test_a_named_visitor_sees_the_same_tickets_in_the_widget_and_operators_see_who_it_is(
    demo: DemoProgram, aino: StorageState, new_context: NewContext, axe: Axe, operator: Page
) -> None:
    token = token_of(demo, "panel")
    page = await (await new_context(storage_state=aino)).new_page()
    await page.goto(demo.site)
    await page.wait_for_function("() => window.nightdesk?.version")
    await page.evaluate("token => nightdesk('identify', { token })", token)
    frame = await open_panel(page)
    await expect(frame.get_by_text("Second backup location")).to_be_visible()
    hidden = await frame.locator(".home .panel-body").evaluate("part => part.scrollHeight - part.clientHeight")
    assert hidden <= 1, "tickets do not press the ways to ask together"
    await start(page, "Is my backup in Frankfurt?")
    await expect(frame.get_by_role("button", name="Attach files")).to_be_visible()
    picture = payload("plan.png", files.image(size=(640, 400)))
    await frame.locator("input[type=file]").set_input_files([picture, payload("backup.log", files.LOG)])
    await expect(frame.get_by_role("button", name="Remove plan.png")).to_be_visible()
    await expect(frame.get_by_role("button", name="Remove backup.log")).to_be_visible()
    await frame.get_by_role("button", name="Send", exact=True).click()
    await expect(frame.get_by_role("log").get_by_role("img", name="plan.png")).to_be_visible()
    await frame.get_by_role("button", name="Back").first.click()
    async with page.context.expect_page() as opened:
        await frame.get_by_text("Second backup location").click()
    ticket = await opened.value
    await expect(ticket.get_by_role("heading", name="Second backup location")).to_be_visible()
    await ticket.goto(f"{demo.origin}/client/conversations")
    await ticket.locator(".ticket-line").first.click()
    await expect(ticket.get_by_text("Is my backup in Frankfurt?")).to_be_visible()
    await expect(ticket.get_by_role("img", name="plan.png")).to_have_js_property("naturalWidth", 480)
    await expect(ticket.get_by_role("link", name=re.compile("backup.log"))).to_have_count(1)
    await axe.check(ticket)
    # Beside the conversation stands who it is, as beside the ticket, and each leads to the other.
    await sign_in(operator, demo.sign_in_link())
    await operator.goto(f"{demo.origin}/desk/tickets/T-26-004159")
    await operator.locator("#ticket-facts a[href^='/console/conversations/']").first.press("Enter")
    await expect(operator.locator(".messages").get_by_text("Is my backup in Frankfurt?")).to_be_visible()
    for fact in ("level 3", "Korhonen Design Oy", "VPS-2 Ljubljana", "Second backup location"):
        await expect(operator.locator(".context").get_by_text(fact).first).to_be_visible()
    await ticket.emulate_media(color_scheme="dark", reduced_motion="reduce")
    await ticket.set_viewport_size({"width": 360, "height": 800})
    await ticket.locator(".foot button[value=sl]").click()
    await expect(ticket.locator("html")).to_have_attribute("lang", "sl")
    await look_at(ticket, axe)
    await ticket.locator(".foot button[value=en]").click()
    await page.reload()
    await expect_open(page)
    await page.evaluate("token => nightdesk('identify', { token })", token)
    await panel(page).get_by_role("button", name="Back").first.click()
    await expect(panel(page).get_by_text("Second backup location")).to_be_visible()
    demo.run("customer", "add", "--account", "A-20418", "--ref", "demo-bor", "--name", "Bor Novak", "--json")
    await page.evaluate("token => nightdesk('identify', { token })", token_of(demo, "panel", "demo-bor"))
    await expect(panel(page).get_by_text("Second backup location")).to_have_count(0)
    await expect(panel(page).get_by_role("heading", name="Your tickets")).to_be_visible()
    kept = (
        await panel(page).locator("html").evaluate("() => Object.keys(localStorage).filter((key) => /token/.test(key))")
    )
    assert kept == []
    await page.evaluate("nightdesk('logout')")
    await expect(panel(page).get_by_role("heading", name="Your tickets")).to_have_count(0)
    talk, plan = ticket.url, await ticket.locator("a[href*='/files/']").first.get_attribute("href")
    assert plan is not None
    await mallory_of_another_account_learns_nothing(demo, await (await new_context()).new_page(), talk, plan)


async def mallory_of_another_account_learns_nothing(demo: DemoProgram, page: Page, talk: str, file: str) -> None:
    """What is Aino's is for Mallory as what does not exist; an order number of hers names no service."""
    demo.run("account", "add", "--number", "A-666", "--name", "Mallory Ltd", "--json")
    demo.run("customer", "add", "--account", "A-666", "--ref", "mallory", "--name", "Mallory", "--json")
    await page.goto(f"{demo.origin}/client/enter?token={token_of(demo, 'enter', 'mallory')}")
    await page.get_by_role("button", name="Go on as Mallory").click()
    for theirs, nobodys in (
        (f"{demo.origin}/client/tickets/T-26-004159", f"{demo.origin}/client/tickets/T-26-999999"),
        (talk, f"{talk.rpartition('/')[0]}/{uuid4()}"),
        (urljoin(demo.origin, file), re.sub(r"/files/[^/]+", f"/files/{uuid4()}", urljoin(demo.origin, file))),
    ):
        found, unknown = [await page.request.get(address) for address in (theirs, nobodys)]
        # The page leads back to the address that was asked for.
        texts = [(await one.text()).replace(urlsplit(one.url).path, "") for one in (found, unknown)]
        assert (found.status, texts[0]) == (404, texts[1]), theirs
    await page.goto(f"{demo.origin}/client/tickets?q=backup")
    await expect(page.get_by_text("Second backup location")).to_have_count(0)
    said = []
    for order in ("#482913", "#482914"):
        await page.goto(f"{demo.origin}/client/tickets/new")
        await page.get_by_label("Subject").fill("Mine")
        await page.get_by_label("Server IP or order number").fill(order)
        await page.get_by_label("What happens").fill("It is mine, I say.")
        await page.get_by_role("button", name="Send ticket").click()
        await expect(page.get_by_text("Your ticket is open.")).to_be_visible()
        said.append((await page.locator("main dl").all_inner_texts())[0].replace(order, ""))
    assert said[0] == said[1]


def token_of(demo: DemoProgram, use: str, customer: str = "demo-aino") -> str:
    """As the company's own site signs it."""
    secret = demo.run("site", "secret", "polaris", "--json")["secret"]
    claims = {"use": use, "aud": "polaris", "sub": customer, "exp": int(time.time()) + 300, "jti": uuid4().hex}
    return signed(secret, claims)


async def look_at(page: Page, axe: Axe) -> None:
    """As axe does, and nothing stands out at the side."""
    await axe.check(page)
    assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, page.url


@pytest.mark.parametrize(
    ("scheme", "locale", "width"), [("light", "en", 1280), ("dark", "sl", 360)], ids=["desk-light-en", "phone-dark-sl"]
)
async def test_pages_on_the_way_in_and_words_of_success_and_refusal(
    demo: DemoProgram, aino: StorageState, new_context: NewContext, axe: Axe, scheme: str, locale: str, width: int
) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": width, "height": 900}}
    page = await (await new_context(locale="sl-SI" if locale == "sl" else "en-GB", **look)).new_page()
    await page.goto(f"{demo.origin}/contact")
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    await look_at(page, axe)
    await page.goto(f"{demo.origin}/client/enter?token={token_of(demo, 'enter')}")
    await expect(page.get_by_text("Aino Korhonen").first).to_be_visible()
    await look_at(page, axe)
    written = {"subject": "VPS-2 does not answer since the move of last night " * 2, "text": "No ping"}
    await page.evaluate(
        "form => fetch('/client/tickets/new', { method: 'POST', body: new URLSearchParams(form) })", written
    )
    await page.goto(f"{demo.origin}/client/sign-in?by=password&next=/client/tickets/new")
    await expect(page.locator(".door__kept")).to_be_visible()
    await page.locator("#email").fill("nobody@acme.example")
    await page.locator("#password").fill("not the right words")
    await page.locator("form.sheet .button--primary").click()
    await expect(page.locator("#refused")).to_be_visible()
    await look_at(page, axe)

    page = await (await new_context(storage_state=aino, **look)).new_page()
    await page.goto(f"{demo.origin}/client/settings")
    if await page.locator("html").get_attribute("lang") != locale:
        await page.locator(f".foot button[value={locale}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    for path in ("/client/settings?saved=1", "/client/settings/delivery", "/client/settings/security?saved=1"):
        await page.goto(f"{demo.origin}{path}")
        await look_at(page, axe)
    await page.locator("form.form").evaluate("form => { form.noValidate = true }")
    await page.locator("#password").fill("short")
    await page.locator("form.form button").click()
    await expect(page.locator("#password-error")).to_be_visible()
    await look_at(page, axe)
    await page.goto(f"{demo.origin}/client/tickets")
    await page.goto(f"{demo.origin}{await page.locator('.ticket-line').first.get_attribute('href')}?opened=1&missing=1")
    await look_at(page, axe)
    await page.emulate_media(media="print")
    for gone in (".top nav", "form.answer", ".foot", ".said"):
        await expect(page.locator(gone).first).to_be_hidden()
    for left in (".post", ".crumb .num"):
        await expect(page.locator(left).first).to_be_visible()
    await page.emulate_media(media="screen")
    if locale == "sl":  # as it was, for the others
        await page.locator(".foot button[value=en]").click()


@pytest.mark.parametrize(
    ("scheme", "locale", "width"), [("light", "en", 1280), ("dark", "sl", 320)], ids=["desk-light-en", "phone-dark-sl"]
)
async def test_axe_finds_nothing(
    demo: DemoProgram, aino: StorageState, new_context: NewContext, axe: Axe, scheme: str, locale: str, width: int
) -> None:
    look = {"color_scheme": scheme, "reduced_motion": "reduce", "viewport": {"width": width, "height": 900}}
    stranger = await (await new_context(locale="sl-SI" if locale == "sl" else "en-GB", **look)).new_page()
    for path in ("/client/sign-in", "/client/sign-in?by=password", "/client/sign-in/invented", "/client/enter?token=x"):
        await stranger.goto(f"{demo.origin}{path}")
        await expect(stranger.locator("html")).to_have_attribute("lang", locale)
        await axe.check(stranger)
    await stranger.goto(f"{demo.origin}/client/sign-in")
    await stranger.locator("#email").fill("nobody@acme.example")
    await stranger.locator("form.sheet button").first.click()
    await expect(stranger.locator(".envelope")).to_be_visible()
    await axe.check(stranger)

    page = await (await new_context(storage_state=aino, **look)).new_page()
    await page.goto(f"{demo.origin}/client/settings")
    if await page.locator("html").get_attribute("lang") != locale:
        await page.locator(f".foot button[value={locale}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
    for path in PAGES:
        await page.goto(f"{demo.origin}{path}")
        await axe.check(page)
        wide = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    await page.locator(".top__me summary").click()
    await axe.check(page)
    await page.goto(f"{demo.origin}/client/tickets/new")
    await page.locator("#day").fill("2026-10-25")
    await page.locator("#clock").fill("02:30")
    await page.locator("form.form .send button").click()
    await expect(page.locator("#summary")).to_be_visible()
    await axe.check(page)
    await page.goto(f"{demo.origin}/client/tickets")
    await page.locator(".ticket-line").first.click()
    await expect(page.locator("#standing")).to_be_visible()
    await axe.check(page)
    await page.goto(f"{demo.origin}/client/settings")
    if locale == "sl":  # as it was, for the others
        await page.locator(".foot button[value=en]").click()
