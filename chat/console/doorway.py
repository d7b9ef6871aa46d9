"""What all pages of the console share: who is there, in which language, and where people without sign-in go."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chat.console.faces import ground, initials
from chat.console.preferences import Preferences
from chat.pages import Pages
from chat.people.models import Operator
from chat.people.sign_in import Login, SignIn
from chat.strings import Strings

LOCALE_COOKIE = "nd_locale"
LANGUAGES = (("en", "English"), ("sl", "Slovenščina"))


class Doorway:
    def __init__(self, pages: Pages, strings: Strings, sign_in: SignIn) -> None:
        self._pages = pages
        self.strings = strings
        self.sign_in = sign_in

    async def require(self, request: Request) -> Login:
        """Who is signed in. Raises 401, and 403 for an unsafe request of a foreign page."""
        self.sign_in.check_csrf(request)
        login = await self.sign_in.login(request)
        if login is None:
            raise HTTPException(401)
        return login

    def to_sign_in(self, request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = path if request.method == "GET" else "/console"
        return RedirectResponse(f"/console/sign-in?next={quote(wanted, safe='/')}", 303)

    def locale(self, request: Request, operator: Operator | None = None) -> str:
        chosen = operator.locale if operator else request.cookies.get(LOCALE_COOKIE)
        return self.strings.negotiate(request.headers.get("accept-language"), chosen)

    def page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        operator: Operator | None = None,
        status: int = 200,
    ) -> Response:
        return self.render(request, f"console/{template}", context, operator, status)

    def render(
        self, request: Request, name: str, context: Mapping[str, Any], operator: Operator | None, status: int
    ) -> Response:
        """`name` with the folder of its package."""
        values = {
            "theme": Preferences.of(operator.settings).theme if operator else "auto",
            "languages": [pair for pair in LANGUAGES if pair[0] in self.strings.locales],
            "operator": operator,
            "initials": initials,
            "ground": ground,
            **context,
        }
        return self._pages.render(request, name, values, locale=self.locale(request, operator), status=status)
