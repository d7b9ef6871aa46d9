"""axe-core over a page and all its frames. Its source is evaluated by the debugger, which no policy of a page stops."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from playwright.async_api import Frame, Page

from tests.support.needs import NODE_MODULES

RUN = "async () => await axe.run(document, {iframes: false, resultTypes: ['violations']})"


@cache
def _source() -> str:
    return (NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Axe:
    """`assert await axe.findings(page) == []`."""

    async def findings(self, page: Page) -> list[str]:
        """One sentence per violation: rule, frame, element, and what is wrong."""
        found: list[str] = []
        for frame in page.frames:
            if frame.url.startswith(("http:", "https:")):
                found += await self.findings_in(frame)
        return found

    async def findings_in(self, frame: Frame) -> list[str]:
        if not await frame.evaluate("() => typeof axe === 'object'"):
            await frame.evaluate(_source())
        result: dict[str, Any] = await frame.evaluate(RUN)
        address = frame.url.split("?")[0]
        return [
            f"{violation['id']} ({violation['impact']}) at {address}: {node['target']} {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
