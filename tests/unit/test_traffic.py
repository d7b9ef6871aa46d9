"""Every frame of the wire is counted under its own type, by seven letters of its text."""

from typing import Any, get_args

import msgspec
import pytest

from chat.hub.connection import KIND
from chat.protocol import frames
from chat.sockets.traffic import SENT, Traffic

ALL = sorted({*get_args(frames.ToVisitor), *get_args(frames.ToOperator)}, key=lambda frame: frame.__name__)


def made(kind: Any) -> Any:
    """A frame with something in each field that must be there."""
    if kind is frames.Welcomed:
        return kind(known=True, staff=frames.Staff(online=1, names=[]))
    if kind is frames.Staffed:
        return kind(frames.Staff(online=1, names=[]))
    values = {str: "x", int: 1, bool: True, float: 1.0}
    person = frames.Person("operator", "x")
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.required:
            fields[field.name] = values.get(field.type, person if field.type is frames.Person else [])
    return kind(**fields)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_frame_is_counted_by_its_letters(kind: Any) -> None:
    text = frames.encode(made(kind))
    assert SENT[text[KIND]] == kind.__struct_config__.tag


def test_no_two_types_have_the_same_letters() -> None:
    tags = {kind.__struct_config__.tag for kind in ALL}
    assert set(SENT.values()) == tags
    assert all(SENT[letters].startswith(letters.rstrip('",}')) for letters in SENT)
    assert len({letters.rstrip('",}') for letters in SENT}) == len(tags)


def test_what_came_and_went_is_said_in_words() -> None:
    traffic = Traffic()
    traffic.sent['said","'] += 3
    traffic.came(frames.Say)
    traffic.came(ValueError)
    assert traffic.frames() == {("out", "said"): 3, ("in", "say"): 1, ("in", "refused"): 1}
