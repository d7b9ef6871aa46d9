"""Partials for the operators' socket: harmless, the same for all who read, in both languages."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from chat.assets import Assets
from chat.console.faces import ground, initials
from chat.console.rows import ConversationRow, group_of, path_of
from chat.console.stream import Stream
from chat.pages import Pages
from chat.protocol import frames
from chat.strings import Strings
from tests.support.steps import ROOT

OMAR = UUID("01980000-0000-7000-8000-000000000001")
LUKA = UUID("01980000-0000-7000-8000-000000000002")
AT = "2026-11-21T13:31:00.000Z"
SCRIPT = "<img src=x onerror=alert(1)>\"'</li><script>alert(1)</script>"


@pytest.fixture(scope="module")
def stream() -> Stream:
    chat = ROOT / "chat"
    strings = Strings.load([chat / "strings"])
    assets = Assets({"console": chat / "console" / "static", "shared": chat / "static"}, packed=False)
    return Stream(Pages(strings, assets, {"console": Path(chat / "console" / "templates")}, "http://127.0.0.1:8000"))


def entry(**fields: object) -> frames.Entry:
    values: dict[str, object] = {
        "seq": 3,
        "kind": "message",
        "at": AT,
        "author": frames.Person("visitor", "Ann", "v-1"),
    }
    return frames.Entry(**(values | fields))  # type: ignore[arg-type]


def row(**fields: object) -> ConversationRow:
    values: dict[str, object] = {
        "id": UUID("01980000-0000-7000-8000-00000000000a"),
        "visitor_id": UUID("01980000-0000-7000-8000-00000000000b"),
        "visitor_name": "Ann Visitor",
        "locale": "en",
        "department_id": UUID("01980000-0000-7000-8000-00000000000c"),
        "departments": {"en": "Technical", "sl": "Tehnični"},
        "state": "active",
        "operator_id": OMAR,
        "operator_name": "Omar",
        "waiting_since": datetime(2026, 11, 21, 13, 30, tzinfo=UTC),
        "last_message_text": "It does not answer",
        "last_message_by": "visitor",
        "last_message_at": datetime(2026, 11, 21, 13, 30, tzinfo=UTC),
        "priority": 1,
        "unread": 2,
        "page_path": "/vps",
        "version": 7,
    }
    return ConversationRow(**(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("locale", ["en", "sl"])
@pytest.mark.parametrize(
    "made",
    [
        entry(text=SCRIPT, author=frames.Person("visitor", SCRIPT, "v-1")),
        entry(kind="note", text=SCRIPT, after=2, author=frames.Person("operator", SCRIPT, str(OMAR))),
        entry(
            kind="card",
            card=frames.Card(
                key="ticket",
                revision=2,
                kind="ticket",
                title=SCRIPT,
                number=SCRIPT,
                state=SCRIPT,
                facts=[SCRIPT],
                due_at=AT,
                due_label=SCRIPT,
                links=[frames.CardLink(SCRIPT, "/t/1")],
            ),
        ),
        entry(kind="event", event="assigned", data={"operator": {"id": "1", "name": SCRIPT}}),
        entry(kind="event", event="unheard-of", text=SCRIPT),
    ],
)
def test_what_people_write_stays_text(stream: Stream, made: frames.Entry, locale: str) -> None:
    html = stream.entry_html(made, locale)
    assert "<img" not in html
    assert "<script" not in html
    assert html.count("<li") == 1


@pytest.mark.parametrize("locale", ["en", "sl"])
@pytest.mark.parametrize("name", ["", "Ann", SCRIPT, "\ue000\ue001\ue002", AT])
@pytest.mark.parametrize("kind", ["visitor", "operator"])
def test_a_message_from_a_form_is_what_the_template_says(stream: Stream, locale: str, name: str, kind: str) -> None:
    author = frames.Person(kind, name, "v-1")
    for seq, text, second in (
        (1, "one", "00.000"),
        (2, SCRIPT, "59.999"),
        (3, "\ue000\ue001\ue002 & more\n", "07.120"),
    ):
        made = entry(seq=seq, text=text, author=author, at=f"2026-11-21T13:31:{second}Z")
        assert stream.entry_html(made, locale) == stream.rendered(made, locale)
    late = entry(text="a minute later", author=author, at="2026-11-21T13:32:00.000Z")
    assert stream.entry_html(late, locale) == stream.rendered(late, locale)


@pytest.mark.parametrize("locale", ["en", "sl"])
def test_names_and_words_in_rows_and_offers_stay_text(stream: Stream, locale: str) -> None:
    made = row(visitor_name=SCRIPT, last_message_text=SCRIPT, operator_name=SCRIPT, page_path=SCRIPT)
    for html in (stream.row_html(made, locale), stream.offer_html(made, locale, 30)):
        assert "<img" not in html
        assert "<script" not in html


def test_a_link_of_a_card_goes_only_to_the_web(stream: Stream) -> None:
    card = frames.Card("k", 1, "ticket", "Title", links=[frames.CardLink("Open", "javascript:alert(1)")])
    assert "javascript:" not in stream.entry_html(entry(kind="card", card=card), "en")


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("queued", {}),
        ("offered", {"operator": {"id": "1", "name": "Omar"}}),
        ("assigned", {"operator": {"id": "1", "name": "Omar"}}),
        ("transferred", {"operator": {"id": "1", "name": "Luka"}}),
        ("transferred", {"department": {"slug": "financial", "names": {"en": "Financial", "sl": "Finančni"}}}),
        ("returned", {"operator": {"name": "Omar"}}),
        ("left", {}),
        ("ended", {"by": "visitor"}),
        ("reopened", {}),
        ("rated", {"score": 5}),
        ("escalated", {"number": "T-26-000001"}),
    ],
)
def test_each_event_has_its_sentence_in_both_languages(stream: Stream, event: str, data: dict[str, object]) -> None:
    english = stream.entry_html(entry(kind="event", event=event, data=data), "en")
    slovenian = stream.entry_html(entry(kind="event", event=event, data=data), "sl")
    assert f'data-event="{event}"' in english
    assert english != slovenian


def test_a_row_does_not_say_who_reads_it(stream: Stream) -> None:
    html = stream.row_html(row(), "en")
    assert f'data-operator="{OMAR}"' in html
    assert 'data-version="7"' in html
    assert "2 unread messages" in html
    assert "You" not in html
    assert "Tehnični" in stream.row_html(row(), "sl")


@pytest.mark.parametrize(
    ("fields", "group"),
    [
        ({}, "our"),
        ({"waiting_since": None}, "their"),
        ({"state": "waiting", "operator_id": None}, "our"),
        ({"state": "offered", "operator_id": LUKA}, "our"),
        ({"operator_id": LUKA}, "colleagues"),
        ({"state": "ended"}, "ended"),
        ({"state": "left"}, "ended"),
    ],
)
def test_each_conversation_has_its_group(fields: dict[str, object], group: str) -> None:
    assert group_of(row(**fields), OMAR) == group


def test_faces() -> None:
    assert initials("Ana Marija Kovač") == "AK"
    assert initials("šime") == "Š"
    assert initials(" <> ") == ""
    assert 1 <= ground(OMAR) <= 6
    assert ground(OMAR) == ground(str(OMAR))


def test_a_path_is_what_operators_read_of_an_address() -> None:
    assert path_of("https://acme.si/vps/reboot?plan=2#x") == "/vps/reboot?plan=2"
    assert path_of("https://acme.si") == "/"
    assert path_of("http://[") == ""
