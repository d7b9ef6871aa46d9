"""The `strings` step: every visible string exists in every language, whole, with the same placeholders.

English is the source text; each other language needs an entry for each string found in Python, templates and modules.
"""

import ast
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from chat.strings import Strings, messages_in
from tests.support.roots import PACKAGES, catalogue_files, python_files, script_files, template_files
from tests.support.steps import ROOT, Verdict

FORMS = {"sl": 4}
SLOVENIAN_FORMS = {1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 11: 3, 101: 0, 102: 1}
KEYWORDS = {"_": None, "gettext": None, "marked": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
LETTERS = re.compile(r"[^\W\d_]{2,}")
SHOWN_ATTRIBUTES = ("title", "alt", "placeholder", "aria-label", "aria-description", "aria-roledescription")
# Names of keys, code, and what the page marks with translate="no" or with a language are the same in all languages.
UNTRANSLATED = ("kbd", "code", "script", "style", "samp")
VOID = ("br", "hr", "img", "input", "link", "meta", "source", "use", "wbr", "path", "circle", "rect", "line")
ASSIGNED_TEXT = re.compile(
    r"""\.(?:textContent|innerText|title|ariaLabel|placeholder|alt)\s*=\s*["'`][^"'`$]*[^\W\d_]{2,}"""
)

Use = tuple[str, str | None]
"""A string and its plural."""


def check_strings() -> Verdict:
    used = dict(uses())
    findings = [f"{place}: {fault}" for file in template_files() for place, fault in bare_text(file)]
    findings += [fault for file in script_files() for fault in bare_script_text(file)]
    for locale, forms in FORMS.items():
        findings += _check_catalogues(locale, forms, used)
    strings = Strings.load([package / "strings" for package in PACKAGES])
    form_of = strings.catalogue("sl").form_of
    findings += [
        f"sl: {n} takes form {form_of(n)}, not {form}" for n, form in SLOVENIAN_FORMS.items() if form_of(n) != form
    ]
    return Verdict.of_findings(findings, f"{len(used)} strings in {1 + len(FORMS)} languages")


def uses() -> Iterator[tuple[Use, str]]:
    """Every string of the product with one place where it is used."""
    for file in python_files():
        yield from _extracted("python", file)
        yield from _labels(file)
    for file in template_files():
        if file.suffix in (".html", ".txt", ".svg", ".xml"):
            yield from _extracted("jinja2.ext:babel_extract", file)
    for file in script_files():
        for found in messages_in(file.read_text(encoding="utf-8")):
            yield (found.message, found.plural), f"{file.relative_to(ROOT)}:{found.line}"


def _extracted(method: str, file: Path) -> Iterator[tuple[Use, str]]:
    options = {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}
    content = io.BytesIO(file.read_bytes())
    for line, message, _comments, _context in extract(method, content, KEYWORDS, options=options):
        use = (message[0], message[1]) if isinstance(message, tuple | list) else (message, None)
        if use[0]:
            yield use, f"{file.relative_to(ROOT)}:{line}"


def _labels(file: Path) -> Iterator[tuple[Use, str]]:
    """`RailLink(label="Tickets")`: what is translated only where it is shown."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "label" and isinstance(node.value, ast.Constant):
            label = node.value.value
            if isinstance(label, str) and label:
                yield (label, None), f"{file.relative_to(ROOT)}:{node.value.lineno}"


def _check_catalogues(locale: str, forms: int, used: dict[Use, str]) -> Iterator[str]:
    entries: dict[str, Message] = {}
    for file in catalogue_files(locale):
        if not file.exists():
            yield f"{file.relative_to(ROOT)} is missing"
            continue
        with file.open("rb") as opened:
            catalog: Catalog = read_po(opened, locale=locale, abort_invalid=True)
        if catalog.num_plurals != forms:
            yield f"{file.relative_to(ROOT)}: {catalog.num_plurals} plural forms, {locale} has {forms}"
        for message in catalog:
            if message.id:
                place = f"{file.relative_to(ROOT)}:{message.lineno}"
                yield from (f"{place}: {fault}" for fault in _faults_of(message, forms))
                singular = _texts(message.id)[0]
                if singular in entries and entries[singular].string != message.string:
                    yield f"{place}: {singular!r} is translated in two ways"
                entries[singular] = message
    for (singular, plural), place in sorted(used.items(), key=lambda item: item[1]):
        entry = entries.get(singular)
        if entry is None:
            yield f"{place}: {singular!r} has no translation in {locale}"
        elif plural is not None and _texts(entry.id)[1:] != [plural]:
            yield f"{place}: {singular!r} needs plural forms in {locale}"
    known = {singular for singular, _ in used}
    yield from (f"{locale}: {text!r} is used nowhere" for text in entries if text not in known)


def _faults_of(message: Message, forms: int) -> Iterator[str]:
    sources, texts = _texts(message.id), _texts(message.string)
    if message.fuzzy:
        yield f"{sources[0]!r} is fuzzy"
    if not all(texts):
        yield f"{sources[0]!r} is empty"
    if len(sources) > 1 and len(texts) != forms:
        yield f"{sources[0]!r} has {len(texts)} forms of {forms}"
    wanted = {name for source in sources for name in PLACEHOLDER.findall(source)}
    for text in texts:
        if text and set(PLACEHOLDER.findall(text)) != wanted:
            yield f"{text!r} has other placeholders than {sources[0]!r}"


def _texts(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, tuple | list) else [str(value)]


def _has_words(text: str) -> bool:
    """Abbreviations, units and our own name are no words."""
    return any(not word.isupper() and word not in ("Nightdesk", "min") for word in LETTERS.findall(text))


class _ShownText(HTMLParser):
    """Collects text between tags and in attributes that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        is_name = values.get("translate") == "no" or ("lang" in values and tag != "html")
        is_quiet = self._is_quiet or tag in UNTRANSLATED or is_name
        if not is_quiet:
            self.found += [
                (self.getpos()[0], value)
                for name, value in attrs
                if name in SHOWN_ATTRIBUTES and value and _has_words(value)
            ]
        if tag not in VOID:
            self._open.append((tag, is_quiet))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        # A template may close in one branch what it opened in another: forget down to the nearest one of that name.
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        if not self._is_quiet and _has_words(data):
            self.found.append((self.getpos()[0], data.strip()))

    @property
    def _is_quiet(self) -> bool:
        return bool(self._open) and self._open[-1][1]


def bare_text(file: Path) -> Iterator[tuple[str, str]]:
    """Words in a template that no catalogue knows."""
    if file.suffix not in (".html", ".svg"):
        return
    source = file.read_text(encoding="utf-8")
    # Keep the lines, so that the place is right.
    blank = re.compile(r"\{#.*?#\}|\{%-?\s*trans\b.*?endtrans\s*-?%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
    parser = _ShownText()
    parser.feed(blank.sub(lambda match: "\n" * match[0].count("\n"), source))
    for line, text in parser.found:
        yield f"{file.relative_to(ROOT)}:{line}", f"{text[:60]!r} is not translated"


def bare_script_text(file: Path) -> Iterator[str]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if found := ASSIGNED_TEXT.search(line):
            yield f"{file.relative_to(ROOT)}:{number}: {found[0]!r} is not translated"
