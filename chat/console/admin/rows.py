"""The row that the address of an administrator's page names."""

from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from chat.db import Database, Row
from chat.ids import parse_id

Kind = TypeVar("Kind", bound=Row)


async def named_row(db: Database, kind: type[Kind], request: Request) -> Kind | None:
    """None for a new one. Raises 404."""
    wanted = request.path_params["id"]
    if wanted == "new":
        return None
    row_id = parse_id(wanted)
    async with db.read() as session:
        found = await session.get(kind, row_id) if row_id else None
    if found is None:
        raise HTTPException(404)
    return found
