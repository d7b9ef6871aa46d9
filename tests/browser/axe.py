"""axe-core over a page and all its frames. Its source is evaluated by the debugger, which no policy of a page stops."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from playwright.async_api import Frame, Page

from tests.support.needs import NODE_MODULES

RUN = "async () => await axe.run(document, {iframes: false, preload: false, resultTypes: ['violations']})"


@cache
def _source() -> str:
    return (NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Axe:
    """`await axe.check(page)`."""

    async def check(self, page: Page, *, of: str = "", without: Collection[str] = ()) -> None:
        """Fails with one line per violation: rule, frame, element, and what is wrong.

        `of`: only frames with this in their address.
        """
        # Without its style sheet a page has the browser's colours.
        await page.wait_for_load_state()
        found: list[str] = []
        for frame in page.frames:
            if frame.url.startswith(("http:", "https:")) and of in frame.url:
                found += [text for text in await self.findings_in(frame) if text.split()[0] not in without]
        if found:
            pytest.fail("axe:\n" + "\n".join(found), pytrace=False)

    async def findings_in(self, frame: Frame) -> list[str]:
        if not await frame.evaluate("() => typeof axe === 'object'"):
            await frame.evaluate(_source())
        result: dict[str, Any] = await frame.evaluate(RUN)
        address = frame.url.split("?")[0]
        return [
            f"{violation['id']} ({violation['impact']}) at {address}: {node['target']} {_line(node['failureSummary'])}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]


def _line(text: str) -> str:
    return " ".join(text.split())
