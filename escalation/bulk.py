"""One change of many tickets. Each is a change of its own on the version that was seen, so none undoes a colleague's;
and each can be taken back for a minute, as long as nobody has changed the ticket since. What is done, and what is taken
back, is noted with each of them: an order that was interrupted is carried out to its end by its repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chat.ids import parse_id
from chat.public import Department
from escalation import once
from escalation.actions import Tickets
from escalation.change import Actor, Change, checked, within_changes
from escalation.errors import NotPossible, OperatorAbsent, OperatorFull, TicketError
from escalation.models import Ticket, TicketTag
from escalation.reach import OperatorReader
from escalation.states import HIGH, NORMAL, State
from escalation.store import is_reached
from escalation.transfers import send_back, transfer

MOST = 100
UNDO = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Chosen:
    number: str
    version: int


@dataclass(slots=True)
class Done:
    """`changed`: what it takes to go back, as JSON."""

    changed: list[dict[str, Any]]
    refused: int = 0
    absent: int = 0
    """Whoever should have got them is off duty."""
    full: int = 0
    """Whoever should have got them has no room for more."""
    left: list[str] = field(default_factory=list)
    """Numbers of those that nobody could be given."""


@dataclass(frozen=True, slots=True)
class Order:
    """`kind`: operator, department, priority, tag, state. `value` as a form writes it. `note`: what a department that
    gets them reads first."""

    kind: str
    value: str
    note: str = ""
    ref: str = ""


def parse_order(text: str, tag: str, note: str, ref: str) -> Order | None:
    """Raises TextEmpty for a transfer without a note, TextTooLong for one with a book."""
    kind, _, value = text.partition(":")
    if kind == "tag":
        return Order("tag", tag) if tag.strip() else None
    if kind == "department":
        return Order(kind, value, checked(note), ref)
    return Order(kind, value) if kind in ("operator", "priority", "state") else None


def parse_chosen(values: Sequence[str]) -> list[Chosen]:
    """`T-26-000001:7`. What is none is left out; at most MOST."""
    found = []
    for value in values[:MOST]:
        number, _, version = value.partition(":")
        if number.isprintable() and version.isascii() and version.isdigit() and len(version) < 10:
            found.append(Chosen(number[:20], int(version)))
    return found


async def carry_out(
    tickets: Tickets, reader: OperatorReader, actor: Actor, order: Order, chosen: Sequence[Chosen], sent: once.Order
) -> Done:
    """In the order they were chosen. What moved meanwhile, is out of reach or cannot be is counted, not forced; what
    `sent` has done before is not done again."""
    before = {str(way["ticket"]) for way in await sent.done()}
    done = Done([])
    failed: list[tuple[str, str, TicketError]] = []
    for one in chosen:
        async with tickets.db.read() as session:
            # Whoever handed one to another department may not reach it any more.
            found = (await session.exec(select(Ticket).where(Ticket.number == one.number))).first()
            reached = found is not None and await is_reached(session, found.id, reader)
            way = await _way(session, found, order.kind) if found is not None else {}
        if found is None or way["ticket"] in before:
            done.refused += found is None
        elif not reached:
            failed.append((way["ticket"], one.number, NotPossible()))
        else:
            try:
                with within_changes(partial(_note, sent, way)):
                    await _change(tickets, found.id, actor, order, one.version)
            except TicketError as error:
                failed.append((way["ticket"], one.number, error))
    # The same order, sent twice at once, finds moved what its twin has changed.
    done.changed = await sent.done()
    changed = {str(way["ticket"]) for way in done.changed}
    for ticket, number, why in failed:
        if ticket not in changed:
            _count(done, why, number)
    return done


async def take_back(tickets: Tickets, actor: Actor, sent: once.Order, since: datetime) -> Done:
    """What has moved since stays as it is, and what belonged to somebody who is off duty or full by now."""
    done = Done([])
    ways = await sent.done(since)
    for one in reversed(ways):
        ticket_id = parse_id(str(one["ticket"]))
        try:
            if ticket_id is None:
                raise NotPossible
            with within_changes(partial(_drop, sent, one)):
                await _go_back(tickets, ticket_id, actor, one)
            done.changed.append(one)
        except TicketError as error:
            _count(done, error)
    return done


async def _way(session: Any, ticket: Ticket, kind: str) -> dict[str, Any]:
    """Back from a change that is still to be made."""
    before = await _before(session, ticket, kind)
    return {"ticket": str(ticket.id), "kind": kind, "before": before, "holder": str(ticket.operator_id or "")}


async def _note(sent: once.Order, way: dict[str, Any], change: Change) -> None:
    await sent.note(change.session, way | {"version": change.ticket.version})


async def _drop(sent: once.Order, way: dict[str, Any], change: Change) -> None:
    await sent.drop(change.session, way)


def _count(done: Done, error: TicketError, number: str = "") -> None:
    match error:
        case OperatorAbsent():
            done.absent += 1
        case OperatorFull():
            done.full += 1
        case _:
            done.refused += 1
            return
    done.left.append(number)


async def _go_back(tickets: Tickets, ticket_id: UUID, actor: Actor, way: dict[str, Any]) -> None:
    before, version = str(way["before"]), int(way["version"])
    if way["kind"] == "department":
        await send_back(tickets, ticket_id, actor, before, parse_id(str(way.get("holder", ""))), version=version)
    else:
        await _change(tickets, ticket_id, actor, Order(str(way["kind"]), before), version, whole=True)


async def _before(session: Any, ticket: Ticket, kind: str) -> str:
    match kind:
        case "operator":
            return str(ticket.operator_id or "")
        case "department":
            return str((await session.get_one(Department, ticket.department_id)).slug)
        case "priority":
            return "high" if ticket.priority == HIGH else "normal"
        case "tag":
            tags = await session.exec(
                select(TicketTag.tag).where(TicketTag.ticket_id == ticket.id).order_by(col(TicketTag.tag))
            )
            return ",".join(tags)
        case _:
            return ticket.state if ticket.state != State.NEW else State.OPEN.value


async def _change(
    tickets: Tickets, ticket_id: UUID, actor: Actor, order: Order, version: int, *, whole: bool = False
) -> Ticket:
    """`whole`: the value of a tag is all there are to be, not one more."""
    match order.kind:
        case "operator":
            operator_id = actor.id if order.value == "me" else parse_id(order.value)
            if operator_id is None and order.value:
                raise NotPossible
            return await tickets.assign(ticket_id, actor, operator_id, version=version)
        case "department":
            return await transfer(tickets, ticket_id, actor, order.value, order.note, version=version, ref=order.ref)
        case "priority":
            priority = {"high": HIGH, "normal": NORMAL}.get(order.value, -1)
            return await tickets.set_priority(ticket_id, actor, priority, version=version)
        case "tag":
            tags = order.value.split(",")
            if not whole:
                async with tickets.db.read() as session:
                    tags += list(await session.exec(select(TicketTag.tag).where(TicketTag.ticket_id == ticket_id)))
            return await tickets.set_tags(ticket_id, actor, tags, version=version)
        case "state" if order.value in ("solved", "open", "waiting_customer", "waiting_third_party"):
            return await tickets.change_state(ticket_id, actor, State(order.value), version=version)
        case _:
            raise NotPossible
