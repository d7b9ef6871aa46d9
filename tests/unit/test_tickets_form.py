"""The escalation form: what was proposed keeps its origin, what is typed is read, what is wrong is said."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from chat.strings import Strings
from escalation.desk.draft_form import Fields, fields_from, fields_of, read, started_text
from escalation.draft import Address, Drafted, Origin, Source, Start, TicketDraft
from escalation.facts import Certainty, Question
from escalation.states import HIGH

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
NOW = datetime(2026, 11, 21, 13, 33, tzinfo=UTC)
PACKAGES = ("chat", "widget", "escalation")
C = Strings.load([Path(__file__).parents[2] / package / "strings" for package in PACKAGES]).catalogue("sl")
SAID = Origin(Source.SAID, NOW, 3)
START = Start(datetime(2026, 11, 21, 13, 20, tzinfo=UTC), "15:20 EET", "EET", Certainty.EXACT)
DRAFT = TicketDraft(
    conversation_id=UUID(int=7),
    site_name="Acme",
    locale="en",
    subject=Drafted("Our shop is down", SAID),
    department=Drafted("technical", Origin(Source.CONVERSATION)),
    priority=Drafted(1, Origin(Source.SUGGESTED)),
    requester_name=Drafted("Ann", Origin(Source.TYPED)),
    requester_email=Drafted("ann@example.com", Origin(Source.TYPED)),
    service=Drafted("VPS-2", SAID),
    orders=(Drafted("482913", SAID), Drafted("482914", SAID)),
    addresses=(Drafted(Address("185.203.118.7", True), SAID), Drafted(Address("10.20.0.1", False), SAID)),
    start=Drafted(START, SAID),
    environment={},
    waiting_since=NOW,
    message_count=2,
)
FIELDS = fields_of(DRAFT, LJUBLJANA)


def confirmed(fields: Fields) -> TicketDraft:
    found = read(fields, DRAFT, NOW, LJUBLJANA, C)
    assert found.errors == {}
    return found.draft


def test_enter_alone_confirms_what_was_proposed() -> None:
    draft = confirmed(FIELDS)
    assert draft.subject is DRAFT.subject
    assert draft.start is DRAFT.start
    assert [order.value for order in draft.orders] == ["482913", "482914"]


def test_a_private_address_is_shown_and_not_picked() -> None:
    assert FIELDS.addresses == ["185.203.118.7"]
    assert [address.value.value for address in confirmed(FIELDS).addresses] == ["185.203.118.7"]


def test_what_the_operator_changes_is_theirs() -> None:
    draft = confirmed(replace(FIELDS, subject="The shop of Ann is down", priority="high"))
    assert (draft.subject.origin.source, draft.priority.value) == (Source.OPERATOR, HIGH)


def test_more_numbers_and_addresses_are_read() -> None:
    draft = confirmed(replace(FIELDS, orders=["482914"], more="55512, 2a02:e48::1 #7777"))
    assert [order.value for order in draft.orders] == ["482914", "55512", "7777"]
    assert [address.value.value for address in draft.addresses] == ["185.203.118.7", "2a02:e48::1"]


def test_a_forged_checkbox_is_nothing() -> None:
    assert [order.value for order in confirmed(replace(FIELDS, orders=["999999", "482913"])).orders] == ["482913"]


@pytest.mark.parametrize(
    ("typed", "instant", "question"),
    [
        ("2026-11-21 09:00 CET", datetime(2026, 11, 21, 8, tzinfo=UTC), Question.NONE),
        ("9:00", datetime(2026, 11, 21, 8, tzinfo=UTC), Question.NONE),
        ("sometime in the night", None, Question.WHICH_TIME),
        ("2026-10-25 02:30", None, Question.HOUR_TWICE),
    ],
)
def test_a_typed_time_is_read_and_never_stops_a_ticket(
    typed: str, instant: datetime | None, question: Question
) -> None:
    start = confirmed(replace(FIELDS, started=typed)).start.value
    assert start is not None
    assert (start.instant, start.question) == (instant, question)


def test_an_emptied_time_is_no_time() -> None:
    assert confirmed(replace(FIELDS, started="")).start.value is None


def test_the_time_in_the_field_reads_back_as_the_same_instant() -> None:
    text = started_text(START, LJUBLJANA)
    assert text == "2026-11-21 14:20 CET"
    assert confirmed(replace(FIELDS, started=f"{text} ".strip())).start.value == START


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (replace(FIELDS, subject=""), "subject"),
        (replace(FIELDS, subject="x" * 201), "subject"),
        (replace(FIELDS, requester_email="ann@"), "requester_email"),
        (replace(FIELDS, more="hello"), "more"),
        (replace(FIELDS, more="#123456 " * 51), "more"),
        (replace(FIELDS, requester_name="x" * 121), "requester_name"),
        (replace(FIELDS, service="x" * 201), "service"),
        (replace(FIELDS, started="x" * 121), "started"),
    ],
)
def test_what_is_wrong_is_said_in_the_readers_language(fields: Fields, name: str) -> None:
    errors = read(fields, DRAFT, NOW, LJUBLJANA, C).errors
    assert list(errors) == [name]
    assert errors[name] not in ("", C.gettext(""))
    assert not errors[name].isascii() or "naslov" in errors[name]


def test_what_is_typed_stays_whole_and_a_hostile_choice_is_cut() -> None:
    fields = fields_from({"subject": [" a " + "b" * 1000], "order": ["1" * 99] * 99, "more": []})
    assert (fields.subject, len(fields.orders), len(fields.orders[0]), fields.more) == ("a " + "b" * 1000, 50, 20, "")
