"""What the requester sees of where their ticket stands."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chat.strings import Strings
from escalation.client_area.path import path_of, promise_of
from escalation.requesters_store import PublicEvent, RequestersTicket

C = Strings.load(
    [Path(__file__).parents[2] / package / "strings" for package in ("chat", "widget", "escalation")]
).catalogue("en")
OPENED = datetime(2026, 11, 21, 13, 33, tzinfo=UTC)


def ticket(state: str, *ways: str, **values: Any) -> RequestersTicket:
    events = [
        PublicEvent("state", {"from": "new", "to": way}, OPENED + timedelta(minutes=n + 1))
        for n, way in enumerate(ways)
    ]
    fields: dict[str, Any] = {
        "id": UUID(int=1), "number": "T-26-000001", "site_name": "Acme", "subject": "Down", "state": state,
        "priority": 1,
        "department": {"en": "Technical"}, "operator_name": "Ana", "locale": "en", "time_zone": "",
        "customer_id": None, "service_label": "", "numbers": [],
        "started_at": None, "started_raw": "", "started_zone": "", "started_certainty": "", "created_at": OPENED,
        "due_at": OPENED + timedelta(minutes=10), "due_metric": "first_reply", "due_since": OPENED,
        "first_reply_at": None, "first_reply_seconds": None, "promised_seconds": 600, "update_by": None,
        "transcript": [], "messages": [],
        "events": events,
    }  # fmt: skip
    return RequestersTicket(**fields | values)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ticket("new"), "*Opened In progress Waiting for you Solved"),
        (ticket("open", "open"), "Opened *In progress Waiting for you Solved"),
        (ticket("waiting_third_party", "open"), "Opened *In progress Waiting for you Solved"),
        (ticket("waiting_customer", "waiting_customer"), "Opened In progress *Waiting for you Solved"),
        (ticket("solved", "open", "solved"), "Opened In progress *Solved"),
        (ticket("solved", "waiting_customer", "solved"), "Opened In progress Waiting for you *Solved"),
        (ticket("closed", "closed"), "Opened In progress *Closed"),
    ],
)
def test_the_way_in_their_words(found: RequestersTicket, expected: str) -> None:
    told = " ".join(f"{'*' if stop.standing == 'current' else ''}{stop.word}" for stop in path_of(found, C))
    assert told == expected


def test_the_operator_is_named_once_the_work_began() -> None:
    assert [stop.with_name for stop in path_of(ticket("new"), C)] == ["", "", "", ""]
    assert [stop.with_name for stop in path_of(ticket("open", "open"), C)] == ["", "Ana", "", ""]


def test_the_promise_runs_ends_late_or_is_kept() -> None:
    running = promise_of(ticket("new"), OPENED + timedelta(minutes=5))
    assert running is not None
    assert (running.kind, running.share) == ("running", 8)
    late = promise_of(ticket("new"), OPENED + timedelta(minutes=11))
    assert late is not None
    assert late.kind == "late"
    replied = OPENED + timedelta(seconds=58)
    kept = promise_of(ticket("open", first_reply_at=replied, first_reply_seconds=58, due_at=None), OPENED)
    assert kept is not None
    assert (kept.kind, kept.seconds) == ("kept", 58)


def test_a_closed_ticket_promises_nothing() -> None:
    assert promise_of(ticket("closed"), OPENED) is None
