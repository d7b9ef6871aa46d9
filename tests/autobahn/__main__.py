"""`python -m tests.autobahn PYTHON2`: the fuzzing client of Autobahn against an echo on each of our transports.

`PYTHON2` is a Python 2.7 that has the package `autobahntestsuite` (`pip install autobahntestsuite` in an environment
of 2.7). Binary cases are left out: our protocol is text, and both transports answer a binary message with 4501. Cases
12 and 13 are about compression, which is off. Prints one JSON object; exit code 1 when a case failed that is not in
`KNOWN`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from chat.hub.transport import AsgiTransport, Transport
from chat.listening import listening_socket
from chat.server import config_of
from chat.settings import load_settings
from chat.sockets.door import Admitted

CASES = ["1.1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.1.*", "9.3.*", "9.5.*", "9.7.*", "10.*"]
BINARY = ["5.2", "5.5", "5.8"]
LARGEST = 32 * 1024 * 1024
"""The product takes 64 kB; here the large cases are meant to pass."""
SECONDS = 600
KNOWN = {
    # Two goodbyes in a row: picows reads ahead and answers the second one, as an error (1002), before the first. The
    # connection ends either way, and no browser says goodbye twice.
    "picows": {"7.1.2"},
    # A goodbye in the middle of a message in parts: answered 1002 where 1000 is wanted. The same holds.
    "websockets": {"7.1.5"},
}
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")


class Echo:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        transport.start(self)

    def received(self, text: str) -> None:
        self._transport.write(text)

    def malformed(self) -> None:
        self._transport.close(4501, "text only")

    def drained(self) -> None: ...

    def ended(self) -> None: ...


class EchoEntrance:
    """Lets everybody in."""

    async def enter(self, _knock: object) -> Admitted:
        opens: Any = Echo
        return Admitted(opens, lambda: None)


async def over_asgi(websocket: WebSocket) -> None:
    await websocket.accept()
    transport = AsgiTransport(websocket)
    Echo(transport)
    await transport.run()


async def tried(transport: str, python: str, folder: Path) -> dict[str, Any]:
    app = Starlette(routes=[WebSocketRoute("/", over_asgi)])
    app.state.entrance = EchoEntrance()
    settings = load_settings({}, websockets=transport, data_dir=folder).model_copy(update={"frame_max_bytes": LARGEST})
    sock = listening_socket("127.0.0.1", 0)
    server = uvicorn.Server(config_of(app, settings))
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    report = folder / transport
    spec = folder / f"{transport}.json"
    address = f"ws://127.0.0.1:{sock.getsockname()[1]}"
    servers = [{"agent": transport, "url": address}]
    wanted = {"outdir": str(report), "servers": servers, "cases": CASES, "exclude-cases": BINARY, "options": {}}
    spec.write_text(json.dumps(wanted))
    client = await asyncio.create_subprocess_exec(
        python,
        *("-m", "autobahntestsuite.wstest", "--mode", "fuzzingclient", "--spec", str(spec)),
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS):
            _, errors = await client.communicate()
    finally:
        if client.returncode is None:
            client.kill()
        server.should_exit = True
        await serving
    index = report / "index.json"
    if not index.exists():
        raise SystemExit(f"the fuzzing client made no report: {errors.decode(errors='replace')[-2000:]}")
    results = json.loads(index.read_text())[transport]
    verdicts = Counter(one["behavior"] for one in results.values())
    strict = {case: one["behavior"] for case, one in results.items() if one["behavior"] not in GOOD}
    closes = {case: one["behaviorClose"] for case, one in results.items() if one["behaviorClose"] not in GOOD}
    unknown = (strict.keys() | closes.keys()) - KNOWN[transport]
    return {"verdicts": dict(verdicts), "failed": strict, "failed_close": closes, "unknown": sorted(unknown)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.autobahn", description=__doc__)
    parser.add_argument("python", help="a Python 2.7 with autobahntestsuite")
    parser.add_argument("--transport", choices=["picows", "websockets"], action="append")
    given = parser.parse_args()
    found = {}
    for transport in given.transport or ["picows", "websockets"]:
        with tempfile.TemporaryDirectory(prefix="nightdesk-autobahn-") as folder:
            found[transport] = asyncio.run(tried(transport, given.python, Path(folder)))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if any(one["unknown"] for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
