"""What was said, typed or proved never stands in a log, not even in the chattiest one."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
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
    async with httpx2.AsyncClient(base_url=talkative.origin, headers={"Sec-Fetch-Site": "same-origin"}) as http:
        form = {"email": f"{CANARY}@acme.example", "password": CANARY}
        assert (await http.post("/console/sign-in", data=form)).status_code == 422
        await http.get(f"/console/sign-in/{CANARY}", params={"q": CANARY})
        await http.get(f"/{CANARY}", headers={"X-Request-Id": CANARY, "User-Agent": CANARY, "Cookie": f"x={CANARY}"})
    talkative.stop()
    log = talkative.log.read_text(encoding="utf-8")
    assert CANARY not in log
    assert token not in log
    assert talkative.console.rpartition("/")[2] not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    (refused,) = [line for line in lines if line["event"] == "a sign-in was refused"]
    assert refused["address"] == "127.0.0.0/24"
    assert len(refused["request_id"]) == 32
    ended = [line for line in lines if line["event"] == "a connection ended" and line["code"] == 4501]
    assert [line["role"] for line in ended] == ["visitor"]
    assert ended[0]["connection_id"]
