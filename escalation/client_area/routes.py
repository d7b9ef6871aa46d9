"""The requester's own page of a ticket, by a signed link. A link that does not work, for whatever reason, is 404."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.csrf import require_ours
from chat.db import table_of
from chat.ids import parse_id
from chat.links import Links
from chat.pages import Pages
from chat.public import VISITOR_DAILY, Owner, Refusal, UploadDoor
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.client_area.ticket_context import shown_of
from escalation.client_area.watching import Watching, look_of
from escalation.errors import FilesRefused, NotPossible, TextEmpty, TextTooLong, TicketClosed, TicketGone
from escalation.files import TicketFiles
from escalation.languages import choose
from escalation.models import TicketLink
from escalation.requesters_store import RequestersTicket, requesters_ticket
from escalation.states import State
from escalation.ticket_links import by_link, goes_on_for, page_for

NOBODY = UUID(int=0)


class ClientArea:
    def __init__(
        self, tickets: Tickets, pages: Pages, links: Links, files: TicketFiles, base_url: str, watching: Watching
    ) -> None:
        self._files = files
        self._tickets = tickets
        self._pages = pages
        self._links = links
        self._base_url = base_url
        self._watching = watching

    def routes(self) -> list[BaseRoute]:
        page = "/t/{link}/{signature}"
        uploads = UploadDoor(self._files.uploads, self._tickets.strings, f"{page}/uploads", self._who)
        return [
            Route(page, self._answer, methods=["GET", "POST"]),
            Route(f"{page}/files/{{id}}", self._file, methods=["GET"]),
            Route(f"{page}/files/{{id}}/{{form}}", self._file, methods=["GET"]),
            Route(f"{page}/news", self._news, methods=["GET"]),
            Route(f"{page}/on", self._on, methods=["GET"]),
            Route(f"{page}/language", self._choose, methods=["POST"]),
            *uploads.routes(),
        ]

    async def _news(self, request: Request) -> Response:
        """Waits until something changes that the requester may see."""
        found = await self._found(request)
        if found is None:
            return JSONResponse({}, 404)

        async def look() -> str | None:
            fresh = await self._found(request)
            return look_of(fresh) if fresh is not None else None

        return await self._watching.answer(request, found.number, look)

    async def _on(self, request: Request) -> Response:
        """To the ticket that this one was merged into, by a link of the same reader."""
        link = request.path_params["link"]
        genuine = self._links.verify(f"/t/{link}", request.path_params["signature"])
        path, now = "", self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            found = await by_link(session, parse_id(link) or NOBODY, now)
            onward = await goes_on_for(session, *found) if found is not None else None
            if genuine and onward is not None:
                path = await page_for(session, *onward, now)
        return RedirectResponse(self._links.sign(path), 303) if path else self._gone(request)

    async def _answer(self, request: Request) -> Response:
        require_ours(request, self._base_url)
        found = await self._found(request)
        if found is None:
            return self._gone(request)
        if request.method == "POST":
            return await self._act(request)
        if request.method == "GET" and not found.is_opened:
            await self._note_opened(request, found)
        return self._page(request, found)

    async def _note_opened(self, request: Request, found: RequestersTicket) -> None:
        """Operators see whether whom they added has come."""
        link = table_of(TicketLink)
        first = link.c.id == parse_id(request.path_params["link"]), link.c.used_at.is_(None)
        async with self._tickets.db.write() as session:
            await session.execute(update(link).where(*first).values(used_at=self._tickets.clock.now()))
        await self._tickets.conversations.nudge("ticket", found.number)

    async def _choose(self, request: Request) -> Response:
        """The language of who takes part, for this page and for their mails."""
        require_ours(request, self._base_url)
        form = await form_data_of(request)
        found = await self._found(request)
        if found is None:
            return self._gone(request)
        locale = str(form.get("locale", ""))
        if found.takes_part and locale in self._tickets.strings.locales:
            async with self._tickets.db.write() as session:
                await choose(session, found.id, found.reader, locale)
        return RedirectResponse(request.url.path.removesuffix("/language"), 303)

    async def _found(self, request: Request) -> RequestersTicket | None:
        """The same work for a forged link as for an expired one, so that nobody learns which it is."""
        link = request.path_params["link"]
        genuine = self._links.verify(f"/t/{link}", request.path_params["signature"])
        async with self._tickets.db.read() as session:
            found = await requesters_ticket(session, parse_id(link) or NOBODY, self._tickets.clock.now())
        return found if genuine else None

    async def _who(self, request: Request) -> tuple[Owner, str]:
        """Whoever has the link sends files. Raises 403 and 404."""
        require_ours(request, self._base_url)
        found = await self._found(request)
        if found is None or found.state == State.CLOSED:
            raise HTTPException(404)
        return _owner(request), self._locale(request, found)

    async def _file(self, request: Request) -> Response:
        if await self._found(request) is None:
            raise HTTPException(404)
        form = {"small": "s", "save": "d", None: "f"}.get(request.path_params.get("form"), "")
        return await self._files.downloads.redirect(_owner(request).key, request.path_params["id"], form)

    async def _act(self, request: Request) -> Response:
        form = await self._files.form(request)
        found = await self._found(request)  # a link may be taken back while files come
        if found is None:
            await form.close()
            return self._gone(request)
        text, ref = (str(form.get(name, "")) for name in ("text", "ref"))
        ref = ref if 8 <= len(ref) <= 64 and ref.isascii() else uuid4().hex
        locale = self._locale(request, found)
        c = self._tickets.strings.catalogue(locale)
        owner = _owner(request)
        # An address of the account writes as itself, not under the name of whoever asked.
        actor = Actor("requester", found.reader[:120]) if found.reader else None
        received = await self._files.received(form, owner, ref, locale)
        try:
            files = received.ids()
            solves = form.get("action") == "solved" and found.may_end
            if not solves or text.strip() or files:
                await self._tickets.answer(
                    found.id, text, ref=ref, files=files, owner=owner.key, actor=actor, level=found.level
                )
            if solves:
                await self._tickets.solve(found.id, actor)
            return RedirectResponse(_here(request, sent="1"), 303)
        except FilesRefused as refused:
            error = str(refused)
        except Refusal as refusal:
            error = self._files.said(refusal, locale)
        except TextEmpty:
            error = c.gettext("Write a few words first.")
        except TextTooLong:
            error = c.gettext("The text is longer than 10,000 characters. Send it in two parts.")
        except (TicketClosed, NotPossible):
            error = c.gettext("The ticket was closed meanwhile. It takes no more messages.")
        except TicketGone:
            return self._gone(request)
        kept = {"text": text, "ref": ref, "kept_files": received.ready}
        return self._page(request, await self._found(request) or found, 422, error=error, **kept)

    def _page(self, request: Request, found: RequestersTicket, status: int = 200, **kept: Any) -> Response:
        locale = self._locale(request, found)
        c = self._tickets.strings.catalogue(locale)
        context = {
            **shown_of(found, c, self._tickets.clock.now(), request, status),
            "me": NOBODY if found.reader else found.customer_id,
            "question": None,
            "time_zone": found.time_zone,
            "languages": self._languages(request, locale),
            "language_at": f"{request.url.path}/language" if found.takes_part else "",
            "action": _here(request),
            "goes_on_at": f"{request.url.path}/on",
            "files_root": f"{request.url.path}/files/",
            "uploads": f"{request.url.path}/uploads",
            **kept,
        }
        return self._pages.render(request, "client/ticket.html", context, locale=locale, status=status)

    def _gone(self, request: Request) -> Response:
        locale = self._locale(request, None)
        context = {"languages": self._languages(request, locale)}
        return self._pages.render(request, "client/gone.html", context, locale=locale, status=404)

    def _locale(self, request: Request, found: RequestersTicket | None) -> str:
        """What the reader chose, else the language of the ticket, else the browser's."""
        chosen = request.query_params.get("lang")
        if chosen is None and found is not None:
            chosen = found.locale
        return self._tickets.strings.negotiate(request.headers.get("accept-language"), chosen)

    def _languages(self, request: Request, locale: str) -> list[tuple[str, str, str]]:
        others = [code for code in self._tickets.strings.locales if code != locale]
        return [(code, _NAMES.get(code, code), f"{request.url.path}?lang={code}") for code in others]


def _owner(request: Request) -> Owner:
    """Who has a link has signed in nowhere: the share of a visitor, and one pool for all of them."""
    return Owner("link", parse_id(request.path_params["link"]) or NOBODY, VISITOR_DAILY, "link")


_NAMES = {"en": "English", "sl": "Slovenščina"}


def _here(request: Request, **query: str) -> str:
    """This address again, in the language chosen."""
    if request.query_params.get("lang") in _NAMES:
        query = {"lang": request.query_params["lang"], **query}
    tail = "&".join(f"{name}={value}" for name, value in query.items())
    return request.url.path + (f"?{tail}" if tail else "")
