"""The judge of histories is judged: a good run is found good, and each forged one is caught."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.histories import (
    Ack,
    AnyEvent,
    Closed,
    Gone,
    History,
    Invoke,
    Resumed,
    Revoked,
    Shown,
    Who,
    read_histories,
)
from tests.support.judge import VERDICTS, Finding, Judge
from tests.support.stored import OperatorFacts, Row, Stored

TALK = "0198aaaa-0000-7000-8000-000000000001"
OTHER = "0198aaaa-0000-7000-8000-000000000002"
ANN, OMAR = "start-of-ann", "omar@desk.example"
Histories = dict[str, list[AnyEvent]]


def shown(seq: int, ref: str, t: float, conversation: str = TALK, stream: str = "public") -> Shown:
    return Shown(conversation, stream, seq, ref, t)


def good_run() -> tuple[Histories, Stored]:
    """Ann starts and says two things, Omar answers and makes a note; Bob talks elsewhere."""
    said = [(1, ANN, 1.0), (2, "", 1.2), (3, "ann-second", 2.0), (4, "omar-first", 3.0)]
    ann: list[AnyEvent] = [Who("visitor", ANN, 0.0), Invoke(ANN, "", 0.5)]
    ann += [Ack(ANN, TALK, "public", 1, 1.0), Resumed(TALK, "public", 0, 1, 1.0), shown(1, ANN, 1.0), shown(2, "", 1.2)]
    ann += [Invoke("ann-second", TALK, 1.5), Ack("ann-second", TALK, "public", 3, 2.0), shown(3, "ann-second", 2.0)]
    ann += [shown(4, "omar-first", 3.1)]
    omar: list[AnyEvent] = [Who("operator", OMAR, 0.0), Resumed(TALK, "public", 0, 3, 2.1)]
    omar += [Resumed(TALK, "internal", 0, 0, 2.1)]
    omar += [shown(seq, ref, 2.1 + t / 100) for seq, ref, t in said[:3]]
    omar += [Invoke("omar-first", TALK, 2.5), Ack("omar-first", TALK, "public", 4, 3.0), shown(4, "omar-first", 3.0)]
    omar += [Invoke("omar-note", TALK, 3.2), Ack("omar-note", TALK, "internal", 1, 3.3)]
    omar += [shown(1, "omar-note", 3.3, stream="internal")]
    bob: list[AnyEvent] = [Who("visitor", "start-of-bob", 0.0), Invoke("start-of-bob", "", 0.5)]
    bob += [Ack("start-of-bob", OTHER, "public", 1, 1.0), Resumed(OTHER, "public", 0, 1, 1.0)]
    bob += [shown(1, "start-of-bob", 1.0, OTHER)]
    stored = Stored(
        streams={
            (TALK, "public"): [Row(seq, "message" if ref else "event", ref) for seq, ref, _ in said],
            (TALK, "internal"): [Row(1, "note", "omar-note", "operator")],
            (OTHER, "public"): [Row(1, "message", "start-of-bob")],
        },
        visitors={TALK: "ann", OTHER: "bob"},
        started={ANN: "ann", "start-of-bob": "bob"},
        operators={
            OMAR: OperatorFacts("omar", "operator", frozenset({"technical"})),
            "fay@desk.example": OperatorFacts("fay", "operator", frozenset({"financial"})),
            "sue@desk.example": OperatorFacts("sue", "supervisor", frozenset()),
        },
        departments={TALK: {"technical"}, OTHER: {"technical"}},
        assigned={TALK: {"omar"}},
    )
    return {"ann": ann, "omar": omar, "bob": bob}, stored


def found(histories: Histories, stored: Stored) -> list[Finding]:
    return Judge(stored).findings(histories.items())


def test_a_good_run_is_found_good() -> None:
    assert found(*good_run()) == []


def row_of_an_acknowledged_message_is_missing(histories: Histories, stored: Stored) -> None:
    stored.streams[TALK, "public"].pop()
    histories["ann"].pop()


def another_message_stands_at_the_acknowledged_place(histories: Histories, stored: Stored) -> None:
    stored.streams[TALK, "public"][2] = Row(3, "message", "somebody-else")
    for name in ("ann", "omar"):
        histories[name] = [one for one in histories[name] if not (isinstance(one, Shown) and one.seq == 3)]


def a_view_was_never_shown_the_last_row(histories: Histories, stored: Stored) -> None:
    histories["ann"].pop()


def a_view_that_was_open_was_never_shown_anything(histories: Histories, stored: Stored) -> None:
    histories["tab"] = [Who("visitor", ANN, 0.0), Resumed(TALK, "public", 0, 0, 1.0)]


def a_view_showed_what_was_never_stored(histories: Histories, stored: Stored) -> None:
    histories["ann"].append(shown(5, "from-nowhere", 4.0))


def one_ref_is_stored_twice(histories: Histories, stored: Stored) -> None:
    stored.streams[TALK, "public"].append(Row(5, "message", "ann-second"))


def one_ref_is_stored_in_two_conversations(histories: Histories, stored: Stored) -> None:
    stored.streams[OTHER, "public"].append(Row(2, "message", "ann-second"))


def a_view_showed_one_number_twice(histories: Histories, stored: Stored) -> None:
    histories["omar"].append(shown(4, "omar-first", 5.0))


def a_view_showed_one_message_under_two_numbers(histories: Histories, stored: Stored) -> None:
    stored.streams[TALK, "public"].append(Row(5, "message", "other"))
    histories["omar"].append(shown(5, "omar-first", 5.0))


def one_ref_was_acknowledged_with_two_numbers(histories: Histories, stored: Stored) -> None:
    histories["ann"].append(Ack("ann-second", TALK, "public", 4, 5.0))


def a_view_showed_an_older_entry_after_a_newer_one(histories: Histories, stored: Stored) -> None:
    ann = histories["ann"]
    ann[-1], ann[-2] = ann[-2], ann[-1]


def two_sends_one_after_the_other_have_numbers_the_other_way(histories: Histories, stored: Stored) -> None:
    """Omar spoke when Ann's was acknowledged already, and stands before her."""
    rows = stored.streams[TALK, "public"]
    rows[2], rows[3] = replace(rows[3], seq=3), replace(rows[2], seq=4)
    for name, events in histories.items():
        for place, event in enumerate(events):
            if isinstance(event, Ack | Shown) and event.conversation == TALK and event.stream == "public":
                swapped = {"ann-second": 4, "omar-first": 3}.get(event.ref, event.seq)
                kind = type(event)
                fields = {field: getattr(event, field) for field in event.__struct_fields__} | {"seq": swapped}
                events[place] = kind(**fields)
        histories[name] = sorted(events, key=lambda one: (isinstance(one, Shown), getattr(one, "seq", 0)))


def the_rows_have_a_hole(histories: Histories, stored: Stored) -> None:
    del stored.streams[TALK, "public"][1]
    for name in ("ann", "omar"):
        histories[name] = [one for one in histories[name] if not (isinstance(one, Shown) and one.seq == 2)]


def a_view_skipped_ahead(histories: Histories, stored: Stored) -> None:
    """It got the missing one later, which is too late."""
    ann = histories["ann"]
    place = next(n for n, one in enumerate(ann) if isinstance(one, Shown) and one.seq == 2)
    ann.append(ann.pop(place))


def a_visitor_saw_a_note(histories: Histories, stored: Stored) -> None:
    histories["ann"].append(shown(1, "omar-note", 5.0, stream="internal"))


def a_visitor_saw_another_visitors_conversation(histories: Histories, stored: Stored) -> None:
    histories["bob"].append(shown(1, ANN, 5.0))


def an_operator_saw_another_department(histories: Histories, stored: Stored) -> None:
    histories["fay"] = [Who("operator", "fay@desk.example", 0.0), shown(1, ANN, 5.0)]


def a_stranger_saw_something(histories: Histories, stored: Stored) -> None:
    histories["mallory"] = [Who("operator", "mallory@evil.example", 0.0), shown(1, ANN, 5.0)]


def an_operator_saw_something_after_the_end_of_access(histories: Histories, stored: Stored) -> None:
    stored.streams[TALK, "public"].append(Row(5, "message", "ann-third"))
    histories["ann"].append(shown(5, "ann-third", 30.0))
    histories["omar"] += [Revoked(10.0), shown(5, "ann-third", 30.0)]


def a_view_showed_the_words_of_another_place(histories: Histories, stored: Stored) -> None:
    histories["bob"][-1] = shown(1, "ann-second", 1.0, OTHER)


FORGERIES: list[tuple[str, Callable[[Histories, Stored], None]]] = [
    ("lost", row_of_an_acknowledged_message_is_missing),
    ("lost", another_message_stands_at_the_acknowledged_place),
    ("lost", a_view_was_never_shown_the_last_row),
    ("lost", a_view_that_was_open_was_never_shown_anything),
    ("lost", a_view_showed_what_was_never_stored),
    ("doubled", one_ref_is_stored_twice),
    ("doubled", one_ref_is_stored_in_two_conversations),
    ("doubled", a_view_showed_one_number_twice),
    ("doubled", a_view_showed_one_message_under_two_numbers),
    ("doubled", one_ref_was_acknowledged_with_two_numbers),
    ("reordered", a_view_showed_an_older_entry_after_a_newer_one),
    ("reordered", two_sends_one_after_the_other_have_numbers_the_other_way),
    ("holes", the_rows_have_a_hole),
    ("holes", a_view_skipped_ahead),
    ("misdelivered", a_visitor_saw_a_note),
    ("misdelivered", a_visitor_saw_another_visitors_conversation),
    ("misdelivered", an_operator_saw_another_department),
    ("misdelivered", a_stranger_saw_something),
    ("misdelivered", an_operator_saw_something_after_the_end_of_access),
    ("misdelivered", a_view_showed_the_words_of_another_place),
]


@pytest.mark.parametrize(("verdict", "forge"), FORGERIES, ids=[forge.__name__ for _, forge in FORGERIES])
def test_a_forged_run_is_caught(verdict: str, forge: Callable[[Histories, Stored], None]) -> None:
    histories, stored = good_run()
    forge(histories, stored)
    assert verdict in {finding.verdict for finding in found(histories, stored)}


def test_every_verdict_has_a_forgery() -> None:
    assert {verdict for verdict, _ in FORGERIES} == set(VERDICTS)


def test_who_left_or_closed_the_view_need_not_see_more() -> None:
    for farewell in (Gone(2.5), Closed(TALK, 2.5)):
        histories, stored = good_run()
        histories["tab"] = [Who("visitor", ANN, 0.0), Resumed(TALK, "public", 0, 0, 1.0), shown(1, ANN, 1.0), farewell]
        assert found(histories, stored) == []


def test_an_unacknowledged_message_is_there_once_or_not_at_all() -> None:
    histories, stored = good_run()
    histories["ann"].append(Invoke("ann-lost-at-sea", TALK, 9.0))
    assert found(histories, stored) == []
    stored.streams[TALK, "public"].append(Row(5, "message", "ann-lost-at-sea"))
    for name in ("ann", "omar"):
        histories[name].append(shown(5, "ann-lost-at-sea", 9.5))
    assert found(histories, stored) == []


def test_a_supervisor_sees_all_and_a_page_that_replaces_all_begins_anew() -> None:
    histories, stored = good_run()
    sue: list[AnyEvent] = [Who("operator", "sue@desk.example", 0.0), Resumed(TALK, "public", 0, 4, 4.0, reset=True)]
    sue += [shown(seq, ref, 4.0) for seq, ref in ((1, ANN), (2, ""), (3, "ann-second"), (4, "omar-first"))]
    sue += [Resumed(TALK, "public", 2, 4, 5.0, reset=True), shown(3, "ann-second", 5.0), shown(4, "omar-first", 5.0)]
    assert found(histories | {"sue": sue}, stored) == []


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tmp_path
    history = History(folder, "ann", "visitor", clock=lambda: 1.0)
    history.who(ANN)
    history.add(Invoke("ann-second", TALK, 1.5))
    history.flush()
    history.add(Ack("ann-second", TALK, "public", 3, 2.0))
    history.flush()
    assert list(read_histories(folder)) == [
        ("ann", [Who("visitor", ANN, 1.0), Invoke("ann-second", TALK, 1.5), Ack("ann-second", TALK, "public", 3, 2.0)])
    ]
