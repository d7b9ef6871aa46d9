"""The operators' side of tickets: list, one ticket, and what can be done with it. Thin: parse, one action, answer."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.ids import parse_id
from chat.pages import Pages
from chat.public import Operator
from escalation import store
from escalation.actions import Tickets
from escalation.customers.known import known
from escalation.desk.clocks import clocks_of, next_time
from escalation.desk.timeline import steps_of, why_text
from escalation.errors import (
    NotPossible,
    OperatorAbsent,
    TextEmpty,
    TextTooLong,
    TicketClosed,
    TicketGone,
    TicketMoved,
    TimeUnclear,
)
from escalation.faces import ground, initials
from escalation.models import Ticket
from escalation.queue import parse_key
from escalation.sla.alerts import alerts_for
from escalation.sla.durations import clock_text
from escalation.states import HIGH, NORMAL, State, next_states, operators_word
from escalation.store import Lane, OperatorsTicket, QueuedTicket
from escalation.who import OperatorSignIn, actor_of, theme_of, to_sign_in

LANES: tuple[Lane, ...] = ("open", "mine", "solved", "all")
Endpoint = Callable[[Request, Operator], Awaitable[Response]]


class TicketDesk:
    def __init__(self, tickets: Tickets, pages: Pages, sign_in: OperatorSignIn, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._pages = pages
        self._sign_in = sign_in
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        one = "/desk/tickets/{number}"
        return [
            Route("/desk/tickets", self._signed_in(self._list), methods=["GET"]),
            Route(one, self._signed_in(self._show), methods=["GET"]),
            Route(f"{one}/thread", self._signed_in(self._thread), methods=["GET"]),
            Route(f"{one}/messages", self._signed_in(self._write), methods=["POST"]),
            Route("/desk/alarms", self._signed_in(self._alarms), methods=["GET"]),
            Route(f"{one}/properties", self._signed_in(self._set), methods=["POST"]),
        ]

    def _signed_in(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._sign_in.check_csrf(request)
            operator = await self._sign_in.operator(request)
            if operator is None:
                return to_sign_in(request)
            async with self._tickets.db.read() as session:
                request.state.alerts = await alerts_for(session, operator, self._tickets.clock.now())
            return await endpoint(request, operator)

        return answer

    # ── list ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list(self, request: Request, operator: Operator) -> Response:
        asked = request.query_params.get("lane", "open")
        lane: Lane = next((known for known in LANES if known == asked), "open")
        start = parse_key(request.query_params.get("after", ""))
        async with self._tickets.db.read() as session:
            page = await store.queue_page(session, lane, operator.id, start=start)
            counts = await store.lane_counts(session, operator.id)
        now = self._tickets.clock.now()
        groups: list[tuple[str, list[QueuedTicket]]] = []
        for row in page.rows:
            title = _group(row.ticket, lane, now)
            if not groups or groups[-1][0] != title:
                groups.append((title, []))
            groups[-1][1].append(row)
        return self._page(
            request, operator, "desk/tickets.html",
            lane=lane, counts=counts, groups=groups, next=page.next, continued=start is not None,
        )  # fmt: skip

    # ── one ticket ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        if found is None:
            return self._page(request, operator, "desk/gone.html", status=404)
        return await self._ticket_page(request, operator, found)

    async def _ticket_page(
        self, request: Request, operator: Operator, found: OperatorsTicket, *, status: int = 200, **kept: Any
    ) -> Response:
        context = {"error": "", "text": "", "kind": "reply", "then": "", "ref": uuid4().hex, **kept}
        return self._page(
            request, operator, "desk/ticket.html", status=status, **await self._context(found, operator), **context
        )

    async def _thread(self, request: Request, operator: Operator) -> Response:
        """The live parts alone, for the page that is open."""
        found = await self._found(request)
        if found is None:
            return HTMLResponse("", 404)
        context = await self._context(found, operator)
        html = self._pages.partial("desk/_live.html", operator.locale, **self._common(operator), **context)
        return HTMLResponse(html, headers={"Cache-Control": "no-store, private"})

    async def _alarms(self, request: Request, operator: Operator) -> Response:
        """What runs out and concerns this operator, for the page that is open."""
        context = self._common(operator) | {"alerts": request.state.alerts}
        html = self._pages.partial("desk/_alarms.html", operator.locale, **context)
        return HTMLResponse(html, headers={"Cache-Control": "no-store, private"})

    async def _write(self, request: Request, operator: Operator) -> Response:
        """A reply or a note. Whatever is refused comes back with the text kept."""
        form = await request.form()
        kind, text, ref = (_field(form, name) for name in ("kind", "text", "ref"))
        found = await self._found(request)
        if found is None:
            return self._page(request, operator, "desk/gone.html", status=404)
        number, then = found.ticket.number, _field(form, "then")
        ref = ref if 8 <= len(ref) <= 64 and ref.isascii() else uuid4().hex
        c = self._tickets.strings.catalogue(operator.locale)
        status, error = 422, ""
        try:
            if kind == "note":
                await self._tickets.note(found.ticket.id, actor_of(operator), text, ref=ref)
            else:
                await self._tickets.reply(
                    found.ticket.id, actor_of(operator), text, version=_version(form), ref=ref, then=_state(then)
                )
            return RedirectResponse(f"/desk/tickets/{number}#end", 303)
        except TicketMoved:
            status = 409
            error = c.gettext("Something new came in while you wrote. Read it, then send again.")
        except TextEmpty:
            error = c.gettext("Write a few words first.")
        except TextTooLong:
            error = c.gettext("The text is longer than 10,000 characters. Send it in two parts.")
        except (NotPossible, TicketClosed):
            error = c.gettext("The ticket is closed. It takes no more messages.")
        except TicketGone:
            return self._page(request, operator, "desk/gone.html", status=404)
        fresh = await self._found(request) or found
        return await self._ticket_page(
            request, operator, fresh, status=status, error=error, text=text, kind=kind, then=then, ref=ref
        )

    async def _set(self, request: Request, operator: Operator) -> Response:
        """State, priority, department or assignment: one field per form."""
        form = await request.form()
        found = await self._found(request)
        if found is None:
            return self._page(request, operator, "desk/gone.html", status=404)
        c = self._tickets.strings.catalogue(operator.locale)
        try:
            await self._changed(found.ticket, operator, form)
            return RedirectResponse(f"/desk/tickets/{found.ticket.number}", 303)
        except TicketMoved:
            status, error = 409, c.gettext("A colleague changed the ticket meanwhile. This is how it stands now.")
        except OperatorAbsent:
            status, error = 422, c.gettext("Who is off duty gets no tickets. Choose somebody on shift, or nobody.")
        except (NotPossible, TicketClosed):
            status, error = 422, c.gettext("This change is not possible from here.")
        except TimeUnclear:
            status, error = 422, c.gettext("Write the time of the next update as 14:30, within the next 24 hours.")
        except TextEmpty:
            status, error = 422, c.gettext("Write a few words first.")
        except TextTooLong:
            status, error = 422, c.gettext("The reason is longer than 500 characters.")
        fresh = await self._found(request) or found
        return await self._ticket_page(request, operator, fresh, status=status, error=error)

    async def _changed(self, ticket: Ticket, operator: Operator, form: FormData) -> None:
        actor, version = actor_of(operator), _version(form)
        match _field(form, "field"):
            case "state":
                state = _state(_field(form, "state"))
                if state is None:
                    raise NotPossible
                await self._tickets.change_state(ticket.id, actor, state, version=version)
            case "priority":
                priority = {"high": HIGH, "normal": NORMAL}.get(_field(form, "priority"), -1)
                await self._tickets.set_priority(ticket.id, actor, priority, version=version)
            case "department":
                await self._tickets.set_department(ticket.id, actor, _field(form, "department"), version=version)
            case "operator":
                chosen = _field(form, "operator")
                operator_id = parse_id(chosen)
                if chosen and operator_id is None:
                    raise NotPossible
                await self._tickets.assign(ticket.id, actor, operator_id, version=version)
            case "update_by":
                due_at = next_time(_field(form, "update_by"), self._tickets.clock.now(), self._zone)
                await self._tickets.promise_update(ticket.id, actor, due_at, version=version)
            case "breach_reason":
                clock_id = parse_id(_field(form, "clock"))
                if clock_id is None:
                    raise NotPossible
                await self._tickets.explain_breach(ticket.id, actor, clock_id, _field(form, "reason"))
            case "links":
                await self._tickets.revoke_links(ticket.id, actor)
            case _:
                raise NotPossible

    # ── what all of them need ────────────────────────────────────────────────────────────────────────────────────

    async def _found(self, request: Request) -> OperatorsTicket | None:
        async with self._tickets.db.read() as session:
            return await store.operators_ticket(session, request.path_params["number"])

    async def _context(self, found: OperatorsTicket, operator: Operator) -> dict[str, Any]:
        c = self._tickets.strings.catalogue(operator.locale)
        state = State(found.ticket.state)
        departments = await self._tickets.directory.departments()
        names = {department.slug: department.name(operator.locale) for department in departments}
        return {
            "known": await known(
                self._tickets.db,
                self._tickets.registry,
                found.ticket.requester_email,
                found.ticket.verify_level,
                but=found.ticket.id,
            ),
            "found": found,
            "ticket": found.ticket,
            "steps": steps_of(found, departments, c, self._zone),
            "why": [(event.at, why_text(event, names, c, self._zone)) for event in reversed(found.events)],
            "options_of_departments": [(item.slug, item.name(operator.locale)) for item in departments],
            "options_of_operators": [("", c.gettext("Nobody"))]
            + [(str(item.id), item.name) for item in await self._tickets.directory.operators()],
            "clocks": clocks_of(found, c),
            "next_states": [(following.value, operators_word(following, c)) for following in next_states(state)],
        }

    def _common(self, operator: Operator) -> dict[str, Any]:
        c = self._tickets.strings.catalogue(operator.locale)
        return {
            "operator": operator,
            "theme": theme_of(operator),
            "initials": initials,
            "ground": ground,
            "now": self._tickets.clock.now(),
            "word": lambda state: operators_word(state, c),
            "HIGH": HIGH,
            "at": datetime.fromisoformat,
            "clock_text": clock_text,
        }

    def _page(
        self, request: Request, operator: Operator, name: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        common = self._common(operator) | {"alerts": request.state.alerts}
        return self._pages.render(request, name, common | context, locale=operator.locale, status=status)


def _group(ticket: Ticket, lane: Lane, now: datetime) -> str:
    """The lane of a row. The order of service is the query's; this only names what stands together."""
    if ticket.operators_turn:
        if ticket.priority == HIGH:
            return "ours_high"
        return "ours_overdue" if ticket.due_at is not None and ticket.due_at < now else "ours"
    return "theirs" if lane in ("open", "mine") else "rest"


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _version(form: FormData) -> int:
    raw = _field(form, "version")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else -1


def _state(raw: str) -> State | None:
    return next((state for state in State if state.value == raw), None)
