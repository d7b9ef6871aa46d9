"""Exact versions of everything, transitive packages too, in `[tool.uv]` of pyproject.toml.

`python -m tests.support.pins` writes the list anew from what uv resolves now.
"""

import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.steps import ROOT

BUILD = ("hatchling", "editables")


def pinned(text: str | None = None) -> dict[str, list[Requirement]]:
    """Name -> constraints; two where versions differ by Python."""
    settings = tomllib.loads(text or (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins: dict[str, list[Requirement]] = {}
    for line in settings["tool"]["uv"]["constraint-dependencies"]:
        requirement = Requirement(line)
        pins.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return pins


def needed() -> dict[str, str]:
    """Name -> installed version of all that the product and its tests need here."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    waiting = [Requirement(line) for line in [*(distribution("nightdesk").requires or []), *groups["dev"]]]
    seen: set[tuple[str, str]] = set()
    found: dict[str, str] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
                continue
            seen.add((name, extra))
            installed = distribution(name)
            found[name] = installed.version
            for line in installed.requires or []:
                child = Requirement(line)
                if child.marker is None or child.marker.evaluate({"extra": extra}):
                    child.marker = None
                    waiting.append(child)
    return found


def _uv(*arguments: str, given: str | None = None) -> list[str]:
    done = subprocess.run(
        ["uv", *arguments, "--quiet", "--no-header", "--no-annotate"],
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.strip() for line in done.stdout.splitlines() if "==" in line]


def write(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    run_time = _uv("export", "--no-hashes", "--all-groups", "--all-extras", "--no-emit-project")
    build = _uv("pip", "compile", "-", given="\n".join(BUILD))
    text = re.sub(r"\n\[tool\.uv\]\n.*?(?=\n\[|\Z)", "", text, flags=re.DOTALL).rstrip("\n")
    lists = {"constraint-dependencies": run_time, "build-constraint-dependencies": build}
    body = "\n".join(
        f"{name} = [\n" + "".join(f'  "{line}",\n' for line in lines) + "]" for name, lines in lists.items()
    )
    file.write_text(f"{text}\n\n[tool.uv]\ncompile-bytecode = true\n{body}\n", encoding="utf-8")


if __name__ == "__main__":
    write(ROOT / "pyproject.toml")
