"""Uploads over HTTP: the same four requests at each door.

POST   PREFIX         {ref, name, size}      -> the upload; the same ref again is the same one
GET    PREFIX/{id}                           -> how it stands
PUT    PREFIX/{id}?offset=N  bytes           -> how it stands; 409 with `received` where N is not the end
DELETE PREFIX/{id}                           -> 204

A refusal is `{code, message, retry, retry_after, received?}` with the status of its kind.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import json_of
from chat.files.errors import OutOfStep
from chat.files.shares import Owner
from chat.files.uploads import Upload, Uploads, in_words
from chat.ids import parse_id
from chat.protocol.errors import Refusal
from chat.strings import Strings

BODY_BYTES = 4096
NO_STORE = {"Cache-Control": "no-store, private"}
_OFFSET = re.compile(r"\d{1,12}")


class _Begin(msgspec.Struct, frozen=True):
    ref: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    name: Annotated[str, Meta(max_length=2000)]
    size: Annotated[int, Meta(ge=0, le=2**53)]


class UploadDoor:
    """`who` finds the sender of a request and their language. It raises 401, 403 or 404 for everybody else, foreign
    pages among them."""

    def __init__(
        self, uploads: Uploads, strings: Strings, prefix: str, who: Callable[[Request], Awaitable[tuple[Owner, str]]]
    ) -> None:
        self._uploads = uploads
        self._strings = strings
        self._prefix = prefix
        self._who = who

    def routes(self) -> list[BaseRoute]:
        return [
            Route(self._prefix, self._answer, methods=["POST"]),
            Route(f"{self._prefix}/{{upload}}", self._answer, methods=["GET", "PUT", "DELETE"]),
        ]

    async def _answer(self, request: Request) -> Response:
        owner, locale = await self._who(request)
        try:
            if request.method == "POST":
                return self._told(await self._begin(request, owner))
            upload_id = parse_id(request.path_params["upload"])
            if upload_id is None:
                raise HTTPException(404)
            if request.method == "DELETE":
                await self._uploads.cancel(owner, upload_id)
                return Response(status_code=204, headers=NO_STORE)
            if request.method == "PUT":
                offset = request.query_params.get("offset", "")
                if not _OFFSET.fullmatch(offset):
                    raise HTTPException(400)
                return self._told(await self._uploads.receive(owner, upload_id, int(offset), request.stream()))
            return self._told(await self._uploads.look(owner, upload_id))
        except Refusal as refusal:
            return refused(refusal, self._strings, locale, self._uploads.max_bytes)
        except (ClientDisconnect, TimeoutError):
            return Response(status_code=408)  # nobody reads it; what has come is kept

    async def _begin(self, request: Request, owner: Owner) -> Upload:
        begin = await json_of(request, _Begin, BODY_BYTES)
        return await self._uploads.begin(owner, begin.ref, begin.name, begin.size)

    def _told(self, upload: Upload) -> Response:
        if upload.refusal is not None:
            raise upload.refusal
        answer = {
            "id": str(upload.id),
            "name": upload.name,
            "state": upload.state,
            "size": upload.size,
            "received": upload.received,
            "type": upload.media_type,
        }
        if upload.width:
            answer |= {"width": upload.width, "height": upload.height}
        return JSONResponse(answer, headers=NO_STORE)


def sentence(refusal: Refusal, strings: Strings, locale: str, max_bytes: int) -> str:
    """For people, with the limit named."""
    text = strings.catalogue(locale).gettext(refusal.message)
    return text % {"limit": in_words(max_bytes)} if "%(limit)s" in text else text


def refused(refusal: Refusal, strings: Strings, locale: str, max_bytes: int) -> Response:
    answer: dict[str, object] = {
        "code": refusal.code,
        "message": sentence(refusal, strings, locale, max_bytes),
        "retry": refusal.retry,
    }
    if refusal.retry_after:
        answer["retry_after"] = refusal.retry_after
    if isinstance(refusal, OutOfStep):
        answer["received"] = refusal.received
    return JSONResponse(answer, getattr(refusal, "status", 422), headers=NO_STORE)
