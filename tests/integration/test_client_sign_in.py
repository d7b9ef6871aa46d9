"""Customers sign in: by a link, by a password; Mallory learns nothing and gets nowhere."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from starlette.requests import HTTPConnection

from chat.ids import new_id
from chat.outbox import OutboxRow
from chat.people.operators import Passwords
from escalation.client_area.links import ASKED
from escalation.client_area.sign_in import SignedOut
from escalation.customers.models import Account, Customer, EmailAddress, NotificationAddress
from escalation.mail.letter import PASSWORD_CHANGED, SIGNED_IN
from escalation.tidying import DeskTidying
from tests.support.clock import FakeClock
from tests.support.customers import Rita, add_customer, browser_of, in_pieces, letters_to, mails_of, signed_in, text_of
from tests.support.program import Running, program

PASSWORD = "correct horse battery"
COOKIE = "nd_client"


@pytest.fixture
async def running(tmp_path: Path, database_url: str, clock: FakeClock) -> AsyncIterator[Running]:
    # Nobody works in the background: each test says when the outbox is carried out.
    async with program(tmp_path, database_url, clock=clock, works=False) as desk:
        yield desk


async def test_a_mailed_link_signs_rita_in_once(running: Running) -> None:
    rita = await add_customer(running)
    browser = browser_of(running)
    asked = await browser.post(
        "/client/sign-in/link", data={"email": " Rita@Acme.example ", "next": "/client/services"}
    )
    assert asked.status_code == 200
    assert "<b>Rita@Acme.example</b>" in asked.text
    (link,) = await letters_to(running, rita.email)
    shown = await browser.get(link)
    assert (shown.status_code, "used up by the button" in shown.text) == (200, True)
    assert "Go on as Rita Zupan" in shown.text  # or a link of Mallory's own would sign her in as Mallory
    assert COOKIE not in browser.cookies  # a scanner of mail that opens it uses nothing up
    used = await browser.post(link)
    assert (used.status_code, used.headers["location"]) == (303, "/client/services")
    assert (await browser.get("/client/tickets")).status_code == 200
    again = browser_of(running)
    assert (await again.post(link)).status_code == (await again.get(link)).status_code == 410
    assert COOKIE not in again.cookies


async def test_known_and_unknown_addresses_get_the_same_answer_after_the_same_work(running: Running) -> None:
    rita = await add_customer(running)
    pages = []
    for email in (rita.email, "nobody@acme.example"):
        answer = await browser_of(running).post("/client/sign-in/link", data={"email": email})
        assert answer.status_code == 200
        page = re.sub(r'nonce="[^"]+"|nonce-[\w-]+', "", answer.text).replace(email, "EMAIL")
        pages.append((page, sorted(answer.headers.keys())))
    assert pages[0] == pages[1]
    async with running.desk.db.read() as session:
        rows = (await session.exec(select(OutboxRow).where(OutboxRow.kind == ASKED))).all()
    assert len(rows) == 2
    assert {frozenset(row.payload) for row in rows} == {frozenset(rows[0].payload)}
    assert await letters_to(running, "nobody@acme.example") == []
    assert len(await letters_to(running, rita.email)) == 1


async def test_whoever_is_not_active_or_not_one_gets_no_letter(running: Running) -> None:
    gone = await add_customer(running, email="gone@acme.example")
    closed = await add_customer(running, email="closed@acme.example")
    await add_customer(running, email="two@acme.example", verified=False)
    await add_customer(running, email="two@acme.example", verified=False)
    async with running.desk.db.write() as session:
        (await session.get_one(Customer, gone.customer_id)).active = False
        (await session.get_one(Account, closed.account_id)).active = False
    for email in ("gone@acme.example", "closed@acme.example", "two@acme.example"):
        await browser_of(running).post("/client/sign-in/link", data={"email": email})
        assert await letters_to(running, email) == []


async def test_asked_twice_it_is_one_letter_and_a_minute_later_another(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    for _ in range(3):
        await browser_of(running).post("/client/sign-in/link", data={"email": rita.email})
    assert len(await letters_to(running, rita.email)) == 1
    clock.advance(61)
    await browser_of(running).post("/client/sign-in/link", data={"email": rita.email})
    assert len(await letters_to(running, rita.email)) == 2


async def test_whoever_asks_first_decides_nothing_and_letters_nobody_uses_come_seldom(
    running: Running, clock: FakeClock
) -> None:
    rita = await add_customer(running)
    mallory, own = browser_of(running), browser_of(running)
    for browser, words in ((mallory, "words of Mallory"), (own, "words of Rita")):
        await browser.post("/client/tickets/new", data={"text": words})
        await browser.post("/client/sign-in/link", data={"email": rita.email, "next": "/client/tickets/new"})
    links = await letters_to(running, rita.email)
    assert len(links) == 2
    phone = browser_of(running)
    shown = []
    for browser, link in ((own, links[0]), (phone, links[1])):  # she takes any, in her browser; and on the phone hers
        assert (await browser.post(link)).headers["location"] == "/client/tickets/new"
        shown.append((await browser.get("/client/tickets/new")).text)
    assert all(">words of Rita</textarea>" in page and "Mallory" not in page for page in shown)

    sent = []
    for minute in range(30):
        clock.advance(61)
        await running.desk.escalation.sign_in_links.ask(
            rita.email, address=f"198.51.100.{minute}", wanted="/client/tickets", kept_id=None, locale="en"
        )
        sent.append(len(await letters_to(running, rita.email)) - 2)
    assert sent[:5] == [1, 2, 3, 4, 5]
    assert sent[-1] == 8


async def test_a_letter_carried_out_twice_is_one_link(running: Running) -> None:
    rita = await add_customer(running)
    await browser_of(running).post("/client/sign-in/link", data={"email": rita.email})
    async with running.desk.db.read() as session:
        row = (await session.exec(select(OutboxRow).where(OutboxRow.kind == ASKED))).one()
    for _ in range(2):  # killed after the commit and before it was noted: the worker carries it out again
        await running.desk.escalation.sign_in_links.carry_out(row.payload)
    assert len(await letters_to(running, rita.email)) == 1


async def test_links_and_sign_ins_that_are_long_over_go(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    for _ in range(2):
        await signed_in(running, rita)
        clock.advance(60)
    clean = DeskTidying(running.desk.db, clock).clean
    assert await clean() == 0
    clock.advance(timedelta(days=400).total_seconds())
    assert await clean() == 3, "the links and all sign-ins but the last"
    assert await clean() == 0


async def test_using_a_link_proves_the_address(running: Running) -> None:
    rita = await add_customer(running, verified=False)
    await browser_of(running).post("/client/sign-in/link", data={"email": rita.email})
    (link,) = await letters_to(running, rita.email)
    assert (await browser_of(running).post(link)).status_code == 303
    async with running.desk.db.read() as session:
        email = (await session.exec(select(EmailAddress))).one()
    assert (email.verified_by, email.verified_at is not None) == ("link", True)


async def test_a_link_of_an_address_that_moved_on_signs_nobody_in(running: Running) -> None:
    rita = await add_customer(running, verified=False)
    await browser_of(running).post("/client/sign-in/link", data={"email": rita.email})
    (link,) = await letters_to(running, rita.email)
    await add_customer(running, "Other", email=rita.email)  # proven by somebody else meanwhile
    assert (await browser_of(running).post(link)).status_code == 410


@pytest.mark.parametrize("secret", ["", "%20", "null", "x" * 43, "../sign-in", "%00"])
async def test_invented_links_open_nothing(running: Running, secret: str) -> None:
    browser = browser_of(running)
    answer = await browser.post(f"/client/sign-in/{secret}")
    assert answer.status_code in (303, 400, 404, 405, 410, 422)
    assert COOKIE not in browser.cookies
    assert (await browser.get("/client/tickets")).headers["location"] == "/client/sign-in"


async def test_links_and_logins_run_out(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    link = await running.desk.escalation.sign_in_links.make(rita.customer_id)
    clock.advance(timedelta(minutes=15).total_seconds())
    assert (await browser_of(running).post(link)).status_code == 410
    browser = await signed_in(running, rita)
    clock.advance(timedelta(hours=23).total_seconds())
    assert (await browser.get("/client/tickets")).status_code == 200
    clock.advance(timedelta(hours=25).total_seconds())
    assert (await browser.get("/client/tickets")).status_code == 303


async def test_a_password_is_set_used_and_changed(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running, "Rita\r\nBcc: x")
    await add_customer(running, "Carl", email="carl@acme.example", account=rita.account_id)
    await _security_address(running, rita, "cert@acme.example", language="sl")
    browser, elsewhere = await signed_in(running, rita), await signed_in(running, rita)
    old_link = await running.desk.escalation.sign_in_links.make(rita.customer_id)
    short = await browser.post("/client/settings/security", data={"password": "short"})
    assert (short.status_code, "10 to 200" in short.text) == (422, True)
    clicks = (browser.post("/client/settings/security", data={"password": PASSWORD}) for _ in range(2))
    assert {answer.status_code for answer in await asyncio.gather(*clicks)} == {303}
    assert (await browser.get("/client/tickets")).status_code == 200
    assert (await elsewhere.get("/client/tickets")).status_code == 303  # signed out everywhere else
    assert (await elsewhere.post(old_link)).status_code == 410  # and links that were out are worth nothing

    fresh = browser_of(running)
    for email, password in ((rita.email, "wrong horse battery"), ("nobody@acme.example", PASSWORD), (rita.email, "")):
        refused = await fresh.post("/client/sign-in", data={"email": email, "password": password})
        assert (refused.status_code, "do not match" in refused.text) == (422, True)
        assert COOKIE not in fresh.cookies
    welcome = await fresh.post("/client/sign-in", data={"email": rita.email.upper(), "password": PASSWORD})
    assert welcome.status_code == 303
    clock.advance(timedelta(minutes=16).total_seconds())
    wrong = await fresh.post("/client/settings/security", data={"current": "x" * 12, "password": "another " + PASSWORD})
    assert (wrong.status_code, "not your current" in wrong.text) == (422, True)
    right = await fresh.post("/client/settings/security", data={"current": PASSWORD, "password": "another " + PASSWORD})
    assert right.status_code == 303

    # So are they of a browser that was not used before, with the first sign-in there.
    for _ in range(2):
        strange = browser_of(running, **{"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"})
        there = await strange.post("/client/sign-in", data={"email": rita.email, "password": "another " + PASSWORD})
        assert there.status_code == 303
    told = await mails_of(running, SIGNED_IN)
    assert [mail.recipient for mail in told] == ["cert@acme.example", rita.email]
    assert "Rita Bcc: x signed in to the client area on a device" in await text_of(running, told[1])

    # Each time those who must know are told, once, and the colleague is not.
    told = await mails_of(running, PASSWORD_CHANGED)
    assert [mail.recipient for mail in told] == ["cert@acme.example", rita.email] * 2
    assert (await text_of(running, told[1])).startswith("A password was set")
    changed = await text_of(running, told[3])
    assert "the password of Rita Bcc: x for the client area was changed. When: 21:16 CET." in changed
    assert f"{running.base_url}/client/sign-in" in changed
    assert (await text_of(running, told[2])).startswith("Geslo je spremenjeno")
    assert PASSWORD not in repr([mail.data for mail in told])

    # Who stayed away for months is told all the same: the last sign-in is not forgotten.
    clock.advance(timedelta(days=100).total_seconds())
    await DeskTidying(running.desk.db, clock).clean()
    for agent, mails in (("Windows NT 10.0) Chrome/130.0 Edg/1", 4), ("X11; Linux x86_64; rv:130.0) Firefox/130.0", 4)):
        strange = browser_of(running, **{"user-agent": f"Mozilla/5.0 ({agent}"})
        there = await strange.post("/client/sign-in", data={"email": rita.email, "password": "another " + PASSWORD})
        assert (there.status_code, len(await mails_of(running, SIGNED_IN))) == (303, mails)


async def _security_address(running: Running, rita: Rita, address: str, language: str) -> None:
    email_id, now = new_id(), running.desk.clock.now()
    async with running.desk.db.write() as session:
        session.add(
            EmailAddress(id=email_id, account_id=rita.account_id, address=address, raw=address, verified_at=now)
        )
        await session.flush()
        session.add(
            NotificationAddress(
                id=new_id(), account_id=rita.account_id, kind="abuse", email_id=email_id, language=language
            )
        )


async def test_a_form_that_is_held_back_does_not_outlive_the_sign_in(running: Running) -> None:
    rita = await add_customer(running)
    owner, thief = await signed_in(running, rita), await signed_in(running, rita)
    held = in_pieces(running, thief)

    async def form() -> AsyncIterator[bytes]:
        yield b"pass"
        saved = await owner.post("/client/settings/security", data={"password": PASSWORD})
        assert saved.status_code == 303
        yield b"word=mallory+owns+this"

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = await held.post("/client/settings/security", content=form(), headers=headers)
    assert (sent.status_code, sent.headers["location"]) == (303, "/client/sign-in?next=/client/settings/security")
    assert (await owner.get("/client/tickets")).status_code == 200
    entered = await browser_of(running).post("/client/sign-in", data={"email": rita.email, "password": PASSWORD})
    assert entered.status_code == 303


async def test_who_was_put_out_at_this_moment_sets_no_password(running: Running) -> None:
    rita = await add_customer(running)
    owner, thief = await signed_in(running, rita), await signed_in(running, rita)
    customers = running.desk.escalation.customers
    cookie = f"{COOKIE}={thief.cookies[COOKIE]}".encode()
    stale = await customers.login(HTTPConnection({"type": "http", "headers": [(b"cookie", cookie)]}))
    assert stale is not None
    await owner.post("/client/settings/security", data={"password": PASSWORD})
    with pytest.raises(SignedOut):
        await customers.set_password(stale, "", "mallory owns this", "")
    assert (await owner.get("/client/tickets")).status_code == 200
    entered = await browser_of(running).post("/client/sign-in", data={"email": rita.email, "password": PASSWORD})
    assert entered.status_code == 303


@pytest.mark.parametrize("email", ["a\x00@acme.example", "a%ed%a0%80@acme.example"])
async def test_what_no_database_keeps_is_refused_in_small_forms(running: Running, email: str) -> None:
    body = f"email={email.replace(chr(0), '%00')}&password=correct+horse"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/client/sign-in", "/client/sign-in/link", "/console/sign-in"):
        answer = await browser_of(running).post(path, content=body, headers=headers)
        assert answer.status_code == 400, path


async def test_guessing_waits_and_the_owner_gets_in_from_elsewhere(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = await add_customer(running)
    browser = browser_of(running)
    looked_at = []
    verified = Passwords.verified

    async def counted(*asked: Any) -> tuple[bool, str | None]:
        looked_at.append(asked[1])
        return await verified(*asked)

    monkeypatch.setattr(Passwords, "verified", counted)
    guess = {"email": rita.email, "password": "wrong horse battery"}
    answers = await asyncio.gather(*(browser.post("/client/sign-in", data=guess) for _ in range(12)))
    assert len(looked_at) == 5
    answer = answers[-1]
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert (await signed_in(running, rita)) is not None


async def test_a_sign_in_of_this_moment_does_not_outlive_a_new_password(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    async with running.desk.db.write() as session:
        secret = await running.desk.escalation.customers.begin(session, rita.customer_id, "link", "")
        changing = asyncio.create_task(browser.post("/client/settings/security", data={"password": PASSWORD}))
        await asyncio.wait({changing}, timeout=1)  # time enough, if it did not wait for this transaction
    assert (await changing).status_code == 303
    thief = browser_of(running)
    thief.cookies.set(COOKIE, secret)
    assert (await thief.get("/client/tickets")).status_code == 303
    assert (await browser.get("/client/tickets")).status_code == 200


async def test_signing_out_ends_it_and_operators_stay_apart(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    secret = browser.cookies[COOKIE]
    assert (await browser.get("/console")).status_code == (await browser.get("/desk/tickets")).status_code == 303
    operator = await running.signed_in(await running.operator())
    running.browsers.append(operator)
    assert (await operator.get("/client/tickets")).headers["location"] == "/client/sign-in"
    assert (await browser.post("/client/sign-out")).status_code == 303
    thief = browser_of(running)
    thief.cookies.set(COOKIE, secret)
    assert (await thief.get("/client/tickets")).status_code == 303
    thief.cookies.set("nd_session", secret)
    assert (await thief.get("/console")).status_code == 303


async def test_who_is_deactivated_is_out_at_once(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    async with running.desk.db.write() as session:
        (await session.get_one(Customer, rita.customer_id)).active = False
    assert (await browser.get("/client/tickets")).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/console", "/client/../console", "/client/%2e%2e/"],
)
async def test_next_leads_nowhere_else(running: Running, wanted: str) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    assert (await browser.get("/client/sign-in", params={"next": wanted})).headers["location"] == "/client/tickets"
    spoken = await browser.post("/client/language", data={"next": wanted, "locale": "sl"})
    assert spoken.headers["location"] == "/client/tickets"


async def test_foreign_pages_post_in_vain(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    link = await running.desk.escalation.sign_in_links.make(rita.customer_id)
    paths = ["/client/sign-in", "/client/sign-in/link", "/client/sign-out", "/client/settings", "/client/language"]
    for path in [*paths, "/client/settings/security", "/client/settings/sign-out-elsewhere", link]:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "https://evil.example"}):
            answer = await browser.post(path, data={"email": rita.email}, headers=headers)
            assert answer.status_code == 403, path
    assert (await browser.get("/client/tickets")).status_code == 200


async def test_language_and_zone_are_kept(running: Running) -> None:
    rita = await add_customer(running)
    browser = await signed_in(running, rita)
    refused = await browser.post("/client/settings", data={"locale": "sl", "zone": "Mars/Olympus"})
    assert refused.status_code == 422
    saved = await browser.post("/client/settings", data={"locale": "sl", "zone": "Europe/Helsinki"})
    assert saved.status_code == 303
    page = await browser.get("/client/settings")
    assert '<html lang="sl">' in page.text
    assert "<option selected>Europe/Helsinki</option>" in page.text


async def test_a_typed_address_is_text_on_the_page(running: Running) -> None:
    answer = await browser_of(running).post("/client/sign-in/link", data={"email": '"><script>alert(1)</script>@x'})
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
