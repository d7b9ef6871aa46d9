"""The panel carries the shared tokens that it uses, and no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLAIN, CONTRAST = "", "(prefers-contrast: more)"
Values = dict[str, dict[str, str]]


def tokens_in(css: str) -> Values:
    """What each token is, by the media query around it."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found: Values = {}
    media = PLAIN
    for line in css.splitlines():
        if opened := re.match(r"@media (\(.+\)) \{", line):
            media = opened[1]
        elif line == "}":
            media = PLAIN
        for name, value in re.findall(r"(--nd-[\w-]+): ([^;}]+)", line):
            found.setdefault(media, {})[name] = value.strip()
    return found


WIDGET_CSS = (ROOT / "widget/static/widget.css").read_text(encoding="utf-8")
SHARED = tokens_in((ROOT / "chat/static/tokens.css").read_text(encoding="utf-8"))
PANEL = tokens_in(WIDGET_CSS)


def test_tokens_of_the_panel_are_those_that_all_pages_share() -> None:
    assert set(PANEL) <= {PLAIN, CONTRAST}
    assert PANEL[PLAIN].items() <= SHARED[PLAIN].items()
    used = {name: value for name, value in SHARED[CONTRAST].items() if name in PANEL[PLAIN]}
    assert PANEL[CONTRAST] == used


def test_the_panel_has_each_token_it_uses_and_no_other() -> None:
    assert set(re.findall(r"var\((--nd-[\w-]+)", WIDGET_CSS)) == set(PANEL[PLAIN])
