"""The one path that hands out bytes that strangers sent. What is shown inline are images that were made anew here.

A link says for whom it was made; whether they may read the file is asked anew each time. Unknown, foreign, forged and
over look the same.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import IO
from urllib.parse import quote, urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from chat.clock import Clock
from chat.db import Database
from chat.files.kinds import IMAGES
from chat.files.limits import PIECE
from chat.files.links import FileLinks, Grant
from chat.files.models import READY, File, FilePlace
from chat.files.storage import Storage
from chat.ids import parse_id

Reader = Callable[[UUID, list[str]], Awaitable[bool]]
"""May this person read one of these places? `conversation:<id>`, `ticket:<id>` …; `own` is what nobody else has yet."""

SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
SHOWN = frozenset(kind.media_type for kind in IMAGES)
FORMS = ("f", "s", "d")


class Downloads:
    """`add_reader`: for whoever knows people of a kind, `visitor`, `operator` …, and places of a kind."""

    def __init__(
        self, db: Database, clock: Clock, storage: Storage, links: FileLinks, base_url: str, files_url: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._storage = storage
        self._links = links
        self._host = urlsplit(files_url).netloc if files_url != base_url else None
        self._readers: dict[str, list[Reader]] = {}

    def add_reader(self, kind: str, reader: Reader) -> None:
        self._readers.setdefault(kind, []).append(reader)

    def routes(self) -> list[BaseRoute]:
        return [Route("/files/{token}/{name}", self._answer, methods=["GET"])]

    async def link(self, reader: str, file_id: str, form: str) -> str:
        """For one who may read it, for some minutes. Raises 404."""
        wanted = parse_id(file_id)
        if wanted is None or form not in FORMS:
            raise HTTPException(404)
        row = await self._readable(Grant(wanted, reader, form))
        if row is None or (form == "s" and row.small is None):
            raise HTTPException(404)
        return self._links.make(Grant(wanted, reader, form), row.name, self._clock.now())

    async def links_of(self, reader: str, file_ids: Iterable[str]) -> dict[str, dict[str, str]]:
        """File and thumbnail of each that they may read; the others are left out."""
        found: dict[str, dict[str, str]] = {}
        for one in file_ids:
            with contextlib.suppress(HTTPException):
                found[one] = {"url": await self.link(reader, one, "f"), "save": await self.link(reader, one, "d")}
                found[one]["small"] = await self.link(reader, one, "s")
        return found

    async def redirect(self, reader: str, file_id: str, form: str) -> Response:
        """For pages whose readers have a cookie: their links never grow old."""
        return RedirectResponse(await self.link(reader, file_id, form), 303, {"Cache-Control": "no-store, private"})

    async def _answer(self, request: Request) -> Response:
        grant = self._links.read(request.path_params["token"], self._clock.now())
        if grant is None or (self._host is not None and request.headers.get("host") != self._host):
            raise HTTPException(404)
        row = await self._readable(grant)
        sha256 = row and (row.small if grant.form == "s" else row.content)
        if row is None or not sha256:
            raise HTTPException(404)
        try:
            file, size = await asyncio.to_thread(_opened, self._storage, sha256)
        except FileNotFoundError:
            raise HTTPException(404) from None
        media_type = "image/webp" if grant.form == "s" else row.media_type
        shown = grant.form != "d" and media_type in SHOWN
        headers = {
            "Content-Length": str(size),
            "Content-Disposition": disposition(row.name, inline=shown),
            "Content-Security-Policy": SANDBOX,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "cross-origin" if self._host is not None else "same-origin",
            "Cache-Control": "private, max-age=300",
            "X-Robots-Tag": "noindex",
        }
        return SentFile(file, headers, _plain(media_type))

    async def _readable(self, grant: Grant) -> File | None:
        kind, _, reader_id = grant.reader.partition(":")
        readers = self._readers.get(kind)
        if not readers:
            return None
        async with self._db.read() as session:
            row = await session.get(File, grant.file_id)
            found = await session.execute(select(col(FilePlace.place)).where(col(FilePlace.file_id) == grant.file_id))
            places = list(found.scalars())
        if row is None or row.state != READY:
            return None
        # Who sent it sees it before it goes along; what they may read at all is asked all the same.
        if row.owner == grant.reader and not places:
            places = ["own"]
        for reader in readers:
            if await reader(UUID(reader_id), places):
                return row
        return None


def _plain(media_type: str) -> str:
    return "text/plain; charset=utf-8" if media_type == "text/plain" else media_type


def disposition(name: str, *, inline: bool) -> str:
    """RFC 6266: an ASCII stand-in and the name itself; neither a quote nor a line break gets through."""
    ascii_name = "".join(one if 32 <= ord(one) < 127 and one not in '"\\%' else "_" for one in name)
    how = "inline" if inline else "attachment"
    return f"{how}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"


def _opened(storage: Storage, sha256: str) -> tuple[IO[bytes], int]:
    """The file at its beginning, and how long it is."""
    file = storage.open(sha256)
    size = file.seek(0, 2)
    file.seek(0)
    return file, size


class SentFile(StreamingResponse):
    """Closes its file however it ends: who goes away before the first piece has read none of it."""

    def __init__(self, file: IO[bytes], headers: dict[str, str], media_type: str) -> None:
        super().__init__(_pieces(file), 200, headers, media_type=media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece
