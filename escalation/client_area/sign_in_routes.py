"""Addresses of signing in and out of the client area: by a link that is mailed, or by a password."""

from math import ceil
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.public import form_of, in_words
from chat.strings import Catalogue
from escalation.client_area.doorway import HOME, NEW, SIGN_IN, Doorway, wanted_path
from escalation.client_area.kept import KeptForms
from escalation.client_area.links import AGAIN_SECONDS, SignInLinks
from escalation.client_area.sign_in import Refused

log = structlog.get_logger(__name__)


class SignInRoutes:
    def __init__(self, doorway: Doorway, links: SignInLinks, kept: KeptForms) -> None:
        self._doorway = doorway
        self._sign_in = doorway.sign_in
        self._links = links
        self._kept = kept

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/client", self._home, methods=["GET"]),
            Route(SIGN_IN, self._show, methods=["GET"]),
            Route(SIGN_IN, self._by_password, methods=["POST"]),
            Route(f"{SIGN_IN}/link", self._ask, methods=["POST"]),
            Route(f"{SIGN_IN}/{{secret}}", self._show_link, methods=["GET"]),
            Route(f"{SIGN_IN}/{{secret}}", self._by_link, methods=["POST"]),
            Route("/client/sign-out", self._out, methods=["POST"]),
        ]

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(HOME, 303)

    async def _show(self, request: Request) -> Response:
        wanted = wanted_path(request.query_params.get("next", ""))
        if await self._sign_in.login(request) is not None:
            return RedirectResponse(wanted, 303)
        return await self._form(request, wanted, by_password=request.query_params.get("by") == "password")

    async def _form(
        self, request: Request, wanted: str, *, by_password: bool, email: str = "", error: str = "", status: int = 200
    ) -> Response:
        tail = f"next={quote(wanted, safe='/')}"
        context = {
            "wanted": wanted,
            "by_password": by_password,
            "email": email,
            "error": error,
            "kept": await self._kept.of(request),
            "with_link": f"{SIGN_IN}?{tail}",
            "with_password": f"{SIGN_IN}?by=password&{tail}",
            "here": f"{SIGN_IN}?{'by=password&' if by_password else ''}{tail}",
        }
        return await self._doorway.page(request, "sign_in.html", context, status=status)

    # ── a link by mail ───────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, request: Request) -> Response:
        """The same answer, after the same work, whether the address is known or not."""
        self._doorway.check_csrf(request)
        form = await form_of(request)
        wanted = wanted_path(form.get("next", ""))
        email = form.get("email", "").strip()[:254]
        c = self._doorway.catalogue(request)
        if "@" not in email[1:-1]:
            error = c.gettext("The e-mail address is not complete. Check it, for example name@company.com.")
            return await self._form(request, wanted, by_password=False, email=email, error=error, status=422)
        kept = await self._kept.of(request)
        wait = await self._links.ask(
            email,
            address=request.client.host if request.client else "",
            wanted=wanted,
            kept_id=kept.id if kept else None,
            locale=self._doorway.locale(request),
        )
        if wait:
            error = c.gettext("Too many links were asked for from here.") + " " + try_again(c, wait)
            answer = await self._form(request, wanted, by_password=False, email=email, error=error, status=429)
            answer.headers["Retry-After"] = str(ceil(wait))
            return answer
        context = {"email": email, "wanted": wanted, "kept": kept, "again": AGAIN_SECONDS, "here": SIGN_IN}
        return await self._doorway.page(request, "sign_in_sent.html", context)

    async def _show_link(self, request: Request) -> Response:
        """Scanners of mail open links: a GET uses nothing up."""
        name = await self._links.whose(request.path_params["secret"])
        return await self._doorway.page(
            request, "sign_in_link.html", {"name": name, "kept": None}, status=200 if name else 410
        )

    async def _by_link(self, request: Request) -> Response:
        self._doorway.check_csrf(request)
        used = await self._links.use(request.path_params["secret"], _browser(request))
        if used is None:
            return await self._doorway.page(request, "sign_in_link.html", {"name": "", "kept": None}, status=410)
        # A form that was filled in this browser is not lost for one that came with the link: anybody may have asked
        # for a link to this address.
        own = await self._kept.of(request)
        is_other = own is not None and used.kept_id is not None and used.kept_id != own.id
        answer = RedirectResponse(wanted_path(own.path if own is not None and is_other else used.wanted), 303)
        await self._sign_in.sign_out(request, answer)
        self._sign_in.remember(answer, used.secret)
        if own is None and used.kept_id is not None:
            # A reply is found again by its own browser alone: else a stranger's words would stand in the box of whoever
            # they had this link sent to, one press from being theirs.
            await self._kept.carry_over(answer, used.kept_id, NEW)
        return answer

    # ── a password ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _by_password(self, request: Request) -> Response:
        self._doorway.check_csrf(request)
        form = await form_of(request)
        wanted = wanted_path(form.get("next", ""))
        email, address = form.get("email", "")[:254], request.client.host if request.client else ""
        outcome = await self._sign_in.by_password(email, form.get("password", ""), address, _browser(request))
        if isinstance(outcome, Refused):
            log.info("a customer's sign-in was refused", address=address, wait=ceil(outcome.wait))
            c = self._doorway.catalogue(request)
            error = c.gettext("E-mail and password do not match.")
            if outcome.wait:
                error = f"{error} {try_again(c, outcome.wait)}"
            status = 429 if outcome.wait else 422
            answer = await self._form(request, wanted, by_password=True, email=email, error=error, status=status)
            if outcome.wait:
                answer.headers["Retry-After"] = str(ceil(outcome.wait))
            return answer
        welcome = RedirectResponse(wanted, 303)
        await self._sign_in.sign_out(request, welcome)
        self._sign_in.remember(welcome, outcome)
        return welcome

    async def _out(self, request: Request) -> Response:
        self._doorway.check_csrf(request)
        answer = RedirectResponse(SIGN_IN, 303)
        await self._sign_in.sign_out(request, answer)
        await self._kept.forget(request, answer)
        return answer


def _browser(request: Request) -> str:
    return in_words(request.headers.get("user-agent", ""))


def try_again(c: Catalogue, wait: float) -> str:
    seconds = ceil(wait)
    if seconds < 60:
        return c.ngettext("Try again in %(num)s second.", "Try again in %(num)s seconds.", seconds) % {"num": seconds}
    minutes = ceil(seconds / 60)
    return c.ngettext("Try again in %(num)s minute.", "Try again in %(num)s minutes.", minutes) % {"num": minutes}
