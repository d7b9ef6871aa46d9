"""The ticket pages over HTTP: Omar works, Rita follows her link, Mallory gets nowhere."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from chat.db import Database
from tests.support.clock import FakeClock
from tests.support.files import EXE, LOG
from tests.support.office import BASE, OURS, Office, SignedIn, transport, version_of
from tests.support.tickets import company

PLANTED = "zimzelen-4711"


@pytest.fixture
async def office(sqlite_db: Database, clock: FakeClock) -> AsyncIterator[Office]:
    async with company(sqlite_db, clock) as acme:
        sign_in = SignedIn(acme.omar)
        yield Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


# ── the dialog ───────────────────────────────────────────────────────────────────────────────────────────────────


async def dialog(office: Office) -> tuple[UUID, str]:
    conversation = await office.acme.conversation("Hi, our shop is down. Since 20:40, order #482913, 185.203.118.7.")
    return conversation, f"/desk/conversations/{conversation}/ticket"


async def test_the_dialog_is_filled_and_says_from_where(office: Office) -> None:
    _, path = await dialog(office)
    page = await office.http.get(path)
    assert page.status_code == 200
    for part in ('value="Our shop is down"', "#482913", "185.203.118.7", "2026-11-25 20:40 CET", "from 21:00"):
        assert part in page.text


async def test_enter_opens_the_ticket_and_a_second_click_finds_it(office: Office) -> None:
    _, path = await dialog(office)
    form = {"subject": "Our shop is down", "department": "technical", "priority": "high", "order": "482913"}
    first = await office.post(path, **form)
    second = await office.post(path, **form)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["X-Nightdesk-Done"] == second.headers["X-Nightdesk-Done"] == "1"
    assert "T-26-000001" in first.text
    assert "T-26-000001" in second.text
    shown = await office.http.get(path)
    assert "T-26-000001" in shown.text
    assert "X-Nightdesk-Done" not in shown.headers


async def test_a_refused_dialog_keeps_every_field(office: Office) -> None:
    _, path = await dialog(office)
    page = await office.post(
        path,
        subject="",
        department="technical",
        requester_email="rita@",
        service="VPS <9>",
        more="what",
        started="noon",
    )
    assert page.status_code == 422
    assert "X-Nightdesk-Done" not in page.headers
    for kept in ('value="rita@"', 'value="VPS &lt;9&gt;"', 'value="what"', 'value="noon"'):
        assert kept in page.text
    assert page.text.count("field__error draft__error") == 3
    unknown = await office.post(path, subject="Down", department="nowhere")
    assert unknown.status_code == 422
    assert "There is no such department" in unknown.text


@pytest.mark.parametrize("identity", ["nonsense", str(uuid4())])
async def test_an_unknown_conversation_has_no_dialog(office: Office, identity: str) -> None:
    assert (await office.http.get(f"/desk/conversations/{identity}/ticket")).status_code == 404


# ── the operators' pages ─────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_signed_in_sees_and_does_nothing(office: Office) -> None:
    ticket = await office.acme.ticket()
    office.sign_in.operator_now = None
    for path in ("/desk/tickets", f"/desk/tickets/{ticket.number}", f"/desk/tickets/{ticket.number}/thread"):
        page = await office.http.get(path)
        assert (page.status_code, page.headers["location"]) == (303, "/console/sign-in")
    answer = await office.post(f"/desk/tickets/{ticket.number}/messages", kind="reply", text="Hi", version="1")
    assert answer.status_code == 303
    assert await office.texts(ticket) == []


async def test_a_foreign_page_posts_in_vain(office: Office) -> None:
    ticket = await office.acme.ticket()
    link = await office.link(ticket)
    for path in (f"/desk/tickets/{ticket.number}/messages", f"/desk/tickets/{ticket.number}/properties", link):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
            answer = await office.http.post(path, data={"text": "Hi", "kind": "note"}, headers=headers)
            assert answer.status_code == 403
    assert await office.texts(ticket) == []


async def test_the_list_shows_whose_turn_it_is(office: Office) -> None:
    assert "No tickets here." in (await office.http.get("/desk/tickets")).text
    ticket = await office.acme.ticket("<b>Bold</b> & broken server")
    page = await office.http.get("/desk/tickets?lane=open&after=nonsense")
    assert ticket.number in page.text
    assert "Our turn" in page.text
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; broken server" in page.text
    assert "<b>Bold</b>" not in page.text
    assert ticket.number in (await office.http.get("/desk/tickets?lane=mine")).text


async def test_omar_replies_notes_and_sets_without_script(office: Office) -> None:
    ticket = await office.acme.ticket()
    path = f"/desk/tickets/{ticket.number}"
    page = await office.http.get(path)
    answer = await office.post(
        f"{path}/messages",
        kind="reply",
        text="On it",
        version=version_of(page),
        ref="ref-00001",
        then="waiting_customer",
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}#end")
    await office.post(f"{path}/messages", kind="note", text="Check the switch", ref="ref-00002")
    # Nothing that was written or chosen is dropped unsaid.
    note = {"kind": "note", "text": "See the log", "ref": "ref-00003"}
    chosen = [("files", ("a.log", LOG)), ("files", ("tool.exe", EXE))]
    with_file = await office.http.post(f"{path}/messages", data=note, files=chosen, headers=OURS)
    assert (with_file.status_code, "tool.exe: This file type is not allowed." in with_file.text) == (422, True)
    assert all(kept in with_file.text for kept in (">See the log</textarea>", '> <span dir="auto">a.log</span>'))
    with_file = await office.http.post(f"{path}/messages", data=note, files=chosen[:1], headers=OURS)
    assert (with_file.status_code, "a.log" in (await office.http.get(path)).text) == (303, True)
    large = await office.post(f"{path}/properties", field="breach_reason", reason="x" * 70_000)
    assert (large.status_code, "what you wrote is still there" in large.text) == (413, True)
    for form in (
        {"field": "priority", "priority": "high"},
        {"field": "operator", "operator": str(office.acme.nina.id)},
        {"field": "state", "state": "solved"},
    ):
        page = await office.http.get(path)
        assert (await office.post(f"{path}/properties", version=version_of(page), **form)).status_code == 303
    found = await office.fresh(ticket)
    assert (found.state, found.priority, found.operator_id) == ("solved", 0, office.acme.nina.id)
    assert await office.texts(ticket) == ["On it", "Check the switch", "See the log"]
    page = await office.http.get(path)
    assert "First reply after 0:00, within 10 min" in page.text


async def test_an_older_page_is_refused_with_the_text_kept(office: Office) -> None:
    ticket = await office.acme.ticket()
    path = f"/desk/tickets/{ticket.number}"
    old = version_of(await office.http.get(path))
    await office.acme.tickets.answer(ticket.id, "It works again!", ref="answer-0009")
    answer = await office.post(f"{path}/messages", kind="reply", text="We look at it", version=old, ref="ref-00003")
    assert answer.status_code == 409
    assert "It works again!" in answer.text
    assert "We look at it</textarea>" in answer.text
    changed = await office.post(f"{path}/properties", field="state", state="solved", version=old)
    assert changed.status_code == 409
    again = await office.post(
        f"{path}/messages", kind="reply", text="We look at it", version=version_of(answer), ref="ref-00003"
    )
    assert again.status_code == 303
    assert await office.texts(ticket) == ["It works again!", "We look at it"]


@pytest.mark.parametrize(
    "form",
    [
        {"field": "state", "state": "nonsense"},
        {"field": "priority", "priority": "7"},
        {"field": "department", "department": "nowhere"},
        {"field": "operator", "operator": "nobody"},
        {"field": "operator", "operator": str(uuid4())},
        {"field": "__class__"},
        {},
    ],
)
async def test_nonsense_changes_nothing(office: Office, form: dict[str, str]) -> None:
    ticket = await office.acme.ticket()
    path = f"/desk/tickets/{ticket.number}"
    answer = await office.post(f"{path}/properties", version=str(ticket.version), **form)
    assert answer.status_code == 422
    assert (await office.fresh(ticket)).version == ticket.version


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001])
async def test_empty_and_endless_replies_come_back(office: Office, text: str) -> None:
    ticket = await office.acme.ticket()
    path = f"/desk/tickets/{ticket.number}/messages"
    answer = await office.post(path, kind="reply", text=text, version=str(ticket.version))
    assert answer.status_code == 422
    assert await office.texts(ticket) == []
    assert text.strip() in answer.text


async def test_an_unknown_ticket_is_not_found(office: Office) -> None:
    assert (await office.http.get("/desk/tickets/T-26-999999")).status_code == 404
    assert (await office.post("/desk/tickets/T-26-999999/messages", text="Hi")).status_code == 404
    assert (await office.post("/desk/tickets/T-26-999999/properties", field="links")).status_code == 404


async def test_the_live_parts_carry_what_is_new(office: Office) -> None:
    ticket = await office.acme.ticket()
    await office.acme.tickets.answer(ticket.id, "News from Rita", ref="answer-0010")
    part = await office.http.get(f"/desk/tickets/{ticket.number}/thread")
    for wanted in ('id="ticket-head"', 'id="ticket-timeline"', 'id="ticket-facts"', "News from Rita"):
        assert wanted in part.text
    assert "<html" not in part.text


# ── the requester's page ─────────────────────────────────────────────────────────────────────────────────────────


async def test_rita_reads_and_answers(office: Office) -> None:
    ticket = await office.acme.ticket("Our shop is down", "Please hurry")
    link = await office.link(ticket)
    page = await office.http.get(link)
    assert page.status_code == 200
    for part in (
        ticket.number,
        "Our shop is down",
        "Please hurry",
        "First reply by 22:10",
        "Times are those of Europe/Helsinki.",
    ):
        assert part in page.text
    assert "'none'" in page.headers["content-security-policy"]
    form = {"text": "It works again", "ref": "answer-0011"}
    sent = await office.post(link, **form)
    await office.post(link, **form)
    assert (sent.status_code, sent.headers["location"]) == (303, f"{link}?sent=1")
    assert await office.texts(ticket) == ["It works again"]
    assert "Your message is in the ticket." in (await office.http.get(sent.headers["location"])).text
    assert ("ticket", ticket.number) in office.acme.nudges


async def test_rita_reads_it_in_slovenian(office: Office) -> None:
    link = await office.link(await office.acme.ticket())
    page = await office.http.get(f"{link}?lang=sl")
    assert '<html lang="sl">' in page.text
    for part in ("Prvi odgovor do 22:10", "V obravnavi", "Oddelek", "Tehnični"):
        assert part in page.text
    refused = await office.post(f"{link}?lang=sl", text="")
    assert "Najprej napišite nekaj besed." in refused.text


@pytest.mark.parametrize("text", ["", "  ", "<i>" + "x" * 10_000])
async def test_what_rita_cannot_send_comes_back(office: Office, text: str) -> None:
    ticket = await office.acme.ticket()
    link = await office.link(ticket)
    answer = await office.post(link, text=text)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert text.strip().replace("<i>", "&lt;i&gt;") in answer.text
    assert await office.texts(ticket) == []


async def test_rita_says_it_is_solved_and_a_word_opens_it_again(office: Office) -> None:
    ticket = await office.acme.ticket()
    link = await office.link(ticket)
    await office.post(link, action="solved", text="")
    assert (await office.fresh(ticket)).state == "solved"
    await office.post(link, text="Not quite", ref="answer-0012")
    assert (await office.fresh(ticket)).state == "open"


async def test_a_link_that_does_not_work_looks_the_same_whatever_is_wrong(office: Office) -> None:
    ticket = await office.acme.ticket()
    link = await office.link(ticket)
    identity, signature = link.split("/")[2:]
    other = office.acme.links.sign(f"/t/{uuid4()}").removeprefix(BASE)
    broken = [f"/t/{identity}/{signature[:-1]}_", f"/t/{uuid4()}/{signature}", "/t/x/y", other, f"/t/{identity}/č"]
    pages = [await office.http.get(path) for path in broken]
    office.acme.clock.advance(timedelta(days=30).total_seconds())
    pages.append(await office.http.get(link))
    assert {page.status_code for page in pages} == {404}
    assert len({re.sub(r'nonce="[^"]*"|href="/t/[^"]*"', "", page.text) for page in pages}) == 1
    assert "This link does not work" in pages[0].text
    answer = await office.post(link, text="Hello?")
    assert answer.status_code == 404
    assert await office.texts(ticket) == []


async def test_ended_links_stop_at_once(office: Office) -> None:
    ticket = await office.acme.ticket()
    link = await office.link(ticket)
    properties, version = f"/desk/tickets/{ticket.number}/properties", str(ticket.version)
    assert (await office.post(properties, field="links", version=version)).status_code == 303
    assert (await office.http.get(link)).status_code == 404
    assert (await office.http.get(await office.link(ticket))).status_code == 200


async def test_a_note_is_never_on_ritas_page(office: Office) -> None:
    ticket = await office.acme.ticket()
    await office.post(f"/desk/tickets/{ticket.number}/messages", kind="note", text=PLANTED, ref="ref-00004")
    assert PLANTED in (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    link = await office.link(ticket)
    for page in (
        await office.http.get(link),
        await office.http.get(f"{link}?lang=sl&sent=1"),
        await office.post(link, text=""),
    ):
        assert PLANTED not in page.text
        assert "Firefox" not in page.text
