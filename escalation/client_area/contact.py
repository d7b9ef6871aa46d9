"""The public contact page: four ways to reach support, what is promised and what was measured.

Promises come from the policies that hold now, so that a changed target changes the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import format_decimal, format_percent
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.pages import Pages
from chat.public import Operator, Site
from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.sla.measured import (
    DAYS,
    MAIL_CHANNELS,
    TICKET_CHANNELS,
    Measured,
    measure_conversations,
    measure_tickets,
)
from escalation.sla.policies import FIRST_REPLY, Policy, Subject, Target, first_fitting, policies_in
from escalation.states import NORMAL

FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the page leads; what is empty is told without a link."""

    ticket: str = ""
    chat: str = ""
    mail: str = ""
    """An address."""
    notifications: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """All that the page says, before it is put into words."""

    site_name: str
    operators: int
    ticket: Target | None
    mail: Target | None
    tickets: Measured
    conversations: Measured
    mails: Measured
    notifications: Measured
    chat_seconds: int
    always: bool
    """All of it is promised at any hour, to every department."""
    since: datetime
    upto: datetime
    site_url: str = ""
    """Where the bubble is."""


@dataclass(frozen=True, slots=True)
class Way:
    """A row of the table."""

    icon: str
    method: str
    purpose: str
    promise: str
    measured: Sequence[str]
    share: float | None
    share_text: str
    access: str
    link: str
    link_text: str


class ContactPage:
    """Read without sign-in; the figures are at most 60 s old."""

    def __init__(self, tickets: Tickets, pages: Pages, doors: Doors | None = None) -> None:
        self._tickets = tickets
        self._pages = pages
        self._doors = doors or Doors()
        self._board: Board | None = None
        self._read_at = 0.0

    def routes(self) -> list[BaseRoute]:
        return [Route("/contact", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        strings = self._tickets.strings
        locale = strings.negotiate(request.headers.get("accept-language"), request.query_params.get("lang"))
        c = strings.catalogue(locale)
        board = await self.board()
        context: dict[str, Any] = {
            "board": board,
            "ways": ways_of(board, self._doors, c),
            "doors": self._doors,
            "languages": [
                (code, _NAMES.get(code, code), f"{request.url.path}?lang={code}")
                for code in strings.locales
                if code != locale
            ],
        }
        answer = self._pages.render(request, "client/contact.html", context, locale=locale)
        # The same for everybody: it names nobody.
        answer.headers["Cache-Control"] = f"public, max-age={FRESH_SECONDS:.0f}"
        answer.headers["Vary"] = "Accept-Language"
        return answer

    async def board(self) -> Board:
        at = self._tickets.clock.monotonic()
        if self._board is None or at - self._read_at >= FRESH_SECONDS:
            self._board, self._read_at = await self._read(), at
        return self._board

    async def _read(self) -> Board:
        now = self._tickets.clock.now()
        policies = await policies_in(self._tickets.db)
        departments = await self._tickets.directory.departments()
        first = departments[0].slug if departments else ""

        def target(kind: str, channel: str) -> Target | None:
            policy: Policy | None = first_fitting(policies, Subject(kind, channel, first, NORMAL))
            return policy.targets.get(FIRST_REPLY) if policy else None

        def is_always(kind: str, channel: str) -> bool:
            fitting = [first_fitting(policies, Subject(kind, channel, one.slug, NORMAL)) for one in departments]
            targets = [policy.targets.get(FIRST_REPLY) for policy in fitting if policy is not None]
            return all(one.calendar.always for one in targets if one is not None)

        always = all(is_always(*way) for way in (("conversation", "chat"), ("ticket", "form"), ("ticket", "mail")))
        chat = target("conversation", "chat")
        chat_seconds = chat.target_seconds if chat else 60
        async with self._tickets.db.read() as session:
            site = (await session.exec(select(Site).order_by(col(Site.created_at)).limit(1))).first()
            operators = await session.exec(
                select(Operator.id).where(
                    col(Operator.active).is_(True), col(Operator.present).is_(True), Operator.status == "online"
                )
            )
            return Board(
                site_name=site.name if site else "Nightdesk",
                operators=len(operators.all()),
                ticket=target("ticket", "form"),
                mail=target("ticket", "mail"),
                tickets=await measure_tickets(session, TICKET_CHANNELS, now),
                conversations=await measure_conversations(session, chat_seconds, now),
                mails=await measure_tickets(session, MAIL_CHANNELS, now),
                notifications=Measured(0),
                chat_seconds=chat_seconds,
                always=always,
                since=now - timedelta(days=DAYS),
                upto=now,
                site_url=site.origins[0] if site and site.origins else "",
            )


_NAMES = {"en": "English", "sl": "Slovenščina"}


def ways_of(board: Board, doors: Doors, c: Catalogue) -> list[Way]:
    """Exactly four: ticket, live chat, e-mail, notifications."""
    return [
        Way(
            "ticket", c.gettext("Ticket"), c.gettext("Technical problems, invoices, your account"),
            c.gettext("first reply within %(time)s") % {"time": spoken(board.ticket.target_seconds)}
            if board.ticket else "",
            *_told(board.tickets, c, c.ngettext("%(num)s ticket", "%(num)s tickets", board.tickets.n)),
            c.gettext("client area"), doors.ticket, c.gettext("Open a ticket"),
        ),
        Way(
            "chat", c.gettext("Live chat"), c.gettext("Quick, general questions"), c.gettext("immediately"),
            *_told(
                board.conversations, c,
                c.ngettext("%(num)s conversation", "%(num)s conversations", board.conversations.n),
                board.chat_seconds,
            ),
            c.gettext("the bubble at the bottom right of our site"), doors.chat or board.site_url,
            c.gettext("Open the chat") if doors.chat else c.gettext("To our site"),
        ),
        Way(
            "mail", c.gettext("E-mail"), c.gettext("When the client area cannot be reached"), _mail_promise(board.mail),
            *_told(board.mails, c, c.ngettext("%(num)s mail", "%(num)s mails", board.mails.n)),
            doors.mail or c.gettext("our support address"), f"mailto:{doors.mail}" if doors.mail else "",
            c.gettext("Write a mail"),
        ),
        Way(
            "notice", c.gettext("Notifications"), c.gettext("Maintenance, changes, outages"), c.gettext("in real time"),
            *_told(
                board.notifications, c,
                c.ngettext("%(num)s notification", "%(num)s notifications", board.notifications.n),
            ),
            c.gettext("client area, e-mail"), doors.notifications, c.gettext("Choose the addresses"),
        ),
    ]  # fmt: skip


def spoken(seconds: int) -> str:
    """41 -> 41 s, 220 -> 3 min 40 s, 600 -> 10 min, 3660 -> 1 h 1 min."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest if not hours else 0, "s")]
    return " ".join(f"{value}\u00a0{unit}" for value, unit in parts if value) or "0\u00a0s"


def _mail_promise(target: Target | None) -> str:
    if target is None:
        return ""
    low, high = target.target_seconds // 60, target.breach_seconds // 60
    return f"{low}–{high}\u00a0min" if high > low else spoken(target.target_seconds)


def _told(found: Measured, c: Catalogue, counted: str, seconds: int = 0) -> tuple[list[str], float | None, str]:
    """Lines below the promise, and the share for its meter. `seconds`: where the promise itself names no time."""
    number = {"num": format_decimal(found.n, locale=c.locale)}
    if not found.enough:
        few = {"count": counted % number, "days": DAYS}
        return [c.gettext("not enough data: %(count)s in %(days)s days") % few], None, ""
    share = format_percent(found.share, format="#,##0.#\u00a0%" if c.locale == "sl" else "#,##0.#%", locale=c.locale)
    words = {"share": share, "time": spoken(seconds)}
    within = (c.gettext("%(share)s within %(time)s") if seconds else c.gettext("%(share)s on time")) % words
    halves = c.gettext("half within %(half)s, 9 of 10 within %(most)s") % {
        "half": spoken(found.p50),
        "most": spoken(found.p90),
    }
    return [within, halves, counted % number], round(found.share * 100, 1), within
