"""Group commit on both databases: acknowledged is durable, a resend is the same message, one order without holes."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select

from chat.conversations import store
from chat.conversations.actions import Opening
from chat.conversations.entry import Author, StoredEntry
from chat.conversations.models import PUBLIC, Conversation, Message
from chat.conversations.presenter import Audience
from chat.conversations.saying import NotHeld
from chat.db import Database, table_of
from chat.hub.connection import Connection
from chat.hub.feed import FeedKey, Follower
from chat.ids import new_id, text_of
from chat.protocol.errors import AddressInvalid, RefTaken, TextMissing, Unavailable, UnknownConversation
from chat.writer import Unwritten
from tests.support.clock import FakeClock
from tests.support.parts import Parts, running
from tests.support.sockets import MemoryTransport

STATE = (
    *("state", "last_seq", "version", "last_message_text", "last_message_by", "last_message_at"),
    *("visitor_read_seq", "operator_read_seq", "first_reply_seconds"),
)


@pytest.fixture
async def parts(db: Database, clock: FakeClock) -> AsyncIterator[Parts]:
    async with running(db, clock) as parts:
        yield parts


async def rows(db: Database, conversation_id: object) -> list[tuple[int, str | None]]:
    messages = table_of(Message)
    async with db.read() as session:
        found = await session.execute(
            select(messages.c.seq, messages.c.ref)
            .where(messages.c.conversation_id == conversation_id, messages.c.stream == PUBLIC)
            .order_by(messages.c.seq)
        )
        return [(row.seq, row.ref) for row in found]


async def test_contract_03_many_messages_at_once_get_gapless_numbers(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    author = Author("visitor", ann.id, "Ann")
    said = await asyncio.gather(
        *(parts.conversations.say(found.id, author, f"message {n}", f"ref-{n:08}") for n in range(300))
    )
    assert sorted(entry.seq for entry in said) == list(range(3, 303))
    assert [seq for seq, _ in await rows(parts.db, found.id)] == list(range(1, 303))


async def test_contract_04_a_resend_at_any_distance_is_the_same_message(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    author = Author("visitor", ann.id, "Ann")
    first = await parts.conversations.say(found.id, author, "once", "ref-00000001")
    async with running(db, clock) as other:
        again = await asyncio.gather(
            *(parts.conversations.say(found.id, author, "once", "ref-00000001") for _ in range(20)),
            *(other.conversations.say(found.id, author, "once", "ref-00000001") for _ in range(20)),
        )
    assert {entry.seq for entry in again} == {first.seq}
    assert len(await rows(parts.db, found.id)) == 3


async def test_contract_02_a_resend_of_what_nobody_was_told_of_tells_it(
    parts: Parts, db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process died between the commit and the news, or the commit's answer was lost on the way."""
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    author = Author("visitor", ann.id, "Ann")
    with monkeypatch.context() as patch:
        patch.setattr(parts.conversations.journal, "_on_committed", lambda *_: None)
        first = await parts.conversations.say(found.id, author, "once", "ref-00000001")
    async with running(db, clock) as other:
        news: asyncio.Queue[object] = asyncio.Queue()
        heard: list[object] = []
        other.hub.on("rows", lambda _topic, told: news.put_nowait(told["conversations"]))
        other.conversations.on_said(heard.extend)
        transport = MemoryTransport()
        key = FeedKey(found.id, PUBLIC)
        follower = Follower(Connection(transport), Audience("visitor", "en"), first.seq - 1, ann.id)
        other.hub.join(key, follower)
        other.hub.go_live(key, follower)
        for _ in range(2):
            assert await other.conversations.say(found.id, author, "once", "ref-00000001") == first
        (told,) = await transport.until(1)
        assert json.loads(told)["entries"][0]["ref"] == "ref-00000001"
        async with asyncio.timeout(10):
            assert await news.get() == [text_of(found.id)]
        assert heard == [found.id] * 2
        assert len(transport.sent) == 1


async def test_contract_04_the_ref_of_another_is_refused_and_burns_no_number(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    await parts.conversations.say(found.id, Author("visitor", ann.id), "mine", "ref-00000001")
    with pytest.raises(RefTaken):
        await parts.conversations.say(found.id, Author("operator", new_id()), "forged", "ref-00000001")
    assert [seq for seq, _ in await rows(parts.db, found.id)] == [1, 2, 3]


async def test_a_message_to_nowhere_does_not_refuse_its_neighbours(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    author = Author("visitor", ann.id)
    answers = await asyncio.gather(
        *(parts.conversations.say(found.id if n % 10 else new_id(), author, "text", f"ref-{n:08}") for n in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, UnknownConversation) for answer in answers) == 5
    assert len(await rows(parts.db, found.id)) == 2 + 45


async def test_one_bad_message_does_not_refuse_its_neighbours(parts: Parts) -> None:
    """What no database can store: half of a surrogate pair, which the door refuses before."""
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    author = Author("visitor", found.visitor_id)
    texts = ["good"] * 10 + ["\ud800"] + ["good"] * 10
    answers = await asyncio.gather(
        *(parts.conversations.say(found.id, author, text, f"ref-{n:08}") for n, text in enumerate(texts)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [Unavailable]
    assert [seq for seq, _ in await rows(parts.db, found.id)] == list(range(1, 23))


async def test_contract_03_two_processes_that_write_at_once_number_as_one(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    """Many conversations at once from both, in opposite orders: nobody deadlocks, nothing has a hole."""
    site, _ = await parts.furnish()
    found = [await parts.conversation(site) for _ in range(12)]
    other_db = Database(db.url)
    async with running(other_db, clock) as other:

        async def say(process: Parts, name: str, conversations: list[Conversation]) -> None:
            for n in range(10):
                await asyncio.gather(
                    *(
                        process.conversations.say(one.id, Author("visitor", one.visitor_id), "text", f"{name}-{n:08}")
                        for one in conversations
                    )
                )

        await asyncio.gather(say(parts, "one", found), say(other, "two", found[::-1]))
    await other_db.close()
    for one in found:
        assert [seq for seq, _ in await rows(db, one.id)] == list(range(1, 23))


async def test_a_reply_and_a_word_in_one_group_leave_the_row_as_one_after_the_other_would(parts: Parts) -> None:
    """`waiting_since`, the marks and the first reply, for each order of who speaks."""
    site, _ = await parts.furnish()
    for turns in product(("visitor", "operator"), repeat=3):
        states = []
        for together in (True, False):
            found = await parts.conversation(site)
            authors = {"visitor": Author("visitor", found.visitor_id), "operator": Author("operator", new_id(), "Omar")}
            saying = [
                parts.conversations.say(found.id, authors[turn], f"{n}", f"ref-{n:08}") for n, turn in enumerate(turns)
            ]
            if together:
                await asyncio.gather(*saying)
            else:
                for one in saying:
                    await one
            async with parts.db.read() as session:
                now = await store.conversation(session, found.id)
            assert now is not None
            states.append(
                {name: getattr(now, name) for name in STATE} | {"waits": now.waiting_since, "first": now.first_reply_at}
            )
        assert states[0] == states[1], turns


async def test_a_start_sent_twice_is_one_conversation(parts: Parts, db: Database, clock: FakeClock) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    opening = Opening("start-00000001", "Hello")
    async with running(db, clock) as other:
        begun = await asyncio.gather(
            *(parts.conversations.start(ann, opening) for _ in range(10)),
            *(other.conversations.start(ann, opening) for _ in range(10)),
        )
    assert len({conversation.id for conversation in begun}) == 1
    assert len(await rows(db, begun[0].id)) == 2


async def test_two_different_starts_of_one_visitor_are_one_conversation_with_both_texts(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    begun = await asyncio.gather(
        *(parts.conversations.start(ann, Opening(f"start-{n:08}", f"text {n}")) for n in range(5))
    )
    assert len({conversation.id for conversation in begun}) == 1
    refs = {ref for _, ref in await rows(parts.db, begun[0].id)}
    assert {f"start-{n:08}" for n in range(5)} <= refs


async def test_a_word_after_the_end_reopens_and_waits(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    found = await parts.conversations.start(ann, Opening("start-00000001", "Hello"))
    author = Author("visitor", ann.id)
    await parts.pairing.end(found.id, author)
    await parts.conversations.say(found.id, author, "One more thing", "ref-00000001")
    async with parts.db.read() as session:
        now = await store.conversation(session, found.id)
        entries = await store.entries_after(session, found.id, PUBLIC, 0, 100)
    assert now is not None
    assert (now.state, now.operator_id, now.ended_at) == ("waiting", None, None)
    assert [entry.data.get("event", entry.text) for entry in entries] == [
        "Hello",
        "queued",
        "ended",
        "reopened",
        "One more thing",
    ]


async def test_who_has_it_no_more_says_nothing_and_what_was_said_stays_said(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    omar, luka = await parts.operator("Omar"), await parts.operator("Luka")
    await parts.pairing.take(found.id, omar)
    say = parts.conversations.say_if_held
    first = await say(found.id, Author("operator", omar.id, "Omar"), "Hello", "ref-00000001")
    with pytest.raises(NotHeld):
        await say(found.id, Author("operator", luka.id, "Luka"), "Me too", "ref-00000002")
    await parts.pairing.end(found.id, Author("operator", omar.id, "Omar"))
    ann = Author("visitor", found.visitor_id)
    answers = await asyncio.gather(
        parts.conversations.say(found.id, ann, "One more", "ref-00000003"),
        say(found.id, Author("operator", omar.id, "Omar"), "And one", "ref-00000004"),
        say(found.id, Author("operator", omar.id, "Omar"), "Hello", "ref-00000001"),
        return_exceptions=True,
    )
    assert isinstance(answers[1], NotHeld)
    assert answers[2] == first
    refs = [ref for _, ref in await rows(parts.db, found.id) if ref and ref.startswith("ref-")]
    assert refs == ["ref-00000001", "ref-00000003"]


async def test_read_marks_rise_together_and_never_fall(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found, other = [await parts.conversation(site) for _ in range(2)]
    omar, luka = await parts.operator("Omar"), await parts.operator("Luka")
    for one in (found, other):
        await parts.pairing.take(one.id, omar)
        for n in range(5):
            await parts.conversations.say(one.id, Author("operator", omar.id), "text", f"ref-{n:08}")
            await parts.conversations.say(one.id, Author("visitor", one.visitor_id), "text", f"and-{n:08}")
    marks = parts.conversations.marks

    async def state(one: Conversation) -> tuple[int, int]:
        await marks.write()
        async with parts.db.read() as session:
            now = await store.conversation(session, one.id)
        assert now is not None
        return now.visitor_read_seq, now.operator_read_seq

    assert await state(found) == (13, 12)
    marks.note(found.id, "operator", 13, held_by=luka.id)
    marks.note(other.id, "operator", 99, held_by=omar.id)
    assert (await state(found), await state(other)) == ((13, 12), (13, 12))
    marks.note(found.id, "operator", 13, held_by=omar.id)
    marks.note(found.id, "operator", 2, held_by=omar.id)
    marks.note(other.id, "operator", 13, held_by=omar.id)
    marks.note(other.id, "visitor", 1)
    assert (await state(found), await state(other)) == ((13, 13), (13, 13))


async def test_empty_text_and_half_an_address_change_nothing(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    with pytest.raises(TextMissing):
        await parts.conversations.start(ann, Opening("start-00000001", "  \n "))
    for address in ("", "maja", "maja@novak", "maja@@novak.si", "a b@c.si", "maja@novak.si\nBcc: x@y.si"):
        with pytest.raises(AddressInvalid):
            await parts.conversations.leave(ann, Opening("start-00000001", "Hello", email=address), None)
    async with parts.db.read() as session:
        assert (await session.execute(select(Conversation.id))).first() is None  # type: ignore[call-overload]


async def test_a_message_left_is_one_outbox_row(parts: Parts) -> None:
    site, _ = await parts.furnish()
    ann = await parts.visitor(site)
    handled: list[object] = []

    async def handle(payload: dict[str, object]) -> None:
        handled.append(payload["conversation_id"])

    parts.outbox.on("conversation.left", handle)
    opening = Opening("start-00000001", "Hello", email="ann@example.com")
    found = await parts.conversations.leave(ann, opening, None)
    again = await parts.conversations.leave(ann, opening, None)
    assert found.id == again.id
    while await parts.outbox.work_once():
        pass
    assert handled == [str(found.id)]
    assert [seq for seq, _ in await rows(parts.db, found.id)] == [1, 2]


async def test_a_note_has_its_own_numbers_and_is_no_public_entry(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    omar = Author("operator", new_id(), "Omar")
    notes = [await parts.conversations.note(found.id, omar, f"note {n}", f"note-{n:08}") for n in range(3)]
    again = await parts.conversations.note(found.id, omar, "note 0", "note-00000000")
    assert [note.seq for note in notes] == [1, 2, 3]
    assert again.seq == 1
    assert notes[0].after_seq == 2
    assert [seq for seq, _ in await rows(parts.db, found.id)] == [1, 2]


async def test_what_would_wait_in_vain_is_refused_at_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a queue that is full, and after the end."""
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    journal, author = parts.conversations.journal, Author("visitor", found.visitor_id)
    monkeypatch.setattr("chat.conversations.journal.MOST_WAITING", 3)
    waiting = [journal.say_soon(found.id, author, "text", f"ref-{n:08}") for n in range(3)]
    with pytest.raises(Unavailable):
        journal.say_soon(found.id, author, "text", "ref-00000003")
    await journal.stop()
    assert [one.result().seq for one in waiting] == [3, 4, 5]
    with pytest.raises(Unavailable):
        journal.say_soon(found.id, author, "text", "ref-00000004")


async def test_at_the_end_nobody_waits_for_a_database_that_is_away(
    sqlite_db: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.conversations.journal.GROUP", 1)
    async with running(sqlite_db, clock) as parts:
        site, _ = await parts.furnish()
        found = await parts.conversation(site)
        journal, author = parts.conversations.journal, Author("visitor", found.visitor_id)
        tries = 0

        async def away(*_: object) -> object:
            nonlocal tries
            tries += 1
            raise Unwritten

        monkeypatch.setattr(journal, "_transaction", away)
        waiting = [journal.say_soon(found.id, author, "text", f"ref-{n:08}") for n in range(20)]
        await journal.stop()
    assert [type(one.exception()) for one in waiting] == [Unavailable] * 20
    assert tries == 1


async def test_a_mistake_in_telling_stops_no_later_message(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    author = Author("operator", new_id(), "Omar")

    def fails(*_: object) -> None:
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(parts.conversations.journal, "_on_committed", fails)
        first = await parts.conversations.say(found.id, author, "one", "ref-00000001")
    async with asyncio.timeout(10):
        second = await parts.conversations.say(found.id, author, "two", "ref-00000002")
    assert (first.seq, second.seq) == (3, 4)


async def test_the_ref_of_a_note_acknowledges_no_message(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    omar = Author("operator", new_id(), "Omar")
    await parts.conversations.note(found.id, omar, "for us", "ref-00000001")
    with pytest.raises(RefTaken):
        await parts.conversations.say(found.id, omar, "for Ann", "ref-00000001")


async def test_a_note_and_a_message_with_one_ref_at_once_are_not_both_acknowledged(
    parts: Parts, db: Database, clock: FakeClock
) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    ann, omar = Author("visitor", found.visitor_id), Author("operator", new_id(), "Omar")
    other_db = Database(db.url)
    async with running(other_db, clock) as other:
        for n in range(20):
            ref = f"ref-{n:08}"
            answers = await asyncio.gather(
                parts.conversations.note(found.id, omar, "for us", ref),
                other.conversations.say(found.id, ann, "for all", ref),
                other.conversations.note(found.id, Author("operator", new_id(), "Luka"), "for me", ref),
                return_exceptions=True,
            )
            assert sorted(type(answer) is RefTaken for answer in answers) == [False, True, True]
            assert [answer.ref for answer in answers if not isinstance(answer, BaseException)] == [ref]
    await other_db.close()


async def test_what_is_said_while_a_transcript_is_read_is_not_in_it(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever copies it goes on above `upto_seq`: what stood in it already would be copied twice."""
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    omar = Author("operator", new_id(), "Omar")
    await parts.conversations.note(found.id, omar, "note", "note-00000001")
    look = store.entries_after

    async def interrupted(*of: Any) -> list[StoredEntry]:
        """The conversation was looked at, its words were not."""
        patch.undo()
        await parts.conversations.say(found.id, omar, "meanwhile", "ref-00000001")
        await parts.conversations.note(found.id, omar, "meanwhile", "note-00000002")
        return await look(*of)

    with monkeypatch.context() as patch:
        patch.setattr(store, "entries_after", interrupted)
        before = await parts.conversations.transcript_of(found.id)
    after = await parts.conversations.transcript_of(found.id)
    assert before is not None
    assert after is not None
    assert ([said.seq for said in before.messages], len(before.notes), before.upto_seq) == ([1], 1, 2)
    assert ([said.seq for said in after.messages], len(after.notes), after.upto_seq) == ([1, 3], 2, 3)


async def test_two_windows_keep_a_draft_at_once(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    omar = await parts.operator("Omar")
    keep = parts.conversations.keep_draft
    await asyncio.gather(*(keep(found.id, omar.id, "reply", f"draft {n}") for n in range(8)))


async def test_a_handler_that_hangs_ends_within_its_lease_and_is_tried_again(
    parts: Parts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.outbox.HANDLER_SECONDS", 0.01)
    hangs, tries = True, 0

    async def handle(_payload: dict[str, object]) -> None:
        nonlocal tries
        tries += 1
        if hangs:
            await asyncio.Event().wait()

    parts.outbox.on("x", handle)
    async with parts.db.write() as session:
        await parts.outbox.add(session, "x", {}, "x")
    assert await parts.outbox.work_once()
    assert not await parts.outbox.work_once()
    clock.advance(2)
    hangs = False
    assert await parts.outbox.work_once()
    assert tries == 2
