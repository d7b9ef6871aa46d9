"""Tickets merged, split, linked, tagged; colleagues named, seen; actions of owners. On both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlmodel import col, select

from chat.conversations.entry import Author
from chat.db import Database
from chat.ids import new_id
from chat.people.models import Department
from escalation import spam, store
from escalation.customers.models import Account, Customer
from escalation.detaching import detach
from escalation.errors import DifferentPeople, NeedsOwnership, NotPossible, TicketMoved
from escalation.models import (
    SlaClock,
    Ticket,
    TicketConversation,
    TicketEvent,
    TicketMention,
    TicketMessage,
    TicketRelation,
)
from escalation.ownership import Action, record_action
from escalation.relations import link, merge, unlink
from escalation.splitting import split
from escalation.states import State
from escalation.ticket_links import participants_in
from escalation.transfers import transfer
from tests.support.clock import FakeClock
from tests.support.office import BASE, Office, SignedIn, transport
from tests.support.taking_part import add
from tests.support.tickets import LJUBLJANA, Company, company

PLANTED = "zimzelen-4711"


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


def office_of(acme: Company) -> Office:
    sign_in = SignedIn(acme.omar)
    return Office(acme, httpx2.AsyncClient(transport=transport(acme, sign_in), base_url=BASE), sign_in)


@pytest.fixture
def office(acme: Company) -> Office:
    return office_of(acme)


async def fresh(acme: Company, ticket: Ticket) -> Ticket:
    async with acme.db.read() as session:
        return await session.get_one(Ticket, ticket.id)


async def events(acme: Company, ticket: Ticket) -> list[str]:
    async with acme.db.read() as session:
        found = select(TicketEvent.type).where(TicketEvent.ticket_id == ticket.id).order_by(col(TicketEvent.seq))
        return list(await session.exec(found))


async def texts(acme: Company, ticket: Ticket) -> list[str]:
    async with acme.db.read() as session:
        found = await store.operators_ticket(session, ticket.number, await acme.reader())
    assert found is not None
    return [message.text for message in found.messages if message.kind != "transcript"]


async def said(acme: Company, conversation_id: UUID) -> list[str]:
    transcript = await acme.conversations.transcript_of(conversation_id)
    assert transcript is not None
    return [message.text for message in transcript.messages]


async def work(acme: Company) -> None:
    while await acme.tickets.outbox.work_once():
        pass


async def conversation_of(acme: Company, ticket: Ticket) -> UUID:
    async with acme.db.read() as session:
        found = select(TicketConversation.conversation_id).where(TicketConversation.ticket_id == ticket.id)
        return (await session.exec(found.order_by(col(TicketConversation.id)))).all()[0]


async def two_of_ann(acme: Company) -> tuple[Ticket, Ticket]:
    """The first one's conversation has ended, the second one's goes on."""
    first_talk = await acme.conversation("The server does not answer")
    first = (await acme.escalate(first_talk)).ticket
    await acme.pairing.take(first_talk, acme.omar)
    await acme.pairing.end(first_talk, Author("operator", acme.omar.id, acme.omar.name))
    acme.clock.advance(120)
    second = (await acme.escalate(await acme.conversation("It still does not answer"))).ticket
    return first, second


# ── merge ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_merge_keeps_every_word_the_older_start_and_the_conversation(acme: Company) -> None:
    first, second = await two_of_ann(acme)
    await acme.tickets.note(second.id, acme.as_omar, "seen before", ref="note-0001")
    second = await fresh(acme, second)
    await merge(acme.tickets, second.id, first.id, acme.as_omar, version=second.version)
    merged, target = await fresh(acme, second), await fresh(acme, first)
    assert (merged.state, merged.closed_reason) == ("closed", "merged")
    assert await texts(acme, target) == ["seen before"]
    assert await texts(acme, merged) == ["seen before"]
    assert (await events(acme, merged))[-2:] == ["merged", "state"]
    assert "absorbed" in await events(acme, target)
    async with acme.db.read() as session:
        running = select(SlaClock).where(
            SlaClock.state == "running", SlaClock.subject_kind == "ticket", SlaClock.metric == "first_reply"
        )
        clocks = (await session.exec(running)).all()
        found = await store.operators_ticket(session, target.number, await acme.reader())
    assert [(clock.subject_id, clock.started_at) for clock in clocks] == [(target.id, first.created_at)]
    assert found is not None
    assert len(found.transcripts) == 2
    page = await office_of(acme).http.get(await office_of(acme).link(target))
    for said_before in ("The server does not answer", "It still does not answer"):
        assert said_before in page.text
    assert "seen before" not in page.text
    # What is said in the second one's conversation now belongs to the first, and the other way.
    talk = await conversation_of(acme, second)
    await acme.says(talk, "Are you there?")
    await acme.worker.sweep()
    assert (await texts(acme, target))[-1] == "Are you there?"
    target = await fresh(acme, first)
    await acme.tickets.reply(first.id, acme.as_omar, "Yes", version=target.version, ref="reply-0001")
    await work(acme)
    assert (await said(acme, talk))[-1] == "Yes"


async def test_a_second_click_merges_once_and_an_older_page_not_at_all(acme: Company) -> None:
    first, second = await two_of_ann(acme)
    with pytest.raises(TicketMoved):
        await merge(acme.tickets, second.id, first.id, acme.as_omar, version=second.version - 1)
    await asyncio.gather(
        *(merge(acme.tickets, second.id, first.id, acme.as_omar, version=second.version) for _ in range(5))
    )
    async with acme.db.read() as session:
        assert len((await session.exec(select(TicketRelation))).all()) == 1
        found = select(TicketMessage).where(TicketMessage.ticket_id == first.id, TicketMessage.kind == "transcript")
        assert len((await session.exec(found)).all()) == 2
    assert (await events(acme, first)).count("absorbed") == 1


async def test_tickets_of_two_people_are_never_merged(acme: Company) -> None:
    """Mallory types the address of Ann: what is said to Ann would stand on Mallory's page."""
    first = (await acme.escalate(await acme.conversation("Mine", email="ann@example.com"))).ticket
    await acme.another_visitor()
    second = (await acme.escalate(await acme.conversation("Mine too", email="ann@example.com"))).ticket
    with pytest.raises(DifferentPeople):
        await merge(acme.tickets, first.id, second.id, acme.as_omar, version=first.version)
    assert (await fresh(acme, first)).state == "open"
    async with acme.db.write() as session:
        for ticket in (first, second):
            (await session.get_one(Ticket, ticket.id)).verify_level = 1
    first = await fresh(acme, first)
    await merge(acme.tickets, first.id, second.id, acme.as_omar, version=first.version)
    assert (await fresh(acme, first)).closed_reason == "merged"


async def test_colleagues_are_merged_only_where_each_may_read_the_other(acme: Company) -> None:
    """Low may not see the bills of the account: merged into a ticket of Low, the Boss's would be read by Low."""
    tickets = []
    for text in ("My invoice", "It is slow", "It does not answer"):
        await acme.another_visitor()
        tickets.append((await acme.escalate(await acme.conversation(text))).ticket)
    bill, plain, fault = tickets
    account, low, boss = new_id(), new_id(), new_id()
    async with acme.db.write() as session:
        financial = (await session.exec(select(Department).where(Department.slug == "financial"))).one()
        session.add(Account(id=account, account_no="A-1", name="Acme", language="en", tags=[]))
        await session.flush()
        for one, billing in ((low, False), (boss, True)):
            session.add(
                Customer(
                    id=one, account_id=account, ref=one.hex, name="", can_see_tickets=True, can_see_billing=billing
                )
            )
        for ticket, owner in ((bill, boss), (plain, boss), (fault, low)):
            row = await session.get_one(Ticket, ticket.id)
            row.account_id, row.customer_id, row.verify_level = account, owner, 3
            if ticket is bill:
                row.department_id = financial.id
    for source, target in ((bill, fault), (fault, bill)):
        with pytest.raises(DifferentPeople):
            await merge(acme.tickets, source.id, target.id, acme.as_omar, version=(await fresh(acme, source)).version)
    await merge(acme.tickets, plain.id, fault.id, acme.as_omar, version=(await fresh(acme, plain)).version)
    assert (await fresh(acme, plain)).closed_reason == "merged"


async def test_of_two_merges_against_each_other_one_is_refused(acme: Company) -> None:
    first, second = await two_of_ann(acme)
    outcomes = await asyncio.gather(
        merge(acme.tickets, first.id, second.id, acme.as_omar, version=first.version),
        merge(acme.tickets, second.id, first.id, acme.as_nina, version=second.version),
        return_exceptions=True,
    )
    assert [isinstance(one, TicketMoved | NotPossible) for one in outcomes].count(True) == 1
    assert sorted([(await fresh(acme, one)).state for one in (first, second)]) == ["closed", "open"]


# ── split, link, tags ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_becomes_a_ticket_of_its_own_once(acme: Company) -> None:
    ticket = await acme.ticket()
    talk = await conversation_of(acme, ticket)
    await acme.says(talk, "And my invoice is wrong")
    await acme.worker.sweep()
    made = await asyncio.gather(
        *(
            split(acme.tickets, ticket.id, 2, acme.as_omar, subject="Invoice", department="financial", zone=LJUBLJANA)
            for _ in range(5)
        )
    )
    assert {one.number for one in made} == {"T-26-000002"}
    fresh_one = made[0]
    assert (fresh_one.state, fresh_one.requester_name, fresh_one.operators_turn) == ("new", "Ann", True)
    boss = await acme.operator("Bogdan", role="supervisor")
    async with acme.db.read() as session:
        found = await store.operators_ticket(session, fresh_one.number, await acme.reader(boss))
    assert found is not None
    assert [message.text for message in found.messages] == ["And my invoice is wrong"]
    assert found.ticket.due_at == found.ticket.created_at + timedelta(minutes=10)
    assert "And my invoice is wrong" in await texts(acme, ticket)
    # Its reply reaches Ann where she is.
    await acme.tickets.reply(
        fresh_one.id, acme.as_omar, "Here is the right one", version=found.ticket.version, ref="reply-0001"
    )
    await work(acme)
    assert (await said(acme, talk))[-1] == "Here is the right one"
    await acme.worker.sweep()
    assert "Here is the right one" not in await texts(acme, ticket)


@pytest.mark.parametrize("backwards", [False, True])
async def test_what_was_split_off_is_merged_back_and_said_once(acme: Company, backwards: bool) -> None:
    """Ann has neither account nor address: that both are hers is known by the split alone."""
    ticket = await acme.ticket()
    await acme.says(await conversation_of(acme, ticket), "And my invoice is wrong")
    await acme.worker.sweep()
    made = await split(
        acme.tickets, ticket.id, 2, acme.as_omar, subject="Invoice", department="technical", zone=LJUBLJANA
    )
    await acme.tickets.note(made.id, acme.as_omar, "No, it is right", ref="note-0001")
    await acme.tickets.note(ticket.id, acme.as_omar, "Looked at", ref="note-0002")
    source, target = [await fresh(acme, one) for one in ((ticket, made) if backwards else (made, ticket))]
    await merge(acme.tickets, source.id, target.id, acme.as_omar, version=source.version)
    assert sorted(await texts(acme, target)) == ["And my invoice is wrong", "Looked at", "No, it is right"]


@pytest.mark.parametrize("level", [0, 3])
async def test_what_is_split_off_is_the_customers_and_as_sure_as_its_message(acme: Company, level: int) -> None:
    ticket = await acme.ticket()
    customer = uuid4()
    async with acme.db.write() as session:
        row = await session.get_one(Ticket, ticket.id)
        row.verify_level, row.verify_method, row.account_id, row.customer_id = 3, "sign_in", uuid4(), customer
    await acme.tickets.answer(ticket.id, "And my invoice is wrong", ref=uuid4().hex, level=level)
    made = await split(
        acme.tickets, ticket.id, 2, acme.as_omar, subject="Invoice", department="financial", zone=LJUBLJANA
    )
    assert (made.customer_id, made.verify_level, made.verify_method) == (customer, level, "sign_in" if level else "")
    async with acme.db.read() as session:
        found = select(SlaClock.metric).where(SlaClock.subject_id == made.id).order_by(SlaClock.metric)
        assert list(await session.exec(found)) == ["first_reply", "solve"]


@pytest.mark.parametrize("seq", [1, 2, 99])
async def test_only_what_the_requester_wrote_is_split_off(acme: Company, seq: int) -> None:
    ticket = await acme.ticket()
    await acme.tickets.note(ticket.id, acme.as_omar, "a note", ref="note-0001")
    with pytest.raises(NotPossible):
        await split(acme.tickets, ticket.id, seq, acme.as_omar, subject="X", department="technical", zone=LJUBLJANA)


async def test_a_link_shows_on_both_and_is_one(acme: Company) -> None:
    first = await acme.ticket()
    await acme.another_visitor()
    second = await acme.ticket()
    for one, other in ((first, second), (second, first), (first, second)):
        await link(acme.tickets, one.id, other.id, acme.as_omar, version=(await fresh(acme, one)).version)
    async with acme.db.read() as session:
        assert len((await session.exec(select(TicketRelation))).all()) == 1
    assert ((await events(acme, first))[-1], (await events(acme, second))[-1]) == ("linked", "linked")
    await unlink(acme.tickets, second.id, first.id, acme.as_omar, version=(await fresh(acme, second)).version)
    async with acme.db.read() as session:
        assert (await session.exec(select(TicketRelation))).all() == []
    with pytest.raises(NotPossible):
        await link(acme.tickets, first.id, first.id, acme.as_omar, version=first.version)


async def test_tags_are_a_set_and_their_changes_are_told(acme: Company) -> None:
    ticket = await acme.ticket()
    after = await acme.tickets.set_tags(ticket.id, acme.as_omar, ["VPS", " vps ", "Telekom"], version=ticket.version)
    after = await acme.tickets.set_tags(ticket.id, acme.as_omar, ["vps", ""], version=after.version)
    async with acme.db.read() as session:
        changes = select(TicketEvent.data).where(TicketEvent.type == "tags").order_by(col(TicketEvent.seq))
        assert list(await session.exec(changes)) == [
            {"added": ["telekom", "vps"], "removed": []}, {"added": [], "removed": ["telekom"]},
        ]  # fmt: skip
    for bad in (["x" * 41], [f"tag{n}" for n in range(21)]):
        with pytest.raises(NotPossible):
            await acme.tickets.set_tags(ticket.id, acme.as_omar, bad, version=after.version)


# ── named, seen ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_is_named_in_a_note_sees_the_ticket(acme: Company, office: Office) -> None:
    ticket = await acme.ticket(f"The server {PLANTED} does not answer")
    petra = await acme.operator("Petra Zupan", "financial")
    office.sign_in.operator_now = petra
    assert (await office.http.get(f"/desk/tickets/{ticket.number}")).status_code == 404
    await acme.tickets.note(ticket.id, acme.as_omar, "mail petra@zupan.example", ref="note-0000")
    assert (await office.http.get(f"/desk/tickets/{ticket.number}")).status_code == 404
    await acme.tickets.note(ticket.id, acme.as_omar, "@Petra Zupan, is it paid?", ref="note-0001")
    await acme.tickets.note(ticket.id, acme.as_omar, "@petra: hello?", ref="note-0002")
    assert PLANTED in (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    assert PLANTED in (await office.http.get("/desk/tickets")).text
    async with acme.db.read() as session:
        assert len((await session.exec(select(TicketMention))).all()) == 1


async def test_who_looks_and_who_writes_is_seen_until_they_leave_or_vanish(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    path = f"/desk/tickets/{ticket.number}/lookers"
    office.sign_in.operator_now = acme.nina
    await office.post(path, state="looking")
    assert ("looking", ticket.number) in acme.nudges
    office.sign_in.operator_now = acme.omar
    assert "Nina is looking" in (await office.http.get(path)).text
    office.sign_in.operator_now = acme.nina
    assert "Nina" not in (await office.post(path, state="typing")).text
    office.sign_in.operator_now = acme.omar
    assert "Nina is writing" in (await office.http.get(path)).text
    assert "Nina is writing" in (await office.http.get(f"/desk/tickets/{ticket.number}")).text
    acme.clock.advance(7)
    assert "Nina is looking" in (await office.http.get(path)).text
    acme.clock.advance(30)
    assert "Nina" not in (await office.http.get(path)).text
    office.sign_in.operator_now = acme.nina
    await office.post(path, state="looking")
    await office.post(path, state="left")
    office.sign_in.operator_now = acme.omar
    assert "Nina" not in (await office.http.get(path)).text


# ── actions of owners ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_below_the_level_an_action_is_refused_and_an_override_has_a_name_and_a_reason(acme: Company) -> None:
    ticket = await acme.ticket()

    async def act(action: Action, seq: int, reason: str = "") -> None:
        version = (await fresh(acme, ticket)).version
        await record_action(acme.tickets, ticket.id, acme.as_omar, action, asked_in=seq, reason=reason, version=version)

    for reason in ("", "   "):
        with pytest.raises(NeedsOwnership) as refused:
            await act(Action.ACCESS_RESET, 1, reason)
    assert (refused.value.level, refused.value.needed) == (0, 4)
    assert "action" not in " ".join(await events(acme, ticket))
    await act(Action.ACCESS_RESET, 1, "The owner called from the number on record")
    async with acme.db.read() as session:
        event = (await session.exec(select(TicketEvent).where(TicketEvent.type == "action_override"))).one()
    assert (event.actor_name, event.actor_id) == ("Omar", acme.omar.id)
    assert event.data["reason"] == "The owner called from the number on record"


async def test_the_level_of_the_message_that_asks_counts_not_that_of_the_ticket(acme: Company) -> None:
    """Rita has signed in; the word that asks came by a forged mail."""
    ticket = await acme.ticket()
    async with acme.db.write() as session:
        (await session.get_one(Ticket, ticket.id)).verify_level = 3
    await acme.tickets.answer(ticket.id, "Please delete everything", ref=uuid4().hex, level=0)
    await acme.tickets.answer(ticket.id, "Please tell me my balance", ref=uuid4().hex, level=3)
    version = (await fresh(acme, ticket)).version
    with pytest.raises(NeedsOwnership):
        await record_action(acme.tickets, ticket.id, acme.as_omar, Action.CANCELLATION, asked_in=2, version=version)
    await record_action(acme.tickets, ticket.id, acme.as_omar, Action.ACCOUNT_ANSWER, asked_in=3, version=version)
    assert (await events(acme, ticket))[-1] == "action"


async def test_a_transcript_stays_as_sure_as_the_ticket_it_began(acme: Company) -> None:
    """A stranger's words, merged into the ticket of somebody who has signed in, gain nothing."""
    first, second = await two_of_ann(acme)
    async with acme.db.write() as session:
        (await session.get_one(Ticket, first.id)).verify_level = 3
    await merge(acme.tickets, second.id, first.id, acme.as_omar, version=second.version)
    version = (await fresh(acme, first)).version
    with pytest.raises(NeedsOwnership) as refused:
        await record_action(acme.tickets, first.id, acme.as_omar, Action.CANCELLATION, asked_in=2, version=version)
    assert refused.value.level == 0


async def test_the_page_refuses_keeps_what_was_chosen_and_shows_the_override(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    path = f"/desk/tickets/{ticket.number}/acts"
    form = {"act": "action", "action": "server_change", "asked_in": "1", "version": str(ticket.version)}
    refused = await office.post(path, **form)
    assert refused.status_code == 403
    assert "This needs level 4, and who asks is at level 0." in refused.text
    assert '<option value="server_change" selected>' in refused.text
    long = await office.post(path, **form, reason="y" * 501)
    assert (long.status_code, "longer than 500 characters" in long.text, "y" * 501 in long.text) == (422, True, True)
    tags = ",".join(f"tag{n}" for n in range(500))
    long = await office.post(path, act="tags", tags=tags, version=form["version"])
    assert (long.status_code, "at most 20 tags" in long.text, tags in long.text) == (422, True, True)
    assert (await office.post(path, **form, reason="Data centre on fire")).status_code == 303
    page = await office.http.get(f"/desk/tickets/{ticket.number}")
    assert "Server restarted, reinstalled or restored by Omar although asked for at level 0" in page.text
    link_of = await office.link(ticket)
    assert "Data centre on fire" not in (await office.http.get(link_of)).text


# ── what goes on ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_ticket_of_a_conversation_goes_on_from_the_one_it_was_done_with(
    acme: Company, office: Office
) -> None:
    talk = await acme.conversation("The server does not answer")
    for ends in ("spam", "detached"):
        ticket = (await acme.escalate(talk)).ticket
        if ends == "spam":
            await spam.mark(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
        else:
            await detach(acme.tickets, ticket.id, acme.as_omar, version=ticket.version)
            acme.clock.advance(60)
            version = (await fresh(acme, ticket)).version
            await acme.tickets.change_state(ticket.id, acme.as_omar, State.CLOSED, version=version)
        acme.clock.advance(60)
    found = []
    for _ in range(3):
        one = (await acme.escalate(talk)).ticket
        found.append(await acme.tickets.change_state(one.id, acme.as_omar, State.CLOSED, version=one.version))
        acme.clock.advance(60)
    async with acme.db.read() as session:
        rows = (await session.exec(select(TicketRelation).order_by(col(TicketRelation.at)))).all()
    assert [(row.relation, row.ticket_id, row.other_id) for row in rows] == [
        ("follow-up", after.id, before.id) for before, after in pairwise(found)
    ]
    number = found[0].number
    for locale, here, there, told in (
        ("en", "goes on from it", "goes on from this one", f"Goes on from {number}, which is closed"),
        ("sl", "je njegovo nadaljevanje", "nadaljevanje tega", f"Nadaljuje zaprti zahtevek {number}"),
    ):
        assert office.sign_in.operator_now is not None
        office.sign_in.operator_now.locale = locale
        pages = [(await office.http.get(f"/desk/tickets/{one.number}")).text for one in found]
        assert [(f">{here}<" in page, f">{there}<" in page, told in page) for page in pages] == [
            (False, True, False), (True, True, True), (True, False, False),
        ]  # fmt: skip


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_act_is_carried_out_on_an_older_page(acme: Company, office: Office) -> None:
    first, second = await two_of_ann(acme)
    await acme.another_visitor()
    third = await acme.ticket()
    await link(acme.tickets, second.id, third.id, acme.as_omar, version=second.version)
    await add(acme.tickets, second.id, acme.as_omar, "vito@supplier.example")
    async with acme.db.read() as session:
        vito = (await participants_in(session, second.id))[0]
    page, now = f"/desk/tickets/{second.number}", (await fresh(acme, second)).version
    acts: list[tuple[str, dict[str, str]]] = [
        ("acts", {"act": "link", "other": first.number}),
        ("acts", {"act": "unlink", "other": third.number}),
        ("acts", {"act": "merge", "other": first.number}),
        ("acts", {"act": "add_person", "address": "ida@supplier.example"}),
        ("acts", {"act": "remove_person", "person": str(vito.id)}),
        ("acts", {"act": "detach"}),
        ("acts", {"act": "spam"}),
        ("properties", {"field": "links"}),
    ]
    for version in (str(now - 1), ""):
        for place, form in acts:
            refused = await office.post(f"{page}/{place}", **form, version=version)
            assert (refused.status_code, "A colleague changed the ticket meanwhile" in refused.text) == (409, True), (
                form
            )
    assert (await fresh(acme, second)).version == now
    assert (await office.post(f"{page}/acts", act="spam", version=str(now))).status_code == 303
    assert (await office.post(f"{page}/acts", act="not_spam", version=str(now))).status_code == 409
    assert (await fresh(acme, second)).closed_reason == "spam"


async def test_omar_links_merges_and_splits_without_script(acme: Company, office: Office) -> None:
    first, second = await two_of_ann(acme)
    acts = f"/desk/tickets/{second.number}/acts"
    version = str(second.version)
    assert (await office.post(acts, act="link", other=first.number.lower(), version=version)).status_code == 303
    page = await office.http.get(f"/desk/tickets/{second.number}")
    assert "The server does not answer" in page.text
    assert (await office.post(acts, act="link", other="T-26-999999")).status_code == 404
    await acme.tickets.answer(second.id, "My invoice is wrong\ntoo", ref=uuid4().hex)
    form = await office.http.get(f"/desk/tickets/{second.number}/split/2")
    assert 'value="My invoice is wrong"' in form.text
    empty = await office.post(f"/desk/tickets/{second.number}/split/2", subject=" ", department="technical")
    assert empty.status_code == 422
    long = await office.post(f"/desk/tickets/{second.number}/split/2", subject="s" * 201, department="technical")
    assert (long.status_code, "longer than 200" in long.text, f'value="{"s" * 201}"' in long.text) == (422, True, True)
    made = await office.post(f"/desk/tickets/{second.number}/split/2", subject="Invoice", department="technical")
    assert made.headers["location"] == "/desk/tickets/T-26-000003"
    page = await office.http.get("/desk/tickets/T-26-000003")
    assert "split off from another ticket, Nov 25" in page.text
    assert "in chat and on the ticket page" in page.text  # where its requester is found
    assert (await office.http.get(f"/desk/tickets/{second.number}/split/1")).status_code == 404
    version = str((await fresh(acme, second)).version)
    merged = await office.post(acts, act="merge", other=first.number, version=version)
    assert merged.headers["location"] == f"/desk/tickets/{first.number}"
    assert (await fresh(acme, second)).state == State.CLOSED


async def test_a_ticket_of_another_department_is_no_target(acme: Company, office: Office) -> None:
    first, second = await two_of_ann(acme)
    await transfer(acme.tickets, first.id, acme.as_omar, "financial", "Yours", version=first.version, ref="move-0001")
    for act in ("link", "merge"):
        answer = await office.post(
            f"/desk/tickets/{second.number}/acts", act=act, other=first.number, version=str(second.version)
        )
        unknown = await office.post(
            f"/desk/tickets/{second.number}/acts", act=act, other="T-26-999999", version=str(second.version)
        )
        assert (answer.status_code, unknown.status_code) == (404, 404)
    assert (await fresh(acme, second)).version == second.version
    assert (await fresh(acme, first)).state == "open"


# ── many at once ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_order_for_many_and_the_way_back(acme: Company, office: Office) -> None:
    tickets = []
    for n in range(3):
        tickets.append(await acme.ticket(f"Trouble {n}"))
        await acme.another_visitor()
    chosen = [f"{one.number}:{one.version}" for one in tickets]
    await acme.tickets.note(tickets[2].id, acme.as_nina, "I have it", ref="note-0001")

    async def order(**form: object) -> httpx2.Response:
        return await office.http.post("/desk/bulk", data=form, headers={"Sec-Fetch-Site": "same-origin"})

    long = await order(act="department:financial", note="n" * 10_001, ticket=chosen, ref="bulk-00000")
    for kept in ("longer than 10,000 characters", f'value="{"n" * 10_001}"'):
        assert kept in long.text
    answers = [await order(act="state:solved", ticket=chosen, ref="bulk-00001") for _ in range(2)]
    assert {one.headers["location"] for one in answers} == {"/desk/tickets?done=2&refused=1&undo=bulk-00001"}
    assert [(await fresh(acme, one)).state for one in tickets] == ["solved", "solved", "open"]
    page = await office.http.get(answers[0].headers["location"])
    assert "2 tickets changed. 1 stayed as it was" in page.text
    back = [await office.post("/desk/undo", ref="bulk-00001") for _ in range(2)]
    assert [one.headers["location"] for one in back] == [
        "/desk/tickets?back=2&refused=0", "/desk/tickets?back=0&refused=0",
    ]  # fmt: skip
    assert [(await fresh(acme, one)).state for one in tickets] == ["open", "open", "open"]


@pytest.mark.parametrize(
    ("act", "more"),
    [("operator:me", {}), ("department:financial", {"note": "Yours"}), ("priority:high", {}), ("tag:", {"tag": "vps"})],
)
async def test_each_order_is_carried_out_and_taken_back(
    acme: Company, office: Office, act: str, more: dict[str, str]
) -> None:
    made = await acme.ticket()
    ticket = await acme.tickets.assign(made.id, acme.as_omar, None, version=made.version)
    boss = await acme.operator("Bogdan", role="supervisor")
    office.sign_in.operator_now = boss
    answer = await office.post(
        "/desk/bulk", act=act, ticket=f"{ticket.number}:{ticket.version}", ref="bulk-00001", **more
    )
    assert "done=1" in answer.headers["location"]
    changed = await fresh(acme, ticket)
    assert (changed.operator_id, changed.department_id, changed.priority) != (None, ticket.department_id, 1) or more
    await office.post("/desk/undo", ref="bulk-00001")
    back = await fresh(acme, ticket)
    assert (back.operator_id, back.department_id, back.priority) == (None, ticket.department_id, 1)


async def test_what_is_out_of_reach_is_not_changed(acme: Company, office: Office) -> None:
    ticket = await acme.ticket()
    office.sign_in.operator_now = await acme.operator("Mallory", "financial")
    for number in (ticket.number, "T-26-999999"):
        answer = await office.post(
            "/desk/bulk", act="operator:me", ticket=f"{number}:{ticket.version}", ref=uuid4().hex
        )
        assert answer.headers["location"].startswith("/desk/tickets?done=0&refused=1")
    assert (await fresh(acme, ticket)).version == ticket.version
