"""Where the product keeps templates, static files and catalogues."""

from pathlib import Path

from tests.support.steps import ROOT

PACKAGES = tuple(ROOT / name for name in ("chat", "widget", "escalation"))


def asset_roots() -> dict[str, Path]:
    """First part of an asset's address -> folder."""
    candidates = {
        "console": ROOT / "chat" / "console" / "static",
        "files": ROOT / "chat" / "files" / "static",
        "late": ROOT / "widget" / "late" / "static",
        "escalation": ROOT / "escalation" / "desk" / "static",
        "shared": ROOT / "chat" / "static",
        "widget": ROOT / "widget" / "static",
    }
    return {name: folder for name, folder in candidates.items() if folder.is_dir()}


def template_files() -> list[Path]:
    return sorted(file for package in PACKAGES for file in package.rglob("templates/**/*.*") if file.is_file())


def python_files() -> list[Path]:
    return sorted(file for package in PACKAGES for file in package.rglob("*.py"))


def script_files() -> list[Path]:
    return sorted(file for package in PACKAGES for file in package.rglob("static/**/*.js"))


def catalogue_files(locale: str) -> list[Path]:
    return [package / "strings" / f"{locale}.po" for package in PACKAGES]
