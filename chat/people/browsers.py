"""A browser's user agent in words an operator can use: "Firefox 143 on Windows". Pure; a hint, never a fact."""

import re

# In this order: later ones name the earlier ones too.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)[^ ]* .*Safari/")),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
LONGEST = 1000


def in_words(user_agent: str) -> str:
    """At most 40 characters; empty for what is unknown, since the raw text helps nobody."""
    text = user_agent[:LONGEST]
    browser = next((f"{name} {found[1]}" for name, pattern in _BROWSERS if (found := pattern.search(text))), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return " · ".join(part for part in (browser[:24], system) if part)
