"""When it began: one instant, or a question with the instants to choose from."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from escalation.client_area.began import UNSURE, began, question_in
from escalation.facts import Certainty

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
NOW = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)


def asked(day: str, clock: str, zone: str = "", device: str = "", pick: str = "") -> Any:
    return began(day, clock, zone, device, pick, now=NOW, company=LJUBLJANA)


def test_nothing_written_is_no_start() -> None:
    assert asked("", "") == asked("  ", " ")
    assert asked("", "").start is None


@pytest.mark.parametrize(
    ("day", "clock", "zone", "instant", "name"),
    [
        ("2026-11-21", "14:20", "", "2026-11-21T13:20", "CET"),
        ("2026-07-01", "14:00", "", "2026-07-01T12:00", "CEST"),
        ("2026-11-21", "14:20", "Europe/Moscow", "2026-11-21T11:20", "MSK"),
        ("", "20:30", "", "2026-11-25T19:30", "CET"),
        ("", "21:05", "", "2026-11-25T20:05", "CET"),
        ("", "21:06", "", "2026-11-24T20:06", "CET"),
        ("", "23:50", "", "2026-11-24T22:50", "CET"),
    ],
)
def test_a_local_time_is_one_instant(day: str, clock: str, zone: str, instant: str, name: str) -> None:
    found = asked(day, clock, zone)
    assert (found.question, found.error) == (None, "")
    assert found.start.instant == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert (found.start.zone, found.start.certainty) == (name, Certainty.EXACT)


@pytest.mark.parametrize(
    ("day", "clock", "error"),
    [
        ("2026-13-01", "10:00", "day"),
        ("yesterday", "10:00", "day"),
        ("0001-01-01", "00:00", "day"),
        ("9999-12-31", "23:59", "day"),
        ("1999-12-31", "10:00", "day"),
        ("2026-11-21", "25:00", "clock"),
        ("2026-11-21", "", "clock"),
        ("2026-11-21", "10:00+02:00", "clock"),
        ("2026-11-26", "10:00", "future"),
    ],
)
def test_what_cannot_be_read_is_kept_as_it_was_written(day: str, clock: str, error: str) -> None:
    found = asked(day, clock)
    assert (found.error, found.start.instant) == (error, None)
    assert day in found.start.raw


def test_an_hour_that_came_twice_is_asked_and_the_answer_counts() -> None:
    found = asked("2026-10-25", "02:30")
    assert found.question.kind == "twice"
    assert [one.clock for one in found.question.choices] == ["02:30 CEST", "02:30 CET"]
    assert found.start.instant is None
    early, late = (one.value for one in found.question.choices)
    answered = asked("2026-10-25", "02:30", pick=late)
    assert answered.start.instant == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert (answered.question, answered.start.zone) == (None, "CET")
    assert asked("2026-10-25", "02:30", pick=early).start.instant == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert asked("2026-10-25", "02:30", pick=UNSURE).question is None
    assert asked("2026-10-25", "02:30", pick="2026-10-25T05:00:00+00:00").question is not None


def test_an_hour_that_never_was_is_asked() -> None:
    found = asked("2026-03-29", "02:30")
    assert (found.question.kind, found.start.instant) == ("never", None)
    assert [one.clock for one in found.question.choices] == ["01:30 CET", "03:30 CEST"]


def test_a_device_elsewhere_is_asked_unless_a_zone_was_chosen() -> None:
    found = asked("2026-11-21", "13:50", device="Europe/Helsinki")
    assert (found.question.kind, [one.clock for one in found.question.choices]) == ("zone", ["13:50 EET", "13:50 CET"])
    assert found.start.zone == "CET"  # until somebody answers
    theirs = asked("2026-11-21", "13:50", device="Europe/Helsinki", pick=found.question.choices[0].value)
    assert (theirs.start.zone, theirs.start.instant) == ("EET", datetime(2026, 11, 21, 11, 50, tzinfo=UTC))
    for zone, device in (
        ("Europe/Helsinki", "Europe/Helsinki"),
        ("UTC", "Europe/Helsinki"),
        ("", "Europe/Vienna"),
        ("", "x"),
    ):
        assert asked("2026-11-21", "13:50", zone, device).question is None


def test_the_question_is_found_again_in_what_was_written() -> None:
    for day in ("2026-10-25", "2026-03-29"):
        found = asked(day, "02:30")
        assert question_in(found.start.raw) == found.question
    for raw in (
        "",
        "noon",
        "2026-11-21 14:20 Europe/Ljubljana",
        "2026-10-25 02:30 Nowhere/City",
        "2026-13-25 02:30 UTC",
    ):
        assert question_in(raw) is None
