"""Files on their way over HTTP, sent as the pages send them."""

from typing import Any
from uuid import uuid4

import httpx2

from tests.support.program import Client, Running


class Post:
    """Sends files as the page does: in pieces, and again from where it stopped."""

    def __init__(self, http: httpx2.AsyncClient, address: str, **headers: str) -> None:
        self.http = http
        self.address = address
        self.headers = headers
        self.broken = 0

    async def begin(self, name: str, size: int, ref: str) -> httpx2.Response:
        return await self.http.post(self.address, json={"ref": ref, "name": name, "size": size}, headers=self.headers)

    async def put(self, upload: str, offset: int, data: bytes) -> httpx2.Response:
        address = f"{self.address}/{upload}?offset={offset}"
        return await self.http.put(address, content=data, headers=self.headers)

    async def send(self, data: bytes, name: str, ref: str = "", piece: int = 512 * 1024) -> dict[str, Any]:
        ref = ref or uuid4().hex
        while True:
            try:
                told = (await self.begin(name, len(data), ref)).json()
                while told.get("state") == "receiving":
                    start = told["received"]
                    told = (await self.put(told["id"], start, data[start : start + piece])).json()
                while told.get("state") == "checking":
                    address = f"{self.address}/{told['id']}"
                    told = (await self.http.get(address, headers=self.headers)).json()
            except httpx2.TransportError:
                self.broken += 1
                continue
            if told.get("code") != "out-of-step":
                return dict(told)


def of_visitor(running: Running, client: Client, http: httpx2.AsyncClient, base: str = "") -> Post:
    address = f"{base or running.base_url}/w/{running.site_key}/uploads"
    return Post(http, address, Authorization=f"Bearer {client.token}")
