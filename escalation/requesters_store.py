"""The public side of one ticket, by link or by right. Selects public messages only: no note, no environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Department, Operator
from escalation.actions import homes_of
from escalation.languages import language_for
from escalation.models import (
    SlaClock,
    Ticket,
    TicketEvent,
    TicketIp,
    TicketLink,
    TicketMessage,
    TicketOrder,
    TicketTranscript,
)
from escalation.sla.policies import FIRST_REPLY, UPDATE_BY
from escalation.ticket_links import by_link, goes_on_for, level_by, takes_part

TIMELINE = ("created", "state", "assigned", "first_reply")
"""Kinds of events the requester may read; the others are nobody's business outside."""


@dataclass(frozen=True, slots=True)
class PublicMessage:
    seq: int
    by_operator: bool
    name: str
    contact_channel: str
    text: str
    at: datetime
    files: Sequence[Mapping[str, Any]] = ()
    author_id: UUID | None = None
    """Of the customer who wrote it, where they were signed in."""
    reader: str = ""
    """The address by whose link it was written, where that is not the requester's."""


@dataclass(frozen=True, slots=True)
class PublicEvent:
    type: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestersTicket:
    id: UUID
    number: str
    customer_id: UUID | None
    site_name: str
    subject: str
    state: str
    priority: int
    department: Mapping[str, str]
    operator_name: str
    locale: str
    time_zone: str
    """Of the requester's own device; empty where it is unknown."""
    service_label: str
    numbers: Sequence[str]
    """Order numbers and addresses that the requester named."""
    started_at: datetime | None
    started_raw: str
    started_zone: str
    started_certainty: str
    created_at: datetime
    due_at: datetime | None
    due_metric: str
    due_since: datetime | None
    """When the clock behind `due_at` started."""
    first_reply_at: datetime | None
    first_reply_seconds: int | None
    """None for a ticket that had no such promise."""
    promised_seconds: int
    update_by: datetime | None
    """"Investigating, next update by …", while it stands."""
    transcript: Sequence[Mapping[str, Any]]
    """Rows of the public part: at, by, name, text."""
    messages: Sequence[PublicMessage]
    events: Sequence[PublicEvent]
    reader: str = ""
    """The address whose link it was read by, of the account or of who takes part; empty for the requester."""
    goes_on: str = ""
    """The number of the ticket it was merged into, where the reader may read that one."""
    takes_part: bool = False
    """The reader is no more than a participant."""
    is_opened: bool = True
    """By this link, before; not asked of other links."""
    speaks_in_chat: bool = False
    """What is written here stands in a conversation, too."""
    level: int = 0
    """How surely what is written by this link is the requester's."""

    @property
    def may_end(self) -> bool:
        """Whether it is solved, the customer says."""
        return not self.takes_part


async def requesters_ticket(session: AsyncSession, link_id: UUID, now: datetime) -> RequestersTicket | None:
    """None for a link that does not work, for whatever reason."""
    found = await by_link(session, link_id, now)
    if found is None:
        return None
    ticket, reader = found
    only_takes_part = bool(reader) and await takes_part(session, ticket.id, reader)
    onward = await goes_on_for(session, ticket, reader)
    goes_on = onward[0].number if onward else ""
    shown = await public_ticket(session, ticket)
    link = await session.get_one(TicketLink, link_id)
    return replace(
        shown,
        reader=reader,
        goes_on=goes_on,
        locale=await language_for(session, ticket, reader),
        takes_part=only_takes_part,
        is_opened=not only_takes_part or link.used_at is not None,
        level=await level_by(session, ticket, link.recipient),
    )


async def public_ticket(session: AsyncSession, ticket: Ticket) -> RequestersTicket:
    """The public side of a ticket that the caller has found by the rights of its reader."""
    department = await session.get_one(Department, ticket.department_id)
    operator = await session.get(Operator, ticket.operator_id) if ticket.operator_id else None
    found_clocks = await session.exec(
        select(SlaClock).where(SlaClock.subject_kind == "ticket", SlaClock.subject_id == ticket.id)
    )
    clocks = found_clocks.all()
    first = next((clock for clock in clocks if clock.metric == FIRST_REPLY), None)
    transcripts = await session.exec(
        select(TicketTranscript)
        .where(TicketTranscript.ticket_id == ticket.id)
        .order_by(col(TicketTranscript.created_at), col(TicketTranscript.revision))
    )
    # The newest revision of each conversation: there are several after a merge.
    bodies = {one.conversation_id: one.body for one in transcripts}
    return RequestersTicket(
        id=ticket.id,
        number=ticket.number,
        customer_id=ticket.customer_id,
        site_name=ticket.site_name,
        subject=ticket.subject,
        state=ticket.state,
        priority=ticket.priority,
        department=department.names,
        operator_name=operator.name if operator else "",
        locale=ticket.locale,
        time_zone=_known_zone(str(ticket.environment.get("time_zone") or "")),
        service_label=ticket.service_label,
        numbers=await _numbers(session, ticket.id),
        started_at=ticket.started_at,
        started_raw=ticket.started_raw,
        started_zone=ticket.started_zone,
        started_certainty=ticket.started_certainty,
        created_at=ticket.created_at,
        due_at=ticket.due_at,
        due_metric=ticket.due_metric,
        due_since=next((clock.started_at for clock in clocks if clock.due_at == ticket.due_at), None),
        first_reply_at=ticket.first_reply_at,
        first_reply_seconds=first.elapsed_seconds if first else None,
        promised_seconds=first.target_seconds if first else 0,
        update_by=next(
            (clock.due_at for clock in clocks if clock.metric == UPDATE_BY and clock.state == "running"), None
        ),
        transcript=[row for body in bodies.values() for row in body],
        messages=await _messages(session, ticket),
        events=await _events(session, ticket.id),
        speaks_in_chat=bool(await homes_of(session, ticket.id)),
    )


def _known_zone(name: str) -> str:
    """A browser may name what our data does not know."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ""
    return name


async def _numbers(session: AsyncSession, ticket_id: UUID) -> list[str]:
    theirs = ("requester", "text")
    orders = await session.exec(
        select(TicketOrder.value).where(TicketOrder.ticket_id == ticket_id, col(TicketOrder.source).in_(theirs))
    )
    addresses = await session.exec(
        select(TicketIp.value).where(TicketIp.ticket_id == ticket_id, col(TicketIp.source).in_(theirs))
    )
    return [*(f"#{order}" for order in sorted(orders)), *sorted(addresses)]


async def _messages(session: AsyncSession, ticket: Ticket) -> list[PublicMessage]:
    found = await session.exec(
        select(TicketMessage)
        .where(TicketMessage.ticket_id == ticket.id, TicketMessage.kind == "message")
        .order_by(col(TicketMessage.seq))
    )
    return [
        PublicMessage(
            message.seq,
            message.author_kind == "operator",
            message.author_name,
            message.contact_channel,
            message.text,
            message.at,
            message.files,
            message.author_id if message.author_kind == "requester" else None,
            _reader(message, ticket),
        )
        for message in found
    ]


def _reader(message: TicketMessage, ticket: Ticket) -> str:
    """Who writes by a link writes under its address."""
    if message.author_kind != "requester" or message.author_id is not None or message.contact_channel != "page":
        return ""
    return message.author_name if "@" in message.author_name and message.author_name != ticket.requester_name else ""


async def _events(session: AsyncSession, ticket_id: UUID) -> list[PublicEvent]:
    found = await session.exec(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket_id, col(TicketEvent.type).in_(TIMELINE))
        .order_by(col(TicketEvent.seq))
    )
    return [PublicEvent(event.type, event.data, event.at) for event in found]
