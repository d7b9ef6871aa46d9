"""Conversations and services of a customer."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.ids import parse_id
from chat.public import transcript_of
from escalation.actions import Tickets
from escalation.client_area.conversations_store import is_theirs, talks_of
from escalation.client_area.doorway import Doorway
from escalation.client_area.file_routes import FILES
from escalation.client_area.tickets_routes import line_words
from escalation.client_area.tickets_store import open_by_service
from escalation.faces import ground, initials

CONVERSATIONS = "/client/conversations"
NOBODY = UUID(int=0)


class MoreRoutes:
    def __init__(self, tickets: Tickets, doorway: Doorway) -> None:
        self._tickets = tickets
        self._doorway = doorway

    def routes(self) -> list[BaseRoute]:
        return [
            Route(CONVERSATIONS, self._conversations, methods=["GET"]),
            Route(f"{CONVERSATIONS}/{{id}}", self._conversation, methods=["GET"]),
            Route("/client/services", self._services, methods=["GET"]),
        ]

    async def _conversations(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        async with self._tickets.db.read() as session:
            talks = await talks_of(session, login.reader, after=request.query_params.get("after", ""))
        return await self._doorway.page(request, "conversations.html", {"talks": talks}, login)

    async def _conversation(self, request: Request) -> Response:
        """What was said to each other; notes are no part of it."""
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        wanted = parse_id(request.path_params["id"]) or NOBODY
        async with self._tickets.db.read() as session:
            transcript = (
                await transcript_of(session, wanted) if await is_theirs(session, login.reader, wanted) else None
            )
        if transcript is None:
            return await self._doorway.gone(request, login)
        context = {
            "started_at": transcript.started_at,
            "messages": transcript.messages,
            "files_root": FILES,
            "initials": initials,
            "ground": ground,
        }
        return await self._doorway.page(request, "conversation.html", context, login)

    async def _services(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        locale = self._doorway.locale(request, login.reader)
        services = await self._tickets.registry.services_of(login.reader.account_id)
        async with self._tickets.db.read() as session:
            lines = await open_by_service(session, login.reader)
        context = {"services": services, "lines": lines, **line_words(locale, self._tickets.strings.catalogue(locale))}
        return await self._doorway.page(request, "services.html", context, login)
