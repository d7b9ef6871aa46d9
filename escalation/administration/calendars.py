"""Calendars: opening hours of the week, and holidays, in a zone. A change moves running clocks and shifts."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import col, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.ids import new_id
from chat.public import Fields, Operator, audit, differences, form_of, named_row
from escalation.actions import Tickets
from escalation.administration.following import applied_in, query_of
from escalation.administration.written import Unreadable, days_of, hours_of, hours_text, zones
from escalation.shifts.keeper import ShiftKeeper
from escalation.sla.engine import SlaEngine
from escalation.sla.policies import ALWAYS, policies_in
from escalation.sla.policy_tables import CalendarRow
from escalation.who import AdminDoor

PLACE = "/desk/admin/calendars"


class CalendarPages:
    def __init__(self, tickets: Tickets, engine: SlaEngine, shifts: ShiftKeeper, door: AdminDoor) -> None:
        self._tickets = tickets
        self._engine = engine
        self._shifts = shifts
        self._door = door

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PLACE, self._door.guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", self._door.guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", self._door.guarded(self._save), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        await policies_in(self._tickets.db)  # ships the first ones
        async with self._tickets.db.read() as session:
            found = await session.exec(select(CalendarRow).order_by(col(CalendarRow.name), col(CalendarRow.id)))
            calendars = found.all()
        return self._door.page(request, operator, "desk/admin/calendars.html", calendars=calendars)

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._tickets.db, CalendarRow, request)
        empty = CalendarRow(id=new_id(), name="", zone="Europe/Ljubljana", weekly=_OFFICE, holidays=[])
        return self._one(request, operator, found, _values(found or empty))

    def _one(
        self, request: Request, operator: Operator, found: CalendarRow | None, values: Mapping[str, Any],
        errors: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        return self._door.page(
            request, operator, "desk/admin/calendar.html", errors=errors, calendar=found, values=values,
            zones=zones(), shipped=found is not None and found.id == ALWAYS, applied=applied_in(request),
        )  # fmt: skip

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._tickets.db, CalendarRow, request)
        if found is not None and found.id == ALWAYS:
            raise HTTPException(404)  # 24/7 stays what it says
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        fields = Fields(form, c)
        name, zone = fields.line("name", 120), fields.choice("zone", zones())
        always = "always" in form
        weekly: list[list[int]] = []
        for day in range(7):
            try:
                weekly += [[day, opens, closes] for opens, closes in hours_of(form.get(f"day_{day}", ""))]
            except Unreadable:
                fields.errors[f"day_{day}"] = c.gettext("Write hours as 08:00-12:00, 13:00-16:00, or nothing.")
        if not always and not weekly and not fields.errors:
            fields.errors["day_0"] = c.gettext("A calendar that never opens keeps no promise. Write some hours.")
        holidays: list[str] = []
        try:
            holidays = days_of(form.get("holidays", ""))
        except Unreadable as error:
            said = c.gettext("“%(text)s” is no day. Write days as 2026-12-25, one in a line.")
            fields.errors["holidays"] = said % {"text": str(error)[:40]}
        if fields.errors:
            return self._one(request, operator, found, {**form, "always": always}, fields.errors)
        now = self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            row = await session.get(CalendarRow, found.id, with_for_update=True) if found else None
            before = _values(row) if row else {}
            if row is None:
                row = CalendarRow(id=new_id(), name=name, zone=zone, weekly=weekly, holidays=holidays, always=always)
                session.add(row)
            row.name, row.zone, row.weekly, row.holidays, row.always = name, zone, weekly, holidays, always
            if changed := differences(before, _values(row)):
                action = "calendar.changed" if found else "calendar.added"
                audit(session, action, operator, now, subject=row.id, about=name, changes=changed)
                await self._engine.changed(session)
        # Nothing runs by a calendar that is new.
        follows = f"done=saved&{query_of(await self._engine.apply())}" if found else "done=added"
        await self._shifts.renew_all()
        return RedirectResponse(f"{PLACE}/{row.id}?{follows}", 303)


_OFFICE = [[day, 8 * 60, 16 * 60] for day in range(5)]


def _values(row: CalendarRow) -> dict[str, Any]:
    hours = {f"day_{day}": hours_text(row.weekly, day) for day in range(7)}
    return {"name": row.name, "zone": row.zone, "always": row.always, "holidays": "\n".join(row.holidays), **hours}
