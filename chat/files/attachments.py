"""Files that go along with a message: claimed by whoever sent them, read by whoever may read the place."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import insert_for, table_of
from chat.files.errors import NoSuchFile, TooManyFiles
from chat.files.limits import FILES_PER_MESSAGE
from chat.files.models import READY, File, FilePlace
from chat.ids import parse_id

Attached = dict[str, Any]
"""As messages keep it: id, name, type, size, and of images width and height."""
INSIDE = "inside:"
"""Before a place: what operators keep among themselves there. It never goes to a place that others read, too."""


async def ready_files(session: AsyncSession, owner: str, ids: Sequence[str], *, hold: bool = False) -> list[Attached]:
    """Those of them that may go along, in their order. `hold`: nobody tidies them away before the commit."""
    if not ids:
        return []
    wanted = list(dict.fromkeys(parse_id(one) for one in ids))
    rows = table_of(File)
    is_theirs = (rows.c.id.in_([one for one in wanted if one]), rows.c.owner == owner, rows.c.state == READY)
    mine = select(rows).where(*is_theirs)
    found = await session.execute(mine.with_for_update() if hold else mine)
    by_id = {row["id"]: _attached(row) for row in found.mappings()}
    return [by_id[one] for one in wanted if one in by_id]


async def claim_files(session: AsyncSession, owner: str, ids: Sequence[str], place: str) -> list[Attached]:
    """In the caller's transaction; done again it is the same. `owner` as `visitor:<id>`.

    Raises TooManyFiles, and NoSuchFile for files of others, files that are not there and, for others to read, what
    operators keep among themselves, all alike.
    """
    if len(set(ids)) > FILES_PER_MESSAGE:
        raise TooManyFiles
    attached = await ready_files(session, owner, ids, hold=True)
    found = [UUID(one["id"]) for one in attached]
    if len(attached) != len(set(ids)) or (not place.startswith(INSIDE) and await _are_inside(session, found)):
        raise NoSuchFile
    await put(session, found, place)
    return attached


async def _are_inside(session: AsyncSession, ids: Sequence[UUID]) -> bool:
    """Whether any of them is read by operators only, as yet."""
    rows = table_of(FilePlace).c
    places = (await session.execute(select(rows.file_id, rows.place).where(rows.file_id.in_(ids)))).all()
    read_by_others = {file_id for file_id, place in places if not place.startswith(INSIDE)}
    return any(file_id not in read_by_others for file_id, _ in places)


async def put(session: AsyncSession, ids: Iterable[UUID], place: str) -> None:
    """Whoever may read this place too may read these files."""
    values = [{"place": place, "file_id": one} for one in ids]
    if values:
        insert = insert_for(session)
        await session.execute(insert(table_of(FilePlace)).on_conflict_do_nothing(), values)


async def put_files_along(session: AsyncSession, attached: Iterable[Attached], place: str) -> None:
    """What came with a message of one place, in the other place where the message now stands too."""
    ids = [parsed for one in attached if (parsed := parse_id(str(one.get("id")))) is not None]
    if not ids:
        return
    rows = table_of(File)
    known = (await session.execute(select(rows.c.id).where(rows.c.id.in_(ids)))).scalars()
    await put(session, list(known), place)


def _attached(row: Any) -> Attached:
    found: Attached = {"id": str(row["id"]), "name": row["name"], "type": row["media_type"], "size": row["size"]}
    if row["width"]:
        found |= {"width": row["width"], "height": row["height"]}
    return found
