"""Translations: one catalogue per language, read from `.po` files at start, and the part of it a browser needs.

English is the source text, so a string without a translation is its own. Fuzzy entries do not count.
"""

import gettext
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

from babel import Locale
from babel.messages.jslexer import Token, tokenize, unquote_string
from babel.messages.pofile import read_po

# The browser picks a form by Intl.PluralRules; forms travel as a list in this order.
CATEGORIES = ("zero", "one", "two", "few", "many", "other")


@dataclass(frozen=True)
class Catalogue:
    """The strings of one language. Placeholders are `%(name)s`, filled by the caller with `%`."""

    locale: str
    messages: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    form_of: Callable[[int], int] = field(default=lambda n: 0 if n == 1 else 1)

    def gettext(self, message: str) -> str:
        found = self.messages.get(message, message)
        return found if isinstance(found, str) else found[0]

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        found = self.messages.get(singular)
        if isinstance(found, tuple):
            return found[self.form_of(n)]
        return singular if n == 1 else plural

    @cached_property
    def browser_order(self) -> tuple[int, ...]:
        """Indices of the forms, sorted as the browser's plural categories are."""
        category_of = Locale.parse(self.locale).plural_form
        index_of = {category_of(n): self.form_of(n) for n in range(201, -1, -1)}
        return tuple(index_of[category] for category in CATEGORIES if category in index_of)


class Strings:
    """All catalogues. The first locale is the fallback.

    `scripts` names the folders whose modules a group of pages loads; strings of the group "shared" go to all.
    """

    def __init__(
        self,
        catalogues: Mapping[str, Catalogue],
        scripts: Mapping[str, Sequence[Path]] | None = None,
    ) -> None:
        self.locales = tuple(catalogues)
        self._catalogues = dict(catalogues)
        self._scripts = {group: tuple(folders) for group, folders in (scripts or {}).items()}
        self._browser: dict[tuple[str, str], dict[str, str | list[str]]] = {}

    @classmethod
    def load(
        cls,
        folders: Sequence[Path],
        locales: Sequence[str] = ("en", "sl"),
        scripts: Mapping[str, Sequence[Path]] | None = None,
    ) -> "Strings":
        """Merge `<folder>/<locale>.po` of all folders.

        Without `scripts` a `strings` folder speaks for its package: each `static` folder in the package is a
        group, named after the folder that holds it, and the package `chat` itself is "shared".
        """
        files = {locale: [folder / f"{locale}.po" for folder in folders] for locale in locales}
        catalogues = {locale: _merged(locale, tuple(map(_stamped, files[locale]))) for locale in locales}
        return cls(catalogues, scripts if scripts is not None else _groups(folders))

    def catalogue(self, locale: str) -> Catalogue:
        """The catalogue of that language, or of the fallback."""
        return self._catalogues.get(locale) or self._catalogues[self.locales[0]]

    def negotiate(self, accept_language: str | None, chosen: str | None = None) -> str:
        """What somebody chose wins, then the browser's wish, then the fallback."""
        wishes = [chosen] if chosen else []
        for wish in [*wishes, *_by_weight(accept_language or "")]:
            language = wish.lower().replace("_", "-").split("-")[0]
            if language in self._catalogues:
                return language
        return self.locales[0]

    def browser(self, locale: str, group: str) -> dict[str, str | list[str]]:
        """`{message: translation | forms}` for the modules of one group; what is missing is its own translation."""
        key = (self.catalogue(locale).locale, group)
        if key not in self._browser:
            catalogue = self.catalogue(locale)
            found: dict[str, str | list[str]] = {}
            for message in self._messages_of(group):
                match catalogue.messages.get(message):
                    case str() as text:
                        found[message] = text
                    case tuple() as forms:
                        found[message] = [forms[index] for index in catalogue.browser_order]
            self._browser[key] = found
        return self._browser[key]

    def _messages_of(self, group: str) -> list[str]:
        folders = [*self._scripts[group], *(self._scripts.get("shared", ()) if group != "shared" else ())]
        files = sorted(file for folder in folders for file in folder.rglob("*.js"))
        return list(dict.fromkeys(message for file in files for message in _messages_in_file(_stamped(file))))


@dataclass(frozen=True)
class ScriptMessage:
    """One `t("…")` or `tn("…", "…", n)` in a module."""

    message: str
    plural: str | None
    line: int


def messages_in(source: str) -> Iterator[ScriptMessage]:
    """The translatable strings of a JavaScript module, nested calls included."""
    tokens = [token for token in tokenize(source) if token.type not in ("linecomment", "multilinecomment")]
    for index, token in enumerate(tokens):
        if token.type == "template_string":
            for part in token.value.split("${")[1:]:
                yield from (replace(found, line=token.lineno) for found in messages_in(part))
        if token.type != "name" or token.value not in ("t", "tn") or not _is(tokens, index + 1, "("):
            continue
        if _is(tokens, index - 1, ".") or _is(tokens, index - 1, "function"):
            continue
        wanted = 1 if token.value == "t" else 2
        found = _literals(tokens, index + 2, wanted)
        if len(found) == wanted:
            yield ScriptMessage(found[0], found[1] if wanted == 2 else None, token.lineno)


@dataclass(frozen=True)
class _Stamped:
    """A file as it is now: what was read of it is read once, however many programs a process makes."""

    path: Path
    changed_ns: int
    size: int


def _stamped(file: Path) -> _Stamped:
    """All zero for one that is not there."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return _Stamped(file, 0, 0)
    return _Stamped(file, found.st_mtime_ns, found.st_size)


@cache
def _messages_in_file(file: _Stamped) -> tuple[str, ...]:
    return tuple(found.message for found in messages_in(file.path.read_text(encoding="utf-8")))


def _is(tokens: list[Token], index: int, value: str) -> bool:
    return 0 <= index < len(tokens) and tokens[index].value == value


def _literals(tokens: list[Token], index: int, wanted: int) -> list[str]:
    """The first arguments, as long as they are string literals or sums of them."""
    found: list[str] = []
    while len(found) < wanted and index < len(tokens):
        text = ""
        while index < len(tokens) and tokens[index].type == "string":
            text += unquote_string(tokens[index].value)
            index += 1
            if index < len(tokens) and tokens[index].value == "+":
                index += 1
        if not text or index >= len(tokens) or tokens[index].value not in (",", ")"):
            break
        found.append(text)
        index += 1
    return found


@cache
def _merged(locale: str, files: tuple[_Stamped, ...]) -> Catalogue:
    messages: dict[str, str | tuple[str, ...]] = {}
    rule: Callable[[int], int] | None = None
    for file in files:
        if not file.size:
            continue
        with file.path.open("rb") as opened:
            catalog = read_po(opened, locale=locale, abort_invalid=True)
        rule = rule or gettext.c2py(catalog.plural_expr)
        for message in catalog:
            if not message.id or message.fuzzy or not message.string:
                continue
            if isinstance(message.id, tuple | list):
                if all(message.string):
                    messages[message.id[0]] = tuple(message.string)
            else:
                messages[message.id] = str(message.string)
    return Catalogue(locale, messages, rule) if rule else Catalogue(locale, messages)


def _groups(folders: Sequence[Path]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for package in (folder.parent for folder in folders):
        for static in sorted(package.rglob("static")):
            if static.is_dir():
                name = "shared" if static.parent.name == "chat" else static.parent.name
                groups.setdefault(name, []).append(static)
    return groups


def _by_weight(accept_language: str) -> list[str]:
    """`sl;q=0.8, en` -> `["en", "sl"]`; parts that make no sense count nothing."""
    wishes: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        name, _, parameter = part.partition(";")
        weight = 1.0
        if parameter.strip().startswith("q="):
            try:
                weight = float(parameter.strip()[2:])
            except ValueError:
                continue
        if name.strip() and weight > 0:
            wishes.append((-weight, name.strip()))
    return [name for _, name in sorted(wishes, key=lambda wish: wish[0])]
