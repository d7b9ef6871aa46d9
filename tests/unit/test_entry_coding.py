"""An entry that came over the bus shows what its row shows, to every audience."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversations.cards import CardDraft, CardDraftLink
from chat.conversations.entry import Author, EntryDraft, StoredEntry, decode_entry, encode_entry, event
from chat.conversations.models import INTERNAL, PUBLIC
from chat.conversations.presenter import Audience, Presenter
from chat.hub.bus import MAX_PAYLOAD
from chat.hub.hints import MOST_ENTRIES, Head, decode, encode_heads
from chat.ids import new_id
from chat.links import Links

CONVERSATION = new_id()
AUDIENCES = [Audience(role, locale) for role in ("visitor", "operator") for locale in ("en", "sl")]
PRESENTER = Presenter(
    Links("k" * 40, "https://chat.example.com"), lambda entry, locale: f"<li lang={locale}>{entry.text}</li>"
)

texts = st.text(st.characters(codec="utf-8"), max_size=200)
locales = st.dictionaries(st.sampled_from(["en", "sl"]), texts, min_size=1)
authors = st.builds(
    Author, st.sampled_from(["visitor", "operator", "system"]), st.none() | st.uuids(), st.text(max_size=20)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
events = st.builds(
    lambda name, author, operator, extra: event(name, author, operator=operator, **extra),
    st.sampled_from(["assigned", "ended", "reopened", "rated"]),
    authors,
    st.fixed_dictionaries({"id": st.uuids().map(str), "name": texts}),
    st.dictionaries(st.sampled_from(["department", "by", "score", "number", "note"]), values),
)
links = st.builds(
    CardDraftLink, locales, st.just("/t/0198"), st.booleans(), st.sampled_from(["", "visitor", "operator"])
)
cards = st.builds(
    CardDraft,
    key=st.just("ticket"),
    kind=st.just("ticket"),
    number=st.just("T-26-000001"),
    title=texts,
    state=locales,
    facts=st.dictionaries(st.sampled_from(["en", "sl"]), st.lists(texts, max_size=3), min_size=1),
    due_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    due_label=locales,
    links=st.lists(links, max_size=3),
).map(lambda card: card.entry(2))
messages = st.builds(
    lambda kind, author, text, ref: EntryDraft(kind, author, text, ref=ref),
    st.sampled_from(["message", "note"]),
    authors,
    texts,
    st.none() | st.text("abc123", min_size=8, max_size=12),
)
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 — limits are naive


def stored(draft: EntryDraft, seq: int, at: datetime, *, stream: str = PUBLIC, after: int = 0) -> StoredEntry:
    return StoredEntry(
        CONVERSATION, stream, seq, draft.kind, draft.author, draft.text, draft.data, draft.ref, after, at
    )


def as_row(entry: StoredEntry) -> StoredEntry:
    """What a JSON column gives back."""
    data = json.loads(json.dumps(dict(entry.data)))
    return StoredEntry(
        entry.conversation_id,
        entry.stream,
        entry.seq,
        entry.kind,
        entry.author,
        entry.text,
        data,
        entry.ref,
        entry.after_seq,
        entry.at,
    )


@given(messages | events | cards, st.integers(1, 2**40), times, st.sampled_from([PUBLIC, INTERNAL]), st.integers(0, 9))
def test_it_shows_the_same_to_everybody(draft: EntryDraft, seq: int, at: datetime, stream: str, after: int) -> None:
    entry = stored(draft, seq, at, stream=stream, after=after)
    received = PRESENTER.present(decode_entry(CONVERSATION, stream, encode_entry(entry)))
    read = PRESENTER.present(as_row(entry))
    assert (received.seq, received.author_id) == (read.seq, read.author_id)
    for audience in AUDIENCES:
        for with_ref in (True, False):
            assert received.frame_for(audience, with_ref=with_ref) == read.frame_for(audience, with_ref=with_ref)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'[1,"message"]', b"\xff", b'[1,2,3,4,5,6,7,8,9,"now"]'])
def test_what_nobody_encoded_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — msgspec's own sentences
        decode_entry(UUID(int=0), PUBLIC, data)


@given(st.lists(st.none() | st.integers(2, 5000).map(lambda size: b'"' + b"x" * (size - 2) + b'"'), min_size=1))
def test_hints_of_a_stream_fit_hold_each_entry_in_its_place_and_end_with_its_head(entries: list[bytes | None]) -> None:
    seq = len(entries) + 100
    hints = encode_heads("internal", seq, entries)
    assert all(len(hint) <= MAX_PAYLOAD for hint in hints)
    heads = [decode(hint) for hint in hints]
    assert isinstance(heads[-1], Head)
    assert heads[-1].seq == seq
    for head in heads:
        assert isinstance(head, Head)
        for place, one in enumerate(head.entries, head.seq - len(head.entries) + 1):
            assert bytes(one) == entries[place - 101]
    if len(entries) <= MOST_ENTRIES:
        held = [bytes(one) for head in heads if isinstance(head, Head) for one in head.entries]
        assert held == [one for one in entries if one is not None and len(one) <= MAX_PAYLOAD - 40]
