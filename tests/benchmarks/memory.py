"""Memory of the idle process, and of a thousand visitors who are only connected (RSS, from /proc)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.support.demo import DemoProgram

VISITORS = 1000


def measure() -> dict[str, Any]:
    program = DemoProgram()
    try:
        program.start()
        httpx2.get(program.site).raise_for_status()
        if program.process is None:
            raise RuntimeError("the program does not run")
        return asyncio.run(_with_visitors(program, program.process.pid))
    finally:
        program.remove()


async def _with_visitors(program: DemoProgram, process: int) -> dict[str, Any]:
    warm = await asyncio.gather(*(_visitor(program) for _ in range(50)))
    idle = _resident(process)
    visitors = []
    for _ in range(VISITORS // 50):
        visitors += await asyncio.gather(*(_visitor(program) for _ in range(50)))
    full = _resident(process)
    await asyncio.gather(*(socket.close() for socket in [*warm, *visitors]))
    return {
        "idle_mb": round(idle / 1e6, 1),
        "rss_bytes_per_connection": round((full - idle) / VISITORS),
        "connections": VISITORS,
    }


async def _visitor(program: DemoProgram) -> ClientConnection:
    address = program.origin.replace("http", "ws", 1) + "/w/polaris/socket"
    socket = await connect(address, origin=websockets.Origin(program.origin), ping_interval=None, max_queue=1)
    await socket.send(json.dumps({"type": "hello", "site": "polaris"}))
    await socket.recv()
    return socket


def _resident(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")
