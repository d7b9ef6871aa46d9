"""Memory of one process (RSS, from /proc): idle, per visitor who is only connected, per visitor with a conversation,
over both transports; and 15,000 visitors at once, among whom some talk.
"""

import asyncio
import gc
import json
import os
import resource
import signal
import time
from typing import Any

import httpx2
from picows import ws_connect

from chat.ids import new_id
from tests.benchmarks.pinned import pin, resident
from tests.benchmarks.scene import Ear, gathered, percentiles
from tests.support.serving import Desk, Process

WARM = 200
VISITORS = 3000
TALKERS = 1000
CROWD = int(os.environ.get("NIGHTDESK_BENCHMARK_CROWD", "15000"))
SPARE = 1000
"""Descriptors for everything else."""
PAIRS = 20
SECONDS = 10
PAGES = 40
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"


def measure() -> dict[str, Any]:
    before = os.sched_getaffinity(0)
    pin(0, 1)  # what is started from here on inherits it
    try:
        sansio = asyncio.run(_measure("websockets", crowd=0))
        figures = asyncio.run(_measure("picows", crowd=CROWD))
    finally:
        os.sched_setaffinity(0, before)
    return {**figures, "transports": {"websockets": sansio}}


async def _measure(transport: str, crowd: int) -> dict[str, Any]:
    desk = Desk(
        None,
        None,
        NIGHTDESK_WEBSOCKETS=transport,
        NIGHTDESK_SOCKETS_PER_ADDRESS="100000",
        NIGHTDESK_ATTEMPTS_PER_MINUTE="1000000",
        NIGHTDESK_CONVERSATIONS_PER_HOUR="100000",
        NIGHTDESK_RESUMES_PER_SECOND="100000",
    )
    try:
        await asyncio.to_thread(desk.prepare)
        process = await asyncio.to_thread(desk.serve)
        pin(process.pid, 0)
        httpx2.get(f"{process.base_url}/w/polaris").raise_for_status()
        idle = resident(process.pid)
        ears = await _visitors(desk, process, WARM)
        warm = resident(process.pid)
        began = time.monotonic()
        ears += await _visitors(desk, process, VISITORS)
        seconds = time.monotonic() - began
        connected = resident(process.pid)
        talking = await _visitors(desk, process, WARM + TALKERS)
        await gathered([_begin(ear) for ear in talking[:WARM]])
        before = resident(process.pid)
        await gathered([_begin(ear) for ear in talking[WARM:]])
        began_to_talk = resident(process.pid)
        figures: dict[str, Any] = {
            "idle_mb": round(idle / 1e6, 1),
            "rss_bytes_per_connection": round((connected - warm) / VISITORS),
            "rss_bytes_per_conversation": round((connected - warm) / VISITORS + (began_to_talk - before) / TALKERS),
            "connects_per_second": round(VISITORS / seconds),
            "connections": VISITORS,
        }
        ears += talking
        if crowd:
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            ears += await _visitors(desk, process, min(crowd, files - SPARE) - len(ears))
            gc.collect()
            gc.freeze()  # what is measured is the server
            figures["crowd"] = {"visitors": len(ears), **await _talk(desk, process)}
            figures["crowd"]["rss_mb"] = round(resident(process.pid) / 1e6, 1)
        for ear in ears:
            ear.leave()
        return figures
    finally:
        for one in desk.processes:
            one.end(signal.SIGKILL)
        await asyncio.to_thread(desk.remove)


async def _visitors(desk: Desk, process: Process, count: int) -> list[Ear]:
    return await gathered([_visitor(desk, process, number) for number in range(count)])


async def _visitor(desk: Desk, process: Process, number: int = 0, **hello: str) -> Ear:
    """As the widget introduces itself."""
    _, ear = await ws_connect(
        Ear,
        process.base_url.replace("http", "ws", 1) + "/w/polaris/socket",
        extra_headers={"Origin": desk.base_url, "User-Agent": BROWSER},
        websocket_handshake_timeout=30,
    )
    assert isinstance(ear, Ear)
    page = {"url": f"https://www.polaris.example/products/{number % PAGES}", "title": f"Product {number % PAGES}"}
    ear.say(type="hello", site="polaris", locale="en-GB", time_zone="Europe/Ljubljana", page=page, **hello)
    await _answers(ear, "paged" if "token" in hello else "welcomed")
    return ear


async def _begin(ear: Ear) -> str:
    """A conversation of one's own; the token. The ear's key is the conversation."""
    ear.say(type="enroll")
    token = str((await _answers(ear, "enrolled"))["enrolled"]["token"])
    ear.say(type="start", ref=new_id().hex, text="Good evening, a question about an invoice")
    ear.key = (await _answers(ear, "paged"))["started"]["conversation"]["id"]
    return token


async def _answers(ear: Ear, last: str) -> dict[str, Any]:
    """What comes until a frame of this kind, by kind."""
    heard: dict[str, Any] = {}

    def fits(text: bytes) -> bool:
        frame = json.loads(text)
        heard[frame["type"]] = frame
        return bool(frame["type"] == last)

    await ear.until(fits)
    return heard


async def _talk(desk: Desk, process: Process) -> dict[str, Any]:
    """Each speaks once a second and hears it in a second window."""
    shown: list[float] = []

    def on_text(_ear: Ear, text: bytes) -> None:
        if text.startswith(b'{"type":"said"') and b"~" in text:
            shown.append(time.monotonic() - float(text.split(b"~")[1]))

    speaking: list[Ear] = []
    windows: list[Ear] = []
    for _ in range(PAIRS):
        ear = await _visitor(desk, process)
        window = await _visitor(desk, process, token=await _begin(ear))
        window.on_text = on_text
        speaking.append(ear)
        windows.append(window)
    began = time.monotonic()
    for number in range(PAIRS * SECONDS):
        due = began + number / PAIRS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        ear = speaking[number % PAIRS]
        ear.say(type="say", ref=new_id().hex, conversation=ear.key, text=f"~{due}~")
    await asyncio.sleep(1)  # what is under way arrives, or is missing from the count
    for ear in [*speaking, *windows]:
        ear.leave()
    return {"messages": len(shown), **percentiles(shown)}
