"""Urgent words in both languages, and what only looks like them."""

import pytest

from escalation.urgency import is_urgent

URGENT = [
    "URGENT!!", "It's urgent.", "Please answer urgently", "An emergency", "Is there an outage?", "outages since noon",
    "Our shop is down", "The site’s down again", "everything went down at 14:20", "Server DOWN", "mail is all down",
    "The server is not reachable", "unreachable since noon", "We can’t reach the server", "It cannot be reached",
    "SSH is not responding", "it doesn't respond", "The panel is not accessible", "nginx stopped working",
    "Nujno!", "Zadeva je NUJNA", "nujen primer", "Stran ne deluje", "Strežniki ne delujejo", "pošta ne dela",
    "Imamo izpad", "ob izpadu omrežja", "omrežje je izpadlo", "strežnik je nedosegljiv", "nedosegljíva stran",
    "Stran ni dosegljiva", "VPS ni dostopen", "nedostopna trgovina", "strežnik se ne odziva",
    "it is\nurgent", "is \t not   reachable",
]  # fmt: skip
OTHER = [
    "", "Hello", "not urgent, whenever you can", "This isn't urgent", "non-urgent question", "scroll down",
    "Can I sit down with you?", "The price is down to 20 EUR", "it is down by 3 %", "download", "Downtown",
    "insurgent", "You can reach me at 041 123 456", "I respond tomorrow", "ni nujno", "niso nujne",
    "izpadanje las", "Kako deluje to?", "dosegljivost 99,9 %", "dostop do panela", "odzivam se vabilu", "upad prodaje",
]  # fmt: skip


@pytest.mark.parametrize("text", URGENT)
def test_what_is_urgent(text: str) -> None:
    assert is_urgent(text)
    assert is_urgent(f"({text.upper()})")


@pytest.mark.parametrize("text", OTHER)
def test_what_is_not(text: str) -> None:
    assert not is_urgent(text)


@pytest.mark.parametrize(
    "part", ["ni ", "not ", "is ", "nuj", "is  down the ", "ne dela\u0301", "can't be ", "…", "\ufdfa"]
)
def test_a_long_text_costs_as_much_as_its_length(part: str) -> None:
    """A pattern that goes back and forth would take hours here."""
    assert not is_urgent(part * (200_000 // len(part)) + " I respond")
