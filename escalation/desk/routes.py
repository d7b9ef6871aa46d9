"""One ticket as operators see it, and what can be done with it. Thin: parse, one action, answer."""

from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.ids import parse_id
from chat.public import OPERATOR_DAILY, Operator, Owner, Refusal
from escalation import store
from escalation.actions import Tickets, homes_of
from escalation.beside import Beside, beside
from escalation.customers.known import known_beside
from escalation.desk.asking import asking_of
from escalation.desk.clocks import clocks_of, next_time
from escalation.desk.desk_pages import DeskPages, field_of, reader_in, ref_in, version_in
from escalation.desk.timeline import handed_note, origin_of, steps_of, why_text
from escalation.errors import (
    FilesRefused,
    NotPossible,
    OperatorAbsent,
    OperatorFull,
    TextEmpty,
    TextTooLong,
    TicketClosed,
    TicketGone,
    TicketMoved,
    TimeUnclear,
)
from escalation.files import TicketFiles
from escalation.models import Ticket
from escalation.ownership import NEEDED, Action, action_word
from escalation.reach import OperatorReader
from escalation.states import HIGH, NORMAL, State, next_states, operators_word
from escalation.store import OperatorsTicket
from escalation.urgency import waits_for_proof
from escalation.who import actor_of, to_sign_in

NOTHING = dict.fromkeys(("act", "other", "tags", "action", "reason", "asked_in", "clock", "address"), "")
"""What stands in the forms beside a ticket before anybody wrote there."""


class TicketDesk:
    def __init__(self, tickets: Tickets, desk: DeskPages, files: TicketFiles, zone: ZoneInfo) -> None:
        self._files = files
        self._tickets = tickets
        self._desk = desk
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        one = "/desk/tickets/{number}"
        signed_in = self._desk.signed_in
        return [
            Route(one, signed_in(self._show), methods=["GET"]),
            Route(f"{one}/thread", signed_in(self._thread), methods=["GET"]),
            Route(f"{one}/messages", signed_in(self._write), methods=["POST"]),
            Route(f"{one}/properties", signed_in(self._set), methods=["POST"]),
        ]

    # ── one ticket ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        if found is None:
            return self._desk.gone(request, operator)
        return await self._ticket_page(request, operator, found)

    async def shown(self, request: Request, operator: Operator, *, status: int = 200, **kept: Any) -> Response:
        """The page as it stands now, after something that was refused."""
        found = await self._found(request)
        if found is None:
            return self._desk.gone(request, operator)
        return await self._ticket_page(request, operator, found, status=status, **kept)

    async def _ticket_page(
        self, request: Request, operator: Operator, found: OperatorsTicket, *, status: int = 200, **kept: Any
    ) -> Response:
        context = {"error": "", "text": "", "kind": "reply", "then": "", "ref": uuid4().hex, "acted": NOTHING}
        context |= {"kept_files": [], **kept}
        return self._desk.page(
            request, operator, "desk/ticket.html", status=status,
            **await self._context(found, operator, reader_in(request)), **context,
        )  # fmt: skip

    async def _thread(self, request: Request, operator: Operator) -> Response:
        """The live parts alone, for the page that is open."""
        found = await self._found(request)
        if found is None:
            return Response(status_code=404)
        context = await self._context(found, operator, reader_in(request))
        context["acted"] = NOTHING
        return self._desk.partial(operator, "desk/_live.html", **context)

    async def _write(self, request: Request, operator: Operator) -> Response:
        """A reply or a note. Whatever is refused comes back with the text kept."""
        form = await self._files.form(request)
        # Files take minutes to come; whose sign-in was ended meanwhile writes nothing.
        present = await self._desk.operator(request)
        if present is None:
            await form.close()
            return to_sign_in(request)
        operator = present
        kind, text = field_of(form, "kind"), field_of(form, "text")
        found = await self._found(request)
        if found is None:
            return self._desk.gone(request, operator)
        number, then = found.ticket.number, field_of(form, "then")
        ref = ref_in(form) or uuid4().hex
        c = self._tickets.strings.catalogue(operator.locale)
        status, error = 422, ""
        owner = Owner("operator", operator.id, OPERATOR_DAILY)
        received = await self._files.received(form, owner, ref, operator.locale)
        try:
            if kind == "note":
                await self._tickets.note(found.ticket.id, actor_of(operator), text, ref=ref, files=received.ids())
            else:
                await self._tickets.reply(
                    found.ticket.id,
                    actor_of(operator),
                    text,
                    version=version_in(form),
                    ref=ref,
                    then=_state(then),
                    files=received.ids(),
                )
            return RedirectResponse(f"/desk/tickets/{number}#end", 303)
        except FilesRefused as refused:
            error = str(refused)
        except Refusal as refusal:
            error = self._files.said(refusal, operator.locale)
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
            return self._desk.gone(request, operator)
        fresh = await self._found(request) or found
        return await self._ticket_page(
            request,
            operator,
            fresh,
            status=status,
            error=error,
            text=text,
            kind=kind,
            then=then,
            ref=ref,
            kept_files=received.ready,
        )

    async def _set(self, request: Request, operator: Operator) -> Response:
        """State, priority or assignment: one field per form."""
        form = await form_data_of(request)
        found = await self._found(request)
        if found is None:
            return self._desk.gone(request, operator)
        c = self._tickets.strings.catalogue(operator.locale)
        try:
            await self._changed(found.ticket, operator, form)
            return await self.after(request, found.ticket)
        except TicketMoved:
            status, error = 409, c.gettext("A colleague changed the ticket meanwhile. This is how it stands now.")
        except OperatorAbsent:
            status, error = 422, c.gettext("Who is off duty gets no tickets. Choose somebody on shift, or nobody.")
        except OperatorFull:
            status, error = 422, c.gettext("They have as many tickets as they take. Choose somebody else, or nobody.")
        except (NotPossible, TicketClosed):
            status, error = 422, c.gettext("This change is not possible from here.")
        except TimeUnclear:
            status, error = 422, c.gettext("Write the time of the next update as 14:30, within the next 24 hours.")
        except TextEmpty:
            status, error = 422, c.gettext("Write a few words first.")
        except TextTooLong:
            status, error = 422, c.gettext("The reason is longer than 500 characters.")
        fresh = await self._found(request) or found
        kept = NOTHING | {"act": field_of(form, "field"), "clock": field_of(form, "clock")}
        kept["reason"] = field_of(form, "reason")
        return await self._ticket_page(request, operator, fresh, status=status, error=error, acted=kept)

    async def _changed(self, ticket: Ticket, operator: Operator, form: FormData) -> None:
        actor, version = actor_of(operator), version_in(form)
        match field_of(form, "field"):
            case "state":
                state = _state(field_of(form, "state"))
                if state is None:
                    raise NotPossible
                await self._tickets.change_state(ticket.id, actor, state, version=version)
            case "priority":
                priority = {"high": HIGH, "normal": NORMAL}.get(field_of(form, "priority"), -1)
                await self._tickets.set_priority(ticket.id, actor, priority, version=version)
            case "operator":
                chosen = field_of(form, "operator")
                operator_id = parse_id(chosen)
                if chosen and operator_id is None:
                    raise NotPossible
                await self._tickets.assign(ticket.id, actor, operator_id, version=version)
            case "update_by":
                due_at = next_time(field_of(form, "update_by"), self._tickets.clock.now(), self._zone)
                await self._tickets.promise_update(ticket.id, actor, due_at, version=version)
            case "breach_reason":
                clock_id = parse_id(field_of(form, "clock"))
                if clock_id is None:
                    raise NotPossible
                await self._tickets.explain_breach(ticket.id, actor, clock_id, field_of(form, "reason"))
            case "links":
                await self._tickets.revoke_links(ticket.id, actor, version=version)
            case _:
                raise NotPossible

    # ── what all of them need ────────────────────────────────────────────────────────────────────────────────────

    async def _found(self, request: Request) -> OperatorsTicket | None:
        async with self._tickets.db.read() as session:
            return await store.operators_ticket(session, request.path_params["number"], reader_in(request))

    async def after(self, request: Request, ticket: Ticket) -> Response:
        """Back to the ticket, or to the list where it was handed to those who have it now."""
        async with self._tickets.db.read() as session:
            if await store.is_reached(session, ticket.id, reader_in(request)):
                return RedirectResponse(f"/desk/tickets/{ticket.number}", 303)
        return RedirectResponse(f"/desk/tickets?handed={ticket.number}", 303)

    async def _context(self, found: OperatorsTicket, operator: Operator, reader: OperatorReader) -> dict[str, Any]:
        c = self._tickets.strings.catalogue(operator.locale)
        state = State(found.ticket.state)
        departments = await self._tickets.directory.departments()
        names = {department.slug: department.name(operator.locale) for department in departments}
        return {
            "known": await known_beside(self._tickets.db, self._tickets.registry, found.ticket, reader),
            "found": found,
            "ticket": found.ticket,
            "steps": steps_of(found, departments, c, self._zone),
            "why": [(event.at, why_text(event, names, c, self._zone)) for event in reversed(found.events)],
            "handed": handed_note(found),
            "origin": origin_of(found),
            "in_chat": await self._speaks_in_chat(found.ticket),
            "hurries": found.ticket.open and found.ticket.priority != HIGH and await self._hurries(found.ticket),
            "department_name": names.get(found.department.slug, found.department.slug),
            "people": await self._tickets.directory.operators(),
            "beside": await self._beside(found.ticket, operator, reader),
            "asking": asking_of(found, c),
            "owners_actions": [(one.value, action_word(one, c), NEEDED[one]) for one in Action],
            "clocks": clocks_of(found, c),
            "next_states": [(following.value, operators_word(following, c)) for following in next_states(state)],
        }

    async def _speaks_in_chat(self, ticket: Ticket) -> bool:
        async with self._tickets.db.read() as session:
            return bool(await homes_of(session, ticket.id))

    async def _hurries(self, ticket: Ticket) -> bool:
        async with self._tickets.db.read() as session:
            return await waits_for_proof(session, ticket)

    async def _beside(self, ticket: Ticket, operator: Operator, reader: OperatorReader) -> Beside:
        async with self._tickets.db.read() as session:
            return await beside(session, ticket, operator, reader, self._tickets.clock.now())


def _state(raw: str) -> State | None:
    return next((state for state in State if state.value == raw), None)
