"""From a transcript to a draft: what is proposed, and from where."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.public import Transcript, TranscriptMessage, TranscriptVisitor
from escalation.draft import Address, Source
from escalation.facts import Certainty, Question
from escalation.handoff import SUBJECT_LIMIT, draft_ticket, subject_of

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
BEGIN = datetime(2026, 11, 21, 13, 28, tzinfo=UTC)
CONVERSATION = UUID(int=7)


def transcript(
    *texts: str, email: str = "", name: str = "", department: str = "technical", operator: str = ""
) -> Transcript:
    said = [
        TranscriptMessage(seq + 1, BEGIN + timedelta(minutes=seq), "visitor", None, name, text)
        for seq, text in enumerate(texts)
    ]
    if operator:
        said.append(TranscriptMessage(99, BEGIN + timedelta(minutes=9), "operator", UUID(int=1), "Omar", operator))
    return Transcript(
        conversation_id=CONVERSATION,
        site_name="Acme",
        department=department,
        department_id=UUID(int=3),
        locale="en",
        visitor=TranscriptVisitor(
            name=name,
            email=email,
            locale="en",
            time_zone="Europe/Helsinki",
            browser="Firefox",
            page_url="https://acme.example/vps",
            pages=(),
        ),
        messages=tuple(said),
        notes=(),
        waiting_since=BEGIN,
        upto_seq=len(said),
        started_at=BEGIN,
    )


def test_ann_says_everything_in_one_message() -> None:
    draft = draft_ticket(
        transcript(
            "Hi, our shop is down. VPS-2 in Ljubljana does not answer. Since 15:20 EET, order #482913, 185.203.118.7.",
            email="ann@example.com",
            name="Ann",
        ),
        LJUBLJANA,
    )
    assert draft.subject.value == "Our shop is down"
    assert (draft.subject.origin.source, draft.subject.origin.at, draft.subject.origin.seq) == (Source.SAID, BEGIN, 1)
    assert [order.value for order in draft.orders] == ["482913"]
    assert [address.value for address in draft.addresses] == [Address("185.203.118.7", True)]
    assert draft.service.value == "VPS-2 Ljubljana"
    assert draft.department.origin.source is Source.CONVERSATION
    assert (draft.requester_email.value, draft.requester_email.origin.source) == ("ann@example.com", Source.TYPED)
    start = draft.start.value
    assert start is not None
    assert (start.instant, start.raw, start.zone) == (datetime(2026, 11, 21, 13, 20, tzinfo=UTC), "15:20 EET", "EET")


def test_a_greeting_is_not_the_subject() -> None:
    draft = draft_ticket(transcript("Hello", "Dober dan!", "Na računu je napačen DDV", department=""), LJUBLJANA)
    assert draft.subject.value == "Na računu je napačen DDV"
    assert draft.subject.origin.seq == 3
    assert draft.department.value == "financial"


def test_a_fact_keeps_the_message_that_said_it_first() -> None:
    draft = draft_ticket(transcript("order #482913 please", "again #482913 and #482914"), LJUBLJANA)
    assert [(order.value, order.origin.seq) for order in draft.orders] == [("482913", 1), ("482914", 2)]


def test_what_an_operator_writes_is_no_fact_of_the_visitor() -> None:
    draft = draft_ticket(transcript("My server is slow today", operator="Is it 10.0.0.1 or order #5555?"), LJUBLJANA)
    assert (draft.orders, draft.addresses, draft.start.value) == ((), (), None)


def test_the_surest_time_is_proposed() -> None:
    draft = draft_ticket(transcript("It broke this morning", "around 9:30", "log says 10:12 UTC"), LJUBLJANA)
    start = draft.start.value
    assert start is not None
    assert (start.raw, start.certainty, draft.start.origin.seq) == ("10:12 UTC", Certainty.EXACT, 3)


def test_an_unclear_time_is_kept_and_asked() -> None:
    draft = draft_ticket(transcript("Včeraj zvečer je nehalo delati"), LJUBLJANA)
    start = draft.start.value
    assert start is not None
    assert (start.instant, start.question) == (None, Question.WHICH_TIME)


def test_nothing_said_is_an_empty_draft() -> None:
    draft = draft_ticket(transcript(department=""), LJUBLJANA)
    assert (draft.subject.value, draft.subject.origin.source) == ("", Source.NONE)
    assert (draft.department.value, draft.department.origin.source) == ("technical", Source.SUGGESTED)
    assert draft.requester_name.origin.source is Source.NONE


def test_environment_is_for_operators() -> None:
    assert draft_ticket(transcript("Nothing works here"), LJUBLJANA).environment == {
        "locale": "en",
        "time_zone": "Europe/Helsinki",
        "browser": "Firefox",
        "page": "https://acme.example/vps",
    }


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Živjo, strežnik ne dela.", "Strežnik ne dela"),
        ("Pozdravljeni,\n\nna računu je napaka.", "Na računu je napaka"),
        ("Can you help me?  Mail bounces.", "Can you help me?"),
        ("Word " * 60, ("Word " * 23).strip() + "…"),
        ("X" * 300, "X" * 119 + "…"),
        ("High load since noon", "High load since noon"),
        ("", ""),
    ],
)
def test_the_subject_is_the_first_line(text: str, subject: str) -> None:
    assert subject_of(text) == subject


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=500))
def test_a_subject_always_fits(text: str) -> None:
    subject = subject_of(text)
    assert len(subject) <= SUBJECT_LIMIT + 2
    assert "\n" not in subject
