"""The words of each mail, in both languages: whole, and true of what happened."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chat.strings import Strings
from escalation.mail.letter import ADDRESS_CHANGED, KINDS, TICKET_REPLY
from escalation.mail.told import Spoken, Told
from escalation.mail.wording import Reader, word
from escalation.mail.words import Button, Said, Words, as_text

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 26, 13, 0, tzinfo=UTC)
STRINGS = Strings.load([ROOT / "chat" / "strings", ROOT / "escalation" / "strings"])
TOLD = Told(
    "T-26-000001",
    "Server",
    "Acme",
    "Rita",
    "waiting_customer",
    NOW + timedelta(minutes=10),
    2,
    (Spoken("Omar", "Hi.", ("a.log",)), Spoken("Omar", "Ho."), Spoken("Nina", "")),
)


def worded(kind: str, locale: str, change: str = "replaced", told: Told = TOLD) -> Words:
    data = {"company": "Acme", "account": "Korhonen", "types": "billing", "change": change}
    data |= {"customer": "Rita", "browser": "Firefox", "at": NOW.isoformat()}
    reader = Reader(STRINGS.catalogue(locale), ZoneInfo("Europe/Ljubljana"), NOW)
    return word(kind, data, "https://acme.example/x", NOW + timedelta(minutes=15), told, reader)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_whole_in_both_languages(kind: str) -> None:
    english, slovenian = worded(kind, "en"), worded(kind, "sl")
    texts = [as_text(words).split("\n\n") for words in (english, slovenian)]
    assert len(texts[0]) == len(texts[1])
    for one, other in zip(*texts, strict=True):
        assert "%" not in one + other
        if one not in ("Omar:", "Hi.", "Ho."):
            assert one != other  # all of it is translated
    for words in (english, slovenian):
        assert words.subject
        assert [part.url for part in words.parts if isinstance(part, Button)] == ["https://acme.example/x"]


@pytest.mark.parametrize(
    ("change", "locale", "subject", "says"),
    [
        (
            "removed",
            "en",
            "Your address was removed – Acme",
            "gets no more mail of the account Korhonen about: invoices",
        ),
        ("added", "en", "Another address was added – Acme", "Nothing changes for yours"),
        ("replaced", "en", "Your mail goes to another address – Acme", "and no longer here"),
        ("removed", "sl", "Vaš naslov je bil odstranjen – Acme", "ne pošiljamo več"),
        ("added", "sl", "Dodan je bil še en naslov – Acme", "nič ne spremeni"),
        ("replaced", "sl", "Vaša pošta gre na drug naslov – Acme", "ne več sem"),
    ],
)
def test_an_old_address_is_told_what_became_of_it(change: str, locale: str, subject: str, says: str) -> None:
    words = worded(ADDRESS_CHANGED, locale, change)
    assert words.subject == subject
    assert says in as_text(words)


def test_who_said_several_things_in_a_row_is_named_once() -> None:
    words = worded(TICKET_REPLY, "en")
    assert [(part.by, part.text) for part in words.parts if isinstance(part, Said)] == [("Omar", "Hi."), ("", "Ho.")]
    assert words.by == "Acme"
    alone = Told("T-26-000001", "Server", "Acme", "Rita", "open", None, 2, (Spoken("Omar", "Hi."),))
    assert worded(TICKET_REPLY, "en", told=alone).by == "Omar · Acme"
