"""Runs the demo, plays an evening at the desk in Chromium, and takes the pictures of the README."""

import asyncio
import re
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM, sign_in
from tests.browser.scenes import answer, attend, log, take, thread, visit
from tests.browser.visiting import panel, say
from tests.support.demo import DemoProgram
from tests.support.needs import browser_path

FOLDER = Path(__file__).parent
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
OTHERS = (
    ("Our mail bounces since this morning, 550 5.7.1 on every address", "Jan de Vries"),
    ("Do you have NVMe storage in Ljubljana?", "Giulia Rossi"),
)


async def main() -> None:
    program = DemoProgram()
    try:
        program.start()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=browser_path(), args=CHROMIUM)
            await _play(browser, program)
            await browser.close()
    finally:
        program.remove()


async def _page(browser: Browser, size: dict[str, int]) -> Page:
    context = await browser.new_context(
        locale="en-GB",
        timezone_id="Europe/Ljubljana",
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=1.0,
    )
    return await context.new_page()


async def _play(browser: Browser, program: DemoProgram) -> None:
    console, visitor, phone = await _page(browser, DESKTOP), await _page(browser, DESKTOP), await _page(browser, PHONE)
    await attend(console, program.console)
    for text, name in OTHERS:
        await visit(await _page(browser, DESKTOP), program, text, name)
        await take(console, text)
        await console.keyboard.press("Escape")
    await visit(phone, program, "Na računu je napačen DDV, lahko preverite?", "Maja Novak")
    await take(console, "napačen DDV")
    await answer(console, "Takoj preverim. Vaš studio ima od oktobra nižjo stopnjo.")
    await say(phone, "Hvala, to bo to.")
    await expect(thread(console).get_by_text("Hvala, to bo to.")).to_be_visible()
    await phone.screenshot(path=FOLDER / "phone.png")
    await console.keyboard.press("Escape")

    await visit(visitor, program, "Hi, our shop is down. VPS-2 in Ljubljana does not answer, no ping.", "Aino Korhonen")
    await take(console, "our shop is down")
    await say(visitor, "Since 14:20, order #482913, address 185.203.118.7")
    await answer(console, "Hello Aino, I am looking at it now.")
    await answer(console, "Your server runs. The network port in front of it goes up and down.")
    await console.locator("#mode-note").click()
    await console.locator("#composer-text").fill("Same switch as last week, rack B07. Tomaž is on the phone.")
    await console.locator("#composer-text").press("Enter")
    await console.locator("#mode-reply").click()
    await say(visitor, "Thank you. Is there anything we can do on our side?")
    await console.keyboard.press("Escape")
    await console.keyboard.press("c")
    dialog = console.get_by_role("dialog")
    await dialog.get_by_text("High").click()
    await console.screenshot(path=FOLDER / "escalation.png")
    await dialog.get_by_role("button", name=re.compile("Open ticket")).click()
    await expect(thread(console).locator(".ticket-card")).to_be_visible()
    await expect(log(visitor).get_by_text(re.compile("First reply by"))).to_be_visible()
    await console.locator("#composer-text").fill("Not on your side, no. I write again within ten minutes.")
    await console.screenshot(path=FOLDER / "console.png")
    await visitor.screenshot(path=FOLDER / "widget.png")
    await console.emulate_media(color_scheme="dark")
    await asyncio.sleep(0.5)  # colours change over 120 ms
    await console.screenshot(path=FOLDER / "console-dark.png")

    async with visitor.context.expect_page() as opened:
        await panel(visitor).get_by_role("link", name="View ticket").click()
    ticket = await opened.value
    await ticket.set_viewport_size({"width": 1000, "height": 900})
    await expect(ticket.get_by_role("textbox")).to_be_visible()
    await ticket.screenshot(path=FOLDER / "ticket.png")
    desk = await console.context.new_page()
    await desk.set_viewport_size({"width": 1440, "height": 900})
    await desk.goto(f"{program.origin}/desk/tickets")
    await desk.get_by_text("-000001").first.click()
    await expect(desk.locator("running-clock").first).to_be_visible()
    await desk.screenshot(path=FOLDER / "desk.png")

    area = await _page(browser, {"width": 1280, "height": 800})
    await sign_in(area, program.client)
    await expect(area.get_by_role("heading", name="Needs your answer")).to_be_visible()
    await area.screenshot(path=FOLDER / "client-area.png")
    await area.goto(f"{program.origin}/contact")
    await expect(area.get_by_role("heading", level=1)).to_be_visible()
    await area.screenshot(path=FOLDER / "contact.png")


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.write("\n".join(sorted(file.name for file in FOLDER.glob("*.png"))) + "\n")
