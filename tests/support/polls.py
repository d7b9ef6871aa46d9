"""A client that polls: it introduces itself with each request, from its cursor, and any server may answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from chat.ids import new_id

Frame = dict[str, Any]


class Poller:
    """`servers` are asked in turn. What was shown is kept in `shown`, in the order in which it came."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers
        self.http = httpx2.AsyncClient(timeout=60)
        self.turn = 0
        self.shown: list[Frame] = []
        self.frames: list[Frame] = []
        """Of the last answer."""
        self.state = ""
        self.conversation = ""

    async def close(self) -> None:
        await self.http.aclose()

    @property
    def cursor(self) -> int:
        return self.shown[-1]["seq"] if self.shown else 0

    @property
    def server(self) -> str:
        return self._servers[self.turn % len(self._servers)]

    async def post(
        self, path: str, lines: Sequence[Frame], wait: float = 0, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        query = {"wait": str(wait)} | ({"state": self.state} if self.state else {})
        server = self.server
        self.turn += 1
        return await self.http.post(
            server + path,
            params=query,
            content="\n".join(json.dumps(line) for line in lines),
            headers={"Origin": server, **(headers or {})},
        )

    def take(self, answer: httpx2.Response) -> list[Frame]:
        """Shows what is new; what a client that keeps to the wire would drop is dropped, a hole is an error."""
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        self.frames = [json.loads(line) for line in answer.text.splitlines()]
        for frame in self.frames:
            if frame["type"] == "polled":
                self.state = frame["state"]
            if frame["type"] in ("said", "paged") and frame.get("stream", "public") == "public":
                if frame.get("reset"):
                    self.shown.clear()
                for entry in frame["entries"]:
                    if entry["seq"] > self.cursor:
                        assert entry["seq"] == self.cursor + 1, self.frames
                        self.shown.append(entry)
        return self.frames

    def only(self, kind: str) -> Frame:
        found = [frame for frame in self.frames if frame["type"] == kind]
        assert len(found) == 1, self.frames
        return found[0]

    @property
    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class VisitorPoller(Poller):
    def __init__(self, servers: Sequence[str], site: str) -> None:
        super().__init__(servers)
        self._site = site
        self.token = ""

    async def poll(self, *lines: Frame, wait: float = 0) -> list[Frame]:
        return self.take(await self.ask(*lines, wait=wait))

    async def ask(self, *lines: Frame, wait: float = 0, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        hello: Frame = {"type": "hello", "site": self._site}
        if self.token:
            hello["token"] = self.token
        if self.conversation:
            hello |= {"conversation": self.conversation, "last_seen": self.cursor}
        return await self.post(f"/w/{self._site}/poll", [hello, *lines], wait, headers)

    async def begin(self, text: str) -> None:
        await self.poll({"type": "enroll"}, {"type": "start", "ref": f"ref-{new_id().hex}", "text": text})
        self.token = self.only("enrolled")["token"]
        self.conversation = self.only("started")["conversation"]["id"]

    async def say(self, text: str, ref: str = "") -> Frame:
        ref = ref or f"ref-{new_id().hex}"
        await self.poll({"type": "say", "ref": ref, "conversation": self.conversation, "text": text})
        return next(entry for entry in self.shown if entry.get("ref") == ref)


class OperatorPoller(Poller):
    """`http` is the signed-in browser of each server: they share the database, so one sign-in serves all."""

    def __init__(self, servers: Sequence[str], cookies: httpx2.Cookies) -> None:
        super().__init__(servers)
        self.http = httpx2.AsyncClient(timeout=60, cookies=cookies)

    async def poll(self, *lines: Frame, wait: float = 0) -> list[Frame]:
        return self.take(await self.ask(*lines, wait=wait))

    async def ask(self, *lines: Frame, wait: float = 0, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        made = await self.http.post(f"{self.server}/console/socket-pass", headers={"Sec-Fetch-Site": "same-origin"})
        attend = {"type": "attend", "socket_pass": made.json()["socket_pass"]}
        opened = []
        if self.conversation:
            opened = [{"type": "open", "conversation": self.conversation, "last_seen": self.cursor}]
        return await self.post("/console/poll", [attend, *opened, *lines], wait, headers)
