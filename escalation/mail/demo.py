"""The demo's mailbox: every mail as who it is for would read it. Served by `nightdesk demo` alone."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.db import Database
from chat.ids import parse_id
from chat.pages import Pages
from chat.strings import Strings
from escalation.mail.models import MailOut
from escalation.mail.standing import latest
from escalation.mail.writer import Writer


class DemoMailbox:
    def __init__(self, db: Database, clock: Clock, pages: Pages, strings: Strings, writer: Writer) -> None:
        self._db = db
        self._clock = clock
        self._pages = pages
        self._strings = strings
        self._writer = writer

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/mailbox", self._list, methods=["GET"]),
            Route("/mailbox/{id}", self._read, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        now = self._clock.now()
        async with self._db.read() as session:
            mails = [(mail, await self._writer.words(session, mail, now)) for mail in await latest(session, ())]
        return self._page(request, {"mails": [(mail, words) for mail, words in mails if words], "opened": None})

    async def _read(self, request: Request) -> Response:
        mail_id = parse_id(request.path_params["id"])
        async with self._db.read() as session:
            mail = await session.get(MailOut, mail_id) if mail_id else None
            words = await self._writer.words(session, mail, self._clock.now()) if mail else None
        if mail is None or words is None:
            return self._page(request, {"mails": [], "opened": None}, 404)
        return self._page(request, {"mails": [], "opened": (mail, words)})

    def _page(self, request: Request, context: dict[str, object], status: int = 200) -> Response:
        locale = self._strings.negotiate(request.headers.get("accept-language"), request.query_params.get("lang"))
        names = {"en": "English", "sl": "Slovenščina"}
        others = [
            (code, names.get(code, code), f"{request.url.path}?lang={code}")
            for code in self._strings.locales
            if code != locale
        ]
        return self._pages.render(
            request, "mail/mailbox.html", {**context, "languages": others}, locale=locale, status=status
        )
