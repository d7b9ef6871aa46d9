"""Facts in text: what people write to a hosting company, in both languages, and what only looks like it."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.facts import Certainty, Fact, Kind, Question, find_facts

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
NOW = datetime(2026, 11, 21, 13, 33, tzinfo=UTC)  # 14:33 CET

SENTENCES: list[tuple[str, list[str]]] = [
    # ── order numbers, taken ──
    ("Za naročilo #123456 še nismo dobili računa.", ["#123456"]),
    ("It is about #123456.", ["#123456"]),
    ("Težave imam z naročilom 123456, ne pride do plačila.", ["#123456"]),
    ("Naročilo št. 4567 je plačano dvakrat.", ["#4567"]),
    ("narocilo stevilka 99887 ne dela", ["#99887"]),
    ("My order number: 7654321, thanks", ["#7654321"]),
    ("Order no. 482913 was paid on Monday", ["#482913"]),
    ("order id 482913 and order 482914", ["#482913", "#482914"]),
    ("Glede naročil 482913 in #482914 ter še enkrat #482913", ["#482913", "#482914"]),
    ("(#4821)", ["#4821"]),
    ("ORDER #123456789 please", ["#123456789"]),
    ("Naročila: 55512 in #55513!", ["#55512", "#55513"]),
    # ── order numbers, not taken ──
    ("I am #12 in the queue", []),
    ("See https://x.example/#123456 for details", []),
    ("open www.x.example/a?id=1#654321 now", []),
    ("?id=1#654321", []),
    ("It&#8217;s broken", []),
    ("Re: [#123456] Invoice", []),
    ("V zahtevku [T-26-004217] ste pisali drugače", []),
    ("Naročilo za 5000 € ni potrjeno", []),
    ("We order 2000 EUR of credit every month", []),
    ("The border 1234 is closed", []),
    ("color: #a1b2c3; in #1234567890 too", []),
    ("Order 2026-11-21 was the day", []),
    ("Pokličite me na 041 123 456", []),
    ("Room ##123456", []),
    ("PHP 8123456 is no order", []),
    # ── IPv4 ──
    ("VPS 185.203.118.7 ne odgovarja", ["185.203.118.7"]),
    ("Strežnik je na 93.103.5.12.", ["93.103.5.12"]),
    ("The gateway 192.168.1.1/24 is fine", ["192.168.1.1 grey"]),
    ("https://185.203.118.7:8006/ does not load", ["185.203.118.7"]),
    ("from 8.8.8.8 to 8.8.4.4, and 8.8.8.8 again", ["8.8.8.8", "8.8.4.4"]),
    ("(127.0.0.1)", ["127.0.0.1 grey"]),
    ("Uporabljam verzija 1.2.3.4", []),
    ("after version 10.4.2.1 it broke", []),
    ("v1.2.3.4 and nginx/1.24.0.1", []),
    ("Različica 2.0.0.1 je nova", []),
    ("999.1.1.1 is wrong", []),
    ("OID 1.1.1.1.1", []),
    ("1.3.6.1.4.1.2021", []),
    ("010.1.1.1 in the old notation", []),
    ("Znesek 1.234.567,89 EUR", []),
    # ── IPv6 ──
    ("Na 2a02:e48::1 ni odziva", ["2a02:e48::1"]),
    ("curl http://[2a02:e48::ff]:443/ hangs", ["2a02:e48::ff"]),
    ("[2001:db8::ff]:443", ["2001:db8::ff grey"]),
    ("link fe80::1%eth0 works", ["fe80::1 grey"]),
    ("it listens on ::1 only", ["::1 grey"]),
    ("dead:beef::cafe", ["dead:beef::cafe"]),
    ("2a02:e48:40::/48 ni dosegljiv.", ["2a02:e48:40::"]),
    ("2A02:0E48:0000:0000:0000:0000:0000:0001", ["2a02:e48::1"]),
    ("MAC je 00:1a:2b:3c:4d:5e", []),
    ("use std::vector here", []),
    ("a::b and cafe::babe", []),
    ("Foo::Bar::Baz()", []),
    # ── times ──
    ("Ne dela od 14:30", ["13:30Z"]),
    ("Since 14:20 MSK nothing works", ["11:20Z"]),
    ("down since 15:20 EET", ["13:20Z"]),
    ("Od 14.10 je vse počasno", ["13:10Z"]),
    ("Začelo se je ob 9. uri", ["08:00Z"]),
    ("ob 14h je padlo", ["13:00Z"]),
    ("It began at 2:15 pm", ["13:15Z"]),
    ("since 9am", ["08:00Z"]),
    ("at 23:50 the disk was full", ["22:50Z yesterday"]),
    ("Včeraj ob 14:30 je nehalo", ["13:30Z yesterday"]),
    ("yesterday at 22:10", ["21:10Z yesterday"]),
    ("14:30 yesterday", ["13:30Z yesterday"]),
    ("20. 11. ob 9:15", ["08:15Z yesterday"]),
    ("20 Nov 2026, 14:20 CET", ["13:20Z yesterday"]),
    ("On Nov 20 at 14:20", ["13:20Z yesterday"]),
    ("log: 2026-11-21T12:00:00Z error", ["12:00Z"]),
    ("10:00 +02:00", ["08:00Z"]),
    ("08:00 UTC-5", ["13:00Z"]),
    ("12:00 Europe/Helsinki", ["10:00Z"]),
    ("okoli 14:00", ["about 13:00Z"]),
    ("Ne dela že pred 2 urama", ["about 11:33Z"]),
    ("it has been down for 3 h", ["about 10:33Z"]),
    ("half an hour ago", ["about 13:03Z"]),
    ("pred pol ure", ["about 13:03Z"]),
    ("že 20 minut", ["about 13:13Z"]),
    ("Včeraj zvečer je nehalo delati", ["ask which_time"]),
    ("It broke this morning", ["ask which_time"]),
    ("since 14:20 IST", ["ask which_zone"]),
    ("at 09:00 BST", ["ask which_zone"]),
    # ── no time ──
    ("Prosim, odgovorite do 15:00", []),
    ("Please fix it by 14:20", []),
    ("jutri ob 9:00 imamo predstavitev", []),
    ("the ratio is 16:9", []),
    ("port 80:8080", []),
    ("25:61 is no time", []),
    ("3:1 for us", []),
    # ── together ──
    (
        "Hi, our shop is down. Since 15:20 EET, order #482913, address 185.203.118.7.",
        ["13:20Z", "#482913", "185.203.118.7"],
    ),
    ("Živjo, strežnik 2a02:e48::1 (naročilo 55512) od 14:10 ne dela", ["2a02:e48::1", "#55512", "13:10Z"]),
    ("Hvala, zdaj dela.", []),
    ("", []),
]


def told(fact: Fact) -> str:
    match fact.kind:
        case Kind.ORDER:
            return f"#{fact.value}"
        case Kind.IPV4 | Kind.IPV6:
            return fact.value if fact.public else f"{fact.value} grey"
        case Kind.TIME:
            if fact.instant is None:
                return f"ask {fact.question}"
            day = "" if fact.instant.date() == NOW.date() else " yesterday"
            about = "about " if fact.certainty is Certainty.ABOUT else ""
            return f"{about}{fact.instant:%H:%M}Z{day}"


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text[:40] or "empty" for text, _ in SENTENCES])
def test_a_sentence_tells(text: str, expected: list[str]) -> None:
    assert [told(fact) for fact in find_facts(text, NOW, LJUBLJANA)] == expected


@pytest.mark.parametrize("text", [text for text, _ in SENTENCES])
def test_a_fact_says_where_it_stands(text: str) -> None:
    for fact in find_facts(text, NOW, LJUBLJANA):
        assert text[fact.start : fact.end] == fact.text


@pytest.mark.parametrize(
    ("text", "instant", "question", "hint"),
    [
        ("2026-10-25 02:30", None, Question.HOUR_TWICE, ""),
        ("2026-10-25 02:30 CET", "2026-10-25T01:30:00Z", Question.NONE, ""),
        ("2026-10-25 02:30 CEST", "2026-10-25T00:30:00Z", Question.NONE, ""),
        ("2026-03-29 02:30", None, Question.HOUR_NEVER, ""),
        ("2026-07-01 14:00", "2026-07-01T12:00:00Z", Question.NONE, ""),
        ("2026-07-01 14:00 CET", "2026-07-01T13:00:00Z", Question.DID_YOU_MEAN, "CEST"),
        ("2026-01-10 09:00 CEST", "2026-01-10T07:00:00Z", Question.DID_YOU_MEAN, "CET"),
    ],
)
def test_the_clock_changes_are_asked_about(text: str, instant: str | None, question: Question, hint: str) -> None:
    [fact] = find_facts(text, NOW, LJUBLJANA)
    assert (fact.value or None, fact.question, fact.hint) == (instant, question, hint)


def test_the_zone_is_named_as_people_name_it() -> None:
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert [find_facts("od 9:00", at, LJUBLJANA)[0].zone for at in (NOW, summer)] == ["CET", "CEST"]


PIECES = st.sampled_from(
    ["#", "1234", "order ", "naročilo ", "12:30", " ob ", "CET", "+02:00", "::", "fe80", "1.2.3.4", "[", "]", "%", " ",
     "včeraj ", "21. 11. ", "pred ", "2 h", "2026-02-30", "T", "Z", "http://", ".", "29 feb ", "31. 4. ob 10:00"]
)  # fmt: skip


AT = st.integers(0, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)), AT)
def test_nothing_a_person_types_raises(text: str, at: datetime) -> None:
    for fact in find_facts(text, at, LJUBLJANA):
        assert text[fact.start : fact.end] == fact.text


@pytest.mark.parametrize(
    "piece",
    ["a:", "1.", "#", "order ", "12:3", "[::", "pred ", "21. 11. ", "f", ":", "1", " ", "0:00 ", "http://", "1 "],
)
def test_the_time_is_linear_in_the_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        return min(_timed(text) for _ in range(2))

    # Twenty times the text may take some fifty times the processor on a noisy machine; quadratic is four hundred.
    assert seconds(20_000) < max(50 * seconds(1_000), 0.5)


def _timed(text: str) -> float:
    start = time.thread_time()
    find_facts(text, NOW, LJUBLJANA)
    return time.thread_time() - start
