"""The list of tickets: what waits for the customer, what is with us, what is done."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.card import promise_word
from escalation.client_area.doorway import HOME, Doorway
from escalation.client_area.tickets_store import SEARCH_LIMIT, Group, Line, Lines, lines_of
from escalation.directory import named
from escalation.states import HIGH, requesters_word


@dataclass(frozen=True, slots=True)
class Shelf:
    """One group of the list with its words."""

    group: Group
    title: str
    lines: Lines
    more: str
    """Address of the rest; empty where nothing is left."""


class TicketsRoutes:
    def __init__(self, tickets: Tickets, doorway: Doorway) -> None:
        self._tickets = tickets
        self._doorway = doorway

    def routes(self) -> list[BaseRoute]:
        return [Route(HOME, self._list, methods=["GET"])]

    async def _list(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        query = request.query_params
        search, after = query.get("q", "").strip()[:SEARCH_LIMIT], query.get("after", "")
        chosen = [group for group in Group if group.value == query.get("group")]
        locale = self._doorway.locale(request, login.reader)
        c = self._tickets.strings.catalogue(locale)
        async with self._tickets.db.read() as session:
            shelves = [
                _shelf(group, await lines_of(session, login.reader, group, after=after, search=search), search, c)
                for group in chosen or Group
            ]
        context = {
            "shelves": [shelf for shelf in shelves if shelf.lines.rows],
            "search": search,
            "group": chosen[0].value if chosen else "",
            "groups": [(group.value, title_of(group, c)) for group in Group],
            "is_first": not after,
            **line_words(locale, c),
        }
        return await self._doorway.page(request, "tickets.html", context, login)


def _shelf(group: Group, lines: Lines, search: str, c: Catalogue) -> Shelf:
    asked = {"group": group.value, "after": lines.next} | ({"q": search} if search else {})
    return Shelf(group, title_of(group, c), lines, f"{HOME}?{urlencode(asked)}" if lines.next else "")


def title_of(group: Group, c: Catalogue) -> str:
    match group:
        case Group.YOURS:
            return c.gettext("Needs your answer")
        case Group.OURS:
            return c.gettext("With us")
        case Group.DONE:
            return c.gettext("Done")


def line_words(locale: str, c: Catalogue) -> dict[str, object]:
    """What `client/_ticket_line.html` asks."""

    def promise(line: Line) -> str:
        return promise_word(line.due_metric, c) if line.due_at else ""

    return {
        "word": lambda state: requesters_word(state, c),
        "department_name": lambda names: named(names, locale),
        "promise": promise,
        "high": HIGH,
    }
