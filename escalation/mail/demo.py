"""The demo's mailbox: every mail as who it is for would read it. Served by `nightdesk demo` alone."""

from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.db import Database
from chat.ids import parse_id
from chat.pages import Pages
from chat.strings import Catalogue, Strings
from escalation.mail.after import After
from escalation.mail.models import MailOut
from escalation.mail.standing import GOING, latest
from escalation.mail.wording import Reader
from escalation.mail.words import Words
from escalation.mail.writer import Writer

MAILBOX = "/mailbox"


class DemoMailbox:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        pages: Pages,
        strings: Strings,
        writer: Writer,
        after: After,
        zone: ZoneInfo,
    ) -> None:
        self._db = db
        self._clock = clock
        self._pages = pages
        self._strings = strings
        self._writer = writer
        self._after = after
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        return [
            Route(MAILBOX, self._list, methods=["GET"]),
            Route(f"{MAILBOX}/{{id}}", self._read, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        async with self._db.read() as session:
            shown = [await self._shown(request, session, mail) for mail in await latest(session, ())]
        return self._page(request, {"mails": [one for one in shown if one], "opened": None})

    async def _read(self, request: Request) -> Response:
        mail_id = parse_id(request.path_params["id"])
        async with self._db.read() as session:
            mail = await session.get(MailOut, mail_id) if mail_id else None
            opened = await self._shown(request, session, mail) if mail else None
        if opened is None:
            return self._page(request, {"mails": [], "opened": None}, 404)
        return self._page(request, {"mails": [], "opened": opened})

    async def _shown(self, request: Request, session: AsyncSession, mail: MailOut) -> tuple[MailOut, Words, str] | None:
        """With its words and how it stands; None where there is nothing to tell any more."""
        words = await self._writer.words(session, mail, self._clock.now())
        if words is None:
            return None
        read = mail.state in GOING and await self._after.was_read(session, mail)
        c = self._strings.catalogue(self._locale(request))
        return mail, words, self._standing(mail, c, read=read)

    def _standing(self, mail: MailOut, c: Catalogue, *, read: bool) -> str:
        if read or mail.state == "read":
            return c.gettext("not sent: it was read in the conversation")
        if mail.state in GOING and mail.next_at > self._clock.now():
            time = Reader(c, self._zone, self._clock.now()).time(mail.next_at)
            return c.gettext("waits until %(time)s: it may be read in the conversation") % {"time": time}
        if mail.state in GOING:
            return c.gettext("waits: no mail server is set up here")
        if mail.state == "expired":
            return c.gettext("its link has expired")
        return c.gettext("sent") if mail.state == "accepted" else c.gettext("not sent")

    def _locale(self, request: Request) -> str:
        return self._strings.negotiate(request.headers.get("accept-language"), request.query_params.get("lang"))

    def _page(self, request: Request, context: dict[str, object], status: int = 200) -> Response:
        locale = self._locale(request)
        names = {"en": "English", "sl": "Slovenščina"}
        others = [
            (code, names.get(code, code), f"{request.url.path}?lang={code}")
            for code in self._strings.locales
            if code != locale
        ]
        return self._pages.render(
            request, "mail/mailbox.html", {**context, "languages": others}, locale=locale, status=status
        )
