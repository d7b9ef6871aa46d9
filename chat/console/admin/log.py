"""What was changed by whom: the newest first, page by page after a key."""

from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.console.admin.door import AdminDoor
from chat.db import Database
from chat.ids import parse_id
from chat.people.audit import AuditEntry
from chat.people.models import Operator

PLACE = "/console/admin/log"
PAGE = 50


class AuditLog:
    def __init__(self, db: Database, door: AdminDoor) -> None:
        self._db = db
        self._door = door

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/console/admin", self._door.guarded(self._first), methods=["GET"]),
            Route(PLACE, self._door.guarded(self._list), methods=["GET"]),
        ]

    async def _first(self, _request: Request, _operator: Operator) -> Response:
        return RedirectResponse("/console/admin/operators", 303)

    async def _list(self, request: Request, operator: Operator) -> Response:
        after = parse_id(request.query_params.get("after", ""))
        # Ids are in the order of time.
        query = select(AuditEntry).order_by(col(AuditEntry.id).desc()).limit(PAGE + 1)
        if after is not None:
            query = query.where(col(AuditEntry.id) < after)
        async with self._db.read() as session:
            entries = list((await session.execute(query)).scalars())
        more = entries[PAGE - 1].id if len(entries) > PAGE else None
        return self._door.page(request, operator, "console/admin/log.html", entries=entries[:PAGE], more=more)
