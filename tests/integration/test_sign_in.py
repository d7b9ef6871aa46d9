"""Ana signs in; Mallory guesses, replays, posts from elsewhere and asks for what is not hers."""

import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import event, update
from sqlmodel import select
from starlette.applications import Starlette
from starlette.responses import Response

from chat.assets import Assets
from chat.console.routes import ConsolePanel, ConsoleRoutes, RailLink
from chat.console.stream import Stream
from chat.conversations.models import Conversation
from chat.conversations.presenter import Presenter
from chat.db import Database, table_of
from chat.ids import new_id
from chat.links import Links
from chat.pages import Pages
from chat.pairing.models import Assignment
from chat.pairing.reasons import Reason, transferred, written
from chat.people.audit import AuditEntry
from chat.people.models import Department, LoginSession, Operator, Site, Visitor
from chat.people.operators import NoSuchDepartment, OperatorExists, Operators, PasswordTooShort, SignedOut
from chat.people.sign_in import Login, SignIn
from chat.settings import load_settings
from chat.strings import Strings
from tests.support.clock import FakeClock
from tests.support.steps import ROOT

BASE = "http://127.0.0.1:8000"
OURS = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "night blue lamp"
CHAT = ROOT / "chat"


@dataclass
class Desk:
    db: Database
    clock: FakeClock
    sign_in: SignIn
    operators: Operators
    ana: Operator
    app: Starlette

    def browser(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url=BASE)

    async def signed_in(self, operator: Operator | None = None) -> httpx2.AsyncClient:
        browser = self.browser()
        link = await self.sign_in.make_link((operator or self.ana).id)
        answer = await browser.post(link.removeprefix(BASE), headers=OURS)
        assert answer.status_code == 303
        return browser

    async def login(self) -> Login:
        answer = Response()
        session = await self.sign_in.begin(self.ana, answer)
        assert session is not None
        return Login(self.ana, session)


@pytest.fixture
async def desk(db: Database, clock: FakeClock) -> Desk:
    settings = load_settings({}, base_url=BASE)
    strings = Strings.load([CHAT / "strings"])
    assets = Assets({"console": CHAT / "console" / "static", "shared": CHAT / "static"}, packed=False)
    pages = Pages(strings, assets, {"console": CHAT / "console" / "templates"}, BASE, clock=clock)
    stream = Stream(pages)
    sign_in = SignIn(db, clock, settings)
    operators = Operators(db, clock, sign_in.passwords)
    async with db.write() as session:
        for position, slug in enumerate(("technical", "financial")):
            session.add(Department(id=new_id(), slug=slug, names={"en": slug.title()}, position=position))
    ana = await operators.create(email="Ana@Acme.si ", name="Ana Kovač", password=PASSWORD, departments=["technical"])
    routes = ConsoleRoutes(
        db=db,
        clock=clock,
        settings=settings,
        pages=pages,
        strings=strings,
        stream=stream,
        presenter=Presenter(Links("k" * 40, BASE), stream.entry_html),
        sign_in=sign_in,
        panels=[ConsolePanel("c", "Ticket", "/desk/conversations/{id}/ticket", "ticket")],
        links=[RailLink("Tickets", "/desk/tickets", "ticket", "g t")],
    )
    return Desk(db, clock, sign_in, operators, ana, Starlette(routes=routes.routes()))


async def conversation(desk: Desk, department: str, *, text: str = "Good evening") -> UUID:
    now = desk.clock.now()
    async with desk.db.write() as session:
        departments = {row.slug: row.id for row in (await session.exec(select(Department))).all()}
        site = Site(id=new_id(), key=new_id().hex, name="Acme", origins=[], settings={}, created_at=now)
        session.add(site)
        await session.flush()
        visitor = Visitor(
            id=new_id(),
            site_id=site.id,
            token_hash=new_id().hex,
            name="Ann",
            email="ann@example.com",
            time_zone="Europe/Vienna",
            pages=[{"url": "https://acme.si/vps", "title": "VPS", "at": now.isoformat()}],
            created_at=now,
            seen_at=now,
        )
        session.add(visitor)
        await session.flush()
        found = Conversation(
            id=new_id(),
            site_id=site.id,
            visitor_id=visitor.id,
            department_id=departments[department],
            start_ref=new_id().hex,
            state="waiting",
            waiting_since=now,
            last_message_text=text,
            last_message_by="visitor",
            last_message_at=now,
            page={"url": "https://acme.si/vps", "title": "VPS"},
            created_at=now,
        )
        session.add(found)
    return found.id


# ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_ana_signs_in_with_her_password(desk: Desk) -> None:
    async with desk.browser() as browser:
        asked = await browser.get("/console/conversations/0198")
        assert asked.status_code == 303
        assert asked.headers["location"] == "/console/sign-in?next=/console/conversations/0198"
        form = {"email": "ANA@acme.si", "password": PASSWORD, "next": "/console/settings"}
        answer = await browser.post("/console/sign-in", data=form, headers=OURS)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/settings")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        page = await browser.get("/console")
        assert page.status_code == 200
        assert "Ana Kovač" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store, private"


async def test_unknown_addresses_and_wrong_passwords_get_the_same_answer(desk: Desk) -> None:
    async with desk.browser() as browser:
        texts = set()
        for email in ("ana@acme.si", "nobody@acme.si"):
            form = {"email": email, "password": "wrong password"}
            answer = await browser.post("/console/sign-in", data=form, headers=OURS)
            assert answer.status_code == 422
            texts.add(re.sub(r"nonce-?=?\"?[\w-]+|\w+@acme.si", "", answer.text))
        assert len(texts) == 1


async def test_mallory_waits_longer_each_time_and_is_told(desk: Desk) -> None:
    async with desk.browser() as browser:
        form = {"email": "ana@acme.si", "password": "wrong password"}
        for _ in range(5):
            answer = await browser.post("/console/sign-in", data=form, headers=OURS)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert "Try again in 1 second." in answer.text
        right = await browser.post("/console/sign-in", data=form | {"password": PASSWORD}, headers=OURS)
        assert right.status_code == 429
        desk.clock.advance(2)
        right = await browser.post("/console/sign-in", data=form | {"password": PASSWORD}, headers=OURS)
        assert right.status_code == 303


@pytest.mark.usefixtures("real_passwords")  # before the desk is made
async def test_a_password_is_kept_as_argon2id_with_these_parameters(desk: Desk) -> None:
    assert (desk.ana.password or "").startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert desk.ana.email == "ana@acme.si"
    with pytest.raises(OperatorExists):
        await desk.operators.create(email="ana@ACME.si", name="Other")
    with pytest.raises(PasswordTooShort):
        await desk.operators.create(email="b@acme.si", name="B", password="short")
    with pytest.raises(NoSuchDepartment):
        await desk.operators.create(email="b@acme.si", name="B", departments=["sales"])


async def test_a_new_password_ends_all_other_sign_ins(desk: Desk) -> None:
    here, there = await desk.signed_in(), await desk.signed_in()
    form = {"current": "wrong password", "new": "another long password"}
    # Whoever sits at her browser guesses no faster than at the door.
    tries = [await here.post("/console/settings/password", data=form, headers=OURS) for _ in range(5)]
    assert [one.status_code for one in tries] == [422] * 4 + [429]
    assert "This is not your current password. Try again in 1 second." in tries[-1].text
    assert tries[-1].headers["retry-after"] == "1"
    early = await here.post("/console/settings/password", data=form | {"current": PASSWORD}, headers=OURS)
    assert early.status_code == 429
    desk.clock.advance(2)
    changed = await here.post("/console/settings/password", data=form | {"current": PASSWORD}, headers=OURS)
    assert changed.headers["location"] == "/console/settings?saved=password"
    assert (await here.get("/console")).status_code == 200
    assert (await there.get("/console")).status_code == 303
    await here.aclose()
    await there.aclose()


async def test_a_sign_in_that_was_ended_meanwhile_sets_no_password(desk: Desk) -> None:
    login = await desk.login()
    await desk.operators.sign_out(desk.ana.id)
    other = await desk.login()
    with pytest.raises(SignedOut):
        await desk.operators.change_password(desk.ana.id, "another night lamp", login_id=login.session.id)
    assert await desk.sign_in.is_signed_in(other.session.id)
    async with desk.db.read() as session:
        assert (await session.get_one(Operator, desk.ana.id)).password == desk.ana.password
        assert list(await session.exec(select(AuditEntry))) == []


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_link_works_once_and_looking_does_not_use_it(desk: Desk) -> None:
    link = (await desk.sign_in.make_link(desk.ana.id)).removeprefix(BASE)
    async with desk.browser() as browser:
        for _ in range(2):
            assert (await browser.get(link)).status_code == 200
        assert (await browser.post(link, headers=OURS)).status_code == 303
        assert (await browser.get("/console")).status_code == 200
    async with desk.browser() as mallory:
        again = await mallory.post(link, headers=OURS)
        assert again.status_code == 410
        assert "/console/sign-in" in again.text
        assert (await mallory.get(link)).status_code == 410


async def test_a_link_ends_after_fifteen_minutes(desk: Desk) -> None:
    link = (await desk.sign_in.make_link(desk.ana.id)).removeprefix(BASE)
    desk.clock.advance(timedelta(minutes=15).total_seconds() + 1)
    async with desk.browser() as browser:
        assert (await browser.get(link)).status_code == 410
        assert (await browser.post(link, headers=OURS)).status_code == 410


async def test_what_is_ended_while_somebody_signs_in_with_it_signs_nobody_in(desk: Desk) -> None:
    with_password = await desk.sign_in.by_password("ana@acme.si", PASSWORD, "203.0.113.7")
    assert isinstance(with_password, Operator)
    await desk.operators.change_password(desk.ana.id, "another night lamp")
    assert await desk.sign_in.begin(with_password, Response()) is None
    link = (await desk.sign_in.make_link(desk.ana.id)).rpartition("/")[2]
    with_link = await desk.sign_in.by_link(link)
    assert with_link is not None
    await desk.operators.sign_out(desk.ana.id)
    assert await desk.sign_in.begin(with_link, Response(), link=link) is None
    await desk.operators.set_active(desk.ana.id, active=False)
    assert await desk.sign_in.begin(with_link, Response()) is None


@pytest.mark.parametrize("secret", ["%20", "null", "a" * 43])
async def test_made_up_secrets_are_gone(desk: Desk, secret: str) -> None:
    async with desk.browser() as browser:
        assert (await browser.post(f"/console/sign-in/{secret}", headers=OURS)).status_code == 410


# ── login sessions ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_sign_in_has_a_new_secret_and_the_old_one_is_over(desk: Desk) -> None:
    browser = await desk.signed_in()
    before = browser.cookies["nd_session"]
    link = (await desk.sign_in.make_link(desk.ana.id)).removeprefix(BASE)
    await browser.post(link, headers=OURS)
    assert browser.cookies["nd_session"] != before
    async with desk.browser() as old:
        old.cookies.set("nd_session", before)
        assert (await old.get("/console")).status_code == 303
    await browser.aclose()


async def test_a_sign_in_ends_idle_or_after_seven_days(desk: Desk) -> None:
    browser = await desk.signed_in()
    for _ in range(8):
        desk.clock.advance(11 * 3600)
        assert (await browser.get("/console")).status_code == 200
    desk.clock.advance(13 * 3600)
    assert (await browser.get("/console")).status_code == 303
    fresh = await desk.signed_in()
    for _ in range(15):
        desk.clock.advance(11 * 3600)
        await fresh.get("/console")
    desk.clock.advance(4 * 3600)
    assert (await fresh.get("/console")).status_code == 303
    await browser.aclose()
    await fresh.aclose()


async def test_an_open_console_keeps_its_sign_in_and_no_ended_one(desk: Desk) -> None:
    kept, idle, ended = [await desk.login() for _ in range(3)]
    async with desk.db.write() as session:
        (await session.get_one(LoginSession, ended.session.id)).ended_at = desk.clock.now()
    for _ in range(2):
        desk.clock.advance(11 * 3600)
        await desk.sign_in.touch([kept.session.id, ended.session.id])
    signed_in = [await desk.sign_in.is_signed_in(one.session.id) for one in (kept, idle, ended)]
    assert signed_in == [True, False, False]
    async with desk.db.read() as session:
        assert (await session.get_one(LoginSession, ended.session.id)).seen_at == ended.session.seen_at


async def test_signing_out_ends_it_on_the_server(desk: Desk) -> None:
    browser = await desk.signed_in()
    secret = browser.cookies["nd_session"]
    assert (await browser.post("/console/sign-out", headers=OURS)).status_code == 303
    async with desk.browser() as kept:
        kept.cookies.set("nd_session", secret)
        assert (await kept.get("/console")).status_code == 303
    await browser.aclose()


async def test_over_https_the_cookie_is_bound_to_the_host(db: Database, clock: FakeClock, desk: Desk) -> None:
    sign_in = SignIn(db, clock, load_settings({}, base_url="https://chat.example.com"))
    answer = Response()
    await sign_in.begin(desk.ana, answer)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-nd_session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


# ── socket passes ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_socket_pass_works_once_within_thirty_seconds(desk: Desk) -> None:
    login = await desk.login()
    good = await desk.sign_in.make_socket_pass(login)
    used = await desk.sign_in.use_socket_pass(good)
    assert used is not None
    assert (used[0].id, used[1].id) == (desk.ana.id, login.session.id)
    assert await desk.sign_in.use_socket_pass(good) is None
    late = await desk.sign_in.make_socket_pass(login)
    desk.clock.advance(31)
    assert await desk.sign_in.use_socket_pass(late) is None
    assert await desk.sign_in.use_socket_pass("") is None


async def test_a_socket_pass_dies_with_its_sign_in_and_a_link_is_none(desk: Desk) -> None:
    login = await desk.login()
    made = await desk.sign_in.make_socket_pass(login)
    async with desk.db.write() as session:
        row = await session.get_one(LoginSession, login.session.id)
        row.ended_at = desk.clock.now()
        session.add(row)
    assert await desk.sign_in.use_socket_pass(made) is None
    assert not await desk.sign_in.is_signed_in(login.session.id)
    link = await desk.sign_in.make_link(desk.ana.id)
    assert await desk.sign_in.use_socket_pass(link.rpartition("/")[2]) is None


async def test_a_pass_is_given_to_our_own_page_only(desk: Desk) -> None:
    browser = await desk.signed_in()
    assert (await browser.post("/console/socket-pass", headers=OURS)).json()["socket_pass"]
    assert (await browser.post("/console/socket-pass")).status_code == 403
    assert (await browser.post("/console/socket-pass", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    async with desk.browser() as mallory:
        assert (await mallory.post("/console/socket-pass", headers=OURS)).status_code == 401
    await browser.aclose()


@pytest.mark.parametrize(
    "path",
    ["/console/sign-in", "/console/sign-out", "/console/language", "/console/settings", "/console/settings/password"],
)
async def test_no_foreign_page_changes_anything(desk: Desk, path: str) -> None:
    browser = await desk.signed_in()
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await browser.post(path, data={"name": "Mallory"}, headers=headers)).status_code == 403
    await browser.aclose()


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_operator_sees_the_conversations_of_their_departments_only(desk: Desk) -> None:
    mine = await conversation(desk, "technical", text="the server is slow")
    foreign = await conversation(desk, "financial", text="zimzelen invoice")
    browser = await desk.signed_in()
    page = (await browser.get("/console")).text
    assert "the server is slow" in page
    assert "zimzelen" not in page
    assert "zimzelen" not in (await browser.get("/console/inbox.json")).text
    assert (await browser.get(f"/console/conversations/{mine}")).status_code == 200
    for path in ("", "/transfer", "/end"):
        assert (await browser.get(f"/console/conversations/{foreign}{path}")).status_code == 404
    assert (await browser.get(f"/console/conversations/{foreign}", headers={"X-Partial": "1"})).status_code == 404
    assert (await browser.get("/console/conversations/nonsense")).status_code == 404
    boss = await desk.operators.create(email="b@acme.si", name="Boss", role="supervisor", departments=[])
    everywhere = await desk.signed_in(boss)
    assert (await everywhere.get(f"/console/conversations/{foreign}")).status_code == 200
    await browser.aclose()
    await everywhere.aclose()


async def test_a_partial_holds_what_changes_and_never_the_composer(desk: Desk) -> None:
    found = await conversation(desk, "technical")
    browser = await desk.signed_in()
    part = (await browser.get(f"/console/conversations/{found}", headers={"X-Partial": "1"})).text
    for name in ("conversation-head", "messages", "context"):
        assert f'id="{name}"' in part
    assert 'id="composer"' not in part
    assert "<html" not in part
    assert "ann@example.com" in part
    assert "not verified" in part
    await browser.aclose()


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ("least busy of 3: 1 of 5 · offered again (passed on 2×)", "transferred by Luka &#34;L&#34;")),
        ("sl", ("najmanj pogovorov (od 3): 1 od 5 · znova ponujeno (prej neprevzeto 2×)", "predaja: Luka &#34;L&#34;")),
    ],
)
async def test_why_somebody_had_it_is_told_in_the_language_of_who_reads_it(
    desk: Desk, locale: str, words: tuple[str, ...]
) -> None:
    found = await conversation(desk, "technical")
    async with desk.db.write() as session:
        for reason in (Reason("least-busy", 3, 1, 5, 2), transferred('Luka "L"')):
            session.add(
                Assignment(
                    id=new_id(),
                    conversation_id=found,
                    operator_id=desk.ana.id,
                    state="accepted",
                    reason=written(reason),
                    offered_at=desk.clock.now(),
                )
            )
        await session.execute(update(table_of(Operator)).values(locale=locale))
    browser = await desk.signed_in()
    part = (await browser.get(f"/console/conversations/{found}", headers={"X-Partial": "1"})).text
    for one in words:
        assert f" · {one}</small>" in part
        assert f'title="{one}"' in part
    await browser.aclose()


async def test_the_inbox_answers_nothing_when_nothing_changed(desk: Desk) -> None:
    await conversation(desk, "technical")
    browser = await desk.signed_in()
    news = (await browser.get("/console/inbox.json")).json()
    assert news["waiting"] == 1
    assert len(news["rows"]) == 1
    assert (await browser.get("/console/inbox.json", params={"known": news["known"]})).status_code == 204
    await conversation(desk, "technical")
    assert len((await browser.get("/console/inbox.json", params={"known": news["known"]})).json()["rows"]) == 2
    await browser.aclose()


async def test_reading_many_rows_takes_no_more_queries(desk: Desk) -> None:
    browser = await desk.signed_in()
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "conversation" in statement:
            counted.append(statement)

    event.listen(desk.db.engine.sync_engine, "before_cursor_execute", count)
    await conversation(desk, "technical")
    counted.clear()
    await browser.get("/console/inbox.json")
    one = len(counted)
    for _ in range(5):
        await conversation(desk, "technical")
    counted.clear()
    await browser.get("/console/inbox.json")
    assert len(counted) == one
    await browser.aclose()


async def test_settings_are_kept_and_checked(desk: Desk) -> None:
    browser = await desk.signed_in()
    form = {"name": "Ana K.", "locale": "sl", "theme": "dark", "capacity": "3", "letters": "1"}
    assert (await browser.post("/console/settings", data=form, headers=OURS)).status_code == 303
    page = (await browser.get("/console")).text
    assert '<html lang="sl" data-theme="dark">' in page
    assert '"letters": true' in page
    assert '"sound": false' in page
    wrong = await browser.post("/console/settings", data=form | {"capacity": "0", "name": " "}, headers=OURS)
    assert wrong.status_code == 422
    assert "Napišite število od 1 do 20." in wrong.text
    ana = await desk.operators.by_id(desk.ana.id)
    assert ana is not None
    assert (ana.name, ana.capacity, ana.created_at.tzinfo) == ("Ana K.", 3, UTC)
    await browser.aclose()


async def test_the_language_of_the_sign_in_page_can_be_chosen(desk: Desk) -> None:
    async with desk.browser() as browser:
        assert "Sign in to the console" in (await browser.get("/console/sign-in")).text
        answer = await browser.post("/console/language", data={"locale": "sl", "next": "//evil"}, headers=OURS)
        assert answer.headers["location"] == "/console"
        assert "Prijava v konzolo" in (await browser.get("/console/sign-in")).text
