"""A site's settings as the browser needs them: what the loader and the frame carry inside. Pure."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from widget.accent import accent_of
from widget.seams import Catalogue, Department, Site

SUGGESTIONS_MAX = 3
# One number of each plural form of English and Slovenian, under the names of Intl.PluralRules.
PLURAL_SAMPLES = {"one": 1, "two": 2, "few": 3, "other": 5}


def for_loader(site: Site, base_url: str, catalogues: Sequence[Catalogue], css: str) -> dict[str, Any]:
    """What stands in for `NIGHTDESK` in the loader: settings, style sheet and the bubble's strings per language."""
    accent = accent_of(site.settings.get("accent"))
    return {
        "key": site.key,
        "base": base_url,
        "version": version("nightdesk"),
        "locale": site.locale if any(c.locale == site.locale for c in catalogues) else catalogues[0].locale,
        "color": accent.fill if accent else "",
        "css": css,
        "strings": {c.locale: _bubble_strings(c, site) for c in catalogues},
    }


def for_frame(site: Site, locale: str, departments: Sequence[Department]) -> dict[str, Any]:
    settings = site.settings
    suggestions = [
        {"question": question, "answer": answer}
        for one in settings.get("suggestions", [])
        if (question := localised(one.get("question"), locale)) and (answer := localised(one.get("answer"), locale))
    ]
    return {
        "key": site.key,
        "name": site.name,
        "logo": str(settings.get("logo_text") or site.name[:1]),
        "origins": list(site.origins),
        "privacy": _web_address(settings.get("privacy_url")),
        "topics": localised(settings.get("topics"), locale),
        "departments": [{"slug": one.slug, "name": localised(one.names, locale) or one.slug} for one in departments],
        "suggestions": suggestions[:SUGGESTIONS_MAX],
    }


def localised(value: object, locale: str) -> str:
    """`{"en": …, "sl": …}` or one text for all languages; English or anything rather than nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return str(value.get(locale) or value.get("en") or next(iter(value.values()), ""))
    return ""


def _bubble_strings(c: Catalogue, site: Site) -> dict[str, Any]:
    gettext, ngettext = c.gettext, c.ngettext
    unread = {
        form: ngettext("Open chat, {n} unread message", "Open chat, {n} unread messages", sample)
        for form, sample in PLURAL_SAMPLES.items()
    }
    return {
        "open": gettext("Open chat"),
        "close": gettext("Close chat"),
        "unread": unread,
        "title": gettext("Chat with %(site)s") % {"site": site.name},
        "lang": c.locale,
    }


def _web_address(value: object) -> str:
    """Only http(s) and paths of the own host become links."""
    if not isinstance(value, str):
        return ""
    return value if urlsplit(value).scheme in ("http", "https") or value.startswith("/") else ""
