"""Arriving already signed in: a token that the company's own site signs, once, for minutes, for its own customers."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlmodel import col, select

from chat.ids import new_id
from chat.keys import secret_key_of
from chat.people.audit import AuditEntry
from chat.people.models import Site
from chat.program import site_secret
from escalation.client_area.tokens import SiteSecrets, signed
from escalation.customers.models import Account, Customer
from escalation.models import Ticket, TicketConversation
from tests.support.clock import FakeClock
from tests.support.customers import Rita, add_customer, browser_of, claims_of, secret_of, signed_in
from tests.support.program import Running, program

HOST = "https://www.polaris.example"
ENTER = "/client/enter"


@pytest.fixture
async def running(tmp_path: Path, database_url: str, clock: FakeClock) -> AsyncIterator[Running]:
    async with program(tmp_path, database_url, clock=clock, works=False) as desk:
        yield desk


def from_host(running: Running, origin: str = HOST) -> httpx2.AsyncClient:
    """A browser that comes from a page of another site."""
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": origin}
    browser = httpx2.AsyncClient(base_url=running.base_url, headers=headers)
    running.browsers.append(browser)
    return browser


async def enter(browser: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await browser.post(ENTER, data={"token": token, "next": "/client/services"})


async def test_rita_arrives_signed_in_once(running: Running) -> None:
    rita = await add_customer(running)
    token = signed(await secret_of(running), await claims_of(running, rita))
    browser = from_host(running)
    arrived = await enter(browser, token)
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/client/services")
    assert (await browser.get("/client/tickets")).status_code == 200
    # The page it came from could have used it: neither the password nor an address is changed by that alone.
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    saved = await browser.post("/client/settings/security", data={"password": "mallory owns this"})
    added = await browser.post("/client/settings/delivery", data={"type": "support", "address": "m@evil.example"})
    assert (saved.status_code, added.status_code) == (422, 403)
    thief = from_host(running)
    assert (await enter(thief, token)).status_code == 401
    assert (await thief.get("/client/tickets")).status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null", HOST + ".evil.example", HOST.upper()])
async def test_a_strangers_page_signs_nobody_in_without_a_click(running: Running, origin: str) -> None:
    rita = await add_customer(running)
    token = signed(await secret_of(running), await claims_of(running, rita))
    browser = from_host(running, origin)
    asked = await enter(browser, token)
    assert (asked.status_code, "Go on as Rita Zupan" in asked.text) == (200, True)
    assert (await browser.get("/client/tickets")).status_code == 303
    linked = await browser.get(ENTER, params={"token": token})
    assert "Go on as Rita Zupan" in linked.text
    browser.headers["Sec-Fetch-Site"] = "same-origin"  # the button on our own page
    assert (await enter(browser, token)).status_code == 303


def rewritten(token: str, place: int, value: Any) -> str:
    parts = token.split(".")
    parts[place] = urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return ".".join(parts)


async def test_bad_tokens_are_nobody(running: Running) -> None:
    rita, other = await add_customer(running), await add_customer(running, "Other", email="other@acme.example")
    gone, closed = await add_customer(running, email="g@a.example"), await add_customer(running, email="c@a.example")
    async with running.desk.db.write() as session:
        (await session.get_one(Customer, gone.customer_id)).active = False
        (await session.get_one(Account, closed.account_id)).active = False
    secret = await secret_of(running)
    claims = await claims_of(running, rita)
    good = signed(secret, claims)
    now = int(running.desk.clock.now().timestamp())
    theirs = (await claims_of(running, other))["sub"]
    bad = [
        "", "x", "a.b.c", good + "x", good[:-2], "." * 3, "é.é.é", good + "." * 5000,
        rewritten(good, 0, {"alg": "none", "typ": "JWT"}),
        rewritten(good, 0, {"alg": "HS512", "typ": "JWT"}),
        rewritten(good, 0, {"alg": "HS256", "typ": "JWT", "kid": "../../dev/null"}),
        rewritten(good, 1, claims | {"sub": theirs}),
        ".".join([*rewritten(good, 0, {"alg": "none"}).split(".")[:2], ""]),
        signed("", claims), signed("nds_guess", claims), signed(secret + " ", claims),
        *(signed(secret, claims | change) for change in (
            {"exp": now - 61}, {"exp": now + 700}, {"exp": None}, {"exp": True}, {"exp": str(now + 60)}, {"exp": 1e400},
            {"aud": "other-site"}, {"aud": None}, {"aud": [running.site_key]}, {"sub": "nobody"}, {"sub": ""},
            {"use": "panel"}, {"use": None}, {"use": ["enter"]}, {"aud": "a\x00b"}, {"aud": "\ud800"},
            {"sub": "\x00"}, {"email": "\ud800@acme.example"},
            {"jti": ""}, {"jti": None}, {"jti": "x" * 101}, {"email": other.email}, {"email": 7},
        )),
        signed(secret, await claims_of(running, gone)),
        signed(secret, await claims_of(running, closed)),
    ]  # fmt: skip
    for token in bad:
        browser = from_host(running)
        answer = await enter(browser, token)
        assert (answer.status_code, dict(browser.cookies)) == (401, {}), token[:200]
    assert (await enter(from_host(running), good)).status_code == 303


async def test_a_site_without_a_secret_signs_nobody_in(running: Running) -> None:
    rita = await add_customer(running)
    async with running.desk.db.read() as session:
        site = (await session.exec(select(Site).where(Site.key == running.site_key))).one()
    secrets = SiteSecrets(secret_key_of(running.settings))
    for n in (0, 1):
        token = signed(secrets.of(site.id, n), await claims_of(running, rita))
        assert (await enter(from_host(running), token)).status_code == 401


async def test_after_a_renewal_the_old_secret_counts_for_a_day(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    old, new = await secret_of(running, 1), await secret_of(running, 2)
    for secret in (old, new):
        assert (await enter(from_host(running), signed(secret, await claims_of(running, rita)))).status_code == 303
    clock.advance(timedelta(days=1).total_seconds())
    assert (await enter(from_host(running), signed(old, await claims_of(running, rita)))).status_code == 401
    assert (await enter(from_host(running), signed(new, await claims_of(running, rita)))).status_code == 303
    leaked = await site_secret(running.settings, running.site_key, renew=True)
    clean = await site_secret(running.settings, running.site_key, renew=False, at_once=True)
    for secret, status in ((leaked, 401), (clean, 303)):
        assert (await enter(from_host(running), signed(secret, await claims_of(running, rita)))).status_code == status
    async with running.desk.db.read() as session:
        entries = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))).all()
    assert [one.action for one in entries] == ["site.secret_renewed", "site.secret_leaked"]
    assert leaked not in repr(entries)
    assert clean not in repr(entries)


# ── the panel of the widget ──────────────────────────────────────────────────────────────────────────────────────


ODD = (
    '{"site":"a","token":"b","visitor":null,"locale":"en"}',
    r'{"site":"a","token":"b","visitor":"\ud800","locale":"en"}',
    r'{"site":"a\u0000","token":"b","visitor":"","locale":"en"}',
)


async def panel(running: Running, token: str, visitor: str = "", site: str = "", **headers: str) -> httpx2.Response:
    asked = {"site": site or running.site_key, "token": token, "visitor": visitor, "locale": "sl"}
    browser = browser_of(running, **headers)
    return await browser.post("/client/widget", json=asked)


async def test_an_identified_visitor_sees_their_tickets_in_the_panel(running: Running, clock: FakeClock) -> None:
    rita = await add_customer(running)
    area = await signed_in(running, rita)
    await area.post("/client/tickets/new", data={"text": "The server does not answer", "subject": "<b>Down</b>"})
    secret = await secret_of(running)
    token = signed(secret, await claims_of(running, rita, use="panel"))
    shown = (await panel(running, token)).json()
    assert shown["title"] == "Vaši zahtevki"
    (ticket,) = shown["tickets"]
    assert (ticket["number"], ticket["subject"], ticket["state"]) == ("T-26-000001", "<b>Down</b>", "Odprt")
    assert "21:10" in ticket["promise"]
    assert (await panel(running, token)).status_code == 404  # shown to nobody in particular: once
    clock.advance(40)
    ann = await running.visitor_who_said("Is my server down?")
    for _ in range(2):
        assert (await panel(running, token, ann.token)).status_code == 200
    mallory = await running.visitor_who_said("Hi")
    assert (await panel(running, token, mallory.token)).status_code == 404
    assert (await enter(from_host(running), token)).status_code == 401  # any script of the page may have read it
    assert (await panel(running, signed(secret, await claims_of(running, rita)))).status_code == 404

    listed = await area.get("/client/conversations")
    assert "Is my server down?" in listed.text
    assert ">Hi<" not in listed.text
    talk = await area.get(f"/client/conversations/{ann.conversation}")
    assert (talk.status_code, "Is my server down?" in talk.text) == (200, True)
    assert (await area.get(f"/client/conversations/{mallory.conversation}")).status_code == 404
    named = await running.desk.escalation.tickets.registry.named_in(UUID(ann.conversation))
    assert named is not None
    assert named.customer_id == rita.customer_id
    assert await running.desk.escalation.tickets.registry.named_in(UUID(mallory.conversation)) is None

    async with running.desk.db.write() as session:
        ticket_id = (await session.exec(select(Ticket.id))).one()
        session.add(
            TicketConversation(
                id=new_id(), ticket_id=ticket_id, conversation_id=UUID(ann.conversation), released_at=clock.now()
            )
        )
    closed = (await area.get("/client/conversations")).text
    assert closed.count("Is my server down?") == 1
    assert "T-26-000001" in closed


async def test_the_next_person_at_a_browser_is_not_the_one_before(running: Running, clock: FakeClock) -> None:
    ana = await add_customer(running, "Ana Kos", email="ana@acme.example")
    bor = await add_customer(running, "Bor Novak", email="bor@acme.example")
    secret, registry = await secret_of(running), running.desk.escalation.tickets.registry

    async def token_of(who: Rita) -> str:
        return signed(secret, await claims_of(running, who, use="panel"))

    stranger = await running.visitor_who_said("Who am I?")
    clock.advance(240)
    assert (await panel(running, await token_of(bor), stranger.token)).status_code == 200
    assert await registry.named_in(UUID(stranger.conversation)) is None  # said before anybody was named

    anas = await token_of(ana)
    assert (await panel(running, anas)).status_code == 200
    clock.advance(30)
    ann = await running.visitor_who_said("My secret question")
    clock.advance(30)
    assert (await panel(running, anas, ann.token)).status_code == 200
    bors = await token_of(bor)
    assert (await panel(running, bors, ann.token)).status_code == 409
    assert await ann.close_code() == 4503
    assert (await panel(running, anas, ann.token)).status_code == 404  # that visitor is over
    assert (await panel(running, bors)).status_code == 200  # and the panel begins anew
    named = await registry.named_in(UUID(ann.conversation))
    assert named is not None
    assert named.customer_id == ana.customer_id
    area = await signed_in(running, bor)
    assert "My secret question" not in (await area.get("/client/conversations")).text
    assert (await area.get(f"/client/conversations/{ann.conversation}")).status_code == 404


async def test_mallory_gets_nothing_out_of_the_panel(running: Running) -> None:
    rita = await add_customer(running)
    secret = await secret_of(running)

    async def fresh() -> str:
        return signed(secret, await claims_of(running, rita, use="panel"))

    assert (await panel(running, await fresh(), "not-a-token")).status_code == 404
    assert (await panel(running, await fresh(), site="another")).status_code == 404
    assert (await panel(running, signed("nds_guess", await claims_of(running, rita, use="panel")))).status_code == 404
    assert (await panel(running, await fresh(), **{"Sec-Fetch-Site": "cross-site"})).status_code == 403
    for body in (
        "",
        "[]",
        "{}",
        '{"site": 1}',
        "[" * 5000,
        '{"site":"a","token":"b","visitor":null,"locale":"en"}',
        *ODD,
    ):
        answer = await browser_of(running).post("/client/widget", content=body)
        assert answer.status_code == 400
    assert (await browser_of(running).post("/client/widget", content="x" * 20_000)).status_code == 413
