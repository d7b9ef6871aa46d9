"""Addresses of signing in and out, by password or by a link that works once; and the pass for the socket."""

from collections.abc import Callable
from datetime import timedelta
from math import ceil
from uuid import UUID

import structlog
from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.console.doorway import LOCALE_COOKIE, Doorway
from chat.console.forms import form_of, local_path
from chat.cookies import give_cookie
from chat.db import Database, table_of
from chat.people.models import Operator
from chat.people.sign_in import PasswordRefused
from chat.settings import Settings
from chat.strings import Catalogue

log = structlog.get_logger(__name__)

YEAR = timedelta(days=365)


class SignInRoutes:
    """`signed_out` hears the id of a login session that was ended, so that its sockets are closed at once."""

    def __init__(
        self, db: Database, settings: Settings, doorway: Doorway, signed_out: Callable[[UUID], None] | None = None
    ) -> None:
        self._db = db
        self._settings = settings
        self._doorway = doorway
        self._sign_in = doorway.sign_in
        self._signed_out = signed_out

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/console/sign-in", self._show, methods=["GET"]),
            Route("/console/sign-in", self._by_password, methods=["POST"]),
            Route("/console/sign-in/{secret}", self._show_link, methods=["GET"]),
            Route("/console/sign-in/{secret}", self._by_link, methods=["POST"]),
            Route("/console/sign-out", self._out, methods=["POST"]),
            Route("/console/socket-pass", self._socket_pass, methods=["POST"]),
            Route("/console/language", self._language, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        wanted = local_path(request.query_params.get("next", ""))
        if await self._sign_in.login(request) is not None:
            return RedirectResponse(wanted, 303)
        return self._form(request, wanted)

    def _form(self, request: Request, wanted: str, email: str = "", error: str = "", status: int = 200) -> Response:
        here = f"/console/sign-in?next={wanted}" if wanted != "/console" else "/console/sign-in"
        context = {"next": wanted, "email": email, "error": error, "here": here}
        return self._doorway.page(request, "sign_in.html", context, status=status)

    async def _by_password(self, request: Request) -> Response:
        self._sign_in.check_csrf(request)
        form = await form_of(request)
        wanted = local_path(form.get("next", ""))
        email, password = form.get("email", "")[:254], form.get("password", "")
        address = request.client.host if request.client else ""
        outcome = await self._sign_in.by_password(email, password, address)
        if isinstance(outcome, PasswordRefused):
            return self._refused(request, wanted, email, outcome.wait)
        return await self._welcome(request, outcome, wanted) or self._refused(request, wanted, email, 0)

    def _refused(self, request: Request, wanted: str, email: str, wait: float) -> Response:
        error = refusal(self._doorway.strings.catalogue(self._doorway.locale(request)), wait)
        answer = self._form(request, wanted, email, error, 429 if wait else 422)
        address = request.client.host if request.client else ""
        log.info("a sign-in was refused", address=address, wait=ceil(wait))
        if wait:
            answer.headers["Retry-After"] = str(ceil(wait))
        return answer

    async def _welcome(
        self, request: Request, operator: Operator, wanted: str, *, link: str | None = None
    ) -> Response | None:
        answer = RedirectResponse(wanted, 303)
        await self._end(request, answer)
        return answer if await self._sign_in.begin(operator, answer, link=link) else None

    async def _show_link(self, request: Request) -> Response:
        works = await self._sign_in.link_works(request.path_params["secret"])
        return self._doorway.page(request, "link.html", {"works": works}, status=200 if works else 410)

    async def _by_link(self, request: Request) -> Response:
        self._sign_in.check_csrf(request)
        secret = request.path_params["secret"]
        operator = await self._sign_in.by_link(secret)
        answer = await self._welcome(request, operator, "/console", link=secret) if operator is not None else None
        return answer or self._doorway.page(request, "link.html", {"works": False}, status=410)

    async def _out(self, request: Request) -> Response:
        self._sign_in.check_csrf(request)
        answer = RedirectResponse("/console/sign-in", 303)
        await self._end(request, answer)
        return answer

    async def _end(self, request: Request, answer: Response) -> None:
        ended = await self._sign_in.end(request, answer)
        if ended is not None and self._signed_out is not None:
            self._signed_out(ended)

    async def _socket_pass(self, request: Request) -> Response:
        login = await self._doorway.require(request)
        return JSONResponse({"socket_pass": await self._sign_in.make_socket_pass(login)})

    async def _language(self, request: Request) -> Response:
        self._sign_in.check_csrf(request)
        form = await form_of(request)
        locale = self._doorway.strings.negotiate(None, form.get("locale"))
        answer = RedirectResponse(local_path(form.get("next", "")), 303)
        login = await self._sign_in.login(request)
        if login is not None:
            rows = table_of(Operator)
            async with self._db.write() as session:
                await session.execute(update(rows).where(rows.c.id == login.operator.id).values(locale=locale))
        give_cookie(answer, LOCALE_COOKIE, locale, YEAR, is_secure=self._settings.is_secure)
        return answer


def refusal(catalogue: Catalogue, wait: float) -> str:
    """The same for a wrong password and an unknown address."""
    return waiting(catalogue, catalogue.gettext("E-mail and password do not match."), wait)


def waiting(catalogue: Catalogue, sentence: str, wait: float) -> str:
    """`sentence`, and when the next try is looked at."""
    if wait <= 0:
        return sentence
    seconds = ceil(wait)
    if seconds < 60:
        when = catalogue.ngettext("Try again in %(num)s second.", "Try again in %(num)s seconds.", seconds)
        return f"{sentence} {when % {'num': seconds}}"
    minutes = ceil(seconds / 60)
    when = catalogue.ngettext("Try again in %(num)s minute.", "Try again in %(num)s minutes.", minutes)
    return f"{sentence} {when % {'num': minutes}}"
