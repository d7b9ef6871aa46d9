"""Mail as people meet it: Rita signs in by a mailed link and sets an address, a supervisor sees what waits."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import Axe
from tests.browser.conftest import NewContext
from tests.support.demo import DemoProgram

LOCALES = {"en": "en-GB", "sl": "sl-SI"}
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "ask": "Mail me the link",
        "sign_in": "Sign in",
        "go_on": "Go on as Rita Korhonen",
        "link": "Your sign-in link",
        "settings": "E-mail delivery",
        "add": "Add address: Billing",
        "field": "Address for Billing",
        "send": "Send the link",
        "refused": "This is no e-mail address",
        "sent": "Link sent",
        "confirm_mail": "Please confirm your address",
        "confirm": "Confirm the address",
        "done": "The address is confirmed",
        "confirmed": "Confirmed",
        "remove": "Remove",
    },
    "sl": {
        "ask": "Pošlji mi povezavo",
        "sign_in": "Prijava",
        "go_on": "Nadaljuj kot Rita Korhonen",
        "link": "Vaša povezava za prijavo",
        "settings": "Dostava e‑pošte",
        "add": "Dodaj naslov: Obračun",
        "field": "Naslov za: Obračun",
        "send": "Pošlji povezavo",
        "refused": "To ni e‑poštni naslov",
        "sent": "Povezava poslana",
        "confirm_mail": "Potrdite svoj naslov",
        "confirm": "Potrdi naslov",
        "done": "Naslov je potrjen",
        "confirmed": "Potrjen",
        "remove": "Odstrani",
    },
}
SHOTS = os.environ.get("NIGHTDESK_SHOTS", "")


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def customer(demo: DemoProgram, language: str) -> str:
    """On record, with an address of their own."""
    number, email = uuid4().hex[:8], f"rita.{uuid4().hex[:8]}@example.com"
    demo.run("account", "add", "--number", number, "--name", "Korhonen Design Oy", "--language", language)
    demo.run(
        "customer", "add", "--account", number, "--ref", f"c-{number}", "--name", "Rita Korhonen",
        "--email", email, "--verified",
    )  # fmt: skip
    return email


async def newest(page: Page, demo: DemoProgram, subject: str, to: str) -> None:
    """Opens the newest mail in the demo's mailbox."""
    mail = page.locator(".mailbox__list a", has_text=subject).filter(has_text=to).first
    await page.goto(f"{demo.origin}/mailbox")
    while not await mail.count():
        await page.reload()
    await mail.click()


@pytest.mark.parametrize(
    ("scheme", "locale", "size"),
    [("light", "en", (1280, 900)), ("dark", "sl", (390, 844))],
    ids=["desk-light-en", "phone-dark-sl"],
)
async def test_rita_signs_in_by_mail_and_sets_where_her_invoices_go(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str, size: tuple[int, int]
) -> None:
    email, said = customer(demo, locale), WORDS[locale]
    bills = f"bills.{uuid4().hex[:8]}@example.com"
    look: dict[str, Any] = {
        "color_scheme": scheme,
        "locale": LOCALES[locale],
        "reduced_motion": "reduce",
        "viewport": {"width": size[0], "height": size[1]},
        "java_script_enabled": True,
    }
    page = await (await new_context(**look)).new_page()
    mailbox = await (await new_context(**look)).new_page()

    await page.goto(f"{demo.origin}/client/sign-in")
    await page.locator("#email").fill(email)
    await page.get_by_role("button", name=said["ask"]).click()
    await expect(page.locator("a[href='/mailbox']")).to_be_visible()
    await shot(page, f"sent-{locale}")
    await newest(mailbox, demo, said["link"], email)
    await axe.check(mailbox)
    await shot(mailbox, f"mail-{locale}")
    link = await mailbox.get_by_role("link", name=said["sign_in"]).get_attribute("href")
    assert link is not None
    await page.goto(link)
    await axe.check(page)
    await page.get_by_role("button", name=said["go_on"]).click()
    await page.goto(f"{demo.origin}/client/settings/delivery")
    await expect(page.locator(".settings nav a[aria-current]")).to_have_text(said["settings"])

    add = page.locator("summary", has_text=said["add"].partition(":")[0]).first
    await add.focus()
    await page.keyboard.press("Enter")
    await page.get_by_label(said["field"]).fill("nonsense")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text(said["refused"])
    await expect(page.get_by_label(said["field"])).to_have_value("nonsense")
    await axe.check(page)
    await shot(page, f"delivery-refused-{locale}")
    await page.get_by_label(said["field"]).fill(bills)
    await page.get_by_role("button", name=said["send"]).first.click()
    await expect(page.locator(".address", has_text=bills)).to_contain_text(said["sent"])
    await axe.check(page)
    await shot(page, f"delivery-{locale}")

    await newest(mailbox, demo, said["confirm_mail"], bills)
    await mailbox.get_by_role("link", name=said["confirm"]).click()
    await axe.check(mailbox)
    await shot(mailbox, f"confirm-{locale}")
    await mailbox.get_by_role("button", name=said["confirm"]).click()
    await expect(mailbox.get_by_role("heading", name=said["done"])).to_be_visible()
    await axe.check(mailbox)

    await page.reload()
    await expect(page.locator(".address", has_text=bills)).to_contain_text(said["confirmed"])
    await shot(page, f"delivery-confirmed-{locale}")
    await page.get_by_role("button", name=f"{said['remove']} {bills}").click()
    await expect(page.locator(".address", has_text=bills)).to_have_count(0)
    await mailbox.goto(f"{demo.origin}/mailbox")
    await axe.check(mailbox)
    await shot(mailbox, f"mailbox-{locale}")


@pytest.mark.parametrize(
    ("scheme", "locale", "width"), [("light", "en", 1280), ("dark", "sl", 390)], ids=["desk-light-en", "phone-dark-sl"]
)
async def test_a_supervisor_sees_what_waits(
    new_context: NewContext, demo: DemoProgram, axe: Axe, scheme: str, locale: str, width: int
) -> None:
    email = customer(demo, locale)
    rita = await (await new_context()).new_page()
    await rita.goto(f"{demo.origin}/client/sign-in")
    await rita.locator("#email").fill(email)
    await rita.locator("form[action='/client/sign-in/link'] button").click()
    await newest(rita, demo, WORDS[locale]["link"], email)

    context = await new_context(color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900})
    page = await context.new_page()
    await page.goto(demo.sign_in_link("Sara", role="supervisor", language=locale))
    await page.get_by_role("button").first.click()
    waits = "no mail server is set up" if locale == "en" else "poštni strežnik ni nastavljen"
    banner = page.locator(".list__away", has_text=waits)
    await expect(banner).to_be_visible()
    await shot(page, f"console-banner-{locale}")
    await banner.get_by_role("link").click()
    await expect(page.locator(".mailbox__list a", has_text=email).first).to_be_visible()
    await page.locator("a[href^='/desk/mail']").click()
    await expect(page.locator("tbody tr", has_text=email).first).to_be_visible()
    await axe.check(page)
    await shot(page, f"desk-mail-{locale}")
