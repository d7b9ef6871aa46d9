"""The banner of alarms: on every page of the desk, in the console's inbox, and what is done with one alarm."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from sqlmodel import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.ids import parse_id
from chat.pages import Pages
from chat.public import Operator
from escalation.actions import REASON_LIMIT, Tickets
from escalation.change import Change, checked
from escalation.errors import TextRefused, TextTooLong
from escalation.models import SlaClock, Ticket
from escalation.sla.alerts import NoSuchAlarm, acknowledge, alerts_for
from escalation.sla.talks import TalkClocks
from escalation.who import OperatorSignIn, actor_of, to_sign_in


class AlarmBoard:
    def __init__(self, tickets: Tickets, talks: TalkClocks, pages: Pages, sign_in: OperatorSignIn) -> None:
        self._tickets = tickets
        self._talks = talks
        self._pages = pages
        self._sign_in = sign_in

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/desk/alarms", self._show, methods=["GET"]),
            Route("/desk/alarms/{event}/seen", self._seen, methods=["POST"]),
            Route("/desk/alarms/{clock}/reason", self._explain, methods=["POST"]),
        ]

    async def html(self, operator: Operator, locale: str, wrong: Mapping[str, Any] | None = None) -> Markup:
        """What runs out and concerns this operator: a partial that is there, hidden, when nothing does. `wrong`: the
        `reason` that was refused for a `clock`, and the `error`."""
        now = self._tickets.clock.now()
        async with self._tickets.db.read() as session:
            alerts = await alerts_for(session, operator, now)
        context: dict[str, Any] = {"operator": operator, "now": now, "alerts": alerts, "wrong": wrong}
        # The partial has escaped what people wrote.
        return Markup(self._pages.partial("desk/_alarms.html", locale, **context))  # noqa: S704

    async def _show(self, request: Request) -> Response:
        operator = await self._sign_in.operator(request)
        if operator is None:
            return to_sign_in(request)
        return await self._answer(operator)

    async def _seen(self, request: Request) -> Response:
        """Pressed twice, in two tabs, or again after a lost answer: acknowledged once."""
        operator = await self._operator(request)
        event_id = parse_id(request.path_params["event"])
        now = self._tickets.clock.now()
        try:
            async with self._tickets.db.write() as session:
                event = await acknowledge(session, operator, event_id, now) if event_id else None
                if event is not None:
                    await self._record(await session.get_one(SlaClock, event.clock_id), operator, session)
        except NoSuchAlarm:
            raise HTTPException(404) from None
        await self._tickets.conversations.nudge("alarm")
        return await self._done(request, operator)

    async def _record(self, clock: SlaClock, operator: Operator, session: Any) -> None:
        """In the history of a ticket. Its version stays: no reply that is being written is refused for it."""
        if clock.subject_kind != "ticket":
            return
        ticket = (await session.exec(select(Ticket).where(Ticket.id == clock.subject_id).with_for_update())).one()
        change = Change(session, ticket, actor_of(operator), self._tickets.clock.now())
        change.record("alarm_seen", metric=clock.metric)

    async def _explain(self, request: Request) -> Response:
        """Why a conversation was answered too late."""
        operator = await self._operator(request)
        clock_id = parse_id(request.path_params["clock"])
        form = await form_data_of(request)
        given = form.get("reason")
        raw = given if isinstance(given, str) else ""
        async with self._tickets.db.read() as session:
            now = self._tickets.clock.now()
            shown = await alerts_for(session, operator, now, seen=True, clock_id=clock_id) if clock_id else []
        if clock_id is None or not any(alert.conversation_id for alert in shown):
            raise HTTPException(404)
        try:
            reason = checked(raw, limit=REASON_LIMIT)
        except TextRefused as refused:
            c = self._tickets.strings.catalogue(operator.locale)
            error = c.gettext("Write a few words first.")
            if isinstance(refused, TextTooLong):
                error = c.gettext("The reason is longer than 500 characters.")
            return await self._answer(operator, 422, {"clock": clock_id, "reason": raw, "error": error})
        await self._talks.explain(clock_id, operator, reason)
        return await self._done(request, operator)

    async def _operator(self, request: Request) -> Operator:
        self._sign_in.check_csrf(request)
        operator = await self._sign_in.operator(request)
        if operator is None:
            raise HTTPException(401)
        return operator

    async def _done(self, request: Request, operator: Operator) -> Response:
        """The banner as it stands now to our own module; without it, back to the list."""
        if request.headers.get("x-partial") == "1":
            return await self._answer(operator)
        return RedirectResponse("/desk/tickets", 303)

    async def _answer(self, operator: Operator, status: int = 200, wrong: Mapping[str, Any] | None = None) -> Response:
        html = await self.html(operator, operator.locale, wrong)
        return HTMLResponse(html, status, headers={"Cache-Control": "no-store, private"})
