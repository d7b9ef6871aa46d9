"""One ticket of the account, for a customer who is signed in. What is not theirs is 404, as what does not exist."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.public import Owner, Refusal, form_of
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.client_area.began import UNSURE, ClockQuestion, exact, known_zone, question_in, unclear
from escalation.client_area.doorway import HOME, Doorway
from escalation.client_area.file_routes import FILES, UPLOADS, form_of_login, owner_of
from escalation.client_area.kept import KeptForms, files_in
from escalation.client_area.sign_in import Login
from escalation.client_area.submitting import LEVEL
from escalation.client_area.ticket_context import shown_of
from escalation.client_area.tickets_store import customers_ticket
from escalation.client_area.watching import Watching, look_of
from escalation.draft import Start
from escalation.errors import FilesRefused, NotPossible, TextEmpty, TextTooLong, TicketClosed, TicketGone
from escalation.files import TicketFiles
from escalation.requesters_store import RequestersTicket
from escalation.states import HIGH


class TicketRoutes:
    def __init__(
        self, tickets: Tickets, doorway: Doorway, files: TicketFiles, kept: KeptForms, watching: Watching
    ) -> None:
        self._files = files
        self._tickets = tickets
        self._doorway = doorway
        self._kept = kept
        self._watching = watching

    def routes(self) -> list[BaseRoute]:
        page = f"{HOME}/{{number}}"
        return [
            Route(page, self._show, methods=["GET"]),
            Route(page, self._act, methods=["POST"]),
            Route(f"{page}/began", self._began, methods=["POST"]),
            Route(f"{page}/news", self._news, methods=["GET"]),
        ]

    async def _found(self, request: Request, login: Login) -> RequestersTicket | None:
        async with self._tickets.db.read() as session:
            return await customers_ticket(session, login.reader, request.path_params["number"])

    async def _show(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        found = await self._found(request, login)
        if found is None:
            return await self._doorway.gone(request, login)
        kept = await self._kept.of(request)
        if kept is None or kept.path != request.url.path:
            return await self._page(request, login, found)
        ready, is_lost = await self._kept.files(kept, owner_of(login.reader))
        text = str(kept.fields.get("text", ""))
        return await self._page(request, login, found, text=text, kept_files=ready, is_kept=True, lost=is_lost)

    async def _act(self, request: Request) -> Response:
        form, login = await form_of_login(request, self._doorway, self._files)
        text, ref = (str(form.get(name, "")) for name in ("text", "ref"))
        ref = ref if 8 <= len(ref) <= 64 and ref.isascii() else uuid4().hex
        if login is None:
            answer = self._doorway.to_sign_in(request)
            c = self._doorway.catalogue(request)
            await self._kept.keep(request, answer, request.url.path, {"text": text} | files_in(form), c)
            await form.close()
            return answer
        found = await self._found(request, login)
        if found is None:
            return await self._doorway.gone(request, login)
        c = self._doorway.catalogue(request, login.reader)
        actor = Actor("requester", login.reader.name, login.reader.customer_id)
        owner = owner_of(login.reader)
        received = await self._files.received(form, owner, ref, c.locale)
        if form.get("action") == "keep":  # They signed in elsewhere meanwhile: nothing is sent yet.
            return await self._page(request, login, found, text=text, ref=ref, kept_files=received.ready)
        try:
            solves = form.get("action") == "solved" and found.may_end
            await self._said(found, actor, text, ref, received.ids(), owner, solves=solves)
        except FilesRefused as refused:
            error = str(refused)
        except Refusal as refusal:
            error = self._files.said(refusal, c.locale)
        except TextEmpty:
            error = c.gettext("Write a few words first.")
        except TextTooLong:
            error = c.gettext("The text is longer than 10,000 characters. Send it in two parts.")
        except (TicketClosed, NotPossible):
            error = c.gettext("The ticket was closed meanwhile. It takes no more messages.")
        except TicketGone:
            return await self._doorway.gone(request, login)
        else:
            answer = RedirectResponse(f"{request.url.path}?sent=1", 303)
            await self._kept.forget(request, answer)
            return answer
        found = await self._found(request, login) or found
        return await self._page(request, login, found, 422, error=error, text=text, ref=ref, kept_files=received.ready)

    async def _said(
        self,
        found: RequestersTicket,
        actor: Actor,
        text: str,
        ref: str,
        files: list[str],
        owner: Owner,
        *,
        solves: bool,
    ) -> None:
        if not solves or text.strip() or files:
            await self._tickets.answer(found.id, text, ref=ref, actor=actor, level=LEVEL, files=files, owner=owner.key)
        if solves:
            await self._tickets.solve(found.id, actor)

    async def _began(self, request: Request) -> Response:
        """The answer to "which 02:30 was it"; only a time that is unclear can be answered."""
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request, request.url.path.removesuffix("/began"))
        found = await self._found(request, login)
        if found is None:
            return await self._doorway.gone(request, login)
        pick = (await form_of(request)).get("pick", "")
        start = _answered(found, pick)
        if start is not None:
            actor = Actor("requester", login.reader.name, login.reader.customer_id)
            await self._tickets.clear_start(found.id, actor, start)
        return RedirectResponse(f"{HOME}/{found.number}", 303)

    async def _news(self, request: Request) -> Response:
        """Waits until something changes that this reader may see: `{"look": …}`, or after half a minute the same."""
        login = await self._doorway.login(request)
        if login is None:
            return JSONResponse({}, 401)

        async def look() -> str | None:
            async with self._tickets.db.read() as session:
                found = await customers_ticket(session, login.reader, request.path_params["number"])
            return look_of(found) if found is not None else None

        return await self._watching.answer(request, request.path_params["number"], look)

    async def _page(
        self, request: Request, login: Login, found: RequestersTicket, status: int = 200, **kept: Any
    ) -> Response:
        c = self._tickets.strings.catalogue(self._doorway.locale(request, login.reader))
        opened = "opened" in request.query_params and status == 200
        context = {
            **shown_of(found, c, self._tickets.clock.now(), request, status),
            "me": login.reader.customer_id,
            "is_kept": False,
            "lost": False,
            "files_root": FILES,
            "uploads": UPLOADS,
            "opened": opened,
            "missing": opened and "missing" in request.query_params,
            "helps": _missing(found, c) if opened else [],
            "question": _question(found),
            "unsure": UNSURE,
            "action": f"{HOME}/{found.number}",
            "goes_on_at": f"{HOME}/{found.goes_on}",
            "here": f"{HOME}/{found.number}",
            **kept,
        }
        return await self._doorway.page(request, "ticket_page.html", context, login, status=status)


def _question(found: RequestersTicket) -> ClockQuestion | None:
    unsure = found.started_certainty == "unclear" and not found.started_zone
    return question_in(found.started_raw) if unsure else None


def _answered(found: RequestersTicket, pick: str) -> Start | None:
    question = _question(found)
    if question is None:
        return None
    if pick == UNSURE:
        start = unclear(found.started_raw)
        return Start(None, start.raw, "?", start.certainty, start.question)
    for one in question.choices:
        zone = known_zone(one.zone)
        if one.value == pick and zone is not None:
            return exact(datetime.fromisoformat(pick), zone, found.started_raw)
    return None


def _missing(found: RequestersTicket, c: Any) -> list[str]:
    """What a critical ticket could still say; it never kept it from being opened."""
    if found.priority != HIGH:
        return []
    missing = []
    if not found.service_label:
        missing.append(c.gettext("the name of the service"))
    if not found.started_raw:
        missing.append(c.gettext("when it began"))
    if len(found.messages) < 2:
        missing.append(c.gettext("diagnostics: what ping, mtr or the log says"))
    return missing
