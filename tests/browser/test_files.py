"""Ann and Omar send each other files, in the pages themselves."""

import re

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext
from tests.browser.scenes import attend, drop_and_paste, log, payload, take, thread, visit
from tests.browser.visiting import open_panel, panel
from tests.support import files
from tests.support.demo import DemoProgram


async def choose(page: Page, *chosen: FilePayload) -> None:
    frame = panel(page)
    await expect(frame.get_by_role("button", name="Attach files")).to_be_visible()
    await frame.locator("input[type=file]").set_input_files(list(chosen))


async def test_ann_sends_a_picture_and_a_log_and_omar_sees_both(
    own_demo: DemoProgram, visitor: Page, operator: Page, axe: Axe
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, "The shop shows an error")
    await take(operator, "The shop shows an error")
    await choose(visitor, payload("screen.png", files.image(size=(640, 400))), payload("php.log", files.LOG))
    tray = panel(visitor).locator(".tray")
    await expect(tray.get_by_role("listitem")).to_have_count(2)
    await expect(tray.get_by_role("button", name="Remove screen.png")).to_be_visible()
    await expect(tray.get_by_role("button", name="Remove php.log")).to_be_visible()
    await axe.check(visitor)
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill("This is what I see")
    await box.press("Enter")
    await expect(tray).to_be_hidden()
    await expect(log(visitor).get_by_role("img", name="screen.png")).to_have_js_property("naturalWidth", 480)
    await expect(thread(operator).get_by_role("img", name="screen.png")).to_have_js_property("naturalWidth", 480)
    async with operator.expect_download() as saving:
        await thread(operator).get_by_role("link", name=re.compile("php.log")).click()
    assert (await (await saving.value).path()).read_bytes() == files.LOG
    async with visitor.expect_download() as saving:
        await log(visitor).get_by_role("link", name=re.compile("php.log")).click()
    assert (await saving.value).suggested_filename == "php.log"
    await axe.check(visitor)
    await axe.check(operator)
    # After a reload they stand there still.
    await visitor.reload()
    await expect(log(visitor).get_by_role("img", name="screen.png")).to_have_js_property("naturalWidth", 480)


@pytest.mark.usefixtures("colleague")
async def test_a_refused_file_says_why_and_the_text_goes_without_it(demo: DemoProgram, visitor: Page, axe: Axe) -> None:
    await visit(visitor, demo, "Look at this")
    await choose(visitor, payload("invoice.exe", files.EXE), payload("logo.png", files.SVG))
    tray = panel(visitor).locator(".tray")
    await expect(tray.get_by_role("alert")).to_have_count(2)
    await expect(tray.get_by_role("alert").first).to_contain_text("This file type is not allowed")
    await axe.check(visitor)
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill("Without it")
    await box.press("Enter")
    await expect(tray.get_by_role("status")).to_contain_text("A file was not accepted")
    for name in ("invoice.exe", "logo.png"):
        await tray.get_by_role("button", name=f"Remove {name}").click()
    await box.press("Enter")
    await expect(log(visitor).get_by_text("Without it", exact=True)).to_be_visible()


@pytest.mark.usefixtures("colleague")
async def test_a_message_waits_for_its_file_over_a_broken_line_and_goes_once(demo: DemoProgram, visitor: Page) -> None:
    await visit(visitor, demo, "A long trace follows")
    await expect(panel(visitor).get_by_role("button", name="Attach files")).to_be_visible()
    await visitor.context.set_offline(True)
    await choose(visitor, payload("trace.log", files.LOG * 3000))
    tray = panel(visitor).locator(".tray")
    await expect(tray.get_by_text("Waiting for the connection")).to_be_visible()
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill("Here it is")
    await box.press("Enter")
    await expect(tray.get_by_role("status")).to_contain_text("Sends as soon as the files are there.")
    await visitor.context.set_offline(False)
    await expect(log(visitor).locator(".message").filter(has_text="Here it is")).to_have_count(1)
    await expect(log(visitor).get_by_role("link", name=re.compile("trace.log"))).to_have_count(1)
    await expect(log(visitor).locator("[data-state=sending]")).to_have_count(0)


@pytest.mark.usefixtures("colleague")
async def test_a_dropped_and_a_pasted_file_are_taken(demo: DemoProgram, visitor: Page) -> None:
    await visit(visitor, demo, "By mouse and by keyboard")
    await expect(panel(visitor).get_by_role("button", name="Attach files")).to_be_visible()
    await drop_and_paste(panel(visitor).locator("body"))
    tray = panel(visitor).locator(".tray")
    await expect(tray.get_by_role("button", name="Remove dropped.txt")).to_be_visible()
    await expect(tray.get_by_role("button", name="Remove pasted.txt")).to_be_visible()
    await panel(visitor).get_by_role("button", name="Send", exact=True).click()
    await expect(log(visitor).get_by_role("link", name=re.compile("dropped.txt"))).to_be_visible()
    await expect(log(visitor).get_by_role("link", name=re.compile("pasted.txt"))).to_be_visible()


async def test_omar_sends_a_file_alone_and_a_note_takes_none(
    own_demo: DemoProgram, visitor: Page, operator: Page, axe: Axe
) -> None:
    await attend(operator, own_demo.console)
    await visit(visitor, own_demo, "Please send the guide")
    await take(operator, "Please send the guide")
    chosen = [payload("guide.pdf", files.PDF), payload("tool.exe", files.EXE)]
    await operator.locator("#composer input[type=file]").set_input_files(chosen)
    tray = operator.locator("#composer-files")
    await expect(tray.get_by_role("button", name="Remove guide.pdf")).to_be_visible()
    await expect(tray.get_by_role("alert")).to_contain_text("This file type is not allowed")
    await axe.check(operator)
    await operator.locator("#composer-text").press("Enter")
    await expect(tray.get_by_role("status")).to_contain_text("A file was not accepted")
    await tray.get_by_role("button", name="Remove tool.exe").click()
    await operator.locator("#mode-note").click()
    await expect(tray).to_be_hidden()
    await operator.locator("#mode-reply").click()
    await operator.locator("#composer-text").press("Enter")
    await expect(tray.get_by_role("listitem")).to_have_count(0)
    await expect(thread(operator).get_by_role("link", name=re.compile("guide.pdf"))).to_have_count(1)
    async with visitor.expect_download() as saving:
        await log(visitor).get_by_role("link", name=re.compile("guide.pdf")).click()
    assert (await (await saving.value).path()).read_bytes() == files.PDF


async def test_a_ticket_takes_a_file_by_the_panel_by_its_page_and_without_script(
    own_demo: DemoProgram, visitor: Page, new_context: NewContext, axe: Axe
) -> None:
    await visitor.goto(own_demo.site)
    frame = await open_panel(visitor)
    await frame.get_by_role("button", name="Open a ticket").first.click()
    await frame.get_by_role("textbox", name="E-mail").fill("ann@acme.example")
    await frame.get_by_role("textbox", name="Message").fill("The shop is down")
    await choose(visitor, payload("error.png", files.image(size=(640, 400))))
    await expect(frame.get_by_role("button", name="Remove error.png")).to_be_visible()
    await axe.check(visitor, of="/w/")
    await frame.get_by_role("button", name="Send as a ticket").click()
    link = frame.locator("nd-ticket-card").filter(has_text="T-").get_by_role("link")
    await expect(link).to_be_visible()
    address = str(await link.get_attribute("href"))

    await visitor.goto(address)
    await expect(visitor.get_by_role("img", name="error.png")).to_have_js_property("naturalWidth", 480)
    field = visitor.locator("[data-file-field]")
    await field.locator("input[type=file]").set_input_files([payload("trace.log", files.LOG)])
    await expect(field.get_by_role("button", name="Remove trace.log")).to_be_visible()
    await axe.check(visitor)
    await visitor.get_by_role("textbox", name="Reply").fill("A trace")
    await visitor.get_by_role("button", name="Send").click()
    await expect(visitor.get_by_role("link", name=re.compile("trace.log"))).to_have_count(1)

    plain = await (await new_context(java_script_enabled=False)).new_page()
    await plain.goto(address)
    await plain.locator("input[name=files]").set_input_files([payload("second.log", files.LOG)])
    await plain.get_by_role("button", name="Send").click()
    await expect(plain.get_by_role("link", name=re.compile("second.log"))).to_have_count(1)

    # The typed address is asked by mail; its link leads to the ticket, once.
    await plain.goto(f"{own_demo.origin}/mailbox")
    while not await plain.locator(".mailbox__list a", has_text="Please confirm").count():
        await plain.reload()
    await plain.locator(".mailbox__list a", has_text="Please confirm").first.click()
    proof = str(await plain.get_by_role("link", name="Confirm the address").get_attribute("href"))
    phone = {"width": 360, "height": 800}
    slovenian = await (await new_context(locale="sl-SI", color_scheme="dark", viewport=phone)).new_page()
    for page, tail in ((visitor, ""), (slovenian, "?lang=sl")):
        await page.goto(f"{proof}{tail}")
        await axe.check(page)
    await visitor.get_by_role("button", name="Confirm and open the ticket").click()
    await expect(visitor.get_by_role("heading", name="The shop is down")).to_be_visible()
    for page, tail in ((visitor, ""), (slovenian, "?lang=sl")):
        await page.goto(f"{proof}{tail}")
        await axe.check(page)
