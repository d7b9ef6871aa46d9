"""Each state × frame, and everything strangers send instead of frames."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.protocol import errors, frames, schema
from chat.protocol.decoding import Undecodable
from chat.protocol.operator import OperatorSession
from chat.protocol.pace import Pace
from chat.protocol.visitor import VisitorSession

ID = "0198c0de-0000-7000-8000-000000000001"
GOLDEN = Path(__file__).parent / "golden"


def text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


HELLO = text("hello", site="polaris")
FROM_VISITORS = {
    "enroll": text("enroll"),
    "start": text("start", ref="ref-00000001", text="Hello"),
    "say": text("say", ref="ref-00000001", text="Hello", conversation=ID),
    "leave": text("leave", ref="ref-00000001", email="a@b.si", text="Hello"),
    "type": text("type", conversation=ID),
    "read": text("read", conversation=ID, seq=3),
    "fetch": text("fetch", conversation=ID, after=3),
    "visit": text("visit", page={"url": "https://x.example/"}),
    "end": text("end", conversation=ID),
    "rate": text("rate", conversation=ID, score=5),
    "beat": text("beat"),
}


@pytest.mark.parametrize("name", FROM_VISITORS)
def test_nothing_is_said_before_hello(name: str) -> None:
    with pytest.raises(errors.OutOfTurn):
        VisitorSession().receive(FROM_VISITORS[name], 0)


@pytest.mark.parametrize("name", FROM_VISITORS)
def test_after_hello_every_frame_is_heard(name: str) -> None:
    session = VisitorSession()
    assert isinstance(session.receive(HELLO, 0), frames.Hello)
    frame = session.receive(FROM_VISITORS[name], 0)
    assert frame is None if name == "beat" else frame is not None


def test_a_second_hello_is_out_of_turn() -> None:
    session = VisitorSession()
    session.receive(HELLO, 0)
    with pytest.raises(errors.OutOfTurn):
        session.receive(HELLO, 0)


def test_an_operator_attends_first() -> None:
    session = OperatorSession()
    with pytest.raises(errors.OutOfTurn):
        session.receive(text("take", ref="ref-00000001"), 0)
    assert isinstance(session.receive(text("attend", socket_pass="p" * 43), 0), frames.Attend)
    with pytest.raises(errors.NoteMissing):
        session.receive(text("transfer", ref="ref-00000001", conversation=ID, note="  ", department="x"), 0)


def open_session() -> VisitorSession:
    session = VisitorSession()
    session.receive(HELLO, 0)
    return session


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (text("say", ref="ref-00000001", text="x" * 10_001, conversation=ID), "text-too-long"),
        (text("say", ref="short", text="x", conversation=ID), "invalid"),
        (text("say", ref="white space", text="x", conversation=ID), "invalid"),
        (text("say", ref="ref-00000001", text="a\u0000b", conversation=ID), "invalid"),
        (text("say", ref="ref-00000001", text=5, conversation=ID), "invalid"),
        (text("say", ref="ref-00000001", conversation=ID), "invalid"),
        (text("rate", conversation=ID, score=6), "invalid"),
        (text("read", conversation=ID, seq=-1), "invalid"),
        (text("read", conversation=ID, seq=2**70), "invalid"),
        (text("__init__", ref="ref-00000001"), "invalid"),
        (text("said", ref="ref-00000001"), "invalid"),
        ('{"ref":"ref-00000001"}', "invalid"),
        ("[]", "invalid"),
        ("7", "invalid"),
        ("[" * 5000, "invalid"),
    ],
)
def test_json_that_is_no_frame_is_answered(bad: str, code: str) -> None:
    with pytest.raises(Undecodable) as caught:
        open_session().receive(bad, 0)
    assert caught.value.refusal.code == code
    assert caught.value.ref in ("", "ref-00000001")


@pytest.mark.parametrize("bad", ["", "{", "hello", '{"type":"beat","x":NaN}', '{"type":"beat","x":"\\ud800"}', "\x00"])
def test_what_is_no_json_is_malformed(bad: str) -> None:
    with pytest.raises(errors.Malformed):
        open_session().receive(bad, 0)


def test_an_empty_text_is_refused_with_a_helping_word() -> None:
    with pytest.raises(errors.TextMissing):
        open_session().receive(text("say", ref="ref-00000001", text=" \n\t", conversation=ID), 0)


def test_unknown_fields_of_a_newer_client_are_ignored() -> None:
    frame = open_session().receive(text("say", ref="ref-00000001", text="x", conversation=ID, mood="fine"), 0)
    assert isinstance(frame, frames.Say)


@given(st.text(max_size=200))
def test_no_text_does_anything_but_answer_or_close(garbage: str) -> None:
    with contextlib.suppress(errors.ProtocolError, Undecodable):
        open_session().receive(garbage, 0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from([*FROM_VISITORS, "hello", "attend", "base", "__class__", "Said"]),
)
def test_no_json_does_anything_but_answer_or_close(body: Any, kind: str) -> None:
    shaped = json.dumps({**body, "type": kind} if isinstance(body, dict) else body)
    with contextlib.suppress(errors.ProtocolError, Undecodable):
        open_session().receive(shaped, 0)


def test_ten_at_once_then_two_a_second_and_the_wait_is_told() -> None:
    session = open_session()
    say = FROM_VISITORS["say"]
    for _ in range(10):
        session.receive(say, 0)
    with pytest.raises(errors.TooFast) as caught:
        session.receive(say, 0)
    assert caught.value.retry
    assert caught.value.retry_after == 0.5
    assert session.receive(say, 0.6) is not None


def test_typing_is_passed_on_once_in_two_seconds() -> None:
    session = open_session()
    typing = FROM_VISITORS["type"]
    heard = [session.receive(typing, now) is not None for now in (0.0, 0.5, 1.9, 2.1, 2.2)]
    assert heard == [True, False, False, True, False]


def test_a_clock_that_goes_back_gives_no_extra_turns() -> None:
    pace = Pace(burst=1, per_second=1)
    assert pace.take(100) == 0
    assert pace.take(50) > 0


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_frames_of_old_widgets_are_understood_for_ever(file: Path) -> None:
    for line in file.read_text(encoding="utf-8").splitlines():
        session = VisitorSession()
        if '"type":"hello"' not in line:
            session.receive(HELLO, 0)
        session.receive(line, 0)


def test_there_are_golden_frames() -> None:
    assert list(GOLDEN.glob("*.json"))


def test_the_browser_types_and_the_schema_are_those_of_the_frames() -> None:
    for path, made in schema.generated().items():
        assert path.read_text(encoding="utf-8") == made, f"{path.name} is stale: python -m chat.protocol.schema"


def test_every_refusal_has_a_code_of_its_own_and_words() -> None:
    refusals = errors.Refusal.__subclasses__()
    assert len({refusal.code for refusal in refusals}) == len(refusals)
    assert all(refusal.message.endswith(".") for refusal in refusals)


def test_an_escape_that_somebody_wrote_about_is_text_like_any_other() -> None:
    session = VisitorSession()
    session.receive(HELLO, 0)
    for words in (r"the byte \u0000 in C", r"\\u0000", "a\\\\\\u0000"):
        frame = session.receive(text("say", ref="ref-00000001", text=words, conversation=ID), 0)
        assert isinstance(frame, frames.Say)
        assert frame.text == words
    for words in ("\x00", "\\\x00", "a\\\\\x00"):
        with pytest.raises(Undecodable):
            session.receive(text("say", ref="ref-00000001", text=words, conversation=ID), 0)


def test_those_who_are_told_together_that_nothing_can_be_stored_come_back_one_after_the_other() -> None:
    waits = {errors.Unavailable().retry_after for _ in range(100)}
    assert len(waits) > 5
    assert 1 <= min(waits) <= max(waits) <= 3
