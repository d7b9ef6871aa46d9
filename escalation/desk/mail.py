"""Mail out as those who answer for the desk see it: what waits, what was refused and why; the word above the inbox."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.db import table_of
from chat.ids import parse_id
from chat.public import ConsoleWarning, Operator, audit
from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.customers.models import EmailAddress
from escalation.desk.desk_pages import DeskPages, Endpoint
from escalation.mail.models import MailOut, Suppression
from escalation.mail.standing import MOST, Standing, latest, standing
from escalation.models import Ticket

LISTS: dict[str, tuple[str, ...]] = {
    "refused": ("bounced", "failed", "suppressed"),
    "waiting": ("waiting", "deferred", "sending"),
    "all": (),
}


class MailDesk:
    """For supervisors and administrators: a list of all mail tells of every department."""

    def __init__(self, tickets: Tickets, desk: DeskPages, *, is_set_up: bool, mailbox: str = "") -> None:
        """`mailbox`: where the demo shows what waits."""
        self._mailbox = mailbox
        self._tickets = tickets
        self._desk = desk
        self._is_set_up = is_set_up

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/desk/mail", self._allowed(self._list), methods=["GET"]),
            Route("/desk/mail/release", self._allowed(self._release), methods=["POST"]),
            Route("/desk/mail/{id}/again", self._allowed(self._again), methods=["POST"]),
        ]

    def _allowed(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request, operator: Operator) -> Response:
            if not may_see(operator):
                raise HTTPException(404)
            return await endpoint(request, operator)

        return self._desk.signed_in(answer)

    async def _standing(self) -> Standing:
        async with self._tickets.db.read() as session:
            return await standing(session, self._tickets.clock.now())

    async def warnings(self, operator: Operator, locale: str) -> Sequence[ConsoleWarning]:
        """Above the inbox. That mail waits concerns everybody who promises an answer by mail."""
        c = self._tickets.strings.catalogue(locale)
        found = await self._standing()
        url = "/desk/mail" if may_see(operator) else ""
        waiting = self._mailbox or (f"{url}?list=waiting" if url else "")
        words = self._waiting_text(found, c)
        warnings = [ConsoleWarning(words, waiting)] if words else []
        if found.refused and url:
            text = c.ngettext(
                "%(num)s mail was refused in the last day.",
                "%(num)s mails were refused in the last day.",
                found.refused,
            )
            warnings.append(ConsoleWarning(text % {"num": found.refused}, url))
        return warnings

    def _waiting_text(self, found: Standing, c: Catalogue) -> str:
        late = found.is_late(self._tickets.clock.now())
        words = waiting_text(found, c, is_set_up=self._is_set_up, late=late)
        keeps = c.gettext("The demo keeps a mailbox.")
        return f"{words} {keeps}" if words and self._mailbox else words

    async def _list(self, request: Request, operator: Operator) -> Response:
        asked = request.query_params.get("list", "refused")
        chosen = asked if asked in LISTS else "refused"
        now = self._tickets.clock.now()
        c = self._tickets.strings.catalogue(operator.locale)
        async with self._tickets.db.read() as session:
            found = await standing(session, now)
            mails = await latest(session, LISTS[chosen])
            wanted = {mail.ticket_id for mail in mails if mail.ticket_id}
            numbered = await session.exec(select(Ticket.id, Ticket.number).where(col(Ticket.id).in_(wanted)))
            numbers: dict[UUID, str] = {row[0]: row[1] for row in numbered}
            silent = await session.exec(
                select(Suppression)
                .where(Suppression.until > now)
                .order_by(col(Suppression.created_at).desc())
                .limit(50)
            )
        return self._desk.page(
            request,
            operator,
            "desk/mail.html",
            list=chosen,
            lists=[
                ("refused", c.gettext("Refused")),
                ("waiting", c.gettext("Waiting to go out")),
                ("all", c.gettext("All mail")),
            ],
            banner=self._waiting_text(found, c),
            mailbox=self._mailbox,
            mails=mails,
            numbers=numbers,
            silent=silent.all(),
            kind_text=lambda kind: kind_text(kind, c),
            state_text=lambda state: state_text(state, c),
        )

    async def _again(self, request: Request, operator: Operator) -> Response:
        """A mail that failed is tried anew, under the Message-ID it has."""
        mail_id = parse_id(request.path_params["id"])
        mail = table_of(MailOut)
        now = self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            tried = await session.execute(
                update(mail)
                .where(mail.c.id == mail_id, mail.c.state == "failed", mail.c.ticket_id.is_not(None))
                .values(state="waiting", attempts=0, unsure=False, next_at=now, changed_at=now)
                .returning(mail.c.recipient)
            )
            if (recipient := tried.scalar_one_or_none()) is not None:
                audit(session, "mail.again", operator, now, subject=mail_id, about=recipient)
        self._tickets.mailbox.wake()
        return RedirectResponse("/desk/mail?list=waiting", 303)

    async def _release(self, request: Request, operator: Operator) -> Response:
        """Somebody knows that the address takes mail again."""
        address = str((await form_data_of(request)).get("address", ""))
        known = table_of(EmailAddress)
        async with self._tickets.db.write() as session:
            found = await session.get(Suppression, address)
            if found is not None:
                await session.delete(found)
                await session.execute(
                    update(known).where(known.c.address == address).values(suppressed_until=None, reason="")
                )
                audit(session, "mail.released", operator, self._tickets.clock.now(), about=address)
        return RedirectResponse("/desk/mail", 303)


def may_see(operator: Operator) -> bool:
    return operator.role in ("supervisor", "administrator")


def waiting_text(found: Standing, c: Catalogue, *, is_set_up: bool, late: bool) -> str:
    """Empty where nothing waits that should not."""
    if not found.waiting or (is_set_up and not late):
        return ""
    number = f"{MOST}+" if found.waiting >= MOST else str(found.waiting)
    if is_set_up:
        says = c.ngettext(
            "%(num)s mail does not go out: the mail server takes nothing.",
            "%(num)s mails do not go out: the mail server takes nothing.",
            found.waiting,
        )
    else:
        says = c.ngettext(
            "%(num)s mail waits: no mail server is set up.",
            "%(num)s mails wait: no mail server is set up.",
            found.waiting,
        )
    return says % {"num": number}


def kind_text(kind: str, c: Catalogue) -> str:
    return {
        "sign_in": c.gettext("Sign-in link"),
        "confirm_address": c.gettext("Confirmation of an address"),
        "address_changed": c.gettext("Word of a changed address"),
        "password_changed": c.gettext("Word of a changed password"),
        "signed_in": c.gettext("Word of a new device"),
        "ticket_opened": c.gettext("Acknowledgement"),
        "ticket_neutral": c.gettext("Question whether the address is theirs"),
        "ticket_reply": c.gettext("Reply"),
        "ticket_shared": c.gettext("Word to who takes part"),
    }.get(kind, kind)


def state_text(state: str, c: Catalogue) -> str:
    return {
        "waiting": c.gettext("waits"),
        "sending": c.gettext("is being sent"),
        "deferred": c.gettext("is tried again later"),
        "accepted": c.gettext("sent"),
        "read": c.gettext("read in the conversation"),
        "joined": c.gettext("joined to the mail before it"),
        "bounced": c.gettext("no such address"),
        "failed": c.gettext("refused"),
        "suppressed": c.gettext("the address takes no mail"),
        "expired": c.gettext("expired"),
    }.get(state, state)
