"""Tickets that have to do with each other: merged into one, split from one, linked. A transaction, then the news of it.

Both tickets say what happened, and both stay readable: a merge copies, it never moves.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.ids import new_id
from chat.public import Conversation, put_files_along
from escalation.actions import Tickets
from escalation.change import Actor, Change, inside_of, place_of
from escalation.client_area.tickets_store import may_see
from escalation.customers.models import Account
from escalation.errors import DifferentPeople, FewerReaders, MoreReaders, NotPossible, TicketGone, TicketMoved
from escalation.models import (
    SlaClock,
    Ticket,
    TicketConversation,
    TicketMessage,
    TicketRelation,
    TicketTranscript,
)
from escalation.sla.clocks import REPLIES, running_clocks, start_next_reply, take_over
from escalation.states import LIVE, State
from escalation.ticket_links import MERGED, may_read, participants_in, takes_part, type_of

SPLIT, LINKED, FOLLOWS = "split", "linked", "follow-up"
PROVEN = 1
"""From this level on the address of a requester is known to be theirs."""


async def link(tickets: Tickets, ticket_id: UUID, other_id: UUID, actor: Actor, *, version: int) -> None:
    """Both show the other from now on. `version`: of the first one. Once more changes nothing. Raises NotPossible for a
    ticket and itself."""
    async with tickets.db.write() as session:
        one, other = await _both(session, ticket_id, other_id)
        if await _related(session, one.id, other.id, LINKED):
            return
        changes = _changes(tickets, session, actor, one, other)
        changes[0].expect(version)
        session.add(
            TicketRelation(id=new_id(), ticket_id=one.id, other_id=other.id, relation=LINKED, at=tickets.clock.now())
        )
        changes[0].record("linked", number=other.number)
        changes[1].record("linked", number=one.number)
        await _settle(tickets, changes)
    await _tell(tickets, changes)


async def unlink(tickets: Tickets, ticket_id: UUID, other_id: UUID, actor: Actor, *, version: int) -> None:
    async with tickets.db.write() as session:
        one, other = await _both(session, ticket_id, other_id)
        found = await _related(session, one.id, other.id, LINKED)
        if found is None:
            return
        changes = _changes(tickets, session, actor, one, other)
        changes[0].expect(version)
        await session.delete(found)
        changes[0].record("unlinked", number=other.number)
        changes[1].record("unlinked", number=one.number)
        await _settle(tickets, changes)
    await _tell(tickets, changes)


async def merge(tickets: Tickets, source_id: UUID, target_id: UUID, actor: Actor, *, version: int) -> None:
    """`source` goes on in `target`: its thread stands there too, its conversation speaks there, its promise counts.

    Raises DifferentPeople where the requesters are not known to be one: what is said in the target would be read by
    a stranger; MoreReaders where others would read in the target what was said in the source; FewerReaders where
    somebody who was let into the source could not read on. Such tickets can be linked.
    """
    async with tickets.db.write() as session:
        source, target = await _both(session, source_id, target_id)
        if await _related(session, source.id, target.id, MERGED):
            return  # the second click
        if source.version != version:
            raise TicketMoved
        if State.CLOSED in (source.state, target.state):
            raise NotPossible
        if not await same_person(session, source, target):
            raise DifferentPeople
        if await has_more_readers(session, target, source):
            raise MoreReaders
        if losing := await losing_readers(session, source, target):
            raise FewerReaders(losing)
        changes = _changes(tickets, session, actor, source, target)
        session.add(
            TicketRelation(
                id=new_id(), ticket_id=source.id, other_id=target.id, relation=MERGED, at=tickets.clock.now()
            )
        )
        since = await _promised_since(session, source)
        held = await _held(session, source.id)
        copied = await _copy_thread(session, source, target)
        await take_over(session, source, target, changes[0].now)
        changes[0].record("merged", number=target.number)
        await changes[0].lead(State.CLOSED, "merged")
        changes[1].record("absorbed", number=source.number, messages=copied)
        await session.flush()
        for tie in held:
            await _tie_to(session, tie, target)
        await _turn(changes[1], source, since)
        await _settle(tickets, changes)
    await _tell(tickets, changes)


def follow(change: Change, before: Ticket) -> None:
    """The ticket goes on from one that is closed, which never opens again."""
    follows = TicketRelation(
        id=new_id(), ticket_id=change.ticket.id, other_id=before.id, relation=FOLLOWS, at=change.now
    )  # fmt: skip
    change.session.add(follows)
    change.record("follows", number=before.number)


async def same_person(session: AsyncSession, one: Ticket, other: Ticket) -> bool:
    """One account that both were identified for and whose tickets both may read, one address that both have proven, one
    visitor, or one of them was split off from the other."""
    proven = min(one.verify_level, other.verify_level)
    is_known = one.account_id is not None and one.account_id == other.account_id and proven > PROVEN
    if is_known and await may_see(session, one.customer_id, other) and await may_see(session, other.customer_id, one):
        return True
    address = one.requester_email.lower()
    if address and address == other.requester_email.lower() and proven >= PROVEN:
        return True
    if await _visitors(session, one.id) & await _visitors(session, other.id):
        return True
    return any([await _related(session, *pair, SPLIT) for pair in ((one.id, other.id), (other.id, one.id))])


async def has_more_readers(session: AsyncSession, target: Ticket, source: Ticket) -> bool:
    """Beside the requesters: people of an account read its tickets, those of money by another right, and whoever an
    operator added. Rights change, so it is the same refusal whoever has them now."""
    is_of_other_right = await type_of(session, target) != await type_of(session, source)
    if target.account_id is not None and (target.account_id != source.account_id or is_of_other_right):
        return True
    readers = {one.address for one in await participants_in(session, source.id)} | {source.requester_email.lower()}
    return any(one.address not in readers for one in await participants_in(session, target.id))


async def losing_readers(session: AsyncSession, source: Ticket, target: Ticket) -> list[str]:
    """Names of those who take part in the source and may not read the target, and of the account whose people read the
    source alone. Nobody adds them there unasked."""
    alone = source.account_id if target.account_id is None else None
    account = await session.get(Account, alone) if alone is not None else None
    people = [
        one.name or one.address
        for one in await participants_in(session, source.id)
        if await takes_part(session, source.id, one.address)
        and not await may_read(session, target, one.address)
        and not await may_see(session, one.customer_id, target)
    ]
    return people if account is None else [account.name, *people]


def split_ref(message_id: UUID) -> str:
    """Of the copy that begins a ticket of its own."""
    return f"split:{message_id}"


async def related(session: AsyncSession, ticket_id: UUID) -> Sequence[tuple[TicketRelation, UUID]]:
    """Relations of a ticket, each with the other one."""
    found = await session.exec(
        select(TicketRelation)
        .where((col(TicketRelation.ticket_id) == ticket_id) | (col(TicketRelation.other_id) == ticket_id))
        .order_by(col(TicketRelation.at), col(TicketRelation.id))
    )
    return [(row, row.other_id if row.ticket_id == ticket_id else row.ticket_id) for row in found]


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _both(session: AsyncSession, one: UUID, other: UUID) -> tuple[Ticket, Ticket]:
    """Locked, always in one order: two merges of the same pair wait for each other and never for ever."""
    if one == other:
        raise NotPossible
    found = await session.exec(
        select(Ticket).where(col(Ticket.id).in_((one, other))).order_by(col(Ticket.id)).with_for_update()
    )
    tickets = {ticket.id: ticket for ticket in found}
    if len(tickets) != 2:
        raise TicketGone
    return tickets[one], tickets[other]


async def _related(session: AsyncSession, one: UUID, other: UUID, relation: str) -> TicketRelation | None:
    """A link has no direction, a merge has."""
    pairs = [(one, other), (other, one)] if relation == LINKED else [(one, other)]
    for ticket_id, other_id in pairs:
        found = await session.exec(
            select(TicketRelation).where(
                TicketRelation.ticket_id == ticket_id,
                TicketRelation.other_id == other_id,
                TicketRelation.relation == relation,
            )
        )
        if (row := found.first()) is not None:
            return row
    return None


def _changes(tickets: Tickets, session: AsyncSession, actor: Actor, *found: Ticket) -> list[Change]:
    now = tickets.clock.now()
    return [Change(session, ticket, actor, now) for ticket in found]


async def _settle(tickets: Tickets, changes: Sequence[Change]) -> None:
    for change in changes:
        change.settle()
    for change in changes:
        await tickets.show_card(change.session, change.ticket, change.now)


async def _tell(tickets: Tickets, changes: Sequence[Change]) -> None:
    for change in changes:
        async with tickets.db.read() as session:
            ties = await session.exec(
                select(TicketConversation.conversation_id).where(TicketConversation.ticket_id == change.ticket.id)
            )
            conversations = list(ties)
        await tickets.tell(change.ticket, None)
        for conversation_id in conversations:
            await tickets.conversations.announce(conversation_id)


async def _visitors(session: AsyncSession, ticket_id: UUID) -> set[UUID]:
    found = await session.exec(
        select(Conversation.visitor_id)
        .join(TicketConversation, col(TicketConversation.conversation_id) == col(Conversation.id))
        .where(TicketConversation.ticket_id == ticket_id)
    )
    return set(found)


async def _held(session: AsyncSession, ticket_id: UUID) -> list[TicketConversation]:
    found = await session.exec(
        select(TicketConversation).where(
            TicketConversation.ticket_id == ticket_id, col(TicketConversation.released_at).is_(None)
        )
    )
    return list(found)


async def _tie_to(session: AsyncSession, tie: TicketConversation, target: Ticket) -> None:
    """The conversation of a merged ticket goes on with the target; what is said there is copied from where it stood."""
    numbers = await session.exec(
        select(TicketConversation.escalation_no)
        .where(TicketConversation.conversation_id == tie.conversation_id)
        .order_by(col(TicketConversation.escalation_no).desc())
    )
    session.add(
        TicketConversation(
            id=new_id(),
            ticket_id=target.id,
            conversation_id=tie.conversation_id,
            escalation_no=(numbers.first() or 0) + 1,
            upto_seq=tie.upto_seq,
            copied_seq=tie.copied_seq,
        )
    )
    await session.flush()


async def _copy_thread(session: AsyncSession, source: Ticket, target: Ticket) -> int:
    """All of it, notes too, with its own times; how many messages. What was split off from one of the two stands in
    both already, and is said once."""
    transcripts = await session.exec(select(TicketTranscript).where(TicketTranscript.ticket_id == source.id))
    for found in transcripts:
        session.add(TicketTranscript(**found.model_dump() | {"id": new_id(), "ticket_id": target.id}))
        files = [one for row in found.body for one in row.get("files", ())]
        await put_files_along(session, files, place_of(target.id))
    messages = await session.exec(
        select(TicketMessage).where(TicketMessage.ticket_id == source.id).order_by(col(TicketMessage.seq))
    )
    known = await session.exec(select(TicketMessage.id, TicketMessage.ref).where(TicketMessage.ticket_id == target.id))
    of_target = known.all()
    from_target, to_target = {split_ref(identity) for identity, _ in of_target}, {ref for _, ref in of_target}
    copied = 0
    for message in messages:
        if message.ref in from_target or split_ref(message.id) in to_target:
            continue
        target.last_seq += 1
        copied += 1
        changed = {
            "id": new_id(),
            "ticket_id": target.id,
            "seq": target.last_seq,
            "ref": f"merged:{message.id}",
            "conversation_seq": None,
        }
        session.add(TicketMessage(**message.model_dump() | changed))
        there = inside_of(target.id) if message.kind == "note" else place_of(target.id)
        await put_files_along(session, message.files, there)
    await session.flush()
    return copied


async def _promised_since(session: AsyncSession, ticket: Ticket) -> SlaClock | None:
    """The clock of a reply that is still owed."""
    running = [one for one in await running_clocks(session, ticket.id) if one.metric in REPLIES]
    return min(running, key=lambda clock: clock.started_at, default=None)


async def _turn(change: Change, source: Ticket, owed: SlaClock | None) -> None:
    """Whose turn it is, by the newest message of both threads."""
    target = change.ticket
    customers = [at for at in (source.last_customer_at, target.last_customer_at) if at is not None]
    operators = [at for at in (source.last_operator_at, target.last_operator_at) if at is not None]
    target.last_customer_at, target.last_operator_at = max(customers, default=None), max(operators, default=None)
    ours = bool(customers) and (not operators or max(customers) > max(operators))
    target.last_customer_seq = target.last_seq if ours else min(target.last_customer_seq, target.last_seq - 1)
    target.last_operator_seq = target.last_operator_seq if ours else target.last_seq
    if operators and not ours:
        target.waiting_since = None
        return
    since = [at for at in (source.waiting_since, target.waiting_since) if at is not None]
    target.waiting_since = min(since, default=target.last_customer_at)
    if target.state not in LIVE or target.state in (State.WAITING_CUSTOMER, State.WAITING_THIRD_PARTY):
        await change.lead(State.OPEN)
    if owed is not None:
        await start_next_reply(change.session, target, owed.started_at)
