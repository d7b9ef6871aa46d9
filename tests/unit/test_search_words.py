"""Words as search knows them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.search.words import LONGEST, MOST, excerpt, question_of, words_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Čebelji STREŽNIK", {"cebelji", "streznik"}),
        ("order #482913.", {"order", "482913"}),
        ("185.203.118.7 is down", {"185.203.118.7", "185", "203", "118", "is", "down"}),
        ("2a02:e48::1", {"2a02:e48::1", "2a02", "e48"}),
        ("Ann@Example.com", {"ann@example.com", "ann", "example", "com"}),
        ("see T-26-000017", {"see", "t-26-000017", "26", "000017"}),
        ("a \x00 , …", set()),
        ("", set()),
    ],
)
def test_words(text: str, expected: set[str]) -> None:
    assert words_of(text) == expected


@pytest.mark.parametrize(
    "text",
    ["…" * 10_000, "+-" * 5_000, "a." * 3_000 + "@" + "b" * 4_000, "\u0301" * 5_000 + "\u0316" * 5_000,
     "\u0f73" * 10_000, ":" + "a.1" * 3_000, "\ufdfa" * 10_000],
)  # fmt: skip
def test_a_message_made_to_be_slow_is_taken_apart_at_once(text: str) -> None:
    began = time.thread_time()
    words_of(text)
    assert time.thread_time() - began < 0.25  # a twentieth of it is needed; unbounded, it was one second and more


@given(st.text(max_size=300))
def test_no_text_raises_and_no_word_is_long(text: str) -> None:
    assert all(1 < len(word) <= LONGEST for word in words_of(text))
    assert len(question_of(text)) <= MOST


@given(st.text(max_size=200), st.text(min_size=2, max_size=5))
def test_pieces_of_an_excerpt_are_the_text(text: str, word: str) -> None:
    pieces = excerpt(text, question_of(word))
    if pieces is not None:
        assert "".join(piece for piece, _ in pieces if piece != "…") in text or "…" in text


def test_what_was_asked_for_is_marked_as_it_was_written() -> None:
    assert excerpt("The čebelji strežnik is slow", ["streznik"]) == [
        ("The čebelji ", False), ("strežnik", True), (" is slow", False),
    ]  # fmt: skip
    assert excerpt("Nothing here", ["streznik"]) is None
