"""What operators read of a browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.people.browsers import in_words


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox 143 · Windows"),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 "
                "Safari/605.1.15"
            ),
            "Safari 19 · macOS",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
                "Mobile Safari/537.36"
            ),
            "Chrome 150 · Android",
        ),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
                "Safari/537.36 Edg/150.0.0.0"
            ),
            "Edge 150 · Windows",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                "Version/19.0 Mobile/15E148 Safari/604.1"
            ),
            "Safari 19 · iPhone",
        ),
        ("curl/8.9", ""),
        ("", ""),
        ("<script>alert(1)</script> Chrome/1", "Chrome 1"),
    ],
)
def test_known_browsers_are_named(user_agent: str, words: str) -> None:
    assert in_words(user_agent) == words


@given(st.text(max_size=3000))
def test_whatever_is_sent_stays_short(user_agent: str) -> None:
    assert len(in_words(user_agent)) <= 60
