"""What all pages of the desk share: who is there, what they may see, and what the templates know."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from chat.pages import Pages
from chat.public import Operator
from escalation.actions import Tickets
from escalation.desk.rail import RAIL
from escalation.faces import ground, initials
from escalation.reach import OperatorReader, reader_of
from escalation.sla.alerts import alerts_for
from escalation.sla.durations import clock_text
from escalation.states import HIGH, operators_word
from escalation.who import OperatorSignIn, theme_of, to_sign_in

NO_STORE = {"Cache-Control": "no-store, private"}
Endpoint = Callable[[Request, Operator], Awaitable[Response]]


class DeskPages:
    def __init__(self, tickets: Tickets, pages: Pages, sign_in: OperatorSignIn) -> None:
        self._tickets = tickets
        self._pages = pages
        self._sign_in = sign_in

    def signed_in(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            self._sign_in.check_csrf(request)
            operator = await self.operator(request)
            if operator is None:
                return to_sign_in(request)
            try:
                return await endpoint(request, operator)
            except HTTPException as error:
                if error.status_code != 413:
                    raise
                return self.page(request, operator, "desk/too_long.html", status=413)

        return answer

    async def operator(self, request: Request) -> Operator | None:
        """Who is signed in now, with all that their pages show and reach."""
        operator = await self._sign_in.operator(request)
        if operator is not None:
            async with self._tickets.db.read() as session:
                request.state.reader = await reader_of(session, operator)
                request.state.alerts = await alerts_for(session, operator, self._tickets.clock.now())
        return operator

    def page(
        self, request: Request, operator: Operator, name: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        common = self.common(operator) | {"alerts": request.state.alerts, "wrong": None, "rail": RAIL}
        return self._pages.render(request, name, common | context, locale=operator.locale, status=status)

    def partial(self, operator: Operator, name: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        html = self._pages.partial(name, operator.locale, **(self.common(operator) | context))
        return HTMLResponse(html, status, NO_STORE)

    def gone(self, request: Request, operator: Operator) -> HTMLResponse:
        """The same for what does not exist and for what is out of reach."""
        return self.page(request, operator, "desk/gone.html", status=404)

    def common(self, operator: Operator) -> dict[str, Any]:
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


def reader_in(request: Request) -> OperatorReader:
    reader: OperatorReader = request.state.reader
    return reader


def field_of(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def version_in(form: FormData) -> int:
    """-1, which no ticket has, for nonsense."""
    raw = field_of(form, "version")
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 10 else -1


def ref_in(form: FormData) -> str:
    """Empty where it is none."""
    raw = field_of(form, "ref")
    return raw if 8 <= len(raw) <= 64 and raw.isascii() and raw.isprintable() else ""
