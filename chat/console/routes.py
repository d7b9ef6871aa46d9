"""Addresses of the console: the desk, its conversations, and what its modules ask for beside the socket."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from markupsafe import Markup
from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.console.colleagues import colleagues, department_choices
from chat.console.context import ConversationView, conversation_view
from chat.console.doorway import Doorway
from chat.console.faces import ground, initials
from chat.console.file_routes import FileRoutes
from chat.console.inbox import departments_of, inbox_rows
from chat.console.panels import About, Alarms, ConsoleModule, ConsolePanel, RailLink, Warnings
from chat.console.preferences import Preferences
from chat.console.rows import ConversationRow, group_of, row_of, visible_to
from chat.console.settings_routes import SettingsRoutes
from chat.console.sign_in_routes import SignInRoutes
from chat.console.stream import Stream
from chat.conversations.models import CannedResponse, Conversation
from chat.conversations.presenter import Presenter, stamp
from chat.db import Database
from chat.files.downloads import Downloads
from chat.files.uploads import Uploads
from chat.ids import parse_id
from chat.pages import Pages
from chat.pairing.duties import duty_of
from chat.pairing.presence import online_count
from chat.pairing.waiting import counts
from chat.people.models import Operator
from chat.people.sign_in import SignIn
from chat.settings import Settings
from chat.strings import Strings

__all__ = ["ConsolePanel", "ConsoleRoutes", "RailLink"]

GROUPS = ("our", "their", "colleagues", "ended")
NO_STORE = {"Cache-Control": "no-store, private"}


class ConsoleRoutes:
    """All addresses under /console but the socket."""

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        settings: Settings,
        pages: Pages,
        strings: Strings,
        stream: Stream,
        presenter: Presenter,
        sign_in: SignIn,
        panels: Sequence[ConsolePanel] = (),
        links: Sequence[RailLink] = (),
        about: About | None = None,
        alarms: Alarms | None = None,
        modules: Sequence[ConsoleModule] = (),
        warnings: Warnings | None = None,
        signed_out: Callable[[UUID], None] | None = None,
        canary: bool = False,
        uploads: Uploads | None = None,
        downloads: Downloads | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._pages = pages
        self._strings = strings
        self._stream = stream
        self._presenter = presenter
        self._sign_in = sign_in
        self._panels = tuple(panels)
        self._links = tuple(links)
        self._known_about = about
        self._alarms = alarms
        self._modules = tuple(modules)
        self._warnings = warnings
        self._canary = canary
        self._door = Doorway(pages, strings, sign_in)
        self._parts: list[SignInRoutes | SettingsRoutes | FileRoutes] = [
            SignInRoutes(db, settings, self._door, signed_out),
            SettingsRoutes(db, clock, self._door),
        ]
        if uploads is not None and downloads is not None:
            self._parts.append(FileRoutes(uploads, downloads, self._door))

    def routes(self) -> list[BaseRoute]:
        return [
            *(route for part in self._parts for route in part.routes()),
            Route("/console", self._desk, methods=["GET"]),
            Route("/console/inbox.json", self._inbox, methods=["GET"]),
            Route("/console/canned.json", self._canned, methods=["GET"]),
            Route("/console/conversations/{id}", self._conversation, methods=["GET"]),
            Route("/console/conversations/{id}/transfer", self._transfer, methods=["GET"]),
            Route("/console/conversations/{id}/end", self._end, methods=["GET"]),
        ]

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _desk(self, request: Request) -> Response:
        return await self._page(request, None)

    async def _conversation(self, request: Request) -> Response:
        conversation_id = parse_id(request.path_params["id"])
        if request.headers.get("x-partial") == "1":
            return await self._partial(request, conversation_id)
        return await self._page(request, conversation_id, wanted=True)

    async def _page(self, request: Request, conversation_id: UUID | None, *, wanted: bool = False) -> Response:
        operator = await self._sign_in.operator(request)
        if operator is None:
            return self._door.to_sign_in(request)
        locale = self._door.locale(request, operator)
        async with self._db.read() as session:
            rows = await inbox_rows(session, operator, await departments_of(session, operator))
            view = await self._view(session, conversation_id, operator, locale)
            people = await colleagues(session, locale, self._clock.now()) if view is None else []
        if wanted and view is None:
            return self._door.page(request, "gone.html", {}, operator, 404)
        context = {
            **await self._context_of(view, operator, locale),
            "groups": {group: [row for row in rows if group_of(row, operator.id) == group] for group in GROUPS},
            "colleagues": people,
            "canary": self._canary,
            "off_duty": not duty_of(operator).holds(self._clock.now()),
            "alarms": await self._alarms(operator, locale) if self._alarms is not None else Markup(),
            "modules": self._modules,
            "warnings": await self._warnings(operator, locale) if self._warnings else (),
            "desk": self._for_modules(operator, locale),
        }
        return self._door.page(request, "page.html", context, operator)

    async def _partial(self, request: Request, conversation_id: UUID | None) -> Response:
        """What changes on the desk when another conversation is opened: head, messages, context."""
        operator = await self._operator(request)
        locale = self._door.locale(request, operator)
        async with self._db.read() as session:
            view = await self._view(session, conversation_id, operator, locale)
        if view is None:
            raise HTTPException(404)
        html = self._pages.partial(
            "console/conversation.html",
            locale,
            initials=initials,
            ground=ground,
            operator=operator,
            **await self._context_of(view, operator, locale),
        )
        return HTMLResponse(html, headers=NO_STORE | {"Vary": "X-Partial"})

    async def _view(
        self, session: AsyncSession, conversation_id: UUID | None, operator: Operator, locale: str
    ) -> ConversationView | None:
        if conversation_id is None:
            return None
        return await conversation_view(
            session,
            conversation_id,
            operator,
            self._presenter,
            locale=locale,
            unnamed=self._strings.catalogue(locale).gettext("Visitor"),
            now=self._clock.now(),
        )

    async def _context_of(self, view: ConversationView | None, operator: Operator, locale: str) -> dict[str, Any]:
        about = (
            await self._known_about(view.row.id, operator, locale)
            if view is not None and self._known_about is not None
            else Markup()
        )
        return {
            "conversation": view,
            "about": about,
            "panels": self._panels,
            "links": self._links,
            "preferences": Preferences.of(operator.settings),
        }

    def _for_modules(self, operator: Operator, locale: str) -> dict[str, Any]:
        """What the browser's modules know from the start."""
        translate = self._strings.catalogue(locale).gettext
        preferences = Preferences.of(operator.settings)
        return {
            "operator": {"id": str(operator.id), "name": operator.name},
            "status": operator.status,
            "locale": locale,
            "sound": preferences.sound,
            "letters": preferences.letters,
            "enter_sends": preferences.enter_sends,
            "panels": [
                {"key": one.key, "label": translate(one.label), "url": one.url, "icon": one.icon}
                for one in self._panels
            ],
            "links": [
                {"keys": one.keys, "label": translate(one.label), "url": one.url, "icon": one.icon}
                for one in self._links
            ],
        }

    # ── what the modules fetch ───────────────────────────────────────────────────────────────────────────────────

    async def _inbox(self, request: Request) -> Response:
        """All rows and counts, after a reconnect and once a minute; 204 when nothing differs from `known`."""
        operator = await self._operator(request)
        locale = self._door.locale(request, operator)
        async with self._db.read() as session:
            departments = await departments_of(session, operator)
            rows = await inbox_rows(session, operator, departments)
            online = await online_count(session, self._clock.now())
            waiting = await counts(session)
        mine = [waiting[department] for department in departments if department in waiting]
        count = sum(count for count, _ in mine)
        known = _digest(rows, online, count)
        if request.query_params.get("known") == known:
            return Response(status_code=204, headers=NO_STORE)
        oldest = min((since for _, since in mine if since is not None), default=None)
        answer = {
            "known": known,
            "waiting": count,
            "oldest_since": stamp(oldest),
            "online": online,
            "rows": [
                {
                    "conversation": str(row.id),
                    "state": row.state,
                    "version": row.version,
                    "html": self._stream.row_html(row, locale),
                }
                for row in rows
            ],
        }
        return JSONResponse(answer, headers=NO_STORE)

    async def _canned(self, request: Request) -> Response:
        await self._operator(request)
        async with self._db.read() as session:
            found = (await session.execute(select(CannedResponse).order_by(col(CannedResponse.shortcut)))).scalars()
            responses = [{"shortcut": one.shortcut, "title": one.title, "texts": one.texts} for one in found]
        return JSONResponse({"responses": responses}, headers=NO_STORE)

    async def _transfer(self, request: Request) -> Response:
        operator, row, locale = await self._about(request)
        async with self._db.read() as session:
            people = [one for one in await colleagues(session, locale, self._clock.now()) if one.id != operator.id]
            departments = await department_choices(session, locale)
        return self._panel("transfer.html", row, locale, colleagues=people, departments=departments)

    async def _end(self, request: Request) -> Response:
        _, row, locale = await self._about(request)
        return self._panel("end.html", row, locale)

    def _panel(self, template: str, row: ConversationRow, locale: str, **context: Any) -> Response:
        name = row.visitor_name or self._strings.catalogue(locale).gettext("Visitor")
        html = self._pages.partial(
            f"console/{template}",
            locale,
            initials=initials,
            ground=ground,
            conversation_id=str(row.id),
            name=name,
            **context,
        )
        return HTMLResponse(html, headers=NO_STORE)

    async def _operator(self, request: Request) -> Operator:
        return (await self._door.require(request)).operator

    async def _about(self, request: Request) -> tuple[Operator, ConversationRow, str]:
        """Who asks, and the row of a conversation they may see. Raises 401 and 404."""
        operator = await self._operator(request)
        conversation_id = parse_id(request.path_params["id"])
        row = None
        if conversation_id is not None:
            async with self._db.read() as session:
                seen = await session.execute(
                    select(col(Conversation.id)).where(col(Conversation.id) == conversation_id, visible_to(operator))
                )
                if seen.first() is not None:
                    row = await row_of(session, conversation_id)
        if row is None:
            raise HTTPException(404)
        return operator, row, self._door.locale(request, operator)


def _digest(rows: Sequence[ConversationRow], online: int, waiting: int) -> str:
    text = f"{online};{waiting};" + ",".join(f"{row.id}:{row.version}:{row.unread}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
