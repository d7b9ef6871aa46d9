"""Whoever installs Nightdesk gets the versions it was tested with."""

from pathlib import Path

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


def test_no_file_of_the_project_names_a_registry() -> None:
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "registry." + "npmjs")
    named = [
        str(file.relative_to(ROOT))
        for pattern in ("*.toml", ".ci/*", "tests/**/*.json", "tests/**/*.py")
        for file in ROOT.glob(pattern)
        if "node_modules" not in file.parts and _names(file, hosts)
    ]
    assert named == []


def _names(file: Path, hosts: tuple[str, ...]) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(host in text for host in hosts)
