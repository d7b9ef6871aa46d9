"""Translations that find their way by the sum of their source text."""

import re
from pathlib import Path

from chat.strings import Strings, messages_in
from widget.places import place, size_for, translations

WIDGET = Path(__file__).parents[2] / "widget"
STRINGS = Strings.load([WIDGET / "strings"])
MESSAGES = [
    found
    for file in sorted((WIDGET / "static").rglob("*.js"))
    for found in messages_in(file.read_text(encoding="utf-8"))
]


def test_every_message_of_the_modules_stands_at_its_own_place() -> None:
    lines = translations(STRINGS, "sl").split("\n")
    known = STRINGS.browser("sl", "widget")
    places = {found.message: place(found.message, len(lines)) for found in MESSAGES}
    assert len(set(places.values())) == len(places)
    for message, at in places.items():
        wanted = known[message]
        assert lines[at] == (wanted if isinstance(wanted, str) else "\t".join(wanted))


def test_english_is_its_own_translation() -> None:
    assert translations(STRINGS, "en") == ""


def test_no_translation_has_a_sign_that_separates() -> None:
    for wanted in STRINGS.browser("sl", "widget").values():
        assert not re.search(r"[\n\t]", wanted if isinstance(wanted, str) else "".join(wanted))


def test_a_size_is_found_for_messages_that_differ_little() -> None:
    messages = tuple(f"Message {number}" for number in range(60))
    size = size_for(messages)
    assert len({place(message, size) for message in messages}) == len(messages)


def test_the_sum_is_that_of_the_module() -> None:
    # By hand: ((0 * 31 + 65) % 100 * 31 + 269) % 100.
    assert place("Ač", 100) == 84
    assert place("", 7) == 0
