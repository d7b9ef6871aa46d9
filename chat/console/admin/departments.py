"""Departments: names in each language and their order. None is removed: conversations and tickets point at it."""

from sqlalchemy import func, select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.console.admin.door import AdminDoor
from chat.console.admin.fields import Fields
from chat.console.admin.rows import named_row
from chat.console.forms import form_of
from chat.db import Database
from chat.ids import new_id
from chat.people.audit import audit, differences
from chat.people.models import Department, Operator, OperatorDepartment

PLACE = "/console/admin/departments"


class DepartmentPages:
    def __init__(self, db: Database, clock: Clock, door: AdminDoor) -> None:
        self._db = db
        self._clock = clock
        self._door = door

    def routes(self) -> list[BaseRoute]:
        guarded = self._door.guarded
        return [
            Route(PLACE, guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._save), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        async with self._db.read() as session:
            departments = (
                await session.execute(select(Department).order_by(col(Department.position), col(Department.slug)))
            ).scalars().all()  # fmt: skip
            counted = await session.execute(
                select(col(OperatorDepartment.department_id), func.count())
                .join(Operator, col(Operator.id) == col(OperatorDepartment.operator_id))
                .where(col(Operator.active))
                .group_by(col(OperatorDepartment.department_id))
            )
            people = {row[0]: row[1] for row in counted}
        return self._door.page(
            request, operator, "console/admin/departments.html", departments=departments, people=people
        )

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, Department, request)
        values = _values(found) if found else {"slug": "", "name_en": "", "name_sl": "", "position": "0"}
        return self._door.page(request, operator, "console/admin/department.html", department=found, values=values)

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, Department, request)
        form = await form_of(request)
        fields = Fields(form, c := self._door.catalogue(request, operator))
        names = {"en": fields.line("name_en", 80), "sl": fields.line("name_sl", 80)}
        position = fields.number("position", 0, 999)
        slug = found.slug if found else fields.slug("slug")
        async with self._db.write() as session:
            if found is None and not fields.errors:
                taken = await session.execute(select(Department).where(col(Department.slug) == slug))
                if taken.first() is not None:
                    fields.errors["slug"] = c.gettext("There is a department with this short name.")
            if not fields.errors:
                now = self._clock.now()
                if found is None:
                    row = Department(id=new_id(), slug=slug, names=names, position=position)
                    session.add(row)
                    audit(session, "department.added", operator, now, subject=row.id, about=slug, changes=_values(row))
                else:
                    row = await session.get_one(Department, found.id, with_for_update=True)
                    before = _values(row)
                    row.names, row.position = {**row.names, **names}, position
                    if changed := differences(before, _values(row)):
                        audit(session, "department.changed", operator, now, subject=row.id, about=slug, changes=changed)
        if fields.errors:
            values = {"slug": "", **form}
            return self._door.page(
                request,
                operator,
                "console/admin/department.html",
                errors=fields.errors,
                department=found,
                values=values,
            )
        return RedirectResponse(f"{PLACE}?done={'saved' if found else 'added'}", 303)


def _values(row: Department) -> dict[str, str]:
    return {
        "slug": row.slug,
        "name_en": row.names.get("en", ""),
        "name_sl": row.names.get("sl", ""),
        "position": str(row.position),
    }
