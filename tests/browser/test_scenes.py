"""The main job, in two real browsers against the real server: a visitor and an operator talk, and the talk becomes a
ticket. One test per scene of what people must be able to do."""

import re

from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.scenes import answer, attend, log, offer, take, texts_in, thread, visit
from tests.browser.visiting import bubble, expect_open, expect_sent, open_panel, panel, say
from tests.support.demo import DemoProgram

HELLO = "Hi, our shop is down. Since 14:20, order #482913, address 185.203.118.7"


async def test_scene_1_a_visitor_opens_the_bubble_by_keyboard_and_sees_each_state_of_a_message(
    own_demo: DemoProgram, visitor: Page, operator: Page
) -> None:
    await attend(operator, own_demo.console)
    await visitor.goto(own_demo.site)
    await bubble(visitor).focus()
    await visitor.keyboard.press("Enter")
    frame = panel(visitor)
    await expect(frame.get_by_role("button", name="Ask a quick question")).to_be_visible()
    await expect(frame.get_by_role("button", name="Open a ticket").first).to_be_visible()
    # Measured, not promised: the demo's earlier conversations.
    await expect(frame.locator(".home-people")).to_contain_text(re.compile(r"First reply in \d+ s"))
    await frame.get_by_role("button", name="Ask a quick question").click()
    box = frame.get_by_role("textbox", name="Message")
    await box.fill(HELLO)
    await frame.get_by_role("button", name="Start the conversation").click()
    await expect_sent(visitor, HELLO)
    await expect(log(visitor).get_by_text(re.compile(r"^Sent "))).to_be_visible()
    await take(operator, HELLO)
    await expect(log(visitor).get_by_text(re.compile(r"^Seen "))).to_be_visible()
    await visitor.keyboard.press("Escape")
    await expect(bubble(visitor)).to_be_focused()
    await expect(bubble(visitor)).to_have_attribute("aria-expanded", "false")


async def test_scene_2_an_operator_is_alerted_answers_notes_uses_a_canned_response_and_ends(
    own_demo: DemoProgram, visitor: Page, operator: Page, new_context: NewContext
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, HELLO)
    await expect(offer(operator)).to_be_visible(timeout=10_000)
    await expect(operator).to_have_title(re.compile(r"^\(1\)"))
    await take(operator, HELLO)
    await expect(operator.locator(".context").first).to_contain_text("Chrome")

    await operator.locator("#composer-text").press_sequentially("Hello")
    await expect(panel(visitor).get_by_role("status").filter(has_text=re.compile("Ana.* is typing"))).to_be_attached()
    await answer(operator, "Hello, I am looking at it now.")
    await expect(log(visitor).get_by_text("Hello, I am looking at it now.")).to_be_visible()
    await panel(visitor).get_by_role("textbox", name="Message").press_sequentially("Th")
    await expect(operator.locator("#typing")).to_contain_text("typing")

    await operator.locator("#mode-note").click()
    await operator.locator("#composer-text").fill("same switch as yesterday")
    await operator.locator("#composer-text").press("Enter")
    await expect(thread(operator).locator(".note").get_by_text("same switch as yesterday")).to_be_visible()

    await operator.locator("#mode-reply").click()
    box = operator.locator("#composer-text")
    await box.press_sequentially("/netw")
    await expect(operator.locator("#canned")).to_be_visible()
    await box.press("Tab")
    await expect(box).to_have_value(re.compile("mtr -rwc 50"))
    await box.press("Enter")
    await expect(log(visitor).get_by_text(re.compile("mtr -rwc 50"))).to_be_visible()
    assert "same switch" not in await panel(visitor).locator("body").inner_text()

    # Several conversations at once, each with its own draft.
    await box.fill("a draft for the first")
    second = await (await new_context()).new_page()
    await visit(second, own_demo, "Do you have NVMe storage?")
    await operator.keyboard.press("Escape")
    await take(operator, "Do you have NVMe storage?")
    await expect(box).to_have_value("")
    await box.fill("a draft for the second")
    await operator.locator(".list").get_by_text("a draft for the first").click()
    await expect(box).to_have_value("a draft for the first")

    await box.fill("")
    await operator.get_by_role("button", name="End").first.click()
    await operator.get_by_role("dialog").get_by_role("button", name="End Enter").click()
    await panel(visitor).get_by_role("button", name="Rate the conversation").click()
    await expect(panel(visitor).get_by_text(re.compile("How was the conversation"))).to_be_visible()


async def test_scene_2_a_conversation_is_transferred_with_a_note(
    own_demo: DemoProgram, visitor: Page, operator: Page, new_context: NewContext
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, HELLO)
    await take(operator, HELLO)
    colleague = await (await new_context()).new_page()
    await attend(colleague, own_demo.sign_in_link("Luka"))
    await operator.keyboard.press("Escape")
    await operator.keyboard.press("t")
    dialog = operator.get_by_role("dialog")
    await dialog.get_by_text("Luka", exact=True).click()
    await dialog.get_by_label("Note for colleagues").fill("VAT question, please")
    await dialog.get_by_role("button", name="Transfer").click()
    await expect(offer(colleague)).to_be_visible()
    await take(colleague, HELLO)
    await expect(thread(colleague).locator(".note").get_by_text("VAT question, please")).to_be_visible()
    await answer(colleague, "Luka here.")
    await expect(log(visitor).get_by_text("Luka here.")).to_be_visible()
    assert "VAT question" not in await panel(visitor).locator("body").inner_text()


async def test_scene_3_pairing_gives_place_and_passes_a_missed_offer_on(
    visitor: Page, operator: Page, new_context: NewContext
) -> None:
    demo = DemoProgram(NIGHTDESK_OFFER_SECONDS="4")
    try:
        demo.start()
        await attend(operator, demo.sign_in_link("Ana", capacity="1"))
        await visit(visitor, demo, "first in line")
        await expect(panel(visitor).get_by_text("Your place in line")).to_be_visible()
        await take(operator, "first in line")
        second = await (await new_context()).new_page()
        await visit(second, demo, "second in line")
        third = await (await new_context()).new_page()
        await visit(third, demo, "third in line")
        await expect(panel(third).locator(".queue-place dd").first).to_have_text(re.compile("2"))
        colleague = await (await new_context()).new_page()
        await attend(colleague, demo.sign_in_link("Luka", capacity="1"))
        await expect(offer(colleague)).to_contain_text("second in line")
        backup = await (await new_context()).new_page()
        await attend(backup, demo.sign_in_link("Nika", capacity="5"))
        # Luka does not react: the offer is lost to the next, without anybody's action.
        await expect(offer(backup).filter(has_text="second in line")).to_be_visible(timeout=15_000)
        await operator.context.close()
    finally:
        demo.remove()


async def test_scene_3_with_nobody_on_duty_a_message_becomes_a_ticket_and_nothing_says_closed(
    own_demo: DemoProgram, visitor: Page
) -> None:
    await visitor.goto(own_demo.site)
    await open_panel(visitor)
    frame = panel(visitor)
    await frame.get_by_role("button", name="Ask a quick question").click()
    await frame.get_by_role("textbox", name="Message").fill("Invoice 2026-1187 shows the wrong VAT")
    assert "closed" not in (await frame.locator("body").inner_text()).lower()
    email = frame.get_by_role("textbox", name=re.compile("E-mail"))
    send = frame.get_by_role("button", name=re.compile("Send as a ticket|Start the conversation"))
    await email.fill("maja@novak")
    await send.click()
    if await frame.get_by_role("button", name="Send as a ticket").count() == 0:
        await frame.get_by_role("button", name="Leave a message instead").click()
    await expect(frame.get_by_role("textbox", name="Message").first).to_have_value(re.compile("wrong VAT"))
    await email.fill("maja@novak-atelje.si")
    await frame.get_by_role("button", name="Send as a ticket").click()
    await expect(log(visitor).get_by_text(re.compile(r"T-\d\d-000001"))).to_be_visible()


async def test_scene_4_one_key_makes_a_ticket_that_both_sides_see_and_the_visitor_replies_at_it(
    own_demo: DemoProgram, visitor: Page, operator: Page, new_context: NewContext
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, HELLO)
    await take(operator, HELLO)
    await operator.keyboard.press("Escape")
    await operator.keyboard.press("c")
    dialog = operator.get_by_role("dialog")
    await expect(dialog.get_by_label("Subject")).to_have_value(re.compile("shop is down"))
    await expect(dialog.get_by_text("#482913")).to_be_visible()
    await expect(dialog.get_by_text("185.203.118.7")).to_be_visible()
    await expect(dialog.get_by_label("Began")).to_have_value(re.compile("14:20 CET"))
    await operator.keyboard.press("Enter")
    # Words of hurry by somebody unknown: the verified way is shown to both, and what is high Omar decides.
    await expect(log(visitor).get_by_role("link", name="Open a verified ticket")).to_be_visible()
    await expect(thread(operator).get_by_text("Shown to the visitor: Is something down right now?")).to_be_visible()
    await expect(operator.get_by_text("Sounds urgent")).to_be_visible()
    card = thread(operator).locator(".ticket-card")
    await expect(card).to_contain_text("T-26-000001" if "T-26" in await card.inner_text() else "-000001")
    await expect(log(visitor).get_by_text(re.compile("-000001"))).to_be_visible()
    await expect(log(visitor).get_by_text(re.compile("First reply by"))).to_be_visible()

    # A second wish finds the first ticket.
    await operator.keyboard.press("Escape")
    await operator.keyboard.press("c")
    await expect(dialog.get_by_text("This conversation has a ticket")).to_be_visible()
    await operator.keyboard.press("Escape")

    desk = await operator.context.new_page()
    await desk.goto(f"{own_demo.origin}/desk/tickets")
    await desk.get_by_text("-000001").first.click()
    await expect(desk.locator("#ticket-timeline")).to_contain_text("order #482913")
    await expect(desk.locator("running-clock").first).to_be_visible()

    async with visitor.context.expect_page() as opened:
        await panel(visitor).get_by_role("link", name="View ticket").click()
    page = await opened.value
    await expect(page.get_by_text(re.compile("-000001")).first).to_be_visible()
    await page.get_by_role("textbox").fill("We lose orders right now")
    await page.get_by_role("button", name=re.compile("Send")).click()
    await expect(page.get_by_text("We lose orders right now")).to_be_visible()
    await expect(desk.locator("#ticket-timeline").get_by_text("We lose orders right now")).to_be_visible()
    await expect(thread(operator).get_by_text("We lose orders right now")).to_be_visible()

    await answer(operator, "The switch was replaced.")
    await expect(desk.locator("#ticket-timeline").get_by_text("The switch was replaced.")).to_be_visible()
    stranger = await (await new_context()).new_page()
    answered = await stranger.goto(page.url.partition("?")[0][:-3] + "AAA")
    assert answered is not None
    assert answered.status in (404, 410)


async def test_scene_5_kill_9_in_mid_conversation_loses_doubles_and_reorders_nothing(
    own_demo: DemoProgram, visitor: Page, operator: Page
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, "message 0")
    await take(operator, "message 0")
    await say(visitor, "message 1")
    own_demo.kill()
    box = panel(visitor).get_by_role("textbox", name="Message")
    for n in (2, 3):
        await box.fill(f"message {n}")
        await box.press("Enter")
    await expect(panel(visitor).get_by_text(re.compile("your messages will be sent"))).to_be_visible(timeout=15_000)
    # A reload with unsent messages, while the server is away: the page itself stays where it was.
    own_demo.start()
    await visitor.reload()
    await expect_open(visitor)
    for n in range(4):
        await expect(thread(operator).get_by_text(f"message {n}", exact=True)).to_be_visible(timeout=45_000)
    await answer(operator, "All here.")
    await expect(log(visitor).get_by_text("All here.")).to_be_visible(timeout=20_000)
    expected = [f"message {n}" for n in range(4)]
    assert await texts_in(thread(operator), ".message--visitor .message__bubble") == expected
    shown = [text for text in await texts_in(log(visitor), ".message") if text.startswith("message ")]
    assert shown == expected


async def test_scene_5_an_unsent_message_survives_a_reload_and_two_tabs_show_one_conversation(
    own_demo: DemoProgram, visitor: Page, operator: Page
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, "message 0")
    await take(operator, "message 0")
    tab = await visitor.context.new_page()
    await tab.goto(own_demo.site)
    await expect_open(tab)
    await _to_conversation(tab)
    await say(visitor, "message 1")
    await expect(log(tab).get_by_text("message 1", exact=True)).to_be_visible()
    await _offline(visitor.context, True)
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill("message 2")
    await box.press("Enter")
    await expect(log(visitor).get_by_text("message 2", exact=True)).to_be_visible()
    await _offline(visitor.context, False)
    await visitor.reload()
    await expect(thread(operator).get_by_text("message 2", exact=True)).to_be_visible(timeout=30_000)
    await _to_conversation(visitor)
    await expect(log(tab).get_by_text("message 2", exact=True)).to_be_visible(timeout=30_000)
    expected = ["message 0", "message 1", "message 2"]
    assert await texts_in(thread(operator), ".message--visitor .message__bubble") == expected
    for page in (visitor, tab):
        assert [text for text in await texts_in(log(page), ".message") if text.startswith("message ")] == expected


async def _to_conversation(page: Page) -> None:
    await expect_open(page)
    going_on = panel(page).get_by_role("button", name=re.compile("Continue the conversation"))
    await expect(going_on.or_(log(page))).to_be_visible()
    if await going_on.is_visible():
        await going_on.click()
    await expect(log(page)).to_be_visible()


async def _offline(context: BrowserContext, away: bool) -> None:
    await context.set_offline(away)
