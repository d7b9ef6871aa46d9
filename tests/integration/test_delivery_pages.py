"""Account settings, E-mail delivery: as Rita, as her colleague without rights, and as Mallory."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from chat.db import table_of
from escalation.client_area.models import CustomerLogin
from escalation.customers.models import NotificationAddress
from escalation.mail.letter import CONFIRM_ADDRESS
from escalation.mail.models import MailOut
from escalation.mail.words import Button
from tests.support.customers import Rita, add_customer, browser_of, signed_in
from tests.support.program import Running, program

PAGE = "/client/settings/delivery"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path, mail_from="Polaris <support@polaris.example>", smtp_url="smtp://127.0.0.1:1") as found:
        yield found


async def link_to(running: Running, address: str) -> str:
    """The path of the newest link for this address, as it stands in the mail."""
    async with running.desk.db.read() as session:
        mails = await session.exec(
            select(MailOut)
            .where(MailOut.kind == CONFIRM_ADDRESS, MailOut.recipient == address)
            .order_by(col(MailOut.id).desc())
        )
        mail = mails.all()[0]
        words = await running.desk.escalation.writer.words(session, mail, running.desk.clock.now())
    assert words is not None
    url = next(part.url for part in words.parts if isinstance(part, Button))
    assert url.startswith(running.base_url)
    return url.removeprefix(running.base_url)


async def add(browser: httpx2.AsyncClient, kind: str, address: str) -> httpx2.Response:
    return await browser.post(PAGE, data={"type": kind, "address": address})


async def ids(running: Running, rita: Rita) -> list[UUID]:
    async with running.desk.db.read() as session:
        found = await session.exec(
            select(NotificationAddress.id).where(NotificationAddress.account_id == rita.account_id)
        )
        return list(found)


async def test_rita_sets_an_address_and_its_owner_confirms_it(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    page = await browser.get(PAGE)
    assert page.status_code == 200
    assert "rita@acme.example" in page.text
    assert page.text.count("Empty: goes to the registered address") == 3

    answer = await add(browser, "billing", "Bills@Acme.example")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?said=sent")
    page = await browser.get(answer.headers["location"])
    assert "Bills@Acme.example" in page.text
    assert "Link sent" in page.text

    owner = browser_of(running)  # not signed in
    link = await link_to(running, "bills@acme.example")
    shown = await owner.get(link)
    assert shown.status_code == 200
    assert "Acme d.o.o." in shown.text
    assert "Link sent" in (await browser.get(PAGE)).text  # a scanner that opens links uses nothing
    used = await owner.post(link)
    assert "The address is confirmed" in used.text
    page = await browser.get(PAGE)
    assert "Link sent" not in page.text
    again = await owner.post(link)
    assert again.status_code == 404

    (to_id,) = await ids(running, rita)
    answer = await browser.post(f"{PAGE}/addresses/{to_id}", data={"action": "remove"})
    assert answer.headers["location"] == f"{PAGE}?said=removed"
    assert "Bills@Acme.example" not in (await browser.get(PAGE)).text


@pytest.mark.parametrize("address", ["nonsense", "", "<script>@x", "a@x.example\r\nBcc: b@x.example"])
async def test_what_is_refused_comes_back_as_it_was_written(running: Running, address: str) -> None:
    browser = await signed_in(running, await add_customer(running))
    answer = await add(browser, "support", address)
    assert answer.status_code == 422
    assert "This is no e-mail address" in answer.text
    assert "<script>@x" not in answer.text
    assert re.search(r'<details class="kind__add" open>', answer.text)


async def test_forged_links_and_unknown_ones_are_one_answer(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    await add(browser, "billing", "bills@acme.example")
    link = await link_to(running, "bills@acme.example")
    head, signature = link.rsplit("/", 1)
    mallory = browser_of(running)
    other = running.desk.links.sign(f"{PAGE}/confirm/{uuid4()}").removeprefix(running.base_url)
    answers = []
    for path in (f"{head}/{signature[:-2]}xx", f"{head}/x", other, f"{PAGE}/confirm/nonsense/{signature}"):
        answers += [await mallory.get(path), await mallory.post(path)]
    assert {answer.status_code for answer in answers} == {404}
    assert all("no longer works" in answer.text and "Acme" not in answer.text for answer in answers)
    assert (await browser_of(running).get(link)).status_code == 200


async def test_mallory_changes_nothing_of_ritas(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    await add(browser, "billing", "bills@acme.example")
    (to_id,) = await ids(running, rita)
    mallory = await signed_in(running, await add_customer(running, "Mallory", email="mallory@evil.example"))
    for path in (f"{PAGE}/addresses/{to_id}", f"{PAGE}/addresses/{uuid4()}", f"{PAGE}/addresses/x"):
        for action in ("remove", "again"):
            assert (await mallory.post(path, data={"action": action})).status_code == 404
    assert (await add(mallory, "everything", "m@evil.example")).status_code == 404
    assert "bills@acme.example" not in (await mallory.get(PAGE)).text
    assert len(await ids(running, rita)) == 1
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = await browser.post(PAGE, data={"type": "billing", "address": "m@evil.example"}, headers=foreign)
    assert answer.status_code == 403
    nobody = browser_of(running)
    assert (await nobody.get(PAGE)).headers["location"].startswith("/client/sign-in")
    assert (await nobody.post(PAGE, data={"type": "billing", "address": "m@evil.example"})).status_code == 303
    assert len(await ids(running, rita)) == 1


async def test_a_colleague_without_rights_redirects_no_mail_of_the_account(running: Running) -> None:
    rita = await add_customer(running, tickets=True, billing=True)
    browser = await signed_in(running, rita)
    await add(browser, "support", "help@acme.example")
    await add(browser, "billing", "bills@acme.example")
    colleague = await add_customer(running, "Carl", email="carl@acme.example", account=rita.account_id, billing=True)
    carl = await signed_in(running, colleague)
    page = await carl.get(PAGE)
    assert "bills@acme.example" in page.text
    assert "help@acme.example" not in page.text
    assert (await add(carl, "support", "carl2@acme.example")).status_code == 404
    assert (await add(carl, "billing", "carl2@acme.example")).status_code == 303


async def test_who_signed_in_long_ago_proves_again_that_it_is_them(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    await add(browser, "billing", "bills@acme.example")
    (to_id,) = await ids(running, rita)
    logins = table_of(CustomerLogin)
    async with running.desk.db.write() as session:
        await session.execute(update(logins).values(created_at=running.desk.clock.now() - timedelta(hours=1)))
    page = await browser.get(PAGE)
    assert "sign in again first" in page.text
    assert "<details" not in page.text.split("kinds")[1].split("</section>")[0]
    assert (await add(browser, "billing", "more@acme.example")).status_code == 403
    assert (await browser.post(f"{PAGE}/addresses/{to_id}", data={"action": "remove"})).status_code == 403
    assert len(await ids(running, rita)) == 1


async def test_it_is_in_her_language(running: Running) -> None:
    rita = await add_customer(running, language="sl")
    browser = await signed_in(running, rita)
    page = await browser.get(PAGE)
    assert "Dostava e‑pošte" in page.text
    assert "Prazno: prejme jo naslov v evidenci" in page.text
