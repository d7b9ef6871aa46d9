"""An identified visitor's tickets, in the panel of the widget: read only, and by name of the company's own site."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import body_of, storable
from chat.csrf import require_ours
from chat.dates import moment_text
from chat.db import insert_for, table_of
from chat.ids import hashed
from chat.public import PerAddress, Visitor
from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.card import promise_word
from escalation.client_area.doorway import HOME
from escalation.client_area.models import VisitorIdentity
from escalation.client_area.sign_in import CustomerSignIn
from escalation.client_area.tickets_store import Group, Line, lines_of
from escalation.client_area.tokens import Named, Tokens
from escalation.customers.reader import CustomerReader
from escalation.states import requesters_word

LARGEST = 16 * 1024
SHOWN = 5
PER_MINUTE = 60
EndVisitor = Callable[[UUID], Awaitable[bool]]
_IDENTITY = table_of(VisitorIdentity)


class WidgetTickets:
    def __init__(
        self,
        tickets: Tickets,
        sign_in: CustomerSignIn,
        tokens: Tokens,
        end_visitor: EndVisitor,
        base_url: str,
        zone: ZoneInfo,
    ) -> None:
        self._tickets = tickets
        self._sign_in = sign_in
        self._tokens = tokens
        self._end_visitor = end_visitor
        self._base_url = base_url
        self._zone = zone
        self._asking = PerAddress(PER_MINUTE, 60)

    def routes(self) -> list[BaseRoute]:
        return [Route("/client/widget", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        """`{site, token, visitor, locale}` of the frame; 404 for whatever is wrong with them. 409: that visitor was
        somebody else, and is over."""
        require_ours(request, self._base_url)
        address = request.client.host if request.client else ""
        if wait := self._asking.take(address, self._tickets.clock.monotonic()):
            raise HTTPException(429, headers={"Retry-After": str(int(wait) + 1)})
        asked = await _asked(request)
        named = await self._tokens.read(asked["token"], "panel", asked["site"])
        reader = await self._sign_in.reader(named.customer_id) if named else None
        if named is None or reader is None:
            return JSONResponse({}, 404)
        async with self._tickets.db.write() as session:
            visitor_id = await _visitor(session, named, asked["visitor"])
            if asked["visitor"] and visitor_id is None:
                return JSONResponse({}, 404)
            is_another = visitor_id is not None and await _is_another(session, visitor_id, named)
            if not is_another:
                shown_at = await self._tokens.show(session, named, visitor_id)
                if shown_at is None:
                    return JSONResponse({}, 404)
                if visitor_id is not None:
                    await _name(session, visitor_id, named, shown_at)
        if is_another and visitor_id is not None:
            # The next person at this browser reads nothing of the one before: the panel begins anew.
            await self._end_visitor(visitor_id)
            return JSONResponse({}, 409)
        strings = self._tickets.strings
        c = strings.catalogue(strings.negotiate(None, asked["locale"]))
        async with self._tickets.db.read() as session:
            lines = [line for group in Group for line in (await lines_of(session, reader, group, limit=SHOWN)).rows]
        return JSONResponse(self._told(lines[:SHOWN], reader, c))

    def _told(self, lines: list[Line], reader: CustomerReader, c: Catalogue) -> dict[str, Any]:
        zone = ZoneInfo(reader.time_zone) if reader.time_zone else self._zone

        def promise(line: Line) -> str:
            if line.due_at is None:
                return ""
            due = moment_text(line.due_at, self._tickets.clock.now(), zone, c.locale)
            return f"{promise_word(line.due_metric, c)} {due}"

        return {
            "title": c.gettext("Your tickets"),
            "all": {"text": c.gettext("All tickets"), "url": HOME},
            "tickets": [
                {
                    "number": line.number,
                    "subject": line.subject,
                    "state": requesters_word(line.state, c),
                    "promise": promise(line),
                    "url": f"{HOME}/{line.number}",
                }
                for line in lines
            ],
        }


async def _asked(request: Request) -> dict[str, str]:
    """Four texts; everything else is 400."""
    names = ("site", "token", "visitor", "locale")
    try:
        found = json.loads(await body_of(request, LARGEST))
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    texts = {name: found.get(name) for name in names} if isinstance(found, dict) else {}
    asked = {name: text for name, text in texts.items() if isinstance(text, str) and storable(text) == text}
    if len(asked) != len(names):
        raise HTTPException(400)
    return asked


async def _is_another(session: AsyncSession, visitor_id: UUID, named: Named) -> bool:
    """Whether the site has named somebody else as this visitor."""
    found = await session.execute(select(_IDENTITY.c.customer_id).where(_IDENTITY.c.visitor_id == visitor_id))
    return found.scalar_one_or_none() not in (None, named.customer_id)


async def _name(session: AsyncSession, visitor_id: UUID, named: Named, named_at: datetime) -> None:
    """Whoever the site names first is that customer, from the time the token was first shown here."""
    row = insert_for(session)(_IDENTITY).values(visitor_id=visitor_id, customer_id=named.customer_id, named_at=named_at)
    await session.execute(row.on_conflict_do_nothing())


async def _visitor(session: AsyncSession, named: Named, token: str) -> UUID | None:
    """The visitor of that site whose token it is."""
    rows = table_of(Visitor)
    found = await session.execute(
        select(rows.c.id).where(
            rows.c.token_hash == hashed(token), rows.c.site_id == named.site_id, rows.c.ended_at.is_(None)
        )
    )
    return found.scalar_one_or_none() if token else None
