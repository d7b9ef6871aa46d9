"""What was said, typed or proved never stands in a log, not even in the chattiest one (security.md D1, T1)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import connect

from chat.ids import new_id
from tests.support.demo import DemoProgram
from tests.support.duty import on_duty

CANARY = "zanesljivo-skrivna-beseda"


@pytest.fixture
def talkative() -> Iterator[DemoProgram]:
    program = DemoProgram(NIGHTDESK_LOG_LEVEL="debug", NIGHTDESK_LOG_FORMAT="json")
    try:
        program.start()
        yield program
    finally:
        program.remove()


async def test_no_text_token_or_address_reaches_the_log(talkative: DemoProgram) -> None:
    address = talkative.origin.replace("http", "ws", 1) + "/w/polaris/socket"
    async with on_duty(talkative), connect(address, origin=websockets.Origin(talkative.origin)) as socket:

        async def ask(kind: str, answered_by: str, **fields: Any) -> dict[str, Any]:
            await socket.send(json.dumps({"type": kind, **fields}))
            async for text in socket:
                frame: dict[str, Any] = json.loads(text)
                if frame["type"] == answered_by:
                    return frame
            raise AssertionError("closed")

        await ask("hello", "welcomed", site="polaris", page={"url": f"https://x.example/?q={CANARY}"})
        token = (await ask("enroll", "enrolled"))["token"]
        started = await ask("start", "started", ref=f"ref-{new_id().hex}", text=CANARY, name=CANARY)
        conversation = started["conversation"]["id"]
        await ask("say", "refused", ref="ref-00000001", text=CANARY + "\x00", conversation=conversation)
        await ask(CANARY, "refused", ref="ref-00000002")
        await ask("leave", "refused", ref="ref-00000003", email=f"{CANARY}@", text=CANARY, conversation=conversation)
        await socket.send(f"no json {CANARY}")
        await socket.wait_closed()
    talkative.stop()
    log = talkative.log.read_text(encoding="utf-8")
    assert CANARY not in log
    assert token not in log
    assert talkative.console.rpartition("/")[2] not in log
