"""A ticket goes to another department: the page that asks where to and what they have to know."""

from uuid import UUID, uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.public import Operator
from chat.strings import Catalogue
from escalation import store
from escalation.actions import Tickets
from escalation.desk.desk_pages import DeskPages, field_of, reader_in, ref_in, version_in
from escalation.desk.routes import TicketDesk
from escalation.errors import TextEmpty, TextTooLong, TicketClosed, TicketError, TicketMoved
from escalation.models import Ticket
from escalation.sla.crew import on_duty_in
from escalation.transfers import transfer
from escalation.who import actor_of


class TransferDesk:
    def __init__(self, tickets: Tickets, desk: DeskPages, page: TicketDesk) -> None:
        self._tickets = tickets
        self._desk = desk
        self._page = page

    def routes(self) -> list[BaseRoute]:
        one = "/desk/tickets/{number}/transfer"
        return [
            Route(one, self._desk.signed_in(self._ask), methods=["GET"]),
            Route(one, self._desk.signed_in(self._move), methods=["POST"]),
        ]

    async def _ask(self, request: Request, operator: Operator) -> Response:
        ticket = await self._ticket(request)
        if ticket is None:
            return self._desk.gone(request, operator)
        return await self._form(request, operator, ticket)

    async def _move(self, request: Request, operator: Operator) -> Response:
        form = await form_data_of(request)
        ref = ref_in(form) or uuid4().hex
        ticket = await self._ticket(request)
        if ticket is None:
            # A second click: the first one may have moved it out of one's reach.
            if await self._has_moved(request.path_params["number"], operator.id, ref):
                return RedirectResponse(f"/desk/tickets?handed={request.path_params['number']}", 303)
            return self._desk.gone(request, operator)
        to, note = field_of(form, "department"), field_of(form, "note")
        try:
            moved = await transfer(
                self._tickets, ticket.id, actor_of(operator), to, note, version=version_in(form), ref=ref
            )
            return await self._page.after(request, moved)
        except TicketError as refused:
            c = self._tickets.strings.catalogue(operator.locale)
            status = 409 if isinstance(refused, TicketMoved) else 422
            fresh = await self._ticket(request)
            if fresh is None:
                return self._desk.gone(request, operator)
            return await self._form(request, operator, fresh, to, note, _refused(refused, c), status)

    async def _form(
        self, request: Request, operator: Operator, ticket: Ticket, to: str = "", note: str = "", error: str = "",
        status: int = 200,
    ) -> Response:  # fmt: skip
        departments, reader = await self._tickets.directory.departments(), reader_in(request)
        async with self._tickets.db.read() as session:
            on_duty = await on_duty_in(session, self._tickets.clock.now())
        others = [(one, on_duty.get(one.id, 0)) for one in departments if one.id != ticket.department_id]
        return self._desk.page(
            request, operator, "desk/transfer.html", status=status,
            source=ticket, departments=others, to=to, note=note, error=error, ref=uuid4().hex,
            present=next((one for one in departments if one.id == ticket.department_id), None),
            stays=reader.supervises or all(one.id in reader.departments for one, _ in others),
        )  # fmt: skip

    async def _ticket(self, request: Request) -> Ticket | None:
        async with self._tickets.db.read() as session:
            return await store.ticket_by_number(session, request.path_params["number"][:20], reader_in(request))

    async def _has_moved(self, number: str, operator_id: UUID, ref: str) -> bool:
        async with self._tickets.db.read() as session:
            return await store.has_noted(session, number[:20], operator_id, ref)


def _refused(refused: TicketError, c: Catalogue) -> str:
    match refused:
        case TicketMoved():
            return c.gettext(
                "A colleague changed the ticket meanwhile. Your note is kept: look at the ticket, then send."
            )
        case TextEmpty():
            return c.gettext("Write a note: it is the first thing they read.")
        case TextTooLong():
            return c.gettext("The text is longer than 10,000 characters. Send it in two parts.")
        case TicketClosed():
            return c.gettext("The ticket is closed. It takes no more messages.")
        case _:
            return c.gettext("Choose the department that gets it.")
