"""What the README shows is what the tests run, and it fits the commands and settings that there are."""

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer.main

from chat.cli import cli
from chat.processes import DRAIN_SECONDS
from chat.settings import load_settings
from tests.readme import README, ROOT, shown_files, written

TEXT = README.read_text(encoding="utf-8")
ENGINES = ROOT / "tests" / "engines"
UNITS = sorted(ENGINES.glob("*.service"))


def test_it_shows_every_configuration_that_the_tests_run() -> None:
    kept = {path for folder in ("engines", "proxies") for path in (ROOT / "tests" / folder).iterdir()}
    assert set(shown_files(TEXT)) == kept
    assert written(TEXT) == TEXT, "run `python -m tests.readme`"


def test_its_settings_are_accepted() -> None:
    lines = (ENGINES / "environment").read_text(encoding="utf-8").splitlines()
    settings = load_settings(dict(line.split("=", 1) for line in lines if line and not line.startswith("#")))
    assert settings.is_postgresql
    assert settings.is_secure
    assert settings.redis_url is not None


def commands() -> list[str]:
    found = re.findall(r"^(?:uv run )?(nightdesk [^#\n]*)", TEXT, re.MULTILINE)
    return found + re.findall(r"uv run (nightdesk .*)", (ROOT / "Procfile").read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", commands())
def test_its_commands_exist(command: str) -> None:
    understood(command)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_units_start_what_there_is_and_give_it_time_to_drain(unit: Path) -> None:
    read = ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read_string(unit.read_text(encoding="utf-8"))
    service = read["Service"]
    understood(service["ExecStart"].removeprefix("/opt/nightdesk/bin/"))
    assert int(service["TimeoutStopSec"]) > DRAIN_SECONDS


def understood(command: str) -> None:
    """Parsed by the command line, and not run."""
    program, *arguments = shlex.split(command)
    assert program == "nightdesk"
    found = typer.main.get_command(cli)
    context = found.make_context(program, list(arguments))
    while hasattr(found, "get_command"):
        name, *arguments = arguments
        found = found.get_command(context, name)
        assert found is not None, command
        context = found.make_context(name, list(arguments), parent=context)
