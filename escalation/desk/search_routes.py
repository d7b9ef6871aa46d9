"""Search over tickets and conversations, for operators."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.public import Operator
from escalation import store
from escalation.actions import Tickets
from escalation.desk.desk_pages import DeskPages, reader_in
from escalation.search.finding import find

LONGEST = 200


class SearchDesk:
    def __init__(self, tickets: Tickets, desk: DeskPages) -> None:
        self._tickets = tickets
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        return [Route("/desk/search", self._desk.signed_in(self._search), methods=["GET"])]

    async def _search(self, request: Request, operator: Operator) -> Response:
        """A number of a ticket leads there at once."""
        text = request.query_params.get("q", "").strip()[:LONGEST]
        reader = reader_in(request)
        async with self._tickets.db.read() as session:
            ticket = await store.ticket_by_number(session, text.upper().strip("[]")[:20], reader) if text else None
            found = await find(session, reader, operator, text) if ticket is None else []
        if ticket is not None:
            return RedirectResponse(f"/desk/tickets/{ticket.number}", 303)
        return self._desk.page(request, operator, "desk/search.html", asked=text, found=found)
