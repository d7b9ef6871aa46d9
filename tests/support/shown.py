"""The configuration files that the README shows and the tests run."""

from collections.abc import Mapping

from tests.support.steps import ROOT

TESTS = ROOT / "tests"


def filled(name: str, places: Mapping[str, str]) -> str:
    """A file below tests/ with our addresses; what it shows and we replace must stand in it."""
    text = (TESTS / name).read_text(encoding="utf-8")
    for shown, ours in places.items():
        if shown not in text:
            raise RuntimeError(f"tests/{name} does not say {shown!r} any more")
        text = text.replace(shown, ours)
    return text
