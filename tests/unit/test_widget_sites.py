"""What a site's settings become for the browser."""

from dataclasses import dataclass, field
from typing import Any

from chat.strings import Strings
from widget.sites import for_frame, for_loader, localised


@dataclass
class PolarisSite:
    key: str = "polaris"
    name: str = "Polaris Hosting"
    origins: list[str] = field(default_factory=lambda: ["https://www.polaris.example"])
    locale: str = "sl"
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Billing:
    slug: str = "financial"
    names: dict[str, str] = field(default_factory=lambda: {"en": "Financial", "sl": "Finance"})


def test_text_in_the_readers_language_or_in_english_or_in_any() -> None:
    assert localised({"en": "Invoices", "sl": "Računi"}, "sl") == "Računi"
    assert localised({"en": "Invoices"}, "sl") == "Invoices"
    assert localised({"de": "Rechnungen"}, "sl") == "Rechnungen"
    assert localised("Invoices", "sl") == "Invoices"
    assert localised(None, "sl") == ""


def test_at_most_three_suggestions_and_none_without_an_answer() -> None:
    whole = [{"question": {"en": f"Question {n}"}, "answer": {"en": "Answer"}} for n in range(5)]
    site = PolarisSite(settings={"suggestions": [{"question": {"en": "Half"}}, *whole]})
    questions = [one["question"] for one in for_frame(site, "en", [])["suggestions"]]
    assert questions == ["Question 0", "Question 1", "Question 2"]


def test_departments_come_in_the_readers_language() -> None:
    assert for_frame(PolarisSite(), "sl", [Billing()])["departments"] == [{"slug": "financial", "name": "Finance"}]


def test_only_web_addresses_become_the_privacy_link() -> None:
    assert for_frame(PolarisSite(settings={"privacy_url": "javascript:alert(1)"}), "en", [])["privacy"] == ""
    assert (
        for_frame(PolarisSite(settings={"privacy_url": "https://a.example/p"}), "en", [])["privacy"]
        == "https://a.example/p"
    )
    assert for_frame(PolarisSite(settings={"privacy_url": "/privacy"}), "en", [])["privacy"] == "/privacy"


def test_loader_carries_the_bubbles_strings_of_each_language() -> None:
    strings = Strings.load([])
    found = for_loader(PolarisSite(), "https://chat.example.com", [strings.catalogue("en")], "css")
    assert found["base"] == "https://chat.example.com"
    assert found["strings"]["en"]["open"] == "Open chat"
    assert found["strings"]["en"]["unread"]["other"] == "Open chat, {n} unread messages"
