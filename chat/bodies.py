"""Bodies of requests, read with a limit; and what of a text a database keeps."""

from contextlib import aclosing
from typing import TypeVar

import msgspec
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

SMALL = 64 * 1024
READ_OFF = 8 * 1024 * 1024
"""Of what is too large, so much is read off: a browser that is still sending would not read the answer."""
MOST_FIELDS = 500
Kind = TypeVar("Kind")


async def body_of(request: Request, largest: int = SMALL) -> bytes:
    """Raises 413."""
    body, size = bytearray(), 0
    async with aclosing(request.stream()) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size <= largest:
                body += piece
            elif size > largest + READ_OFF:
                break
    if size > largest:
        raise HTTPException(413)
    return bytes(body)


async def json_of(request: Request, kind: type[Kind], largest: int = SMALL) -> Kind:
    """Raises 413, and 400 for what is none of this kind."""
    body = await body_of(request, largest)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError):
        raise HTTPException(400) from None


async def kept(request: Request, largest: int = SMALL) -> Request:
    """The same request, whose body can be read again and again. Raises 413."""
    body = await body_of(request, largest)

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    whole = Request(request.scope, again)
    await whole.body()
    return whole


async def form_data_of(request: Request, largest: int = SMALL) -> FormData:
    """All values of all fields, URL-encoded or as multipart without files; what no database keeps is left out of them.
    Raises 413, and 400 for what is no form."""
    form = await (await kept(request, largest)).form(max_files=0, max_fields=MOST_FIELDS, max_part_size=largest)
    return FormData([(name, storable(value)) for name, value in form.multi_items() if isinstance(value, str)])


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL refuses, and lone surrogates, which are no characters."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()
