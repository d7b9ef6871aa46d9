"""Strings: both languages, four forms, and what a browser gets of them."""

from pathlib import Path

import pytest

from chat.strings import ScriptMessage, Strings, messages_in

SLOVENIAN = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=4; plural=(n%100==1?0:n%100==2?1:n%100==3||n%100==4?2:3);\\n"

msgid "Send"
msgstr "Pošlji"

msgid "%(n)s new message"
msgid_plural "%(n)s new messages"
msgstr[0] "%(n)s novo sporočilo"
msgstr[1] "%(n)s novi sporočili"
msgstr[2] "%(n)s nova sporočila"
msgstr[3] "%(n)s novih sporočil"

#, fuzzy
msgid "Close"
msgstr "Zaprto"
"""

MODULE = """
import { t, tn } from '../shared/strings.js'
class Composer {
  #text = /t("not this")/
  render(n) {
    this.label = t('Send') + tn("%(n)s new message", "%(n)s new messages", n)
    return `${t("Nested {name}", { name: t("inside") })} and ${this.t("a method of its own")}`
  }
}
"""


@pytest.fixture
def strings(tmp_path: Path) -> Strings:
    for package, text in {
        "widget": SLOVENIAN,
        "chat": SLOVENIAN.replace("Send", "Shared").split("\n#, fuzzy")[0],
    }.items():
        (tmp_path / package / "strings").mkdir(parents=True)
        (tmp_path / package / "static").mkdir()
        (tmp_path / package / "strings" / "sl.po").write_text(text, encoding="utf-8")
    (tmp_path / "widget" / "static" / "composer.js").write_text(MODULE, encoding="utf-8")
    (tmp_path / "chat" / "static" / "common.js").write_text("t('Shared')", encoding="utf-8")
    return Strings.load([tmp_path / "chat" / "strings", tmp_path / "widget" / "strings"])


def test_catalogues_of_all_folders_are_one(strings: Strings) -> None:
    assert strings.catalogue("sl").gettext("Send") == "Pošlji"
    assert strings.catalogue("sl").gettext("Shared") == "Pošlji"


def test_english_is_its_own_translation(strings: Strings) -> None:
    catalogue = strings.catalogue("en")
    assert catalogue.gettext("Send") == "Send"
    assert [catalogue.ngettext("one", "many", n) for n in (0, 1, 2)] == ["many", "one", "many"]


def test_a_fuzzy_entry_does_not_count(strings: Strings) -> None:
    assert strings.catalogue("sl").gettext("Close") == "Close"


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1 novo sporočilo"),
        (2, "2 novi sporočili"),
        (3, "3 nova sporočila"),
        (5, "5 novih sporočil"),
        (101, "101 novo sporočilo"),
        (0, "0 novih sporočil"),
    ],
)
def test_slovenian_plurals(strings: Strings, n: int, said: str) -> None:
    form = strings.catalogue("sl").ngettext("%(n)s new message", "%(n)s new messages", n)
    assert form % {"n": n} == said


def test_the_browser_gets_the_strings_of_its_modules_and_no_other(strings: Strings) -> None:
    found = strings.browser("sl", "widget")
    assert found == {
        "Send": "Pošlji",
        "%(n)s new message": [
            "%(n)s novo sporočilo",
            "%(n)s novi sporočili",
            "%(n)s nova sporočila",
            "%(n)s novih sporočil",
        ],
        "Shared": "Pošlji",
    }
    assert strings.browser("en", "widget") == {}


def test_an_unknown_group_is_a_fault(strings: Strings) -> None:
    with pytest.raises(KeyError):
        strings.browser("sl", "nothing")


def test_strings_are_found_in_modules_with_private_fields_patterns_and_nested_calls() -> None:
    assert list(messages_in(MODULE)) == [
        ScriptMessage("Send", None, 6),
        ScriptMessage("%(n)s new message", "%(n)s new messages", 6),
        ScriptMessage("Nested {name}", None, 7),
        ScriptMessage("inside", None, 7),
    ]


@pytest.mark.parametrize(
    ("accepted", "chosen", "locale"),
    [
        ("sl-SI,sl;q=0.9,en;q=0.8", None, "sl"),
        ("de, en;q=0.3, sl;q=0.7", None, "sl"),
        ("de", None, "en"),
        ("", None, "en"),
        (None, None, "en"),
        ("sl;q=0, en", None, "en"),
        ("sl;q=much", None, "en"),
        ("sl", "en", "en"),
        ("sl", "xx", "sl"),
        ("en", "sl_SI", "sl"),
    ],
)
def test_the_language_is_chosen_then_wished_then_the_first(
    strings: Strings, accepted: str | None, chosen: str | None, locale: str
) -> None:
    assert strings.negotiate(accepted, chosen) == locale
