"""What all pages of the client area share: who is there, in which language and zone, and where others are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chat.clock import Clock
from chat.cookies import give_cookie
from chat.csrf import require_ours
from chat.db import Database
from chat.pages import Pages
from chat.public import Site, local_path
from chat.settings import Settings
from chat.strings import Catalogue, Strings
from escalation.client_area.sign_in import CustomerSignIn, Login
from escalation.customers.reader import CustomerReader
from escalation.faces import ground, initials

HOME = "/client/tickets"
NEW = f"{HOME}/new"
SIGN_IN = "/client/sign-in"
LOCALE_COOKIE = "nd_locale"
LANGUAGES = (("en", "English"), ("sl", "Slovenščina"))
YEAR = timedelta(days=365)
NAME_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """A page below Account settings. `label` is an English source string."""

    path: str
    label: str


class Doorway:
    """`page` renders for whoever is there. Pages below Account settings are listed in `settings_pages`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: Settings,
        pages: Pages,
        strings: Strings,
        sign_in: CustomerSignIn,
        mailbox: str = "",
    ) -> None:
        """`mailbox`: where the demo shows what others would find in their mail."""
        self._mailbox = mailbox
        self._db = db
        self._clock = clock
        self._settings = settings
        self._pages = pages
        self.strings = strings
        self.sign_in = sign_in
        self.settings_pages: list[SettingsPage] = []
        self._site_name = ""
        self._read_at = float("-inf")

    async def login(self, request: Request) -> Login | None:
        """Who is signed in. Raises 403 for an unsafe request of a foreign page."""
        self.check_csrf(request)
        return await self.sign_in.login(request)

    def check_csrf(self, request: Request) -> None:
        require_ours(request, self._settings.base_url)

    def to_sign_in(self, request: Request, back_to: str = "") -> Response:
        """Whoever asked for a page comes back to it, or to `back_to`."""
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = wanted_path(back_to or (path if request.method == "GET" else request.url.path))
        return RedirectResponse(SIGN_IN if wanted == HOME else f"{SIGN_IN}?next={quote(wanted, safe='/')}", 303)

    def locale(self, request: Request, reader: CustomerReader | None = None) -> str:
        chosen = reader.locale if reader else request.cookies.get(LOCALE_COOKIE)
        return self.strings.negotiate(request.headers.get("accept-language"), chosen)

    def catalogue(self, request: Request, reader: CustomerReader | None = None) -> Catalogue:
        return self.strings.catalogue(self.locale(request, reader))

    def zone_of(self, reader: CustomerReader) -> ZoneInfo:
        return ZoneInfo(reader.time_zone or self._settings.time_zone)

    def keep_locale(self, answer: Response, locale: str) -> None:
        give_cookie(answer, LOCALE_COOKIE, locale, YEAR, is_secure=self._settings.is_secure)

    async def page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        login: Login | None = None,
        *,
        status: int = 200,
    ) -> Response:
        """`template` extends `client/_area.html`. `here` in `context`: where a choice of language leads back to."""
        reader = login.reader if login else None
        locale = self.locale(request, reader)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        values = {
            "reader": reader,
            "site_name": await self.site_name(),
            "time_zone": reader.time_zone if reader else "",
            "languages": [pair for pair in LANGUAGES if pair[0] in self.strings.locales and pair[0] != locale],
            "settings_pages": self.settings_pages,
            "path": request.url.path,
            "mailbox": self._mailbox,
            "here": here if request.method == "GET" else request.url.path,
            "initials": initials,
            "ground": ground,
            **context,
        }
        return self._pages.render(request, f"client/{template}", values, locale=locale, status=status)

    async def gone(self, request: Request, login: Login) -> Response:
        """The same for what does not exist and for what is not theirs."""
        return await self.page(request, "none.html", {}, login, status=404)

    async def site_name(self) -> str:
        """The company's: the oldest site's."""
        at = self._clock.monotonic()
        if at - self._read_at >= NAME_SECONDS:
            async with self._db.read() as session:
                name = (await session.exec(select(Site.name).order_by(col(Site.created_at)).limit(1))).first()
            self._site_name, self._read_at = name or "Nightdesk", at
        return self._site_name


def wanted_path(wanted: str) -> str:
    """A page of the client area and nothing else; a sign-in page leads nowhere."""
    path = local_path(wanted, HOME)
    outside = not path.startswith("/client/") or path.startswith(SIGN_IN)
    return HOME if outside or "/.." in path or "%" in path.partition("?")[0] else path


def languages(strings: Strings) -> Sequence[tuple[str, str]]:
    return [pair for pair in LANGUAGES if pair[0] in strings.locales]
