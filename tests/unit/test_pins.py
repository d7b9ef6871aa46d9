"""Whoever installs Nightdesk gets the versions it was tested with."""

from tests.support.pins import needed, pinned
from tests.support.steps import ROOT


def test_every_package_is_pinned_at_the_installed_version() -> None:
    pins = pinned()
    wrong = {
        name: version
        for name, version in needed().items()
        if not any(
            pin.specifier.contains(version, prereleases=True) and (pin.marker is None or pin.marker.evaluate())
            for pin in pins.get(name, [])
        )
    }
    assert wrong == {}, "run `python -m tests.support.pins`"


def test_a_pin_is_one_exact_version() -> None:
    loose = [str(pin) for pins in pinned().values() for pin in pins if not str(pin.specifier).startswith("==")]
    assert loose == []


def test_the_pins_name_no_place_to_fetch_them_from() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text.partition("[tool.uv]")[2].partition("\n[tool.")[0]
