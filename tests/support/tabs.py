"""Drives `tabs.mjs`: tabs of one browser whose clock, storage and network belong to the test."""

import json
import subprocess
from typing import Any

from tests.support.needs import node
from tests.support.steps import ROOT

Happening = dict[str, Any]


class Tabs:
    """Each call is carried out whole before it returns what the tabs did: `dialled`, `sent`, `left`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [
                node(),
                str(ROOT / "tests" / "support" / "tabs.mjs"),
                str(ROOT / "widget" / "static"),
                str(ROOT / "chat" / "static"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, what: str, **more: Any) -> list[Happening]:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the tabs have no pipes")
        process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the tabs ended at {what} {more}")
        happened: list[Happening] = json.loads(answer)
        return happened

    def view(self, tab: str) -> Happening:
        return self.do("view", tab=tab)[-1]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
