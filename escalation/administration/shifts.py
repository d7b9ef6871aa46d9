"""The roster: shifts, who works in them, who is away, and who is on duty hour by hour."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlmodel import col, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.ids import new_id, parse_id
from chat.public import Fields, Operator, audit, differences, form_of, named_row
from escalation.actions import Tickets
from escalation.administration.written import (
    Unreadable,
    clock,
    day_of,
    minutes_of,
    moment_of,
    spans_of_day,
    wall_of,
    zones,
)
from escalation.directory import ROLES
from escalation.shifts.keeper import ShiftKeeper
from escalation.shifts.models import Absence, ShiftRow, ShiftTurn
from escalation.shifts.picture import picture_of
from escalation.shifts.store import rosters
from escalation.sla.policy_tables import CalendarRow
from escalation.who import AdminDoor

PLACE = "/desk/admin/shifts"
KINDS = ("leave", "sick", "training", "other")


class ShiftPages:
    def __init__(self, tickets: Tickets, keeper: ShiftKeeper, door: AdminDoor, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._keeper = keeper
        self._door = door
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        guarded = self._door.guarded
        return [
            Route(PLACE, guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/absences", guarded(self._add_absence), methods=["POST"]),
            Route(f"{PLACE}/absences/{{id}}/remove", guarded(self._remove_absence), methods=["POST"]),
            Route(f"{PLACE}/{{id}}", guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._save), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/turns", guarded(self._add_turn), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/turns/{{turn}}/remove", guarded(self._remove_turn), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/remove", guarded(self._remove), methods=["POST"]),
        ]

    # ── all of it ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list(self, request: Request, operator: Operator) -> Response:
        return await self._overview(request, operator, {})

    async def _overview(
        self, request: Request, operator: Operator, values: Mapping[str, str], errors: dict[str, str] | None = None
    ) -> Response:
        now = self._tickets.clock.now()
        try:
            day = day_of(request.query_params.get("day", ""))
        except Unreadable:
            day = now.astimezone(self._zone).date()
        async with self._tickets.db.read() as session:
            people = await _people(session)
            shifts = (await session.exec(select(ShiftRow).order_by(col(ShiftRow.position), col(ShiftRow.name)))).all()
            absences = await session.exec(
                select(Absence).where(col(Absence.ends_at) > now).order_by(col(Absence.starts_at), col(Absence.id))
            )
            away = [(row, next((one.name for one in people if one.id == row.operator_id), "")) for row in absences]
            begins, ends = spans_of_day(day, self._zone)
            found = await rosters(session, [one.id for one in people], begins)
        picture = picture_of({one.id: found[one.id] for one in people}, (begins, ends), now, self._zone)
        return self._door.page(
            request, operator, "desk/admin/shifts.html", errors=errors, shifts=shifts, people=people, away=away,
            drawn=people,
            day_text=format_date(day, "medium", locale=self._door.catalogue(request, operator).locale),
            before=day - timedelta(days=1), after=day + timedelta(days=1), picture=picture, kinds=KINDS,
            values=values,
            hours_of=lambda shift: _hours(shift.weekly), days_of=lambda shift: sorted({one[0] for one in shift.weekly}),
            zone=self._zone.key,
        )  # fmt: skip

    # ── one shift ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._tickets.db, ShiftRow, request)
        return await self._one(request, operator, found, _values(found) if found else self._empty())

    async def _one(
        self, request: Request, operator: Operator, found: ShiftRow | None, values: Mapping[str, Any],
        errors: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        async with self._tickets.db.read() as session:
            people = await _people(session)
            names = {one.id: one.name for one in people}
            calendars = (await session.exec(select(CalendarRow).order_by(col(CalendarRow.name)))).all()
            turns: list[tuple[ShiftTurn, str]] = []
            if found is not None:
                rows = await session.exec(
                    select(ShiftTurn).where(ShiftTurn.shift_id == found.id).order_by(
                        col(ShiftTurn.first_day).desc(), col(ShiftTurn.id)
                    )
                )  # fmt: skip
                turns = [(turn, names.get(turn.operator_id, "")) for turn in rows]
        today = self._tickets.clock.now().astimezone(self._zone).date()
        return self._door.page(
            request, operator, "desk/admin/shift.html", errors=errors, shift=found, values=values, people=people,
            turns=turns, zones=zones(), calendars=[(row.id, row.name) for row in calendars if row.holidays],
            today=today.isoformat(),
            day=lambda day: format_date(day, "medium", locale=self._door.catalogue(request, operator).locale),
        )  # fmt: skip

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._tickets.db, ShiftRow, request)
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        fields = Fields(form, c)
        name, zone = fields.line("name", 80), fields.choice("zone", zones())
        times = {}
        for end in ("opens", "closes"):
            try:
                times[end] = minutes_of(form.get(end, ""))
            except Unreadable:
                fields.errors[end] = c.gettext("Write a time as 06:00.")
        if times.get("opens") == 24 * 60:
            fields.errors["opens"] = c.gettext("Write a time as 06:00.")
        days = [day for day in range(7) if f"day_{day}" in form]
        if not days:
            fields.errors["days"] = c.gettext("Choose at least one day.")
        calendar_id = parse_id(form.get("calendar", ""))
        async with self._tickets.db.read() as session:
            if calendar_id is not None and await session.get(CalendarRow, calendar_id) is None:
                fields.errors["calendar"] = c.gettext("Choose one of the list.")
        if fields.errors:
            return await self._one(request, operator, found, {**form, "days": days}, fields.errors)
        weekly = [[day, times["opens"], times["closes"]] for day in days]
        now = self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            row = await session.get(ShiftRow, found.id, with_for_update=True) if found else None
            before = _values(row) if row else {}
            if row is None:
                row = ShiftRow(id=new_id(), name=name, zone=zone, weekly=weekly, created_at=now)
                session.add(row)
            row.name, row.zone, row.weekly, row.calendar_id = name, zone, weekly, calendar_id
            if changed := differences(before, _values(row)):
                action = "shift.changed" if found else "shift.added"
                audit(session, action, operator, now, subject=row.id, about=name, changes=changed)
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}/{row.id}?done={'saved' if found else 'added'}", 303)

    async def _remove(self, request: Request, operator: Operator) -> Response:
        found = await self._required(request)
        async with self._tickets.db.write() as session:
            for turn in await session.exec(select(ShiftTurn).where(ShiftTurn.shift_id == found.id)):
                await session.delete(turn)
            await session.flush()
            row = await session.get(ShiftRow, found.id)
            if row is not None:
                await session.delete(row)
                audit(session, "shift.removed", operator, self._tickets.clock.now(), subject=row.id, about=row.name)
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}?done=removed", 303)

    async def _add_turn(self, request: Request, operator: Operator) -> Response:
        found = await self._required(request)
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        errors = {}
        first = last = None
        try:
            first = day_of(form.get("first", ""))
        except Unreadable:
            errors["first"] = c.gettext("Choose a day.")
        try:
            last = day_of(form["last"]) if form.get("last", "").strip() else None
        except Unreadable:
            errors["last"] = c.gettext("Choose a day, or none.")
        if first is not None and last is not None and last < first:
            errors["last"] = c.gettext("The last day is before the first.")
        async with self._tickets.db.write() as session:
            person = await _person(session, form.get("operator", ""))
            if person is None:
                errors["operator"] = c.gettext("Choose one of the list.")
            if not errors and person is not None and first is not None:
                turn = ShiftTurn(id=new_id(), shift_id=found.id, operator_id=person.id, first_day=first, last_day=last)
                session.add(turn)
                audit(
                    session, "roster.added", operator, self._tickets.clock.now(), subject=turn.id,
                    about=f"{person.name}, {found.name}", changes={"first": str(first), "last": str(last or "")},
                )  # fmt: skip
        if errors:
            return await self._one(request, operator, found, _values(found) | form, errors)
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}/{found.id}?done=added", 303)

    async def _remove_turn(self, request: Request, operator: Operator) -> Response:
        found = await self._required(request)
        turn_id = parse_id(request.path_params["turn"])
        async with self._tickets.db.write() as session:
            turn = await session.get(ShiftTurn, turn_id) if turn_id else None
            if turn is None or turn.shift_id != found.id:
                raise HTTPException(404)
            person = await session.get_one(Operator, turn.operator_id)
            await session.delete(turn)
            audit(
                session, "roster.removed", operator, self._tickets.clock.now(), subject=turn.id,
                about=f"{person.name}, {found.name}",
            )  # fmt: skip
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}/{found.id}?done=removed", 303)

    # ── absences ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _add_absence(self, request: Request, operator: Operator) -> Response:
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        fields = Fields(form, c)
        kind = fields.choice("kind", KINDS)
        ends: dict[str, datetime] = {}
        for name in ("starts_at", "ends_at"):
            try:
                ends[name] = moment_of(form.get(name, ""), self._zone)
            except Unreadable:
                fields.errors[name] = c.gettext("Choose a day and a time.")
        if len(ends) == 2 and ends["ends_at"] <= ends["starts_at"]:
            fields.errors["ends_at"] = c.gettext("The end is not after the beginning.")
        now = self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            person = await _person(session, form.get("operator", ""))
            if person is None:
                fields.errors["operator"] = c.gettext("Choose one of the list.")
            if not fields.errors and person is not None:
                row = Absence(
                    id=new_id(), operator_id=person.id, kind=kind, created_by=operator.id, created_at=now, **ends
                )
                session.add(row)
                changes = {name: wall_of(at, self._zone) for name, at in ends.items()}
                audit(session, "absence.added", operator, now, subject=row.id, about=person.name, changes=changes)
        if fields.errors:
            return await self._overview(request, operator, form, fields.errors)
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}?done=added", 303)

    async def _remove_absence(self, request: Request, operator: Operator) -> Response:
        absence_id = parse_id(request.path_params["id"])
        async with self._tickets.db.write() as session:
            row = await session.get(Absence, absence_id) if absence_id else None
            if row is None:
                raise HTTPException(404)
            person = await session.get_one(Operator, row.operator_id)
            await session.delete(row)
            now = self._tickets.clock.now()
            audit(session, "absence.removed", operator, now, subject=row.id, about=person.name)
        await self._keeper.renew_all()
        return RedirectResponse(f"{PLACE}?done=removed", 303)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _empty(self) -> dict[str, Any]:
        return {
            "name": "", "zone": self._zone.key, "opens": "06:00", "closes": "14:00", "days": list(range(7)),
            "calendar": "",
        }  # fmt: skip

    async def _required(self, request: Request) -> ShiftRow:
        found = await named_row(self._tickets.db, ShiftRow, request)
        if found is None:
            raise HTTPException(404)
        return found


async def _people(session: Any) -> Sequence[Operator]:
    query = select(Operator).where(col(Operator.active).is_(True), col(Operator.role).in_(ROLES))
    found: Sequence[Operator] = (await session.exec(query.order_by(col(Operator.name), col(Operator.id)))).all()
    return found


async def _person(session: Any, raw: str) -> Operator | None:
    wanted: UUID | None = parse_id(raw)
    found: Operator | None = await session.get(Operator, wanted) if wanted else None
    return found if found is not None and found.active and found.role in ROLES else None


def _values(row: ShiftRow) -> dict[str, Any]:
    _, opens, closes = row.weekly[0] if row.weekly else (0, 0, 0)
    return {
        "name": row.name,
        "zone": row.zone,
        "opens": clock(opens),
        "closes": clock(closes),
        "days": sorted({day for day, _, _ in row.weekly}),
        "calendar": str(row.calendar_id or ""),
    }


def _hours(weekly: Sequence[Sequence[int]]) -> str:
    return f"{clock(weekly[0][1])}–{clock(weekly[0][2])}" if weekly else ""
