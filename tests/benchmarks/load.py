"""The load generator, a process of its own: `python -m tests.benchmarks.load FILE`, a JSON object.

It tells `met` on stdout when everybody is there, waits for a line, runs `window` (each visitor keeps so many messages
under way) or `rate` (messages a second by the clock; latency from the *scheduled* time), prints figures, waits again.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.dialects import MARK, Channels, Dialect, End, Nightdesk, SocketIo

PADDING = "the words of one message, as long as people's messages are in a chat, on average"


class Load:
    def __init__(self, dialect: Dialect, visitors: list[End]) -> None:
        self._dialect = dialect
        self._visitors = visitors
        self._shown: list[float] = []
        self._acked: list[float] = []
        self.sent = 0
        self._window = 0
        self._measuring = False
        dialect.on_text = self._on_text

    def _on_text(self, end: End, data: bytes) -> None:
        taken = time.monotonic() - float(data[data.index(MARK) + 1 :].partition(MARK)[0])
        if not end.is_visitor:
            if self._measuring:
                self._shown.append(taken)
            return
        if self._measuring:
            self._acked.append(taken)
        end.outstanding -= 1
        if end.outstanding < self._window:
            self._say(end, time.monotonic())

    def _say(self, end: End, at: float) -> None:
        end.outstanding += 1
        self.sent += 1
        self._dialect.say(end, f"~{at:.6f}~{PADDING}")

    async def saturate(self, window: int, seconds: float) -> dict[str, Any]:
        """Each visitor keeps `window` messages under way, the next follows an acknowledgement."""
        self._window = window
        for end in self._visitors:
            for _ in range(window):
                self._say(end, time.monotonic())
        await asyncio.sleep(1.0)
        figures = await self._measured(seconds)
        self._window = 0
        await self._quiet()
        return figures | {"unanswered": sum(end.outstanding for end in self._visitors)}

    async def pace(self, rate: int, seconds: float) -> dict[str, Any]:
        """By the clock, whatever comes back."""
        self._window = 0
        running = asyncio.create_task(self._measured(seconds))
        began = time.monotonic()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif number % 50 == 0:
                await asyncio.sleep(0)
            self._say(self._visitors[number % len(self._visitors)], due)
        figures = await running
        await self._quiet()
        return figures | {"unanswered": sum(end.outstanding for end in self._visitors)}

    async def _measured(self, seconds: float) -> dict[str, Any]:
        self._shown, self._acked, self._measuring = [], [], True
        began, worked = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        self._measuring = False
        took = time.monotonic() - began
        shown, acked = sorted(self._shown), sorted(self._acked)
        return {
            "messages_per_second": round(len(shown) / took),
            "messages": len(shown),
            "seconds": took,
            **_quantiles("", shown),
            **_quantiles("acknowledged_", acked),
            "load_cpu_share": round((time.process_time() - worked) / took, 2),
        }

    async def _quiet(self) -> None:
        """Until everything sent has come back, or nothing comes any more."""
        for _ in range(400):
            if not any(end.outstanding for end in self._visitors):
                return
            await asyncio.sleep(0.05)  # once a run: an event would cost every message


def _quantiles(name: str, ascending: list[float]) -> dict[str, float]:
    if not ascending:
        return {}
    return {
        f"{name}p50_ms": round(1000 * ascending[len(ascending) // 2], 2),
        f"{name}p99_ms": round(1000 * ascending[int(len(ascending) * 0.99)], 2),
    }


async def main(wanted: dict[str, Any]) -> None:
    addresses = wanted["visitors_at"], wanted["operators_at"], wanted["origin"]
    dialect: Dialect
    match wanted["dialect"]:
        case "nightdesk":
            dialect = Nightdesk(*addresses, wanted["site"], wanted["talks"], wanted["passes"])
        case "socketio":
            dialect = SocketIo(*addresses)
        case _:
            dialect = Channels(*addresses)
    load = Load(dialect, await dialect.meet(wanted["pairs"]))
    gc.disable()
    print("met", flush=True)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        run = json.loads(line)
        work = (
            load.saturate(run["window"], run["seconds"]) if "window" in run else load.pace(run["rate"], run["seconds"])
        )
        before = load.sent
        figures = await work
        print(json.dumps(figures | {"sent": load.sent - before, "refused": dialect.refused[:3]}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
