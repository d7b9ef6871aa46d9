"""Arriving already signed in: the company's own site posts a token of minutes, and its page is the proof of the click.

Whoever signs you in decides as whom: a stranger's page must not. So only a page of the site that signed the token
enters at once; anywhere else a button has to be pressed that says who it will be.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.csrf import is_ours
from chat.public import form_of, in_words
from escalation.client_area.doorway import Doorway, wanted_path
from escalation.client_area.sign_in import CustomerSignIn
from escalation.client_area.tokens import Named, Tokens


class EnterRoutes:
    def __init__(self, doorway: Doorway, sign_in: CustomerSignIn, tokens: Tokens, base_url: str) -> None:
        self._doorway = doorway
        self._sign_in = sign_in
        self._tokens = tokens
        self._base_url = base_url

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/client/enter", self._ask, methods=["GET"]),
            Route("/client/enter", self._enter, methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        """A link instead of a form: it shows the button."""
        return await self._confirm(request, request.query_params.get("token", ""), request.query_params.get("next", ""))

    async def _enter(self, request: Request) -> Response:
        form = await form_of(request)
        token, wanted = form.get("token", ""), form.get("next", "")
        named = await self._tokens.read(token, "enter")
        if named is None:
            return await self._refused(request, wanted)
        if not is_ours(request, self._base_url) and request.headers.get("origin") not in named.origins:
            return await self._confirm(request, token, wanted, named)
        async with self._tokens.db.write() as session:
            if not await self._tokens.use(session, named):
                return await self._refused(request, wanted)
            browser = in_words(request.headers.get("user-agent", ""))
            secret = await self._sign_in.begin(session, named.customer_id, "token", browser)
        answer = RedirectResponse(wanted_path(wanted), 303)
        await self._sign_in.sign_out(request, answer)
        self._sign_in.remember(answer, secret)
        return answer

    async def _confirm(self, request: Request, token: str, wanted: str, named: Named | None = None) -> Response:
        named = named or await self._tokens.read(token, "enter")
        if named is None:
            return await self._refused(request, wanted)
        context = {"name": named.customer_name, "token": token, "wanted": wanted_path(wanted), "kept": None}
        return await self._doorway.page(request, "enter.html", {**context, "here": "/client/sign-in"})

    async def _refused(self, request: Request, wanted: str) -> Response:
        """The same for whatever is wrong with it."""
        context = {"wanted": wanted_path(wanted), "kept": None, "here": "/client/sign-in"}
        return await self._doorway.page(request, "enter_refused.html", context, status=401)
