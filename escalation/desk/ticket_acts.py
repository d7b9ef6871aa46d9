"""What an operator does with a ticket beside writing: link, merge, split, tags, actions of owners; who else looks."""

from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.ids import parse_id
from chat.public import Operator
from chat.strings import Catalogue
from escalation import lookers, ownership, participants, relations, spam, store
from escalation.actions import Tickets
from escalation.change import Actor
from escalation.desk.desk_pages import DeskPages, field_of, reader_in, version_in
from escalation.desk.routes import NOTHING, TicketDesk
from escalation.detaching import detach
from escalation.errors import (
    AlreadyReads,
    DifferentPeople,
    FewerReaders,
    MoreReaders,
    NeedsOwnership,
    NoAddress,
    NotPossible,
    TagsRefused,
    TextEmpty,
    TextTooLong,
    TicketClosed,
    TicketError,
    TicketGone,
    TicketMoved,
    TooManyPeople,
)
from escalation.models import Ticket, TicketMessage
from escalation.splitting import split
from escalation.who import actor_of


class TicketActs:
    def __init__(self, tickets: Tickets, desk: DeskPages, page: TicketDesk, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._desk = desk
        self._page = page
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        one, signed_in = "/desk/tickets/{number}", self._desk.signed_in
        return [
            Route(f"{one}/acts", signed_in(self._act), methods=["POST"]),
            Route(f"{one}/split/{{seq:int}}", signed_in(self._split), methods=["GET", "POST"]),
            Route(f"{one}/lookers", signed_in(self._look), methods=["GET", "POST"]),
        ]

    async def _act(self, request: Request, operator: Operator) -> Response:
        form = await form_data_of(request)
        ticket = await self._ticket(request, request.path_params["number"])
        if ticket is None:
            return self._desk.gone(request, operator)
        c = self._tickets.strings.catalogue(operator.locale)
        try:
            return RedirectResponse(f"/desk/tickets/{await self._done(request, ticket, operator, form)}", 303)
        except TicketGone:
            status, error = 404, c.gettext("There is no such ticket. Check the number, for example T-26-000001.")
        except TicketMoved:
            status, error = 409, c.gettext("A colleague changed the ticket meanwhile. This is how it stands now.")
        except NeedsOwnership as refused:
            status, error = 403, needs_text(refused, c)
        except TicketError as refused:
            status, error = 422, refused_text(refused, c)
        kept = {name: field_of(form, name) for name in NOTHING}
        return await self._page.shown(request, operator, status=status, error=error, acted=kept)

    async def _done(self, request: Request, ticket: Ticket, operator: Operator, form: FormData) -> str:
        """The number of the ticket to go on with."""
        actor, version = actor_of(operator), version_in(form)
        match field_of(form, "act"):
            case "link" | "unlink" | "merge" as act:
                other = await self._ticket(request, field_of(form, "other").strip().upper())
                if other is None:
                    raise TicketGone
                if act == "link":
                    await relations.link(self._tickets, ticket.id, other.id, actor, version=version)
                elif act == "unlink":
                    await relations.unlink(self._tickets, ticket.id, other.id, actor, version=version)
                else:
                    await relations.merge(self._tickets, ticket.id, other.id, actor, version=version)
                    return other.number
            case "tags":
                tags = field_of(form, "tags").split(",")
                await self._tickets.set_tags(ticket.id, actor, tags, version=version)
            case "action":
                asked_in, action = field_of(form, "asked_in"), field_of(form, "action")
                if action not in list(ownership.Action) or not (asked_in.isascii() and asked_in.isdigit()):
                    raise NotPossible
                await ownership.record_action(
                    self._tickets, ticket.id, actor, ownership.Action(action), asked_in=int(asked_in[:9]),
                    reason=field_of(form, "reason"), version=version,
                )  # fmt: skip
            case _:
                await self._belongs(ticket, actor, form)
        return ticket.number

    async def _belongs(self, ticket: Ticket, actor: Actor, form: FormData) -> None:
        """Who and what belongs to the ticket, and whether it is one."""
        version = version_in(form)
        match field_of(form, "act"):
            case "add_person":
                await participants.add(self._tickets, ticket.id, actor, field_of(form, "address"), version=version)
            case "remove_person":
                person = parse_id(field_of(form, "person"))
                if person is None:
                    raise NotPossible
                await participants.remove(self._tickets, ticket.id, actor, person, version=version)
            case "spam":
                await spam.mark(self._tickets, ticket.id, actor, version=version)
            case "not_spam":
                await spam.take_back(self._tickets, ticket.id, actor, version=version)
            case "detach":
                await detach(self._tickets, ticket.id, actor, version=version)
            case _:
                raise NotPossible

    async def _split(self, request: Request, operator: Operator) -> Response:
        """GET asks what it is about, POST makes the ticket; a second click leads to the same one."""
        ticket = await self._ticket(request, request.path_params["number"])
        message = await self._message(ticket.id, request.path_params["seq"]) if ticket else None
        if ticket is None or message is None:
            return self._desk.gone(request, operator)
        departments = await self._tickets.directory.departments()
        slugs = {one.id: one.slug for one in departments}
        subject, department = message.text.strip().split("\n")[0][:120], slugs.get(ticket.department_id, "")
        error, status = "", 200
        if request.method == "POST":
            form = await form_data_of(request)
            subject, department = field_of(form, "subject"), field_of(form, "department")
            try:
                made = await split(
                    self._tickets, ticket.id, message.seq, actor_of(operator), subject=subject, department=department,
                    zone=self._zone,
                )  # fmt: skip
                return await self._page.after(request, made)
            except TicketError as refused:
                c = self._tickets.strings.catalogue(operator.locale)
                error, status = refused_text(refused, c), 422
                if isinstance(refused, TextEmpty):
                    error = c.gettext("Write what the ticket is about.")
                elif isinstance(refused, TextTooLong):
                    error = c.gettext("The subject is longer than 200 characters. Shorten it.")
        return self._desk.page(
            request, operator, "desk/split.html", status=status,
            source=ticket, message=message, subject=subject, department=department, departments=departments,
            error=error,
        )  # fmt: skip

    async def _look(self, request: Request, operator: Operator) -> Response:
        """An open page says that it is there, and hears who else is."""
        ticket = await self._ticket(request, request.path_params["number"])
        if ticket is None:
            return Response(status_code=404)
        now = self._tickets.clock.now()
        if request.method == "POST":
            state = field_of(await form_data_of(request), "state")
            async with self._tickets.db.write() as session:
                news = True
                if state == "left":
                    await lookers.leave(session, ticket.id, operator.id)
                else:
                    news = await lookers.look(session, ticket.id, operator.id, now, typing=state == "typing")
            if news:
                await self._tickets.conversations.nudge("looking", ticket.number)
        async with self._tickets.db.read() as session:
            others = await lookers.lookers(session, ticket.id, operator.id, now)
        return self._desk.partial(operator, "desk/_lookers.html", lookers=others)

    async def _ticket(self, request: Request, number: str) -> Ticket | None:
        async with self._tickets.db.read() as session:
            return await store.ticket_by_number(session, number[:20], reader_in(request))

    async def _message(self, ticket_id: UUID, seq: int) -> TicketMessage | None:
        async with self._tickets.db.read() as session:
            message = await store.message_of(session, ticket_id, seq)
        mine = message is not None and message.kind == "message" and message.author_kind == "requester"
        return message if mine else None


def needs_text(refused: NeedsOwnership, c: Catalogue) -> str:
    words = {"level": refused.level, "needed": refused.needed}
    return (
        c.gettext(
            "This needs level %(needed)s, and who asks is at level %(level)s. Let them sign in first. If it must be "
            "done now, write why: your name and the reason stay on the ticket."
        )
        % words
    )


def refused_text(refused: TicketError, c: Catalogue) -> str:
    match refused:
        case DifferentPeople():
            return c.gettext(
                "These tickets are not known to be of one person, so neither may read the other. Link them instead."
            )
        case MoreReaders():
            return c.gettext(
                "More people may read the other ticket: those of its account or department, or who takes part in it. "
                "Link them, or transfer this one first."
            )
        case FewerReaders(names=names):
            return c.gettext(
                "Who reads this ticket could not read the other ticket: %(names)s. Add them there first, or link the "
                "two."
            ) % {"names": ", ".join(names)}
        case NoAddress():
            return c.gettext("Write the address of a person, for example ana@example.com.")
        case AlreadyReads():
            return c.gettext("It is the address of the requester, who reads the ticket already.")
        case TooManyPeople():
            return c.gettext("20 people take part already. Remove somebody first.")
        case TagsRefused():
            return c.gettext("A ticket has at most 20 tags, each of up to 40 characters.")
        case TextTooLong():
            return c.gettext("The reason is longer than 500 characters.")
        case TicketClosed():
            return c.gettext("The ticket is closed. It takes no more messages.")
        case _:
            return c.gettext("This change is not possible from here.")
