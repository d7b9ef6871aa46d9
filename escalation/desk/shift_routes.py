"""The roster as operators read it: who is on duty, who comes next, and their own turns."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.public import Operator
from escalation.actions import Tickets
from escalation.administration.written import spans_of_day
from escalation.desk.desk_pages import DeskPages
from escalation.directory import named
from escalation.shifts.board import MINE, board
from escalation.shifts.picture import hours_text, picture_of

DAY = timedelta(days=1)


class ShiftDesk:
    def __init__(self, tickets: Tickets, desk: DeskPages, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._desk = desk
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        return [Route("/desk/shifts", self._desk.signed_in(self._show), methods=["GET"])]

    async def _show(self, request: Request, operator: Operator) -> Response:
        now = self._tickets.clock.now()
        day = spans_of_day(now.astimezone(self._zone).date(), self._zone)
        async with self._tickets.db.read() as session:
            found = await board(session, operator, now, day[0])
        drawn = {one.id: found.rosters[one.id] for one in found.people if found.rosters[one.id].turns}
        return self._desk.page(
            request, operator, "desk/shifts.html",
            board=found, picture=picture_of(drawn, day, now, self._zone), zone=self._zone.key,
            drawn=[one for one in found.people if one.id in drawn], today=now.astimezone(self._zone).date(),
            hours=lambda span: hours_text(span, self._zone), is_long=lambda span: span[1] - span[0] > DAY,
            day=DAY, far=now + MINE, day_of=lambda at: at.astimezone(self._zone).date(),
            department=lambda names: named(names, operator.locale),
        )  # fmt: skip
