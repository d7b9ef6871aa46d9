"""Operators: who they are, what they may, how much they can have, and their ways in."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.console.admin.door import AdminDoor
from chat.console.admin.fields import Fields
from chat.console.admin.rows import named_row
from chat.console.forms import form_of
from chat.conversations.actions import checked_address
from chat.db import Database
from chat.people.audit import audit, differences
from chat.people.models import CANARY, Department, Operator, OperatorDepartment
from chat.people.operators import ROLES, Along, LastAdministrator, OperatorExists, Operators
from chat.people.sign_in import SignIn
from chat.protocol.errors import AddressInvalid

PLACE = "/console/admin/operators"
LOCALES = ("en", "sl")


class OperatorPages:
    def __init__(self, db: Database, clock: Clock, door: AdminDoor, sign_in: SignIn) -> None:
        self._db = db
        self._clock = clock
        self._door = door
        self._sign_in = sign_in
        self._operators = Operators(db, clock, sign_in.passwords)

    def routes(self) -> list[BaseRoute]:
        guarded = self._door.guarded
        return [
            Route(PLACE, guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._save, proves=True), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/link", guarded(self._link, proves=True), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/sign-out", guarded(self._sign_out, proves=True), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/active", guarded(self._set_active, proves=True), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        async with self._db.read() as session:
            people = (
                await session.execute(
                    select(Operator).where(col(Operator.role) != CANARY).order_by(
                        col(Operator.active).desc(), func.lower(Operator.name), col(Operator.id)
                    )
                )
            ).scalars().all()  # fmt: skip
            names: dict[UUID, list[str]] = {}
            locale = self._door.catalogue(request, operator).locale
            for operator_id, department in await session.execute(
                select(col(OperatorDepartment.operator_id), Department)
                .join(Department, col(Department.id) == col(OperatorDepartment.department_id))
                .order_by(col(Department.position))
            ):
                names.setdefault(operator_id, []).append(department.names.get(locale) or department.slug)
        return self._door.page(
            request, operator, "console/admin/operators.html", people=people, names=names, now=self._clock.now()
        )

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        return await self._one(request, operator, found, await self._values(found))

    async def _one(
        self, request: Request, operator: Operator, found: Operator | None, values: Mapping[str, Any], *,
        errors: dict[str, str] | None = None, link: str = "",
    ) -> Response:  # fmt: skip
        async with self._db.read() as session:
            departments = await _departments(session)
        return self._door.page(
            request, operator, "console/admin/operator.html", errors=errors, person=found, values=values, roles=ROLES,
            departments=departments, link=link, is_me=found is not None and found.id == operator.id,
        )  # fmt: skip

    async def _values(self, found: Operator | None) -> dict[str, Any]:
        if found is None:
            return {
                "name": "", "email": "", "role": "operator", "locale": "en", "capacity": "5", "tickets": "20",
                "departments": [],
            }  # fmt: skip
        async with self._db.read() as session:
            members = await session.execute(
                select(col(Department.slug))
                .join(OperatorDepartment, col(OperatorDepartment.department_id) == col(Department.id))
                .where(col(OperatorDepartment.operator_id) == found.id)
            )
            return _row_values(found) | {"departments": sorted(members.scalars())}

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        fields = Fields(form, c)
        async with self._db.read() as session:
            known = await _departments(session)
        wanted: dict[str, Any] = {
            "name": fields.line("name", 120),
            "email": found.email if found else form.get("email", "").strip(),
            "role": fields.choice("role", ROLES),
            "locale": fields.choice("locale", LOCALES),
            "capacity": fields.number("capacity", 1, 50),
            "tickets": fields.number("tickets", 0, 500),
            "departments": [one.slug for one in known if f"department_{one.slug}" in form],
        }
        if not wanted["departments"]:
            fields.errors["departments"] = c.gettext("Choose at least one department.")
        if found is None:
            try:
                wanted["email"] = checked_address(wanted["email"])
            except AddressInvalid:
                fields.errors["email"] = c.gettext("This is no e-mail address.")
        if not fields.errors:
            if found is None:
                return await self._add(request, operator, wanted)
            try:
                await self._change(operator, found, wanted)
            except LastAdministrator:
                fields.errors["role"] = c.gettext("Somebody must be an administrator: this is the last one.")
            else:
                return RedirectResponse(f"{PLACE}?done=saved", 303)
        shown = {**form, "departments": wanted["departments"], "email": wanted["email"]}
        return await self._one(request, operator, found, shown, errors=fields.errors)

    async def _add(self, request: Request, by: Operator, wanted: dict[str, Any]) -> Response:
        try:
            added = await self._operators.create(
                email=wanted["email"], name=wanted["name"], role=wanted["role"], locale=wanted["locale"],
                capacity=wanted["capacity"], departments=wanted["departments"],
            )  # fmt: skip
        except OperatorExists:
            said = self._door.catalogue(request, by).gettext("There is an operator with this address already.")
            return await self._one(request, by, None, wanted, errors={"email": said})
        async with self._db.write() as session:
            row = await session.get_one(Operator, added.id)
            row.ticket_capacity = wanted["tickets"]
            audit(session, "operator.added", by, self._clock.now(), subject=row.id, about=row.email, changes=wanted)
        link = await self._sign_in.make_link(added.id)
        return await self._one(request, by, row, wanted, link=link)

    async def _change(self, by: Operator, found: Operator, wanted: dict[str, Any]) -> None:
        before = await self._values(found)

        async def write(session: AsyncSession) -> None:
            row = await session.get_one(Operator, found.id, with_for_update=True)
            row.name, row.locale = wanted["name"], wanted["locale"]
            row.capacity, row.ticket_capacity = wanted["capacity"], wanted["tickets"]
            await session.execute(delete(OperatorDepartment).where(col(OperatorDepartment.operator_id) == found.id))
            for department in await _departments(session):
                if department.slug in wanted["departments"]:
                    session.add(OperatorDepartment(operator_id=found.id, department_id=department.id))
            after = _row_values(row) | {"departments": sorted(wanted["departments"]), "role": wanted["role"]}
            if changed := differences(before, after):
                audit(
                    session, "operator.changed", by, self._clock.now(), subject=row.id, about=row.email,
                    changes=changed,
                )  # fmt: skip

        if wanted["role"] != found.role:
            await self._operators.set_role(found.id, wanted["role"], along=write)
            return
        async with self._db.write() as session:
            await write(session)

    # ── ways in ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _link(self, request: Request, operator: Operator) -> Response:
        """Shown once, on the page that answers: it is nowhere else."""
        found = await self._required(request)
        async with self._db.write() as session:
            await self._audited(operator, found, "operator.link-made")(session)
        link = await self._sign_in.make_link(found.id) if found.active else ""
        return await self._one(request, operator, found, await self._values(found), link=link)

    async def _sign_out(self, request: Request, operator: Operator) -> Response:
        found = await self._required(request)
        await self._operators.sign_out(found.id, along=self._audited(operator, found, "operator.signed-out"))
        return RedirectResponse(f"{PLACE}?done=saved", 303)

    async def _set_active(self, request: Request, operator: Operator) -> Response:
        found = await self._required(request)
        active = (await form_of(request)).get("active") == "1"
        c = self._door.catalogue(request, operator)
        along = self._audited(operator, found, "operator.activated" if active else "operator.deactivated")
        said = c.gettext("You cannot deactivate yourself.")
        if active or found.id != operator.id:
            try:
                await self._operators.set_active(found.id, active=active, along=along)
            except LastAdministrator:
                said = c.gettext("Somebody must be an administrator: this is the last one.")
            else:
                return RedirectResponse(f"{PLACE}?done=saved", 303)
        return await self._one(request, operator, found, await self._values(found), errors={"active": said})

    def _audited(self, by: Operator, found: Operator, action: str) -> Along:
        async def write(session: AsyncSession) -> None:
            audit(session, action, by, self._clock.now(), subject=found.id, about=found.email)

        return write

    async def _required(self, request: Request) -> Operator:
        found = await self._found(request)
        if found is None:
            raise HTTPException(404)
        return found

    async def _found(self, request: Request) -> Operator | None:
        """None for a new one. Raises 404."""
        found = await named_row(self._db, Operator, request)
        if found is not None and found.role == CANARY:
            raise HTTPException(404)
        return found


async def _departments(session: AsyncSession) -> Sequence[Department]:
    ordered = select(Department).order_by(col(Department.position), col(Department.slug))
    return (await session.execute(ordered)).scalars().all()


def _row_values(row: Operator) -> dict[str, Any]:
    return {
        "name": row.name,
        "email": row.email,
        "role": row.role,
        "locale": row.locale,
        "capacity": row.capacity,
        "tickets": row.ticket_capacity,
    }
