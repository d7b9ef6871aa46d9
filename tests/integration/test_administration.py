"""Pages of administrators on both databases: nobody else comes in, nonsense is refused field by field, and every change
is audited."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import CannedResponse
from chat.outbox import OutboxRow
from chat.people.audit import AuditEntry
from chat.people.models import Department, Operator, OperatorDepartment, Site
from chat.people.operators import Operators
from escalation.shifts.models import Absence, ShiftRow, ShiftTurn
from escalation.sla.engine import APPLY
from escalation.sla.policy_tables import CalendarRow, SlaPolicy
from tests.support.administration import OURS, PAGES, Bureau, bureau
from tests.support.clock import FakeClock
from tests.support.databases import SqliteMaker


@pytest.fixture
async def ada(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Bureau]:
    async with bureau(database_url, tmp_path, clock) as found:
        yield found


@pytest.fixture
async def on_sqlite(sqlite_maker: SqliteMaker, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Bureau]:
    async with bureau(sqlite_maker.make(), tmp_path, clock) as found:
        yield found


async def actions(ada: Bureau) -> list[str]:
    async with ada.db.read() as session:
        return list(await session.exec(select(AuditEntry.action).order_by(col(AuditEntry.id))))


# ── who comes in ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_page_opens_for_an_administrator_in_both_languages(on_sqlite: Bureau) -> None:
    for locale, word in (("en", "Administration"), ("sl", "Upravljanje")):
        async with on_sqlite.db.write() as session:
            (await session.get_one(Operator, on_sqlite.ada.id)).locale = locale
        for path in PAGES:
            page = await on_sqlite.http.get(path)
            assert page.status_code == 200, (path, page.text[:300])
            assert word in page.text


async def test_to_everybody_else_the_pages_do_not_exist(on_sqlite: Bureau) -> None:
    for role in ("operator", "supervisor"):
        await on_sqlite.sign_in(await on_sqlite.person(role.title(), role))
        for path in (*PAGES, f"/console/admin/sites/{uuid4()}"):
            assert (await on_sqlite.http.get(path)).status_code == 404, path
            assert (await on_sqlite.post(path, name="Mine")).status_code in (404, 405), path
    on_sqlite.http.cookies.clear()
    for path in PAGES:
        answer = await on_sqlite.http.get(path)
        assert answer.headers["location"].startswith("/console/sign-in"), path
        assert (await on_sqlite.post(path, name="Mine")).status_code in (303, 405), path
    assert await actions(on_sqlite) == []


async def test_a_foreign_page_cannot_post_in_an_administrators_name(on_sqlite: Bureau) -> None:
    for path in ("/console/admin/departments/new", "/desk/admin/shifts/new", "/desk/admin/policies/tickets"):
        answer = await on_sqlite.http.post(path, data={"name": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert await actions(on_sqlite) == []


async def test_a_form_that_is_held_back_does_not_outlive_the_role(on_sqlite: Bureau) -> None:
    bad = await on_sqlite.person("Bad", "administrator")
    await on_sqlite.sign_in(bad)
    operators = Operators(on_sqlite.db, on_sqlite.clock, on_sqlite.desk.sign_in.passwords)

    async def form() -> AsyncIterator[bytes]:
        yield b"name=Changed&role="
        await operators.set_role(bad.id, "operator")
        yield b"administrator&locale=en&capacity=5&tickets=20&department_technical=1"

    headers = OURS | {"Content-Type": "application/x-www-form-urlencoded"}
    sent = await on_sqlite.http.post(f"/console/admin/operators/{bad.id}", content=form(), headers=headers)
    assert sent.headers["location"].startswith("/console/sign-in")
    async with on_sqlite.db.read() as session:
        row = await session.get_one(Operator, bad.id)
    assert (row.name, row.role) == ("Bad", "operator")


async def test_what_is_not_there_is_404(on_sqlite: Bureau) -> None:
    for place in ("/console/admin/operators", "/console/admin/sites", "/desk/admin/shifts", "/desk/admin/calendars"):
        for name in (str(uuid4()), "nonsense", "%00"):
            assert (await on_sqlite.http.get(f"{place}/{name}")).status_code == 404
            assert (await on_sqlite.post(f"{place}/{name}", name="x")).status_code == 404


# ── departments, responses, sites ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "text"), [("name_en", " "), ("name_sl", "x" * 81), ("slug", "Prodaja!"), ("position", "-1")]
)
async def test_a_department_is_refused_by_field(on_sqlite: Bureau, field: str, text: str) -> None:
    good = {"name_en": "Sales", "name_sl": "Prodaja", "slug": "sales", "position": "3"}
    page = await on_sqlite.post("/console/admin/departments/new", **(good | {field: text}))
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert await actions(on_sqlite) == []


async def test_a_department_is_added_once_and_changed(ada: Bureau) -> None:
    good = {"name_en": "Sales", "name_sl": "Prodaja", "slug": "sales", "position": "3"}
    assert (await ada.post("/console/admin/departments/new", **good)).status_code == 303
    again = await ada.post("/console/admin/departments/new", **good)
    assert again.status_code == 422
    async with ada.db.read() as session:
        [row] = await session.exec(select(Department).where(Department.slug == "sales"))
    changed = await ada.post(f"/console/admin/departments/{row.id}", name_en="Selling", name_sl="Prodaja", position="1")
    assert changed.status_code == 303
    await ada.post(f"/console/admin/departments/{row.id}", name_en="Selling", name_sl="Prodaja", position="1")
    assert await actions(ada) == ["department.added", "department.changed"], "the same once more is no change"
    page = await ada.http.get("/console/admin/log")
    assert "department.changed" in page.text
    assert "Selling" in page.text


async def test_a_canned_response_fills_in_only_what_is_known(ada: Bureau) -> None:
    bad = await ada.post("/console/admin/canned/new", shortcut="hi", title="Hi", text_en="Hello {visitor.password}")
    assert bad.status_code == 422
    good = {"shortcut": "hi", "title": "Hi", "text_en": "Hello {visitor.name}", "text_sl": ""}
    assert (await ada.post("/console/admin/canned/new", **good)).status_code == 303
    assert (await ada.post("/console/admin/canned/new", **good)).status_code == 422
    async with ada.db.read() as session:
        [row] = await session.exec(select(CannedResponse))
    assert row.texts == {"en": "Hello {visitor.name}"}
    assert (await ada.post(f"/console/admin/canned/{row.id}/remove")).status_code == 303
    assert (await ada.post(f"/console/admin/canned/{row.id}/remove")).status_code == 404
    assert await actions(ada) == ["canned.added", "canned.removed"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("origins", "www.acme.si"),
        ("origins", "https://acme.si/path"),
        ("origins", "https://user@acme.si"),
        ("origins", "javascript:alert(1)"),
        ("origins", ""),
        ("accent", "red; } body { display: none"),
        ("privacy_url", "javascript:alert(1)"),
        ("privacy_url", "//evil.example"),
        ("locale", "xx"),
    ],
)
async def test_a_site_is_refused_by_field(on_sqlite: Bureau, field: str, text: str) -> None:
    good = {"name": "Acme", "origins": "https://www.acme.si", "locale": "sl"}
    page = await on_sqlite.post("/console/admin/sites/new", **(good | {field: text}))
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert await actions(on_sqlite) == []


async def test_a_site_is_added_with_its_line_and_keeps_what_others_set(ada: Bureau) -> None:
    good = {
        "name": "Acme", "origins": "https://www.acme.si/\nhttps://ACME.si https://acme.si", "locale": "sl",
        "accent": "#1A2B3C", "question_1_en": "Where?", "answer_1_en": "Here.",
    }  # fmt: skip
    answer = await ada.post("/console/admin/sites/new", **good)
    async with ada.db.write() as session:
        [row] = await session.exec(select(Site).where(Site.name == "Acme"))
        row.settings = {**row.settings, "identity_key": "kept"}
    assert row.origins == ["https://www.acme.si", "https://acme.si"]
    page = await ada.http.get(answer.headers["location"])
    assert f"/w/{row.key}/loader.js" in page.text
    await ada.post(f"/console/admin/sites/{row.id}", **(good | {"name": "Acme d.o.o."}))
    async with ada.db.read() as session:
        changed = await session.get_one(Site, row.id)
    assert (changed.name, changed.settings["identity_key"]) == ("Acme d.o.o.", "kept")
    assert changed.settings["suggestions"] == [{"question": {"en": "Where?"}, "answer": {"en": "Here."}}]
    assert await actions(ada) == ["site.added", "site.changed"]


# ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────────

NINA = {
    "name": "Nina", "email": "nina@acme.si", "role": "operator", "locale": "sl", "capacity": "4", "tickets": "10",
    "department_technical": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "text"),
    [("email", "nina"), ("role", "owner"), ("capacity", "0"), ("tickets", "9999"), ("name", ""), ("locale", "de")],
)
async def test_an_operator_is_refused_by_field(on_sqlite: Bureau, field: str, text: str) -> None:
    page = await on_sqlite.post("/console/admin/operators/new", **(NINA | {field: text}))
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text


async def test_an_operator_is_added_with_a_link_changed_and_deactivated(ada: Bureau) -> None:
    added = await ada.post("/console/admin/operators/new", **NINA)
    assert added.status_code == 200
    assert "/console/sign-in/" in added.text
    assert (await ada.post("/console/admin/operators/new", **NINA)).status_code == 422
    async with ada.db.read() as session:
        [nina] = await session.exec(select(Operator).where(Operator.email == "nina@acme.si"))
        members = await session.exec(select(OperatorDepartment).where(OperatorDepartment.operator_id == nina.id))
        assert len(members.all()) == 1
    place = f"/console/admin/operators/{nina.id}"
    both = NINA | {"role": "supervisor", "department_financial": "1"}
    assert (await ada.post(place, **both)).status_code == 303
    assert (await ada.post(f"{place}/active", active="0")).status_code == 303
    async with ada.db.read() as session:
        nina = await session.get_one(Operator, nina.id)
    assert (nina.role, nina.active, nina.ticket_capacity) == ("supervisor", False, 10)
    page = await ada.http.get("/console/admin/log")
    assert "/console/sign-in/" not in page.text, "a link is no matter for the log"
    assert await actions(ada) == ["operator.added", "operator.changed", "operator.deactivated"]


async def test_the_last_administrator_stays_one(ada: Bureau) -> None:
    place = f"/console/admin/operators/{ada.ada.id}"
    demoted = NINA | {"name": "Ada", "role": "operator"}
    assert (await ada.post(place, **demoted)).status_code == 422
    assert (await ada.post(f"{place}/active", active="0")).status_code == 422
    await ada.person("Berta", "administrator")
    assert (await ada.post(place, **demoted)).status_code == 303
    assert (await ada.http.get("/console/admin/log")).status_code in (303, 404)


async def test_after_a_while_the_password_is_asked_for_again_with_the_form_kept(on_sqlite: Bureau) -> None:
    ada, place = on_sqlite, f"/console/admin/operators/{on_sqlite.ada.id}"
    await Operators(ada.db, ada.clock, ada.desk.sign_in.passwords).change_password(ada.ada.id, "three plain words")
    await ada.sign_in(ada.ada)
    form = NINA | {"name": "Ada <Prima>", "role": "administrator"}
    ada.clock.advance(15 * 60)
    asked = await ada.post(place, **form)
    assert (asked.status_code, "Ada &lt;Prima&gt;</textarea>" in asked.text) == (403, True)
    for path in (f"{place}/link", f"{place}/sign-out", f"{place}/active", "/console/admin/sites/new"):
        assert (await ada.post(path)).status_code == 403
    wrong = await ada.post(place, **form, proof="three other words")
    assert (wrong.status_code, "three other words" in wrong.text) == (422, False)
    assert await actions(ada) == ["operator.password-set"]
    assert (await ada.post(place, **form, proof="three plain words")).status_code == 303
    assert await actions(ada) == ["operator.password-set", "operator.changed"]
    await ada.sign_in(ada.ada)
    assert (await ada.post(place, **form | {"name": "Ada"})).status_code == 303


async def test_without_a_password_an_old_sign_in_sets_none(ada: Bureau) -> None:
    place = f"/console/admin/operators/{ada.ada.id}/link"
    ada.clock.advance(15 * 60)
    assert 'name="new"' not in (await ada.http.get("/console/settings")).text
    refused = await ada.post("/console/settings/password", new="three plain words")
    assert (refused.status_code, "sign in by a new link" in refused.text) == (403, True)
    assert (await ada.post(place)).status_code == 403
    assert await actions(ada) == []
    await ada.sign_in(ada.ada)
    assert (await ada.post("/console/settings/password", new="three plain words")).status_code == 303
    ada.clock.advance(15 * 60)
    form = {"current": "three plain words", "new": "three other words"}
    assert (await ada.post("/console/settings/password", **form)).status_code == 303
    async with ada.db.read() as session:
        entries = list(await session.exec(select(AuditEntry).order_by(col(AuditEntry.id))))
    assert [one.action for one in entries] == ["operator.password-set", "operator.password-changed"]
    assert {(one.actor_id, one.subject_id, str(one.data)) for one in entries} == {(ada.ada.id, ada.ada.id, "{}")}


async def test_two_administrators_cannot_put_each_other_out(ada: Bureau) -> None:
    berta = await ada.person("Berta", "administrator")
    operators = Operators(ada.db, ada.clock, ada.desk.sign_in.passwords)
    written = []

    async def along(_: AsyncSession) -> None:
        written.append(True)

    ended = await asyncio.gather(
        *(operators.set_active(one.id, active=False, along=along) for one in (ada.ada, berta)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in ended) == ["LastAdministrator", "NoneType"]
    assert len(written) == 1  # no trace of what was refused


# ── promises, calendars, shifts ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_policy_is_a_new_version_and_two_at_once_are_one(ada: Bureau) -> None:
    await ada.http.get("/desk/admin/policies")
    async with ada.db.read() as session:
        [always] = await session.exec(select(CalendarRow))
    good = {
        "name": "Tickets", "position": "2", "kind": "ticket", "calendar": str(always.id), "target": "20",
        "breach": "20", "step_assigned": "10", "step_offer": "", "step_supervisor": "15", "version": "1",
    }  # fmt: skip
    for field, text in (("target", "0"), ("breach", "10"), ("step_supervisor", "30"), ("calendar", str(uuid4()))):
        page = await ada.post("/desk/admin/policies/tickets", **(good | {field: text}))
        assert page.status_code == 422, field
        assert f'id="{field}-error"' in page.text
    answer = await ada.post("/desk/admin/policies/tickets", **good)
    assert answer.headers["location"] == "/desk/admin/policies/tickets?done=saved&moved=0"
    async with ada.db.read() as session:
        assert (await session.exec(select(OutboxRow.kind))).all() == [APPLY], "running clocks follow, whoever dies"
    assert (await ada.post("/desk/admin/policies/tickets", **good)).status_code == 422, "a colleague was faster"
    async with ada.db.read() as session:
        versions = await session.exec(select(SlaPolicy.version).where(SlaPolicy.key == "tickets"))
        assert sorted(versions) == [1, 2]
    page = await ada.post("/desk/admin/policies/chat", **good | {"kind": "conversation", "account_tags": "VIP"})
    assert 'id="account_tags-error"' in page.text
    tagged = good | {"version": "2", "account_tags": " VIP, gold  plan,vip,"}
    await ada.post("/desk/admin/policies/tickets", **tagged)
    assert 'value="vip, gold plan"' in (await ada.http.get("/desk/admin/policies/tickets")).text
    assert "accounts with “gold plan”" in (await ada.http.get("/desk/admin/policies")).text
    await ada.post("/desk/admin/policies/tickets", **good | {"version": "3"})
    page = await ada.http.get("/desk/admin/policies/tickets")
    assert "Publish version 5" in page.text
    assert "0 clocks run under this policy now" in page.text
    for follows, said, rest in (
        ("moved=2", True, False), ("moved=200&more=1", True, True), ("moved=two", False, False),
    ):  # fmt: skip
        text = (await ada.http.get(f"/desk/admin/policies/tickets?done=saved&{follows}")).text
        assert ("were computed again" in text, "is being applied to the rest" in text) == (said, rest), follows
    assert await actions(ada) == ["policy.changed"] * 3


async def test_a_calendar_has_hours_and_holidays_that_can_be_read(ada: Bureau) -> None:
    good = {
        "name": "Office",
        "zone": "Europe/Ljubljana",
        "day_0": "8-12, 13:00–16:30",
        "holidays": "2026-12-25\n2026-12-26",
    }
    for field, text in (
        ("day_0", "8-12, 11-16"), ("day_0", "from eight"), ("holidays", "Christmas"), ("zone", "Mars/Base"),
        ("day_0", ""),
    ):  # fmt: skip
        page = await ada.post("/desk/admin/calendars/new", **(good | {field: text}))
        assert page.status_code == 422, (field, text)
        assert f'id="{field}-error"' in page.text
    assert (await ada.post("/desk/admin/calendars/new", **good)).status_code == 303
    async with ada.db.read() as session:
        [row] = await session.exec(select(CalendarRow).where(CalendarRow.name == "Office"))
    assert row.weekly == [[0, 480, 720], [0, 780, 990]]
    assert row.holidays == ["2026-12-25", "2026-12-26"]
    answer = await ada.post(f"/desk/admin/calendars/{row.id}", **good | {"day_1": "8-9"})
    assert answer.headers["location"] == f"/desk/admin/calendars/{row.id}?done=saved&moved=0"
    assert "0 running clocks were computed again" in (await ada.http.get(answer.headers["location"])).text
    assert await actions(ada) == ["calendar.added", "calendar.changed"]


async def test_the_shipped_calendar_is_never_changed(ada: Bureau) -> None:
    await ada.http.get("/desk/admin/calendars")
    async with ada.db.read() as session:
        [always] = await session.exec(select(CalendarRow))
    answer = await ada.post(f"/desk/admin/calendars/{always.id}", name="Never", zone="UTC", day_0="8-9")
    assert answer.status_code == 404


async def test_a_roster_is_made_and_takes_effect_at_once(ada: Bureau) -> None:
    nina = await ada.person("Nina")
    for field, text in (("opens", "noon"), ("closes", "25:00"), ("zone", "Mars/Base"), ("name", "")):
        good = {"name": "Day", "zone": "UTC", "opens": "06:00", "closes": "14:00", "day_0": "1"}
        page = await ada.post("/desk/admin/shifts/new", **(good | {field: text}))
        assert page.status_code == 422
        assert f'id="{field}-error"' in page.text
    days = {f"day_{day}": "1" for day in range(7)}
    answer = await ada.post("/desk/admin/shifts/new", name="Day", zone="UTC", opens="6", closes="14", **days)
    place = answer.headers["location"].split("?")[0]
    assert (await ada.post(f"{place}/turns", operator=str(nina.id), first="2026-13-01")).status_code == 422
    assert (await ada.post(f"{place}/turns", operator=str(uuid4()), first="2026-11-01")).status_code == 422
    ada.clock.set(ada.clock.now().replace(hour=10))
    assert (await ada.post(f"{place}/turns", operator=str(nina.id), first="2026-11-01")).status_code == 303
    async with ada.db.read() as session:
        row = await session.get_one(Operator, nina.id)
    assert row.duty_until == ada.clock.now().replace(hour=14)

    bad = {"operator": str(nina.id), "kind": "sick", "starts_at": "2026-11-25T11:00", "ends_at": "2026-11-25T10:00"}
    assert (await ada.post("/desk/admin/shifts/absences", **bad)).status_code == 422
    good = bad | {"ends_at": "2026-11-25T20:00"}
    assert (await ada.post("/desk/admin/shifts/absences", **good)).status_code == 303
    async with ada.db.read() as session:
        row = await session.get_one(Operator, nina.id)
        [absence] = await session.exec(select(Absence))
    assert row.off_since == ada.clock.now()
    page = await ada.http.get("/desk/admin/shifts")
    assert "Nina" in page.text
    assert (await ada.post(f"/desk/admin/shifts/absences/{absence.id}/remove")).status_code == 303
    async with ada.db.read() as session:
        [turn] = await session.exec(select(ShiftTurn))
    assert (await ada.post(f"{place}/turns/{uuid4()}/remove")).status_code == 404
    assert (await ada.post(f"{place}/turns/{turn.id}/remove")).status_code == 303
    assert (await ada.post(f"{place}/remove")).status_code == 303
    async with ada.db.read() as session:
        row = await session.get_one(Operator, nina.id)
        assert (await session.exec(select(ShiftRow))).first() is None
    assert (row.duty_from, row.duty_until, row.off_since) == (None, None, None)
    assert await actions(ada) == [
        "shift.added", "roster.added", "absence.added", "absence.removed", "roster.removed", "shift.removed",
    ]  # fmt: skip


async def test_a_tab_is_told_what_was_refused_and_a_script_gets_one_line(on_sqlite: Bureau) -> None:
    ada = on_sqlite
    tab = {"Sec-Fetch-Dest": "document", "Accept": "text/html"}
    sara = await ada.person("Sara")
    async with ada.db.write() as session:
        (await session.get_one(Operator, sara.id)).locale = "sl"
    await ada.sign_in(sara)
    long = {"name": "x" * 70_000}
    for path, headers, form, status, words in (
        ("/console/settings", OURS, long, 413, "Tega je preveč za eno pošiljanje"),
        ("/console/settings", {"Sec-Fetch-Site": "cross-site"}, {"name": "Eve"}, 403, "To ne prihaja z naše strani"),
        ("/console/language", OURS, long, 413, "Tega je preveč"),
        ("/console/sign-out", {}, {}, 403, "Stran odprite znova"),
        ("/desk/bulk", {"Sec-Fetch-Site": "same-site"}, {}, 403, "To ne prihaja"),
        ("/console/admin/sites/new", OURS, long, 404, "Te strani ni"),
        ("/console/no/such/place", OURS, {}, 404, "Te strani ni"),
    ):
        answer = await ada.http.post(path, data=form, headers=tab | headers)
        assert (answer.status_code, words in answer.text, 'lang="sl"' in answer.text) == (status, True, True), path
        assert "script-src 'nonce-" in answer.headers["content-security-policy"]
        plain = await ada.http.post(path, data=form, headers={"Sec-Fetch-Dest": "empty"} | headers)
        assert plain.status_code == status
        assert plain.headers["content-type"].startswith("text/plain") or status == 404, path
    ada.http.cookies.clear()
    came = await ada.http.get("/console/inbox.json", headers=tab)
    assert (came.status_code, came.headers["location"]) == (303, "/console/sign-in?next=/console/inbox.json")
    assert "Your sign-in has ended" in (await ada.http.post("/console/settings", headers=tab | OURS)).text
    for path in ("/client/no/such/place", "/no/such/place"):
        missing = await ada.http.get(path, headers=tab)
        assert (missing.status_code, "There is no such page" in missing.text) == (404, True)
        assert 'href="/console"' not in missing.text


async def test_settings_that_are_refused_keep_what_was_written(on_sqlite: Bureau) -> None:
    form = {"name": "Ada Kos", "capacity": "77", "locale": "sl", "theme": "dark", "letters": "1"}
    refused = await on_sqlite.post("/console/settings", **form)
    assert refused.status_code == 422
    for kept in ('value="Ada Kos"', 'value="77"', '<option value="sl" lang="sl" selected>', 'value="dark" selected'):
        assert kept in refused.text
    assert ('name="letters" value="1" checked' in refused.text, 'name="sound" value="1" checked' in refused.text) == (
        True,
        False,
    )
    assert "Ada Kos" not in (await on_sqlite.http.get("/console/settings")).text
