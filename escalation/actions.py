"""The one module of tickets that writes: a transaction, then the news of it.

Each action names the `version` its operator saw; if the ticket has moved since, `TicketMoved` is raised and nothing
is lost: the page shows what is newer above what was written.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database
from chat.public import Conversations, Department, Outbox, Transcript, claim_files
from chat.strings import Strings
from chat.tally import WAITS, Spread
from escalation.card import card_of, digest_of
from escalation.change import SYSTEM, Actor, Change, Place, checked, inside_of, place_of, within_here
from escalation.cursors import REF, behind_of, held_by_ticket
from escalation.customers.known import NAMED
from escalation.customers.registry import Registry, named_visitor
from escalation.directory import Directory, named_in
from escalation.draft import Start
from escalation.errors import NotPossible, TicketGone
from escalation.facts import Certainty
from escalation.mail.about_tickets import mail_reply
from escalation.mail.mailbox import Mailbox
from escalation.models import SlaClock, Ticket, TicketConversation, TicketLink, TicketMessage, TicketRelation
from escalation.sla.clocks import start_update_by
from escalation.sla.crew import require_room
from escalation.states import HIGH, NORMAL, State
from escalation.ticket_links import absorbed_by, link_for

SAID = "ticket.said"
"""Outbox kind: a message written at the ticket has to be said in the conversation."""
LONGEST_PROMISE = timedelta(days=1)
"""Of an update: it is named by a time of the day."""
REASON_LIMIT = 500
COMPANY_ZONE = ZoneInfo("Europe/Ljubljana")

log = structlog.get_logger(__name__)


class Tickets:
    """What can be done with a ticket that exists. `escalation.opening` makes them."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        conversations: Conversations,
        outbox: Outbox,
        directory: Directory,
        strings: Strings,
        zone: ZoneInfo = COMPANY_ZONE,
    ) -> None:
        self.db = db
        self.clock = clock
        self.conversations = conversations
        self.outbox = outbox
        self.directory = directory
        self.registry = Registry(db)
        self.mailbox = Mailbox(clock, conversations.bell)
        self.strings = strings
        self.zone = zone
        self.first_reply_seconds = Spread(WAITS)

    # ── operators ────────────────────────────────────────────────────────────────────────────────────────────────

    async def reply(
        self,
        ticket_id: UUID,
        actor: Actor,
        text: str,
        *,
        version: int,
        ref: str,
        then: State | None = None,
        files: Sequence[str] = (),
    ) -> Ticket:
        """To the requester, in every window. `then`: the state it is left in; without it, open. `files`: ids of
        uploads of this operator."""
        text = checked(text, files)
        if then is State.CLOSED:
            await self.hear_out(ticket_id)
        async with self._change(ticket_id, actor) as change:
            if await change.said_before(ref):
                return change.ticket
            change.expect(version)
            attached = await claim_files(change.session, f"operator:{actor.id}", files, place_of(ticket_id))
            message = await change.say(text, channel="desk", ref=ref, files=attached)
            await self._owe_conversations(change, message)
            if then is not None:
                await change.lead(then)
            await self._mail(change, message)
        return change.ticket

    async def note(self, ticket_id: UUID, actor: Actor, text: str, *, ref: str, files: Sequence[str] = ()) -> Ticket:
        """For operators only, its files too. It answers nobody, so it needs no version."""
        text = checked(text, files)
        async with self._change(ticket_id, actor) as change:
            if not await change.said_before(ref):
                attached = await claim_files(change.session, f"operator:{actor.id}", files, inside_of(ticket_id))
                change.note(text, ref=ref, files=attached)
                await change.mention(named_in(text, await self.directory.operators()))
        return change.ticket

    async def set_tags(self, ticket_id: UUID, actor: Actor, tags: Sequence[str], *, version: int) -> Ticket:
        """These and no others. Raises NotPossible for too many or a long one."""
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            await change.tag(tags)
        return change.ticket

    async def change_state(
        self, ticket_id: UUID, actor: Actor, state: State, *, version: int, reason: str | None = None
    ) -> Ticket:
        if state is State.CLOSED:
            await self.hear_out(ticket_id)
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            await change.lead(state, reason)
        return change.ticket

    async def assign(self, ticket_id: UUID, actor: Actor, operator_id: UUID | None, *, version: int) -> Ticket:
        """Nobody hands a ticket to who is off duty (OperatorAbsent) or has no room for it (OperatorFull); what people
        take by themselves is theirs."""
        names = {colleague.id: colleague.name for colleague in await self.directory.operators()}
        if operator_id is not None and operator_id not in names:
            raise NotPossible
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            if operator_id is not None and operator_id not in (actor.id, change.ticket.operator_id):
                await require_room(change.session, operator_id, change.now)
            await change.assign(operator_id, names[operator_id] if operator_id else "")
        return change.ticket

    async def take(self, ticket_id: UUID, actor: Actor) -> bool:
        """As the next to work on: only while nobody has it and it is our turn. Of many at once, one gets it."""
        async with self._change(ticket_id, actor) as change:
            free = change.ticket.operator_id is None and change.ticket.operators_turn
            if free:
                await change.assign(actor.id, actor.name)
        return free

    async def set_priority(self, ticket_id: UUID, actor: Actor, priority: int, *, version: int) -> Ticket:
        if priority not in (HIGH, NORMAL):
            raise NotPossible
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            await change.rank(priority)
        return change.ticket

    async def promise_update(self, ticket_id: UUID, actor: Actor, due_at: datetime, *, version: int) -> Ticket:
        """ "Investigating, next update by …": stated to the requester, and a clock of its own."""
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            if not change.ticket.open or not change.now < due_at <= change.now + LONGEST_PROMISE:
                raise NotPossible
            await start_update_by(change.session, change.ticket, due_at, change.now)
            change.record("update_by", due=due_at.isoformat())
        return change.ticket

    async def explain_breach(self, ticket_id: UUID, actor: Actor, clock_id: UUID, reason: str) -> Ticket:
        """Why a promise was broken, in the operator's words. It answers nobody, so it needs no version."""
        reason = checked(reason, limit=REASON_LIMIT)
        async with self._change(ticket_id, actor) as change:
            clock = await change.session.get(SlaClock, clock_id)
            if clock is None or clock.subject_id != ticket_id or clock.breached_at is None:
                raise NotPossible
            if clock.reason != reason:
                clock.reason = reason
                change.record("breach_reason", metric=clock.metric, reason=reason)
        return change.ticket

    # ── the requester ────────────────────────────────────────────────────────────────────────────────────────────

    async def answer(
        self,
        ticket_id: UUID,
        text: str,
        *,
        ref: str,
        files: Sequence[str] = (),
        owner: str = "",
        actor: Actor | None = None,
        level: int = 0,
    ) -> Ticket:
        """A message of the requester, written on their ticket page; the same `ref` is the same message. `files`: ids
        of uploads of `owner`. `actor`: the customer of the account who is signed in. `level`: how surely it is
        theirs."""
        text = checked(text, files)
        async with self._change(ticket_id, actor) as change:
            if not await change.said_before(ref):
                attached = await claim_files(change.session, owner, files, place_of(ticket_id))
                message = await change.say(text, channel="page", ref=ref, files=attached, level=level)
                await self._owe_conversations(change, message)
        return change.ticket

    async def solve(self, ticket_id: UUID, actor: Actor | None = None) -> Ticket:
        """The requester says it is solved."""
        async with self._change(ticket_id, actor) as change:
            if change.ticket.open:
                await change.lead(State.SOLVED)
        return change.ticket

    async def clear_start(self, ticket_id: UUID, actor: Actor, start: Start) -> Ticket:
        """The requester says which of two readings of a time was meant; once."""
        async with self._change(ticket_id, actor) as change:
            ticket = change.ticket
            if ticket.started_certainty == Certainty.UNCLEAR and not ticket.started_zone:
                ticket.started_at, ticket.started_zone = start.instant, start.zone[:64]
                ticket.started_certainty = start.certainty.value
                change.record("started", at=start.instant.isoformat() if start.instant else "", zone=start.zone)
        return change.ticket

    # ── links ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def revoke_links(self, ticket_id: UUID, actor: Actor, *, version: int) -> Ticket:
        """All ways to the ticket without sign-in end, those over tickets that were merged into it, too; the next card
        carries a new one."""
        async with self._change(ticket_id, actor) as change:
            change.expect(version)
            links = await change.session.exec(
                select(TicketLink).where(
                    col(TicketLink.ticket_id).in_(await absorbed_by(change.session, ticket_id)),
                    col(TicketLink.revoked_at).is_(None),
                )
            )
            for link in links:
                link.revoked_at = change.now
            change.record("links_revoked")
        return change.ticket

    # ── the transaction ──────────────────────────────────────────────────────────────────────────────────────────

    def changing(self, ticket_id: UUID, actor: Actor) -> AbstractAsyncContextManager[Change]:
        """For modules beside this one: one change of one locked ticket, told after the commit."""
        return self._change(ticket_id, actor)

    @asynccontextmanager
    async def _change(self, ticket_id: UUID, actor: Actor | None) -> AsyncIterator[Change]:
        """`actor` None is the requester. The row lock makes changes of one ticket take turns."""
        held: UUID | None = None
        async with self.db.write() as session:
            ticket = (await session.exec(select(Ticket).where(Ticket.id == ticket_id).with_for_update())).first()
            if ticket is None:
                raise TicketGone
            change = Change(session, ticket, actor or Actor("requester", ticket.requester_name), self.clock.now())
            yield change
            if change.moved:
                change.settle()
                held = await self.show_card(session, ticket, change.now)
                if (note := within_here()) is not None:
                    await note(change)
        if change.first_reply_seconds is not None:
            self.first_reply_seconds.add(change.first_reply_seconds)
        if change.moved:
            await self.tell(ticket, held)

    async def show_card(self, session: AsyncSession, ticket: Ticket, now: datetime) -> UUID | None:
        """A new revision of the card where the ticket was born, if it would look different."""
        await session.flush()
        # Released with the closing it shows the end; detached before, it goes on alone.
        is_shown = or_(
            col(TicketConversation.released_at).is_(None), col(TicketConversation.released_at) == ticket.closed_at
        )
        ties = select(TicketConversation).where(TicketConversation.ticket_id == ticket.id, is_shown)
        tie = (await session.exec(ties.order_by(col(TicketConversation.id)))).first()
        shown: TicketConversation | TicketRelation | None = tie
        conversation_id = tie.conversation_id if tie else None
        if tie is None:
            # Of a ticket that was split off: where the other one stands.
            splits = select(TicketRelation).where(
                TicketRelation.ticket_id == ticket.id, TicketRelation.relation == "split"
            )
            shown = (await session.exec(splits)).first()
            conversation_id = next(iter(await homes_of(session, ticket.id)), None)
        if shown is None or conversation_id is None:
            return None
        department = await session.get_one(Department, ticket.department_id)
        card = card_of(ticket, department.names, await link_for(session, ticket, "", now), self.strings, now, self.zone)
        if (digest := digest_of(card)) != shown.card_digest:
            shown.card_digest = digest
            await session.flush()
            await self.conversations.append_card(session, conversation_id, card)
        return conversation_id

    async def tell(self, ticket: Ticket, conversation_id: UUID | None) -> None:
        """After the commit. What fails here is a delay: views ask again, the outbox has the rows."""
        self.outbox.wake()
        self.mailbox.wake()
        if conversation_id is not None:
            await self.conversations.announce(conversation_id)
        await self.conversations.nudge("ticket", ticket.number)

    async def _owe_conversations(self, change: Change, message: TicketMessage) -> None:
        """To those that are its homes now. By the time it is said there, the ticket may have let them go."""
        if homes := await homes_of(change.session, change.ticket.id):
            payload = {"message_id": str(message.id), "conversations": [str(one) for one in homes]}
            await self.outbox.add(change.session, SAID, payload, f"{SAID}:{message.id}")

    async def _mail(self, change: Change, message: TicketMessage) -> None:
        if message.author_kind == "operator":
            in_chat = bool(await homes_of(change.session, change.ticket.id))
            await mail_reply(self.mailbox, change.session, change.ticket, message, change.now, in_chat=in_chat)

    # ── conversation and ticket ──────────────────────────────────────────────────────────────────────────────────

    async def say_in_conversations(self, message_id: UUID, homes: Sequence[UUID] | None) -> None:
        """A message written at the ticket, said there too. Its `ref` makes a repeat the same message. `homes` None, as
        programs of an older version owe it: those of now."""
        async with self.db.read() as session:
            message = await session.get(TicketMessage, message_id)
            if message is None or message.kind != "message":
                return
            if homes is None:
                homes = await homes_of(session, message.ticket_id)
        ref = f"{REF}{message.id}"
        for conversation_id in homes:
            if message.author_kind == "operator" and message.author_id is not None:
                await self.conversations.say_as_operator(
                    conversation_id, message.author_id, message.author_name, message.text, ref, message.files
                )
            else:
                await self.conversations.say_as_visitor(conversation_id, message.text, ref, message.files)

    async def hear_out(self, ticket_id: UUID) -> None:
        """Before the ticket lets its conversations go: what was just said there is in it, so whoever has not seen it is
        told that the ticket moved."""
        async with self.db.read() as session:
            behind = await behind_of(session, ticket_id)
        for conversation_id in behind:
            await self.copy_said(conversation_id)

    async def copy_said(self, conversation_id: UUID) -> None:
        """Everything said in the conversation above the cursor becomes part of its ticket, once."""
        async with self.db.read() as session:
            tie = (await session.exec(held_by_ticket(conversation_id))).first()
        if tie is None:
            return
        transcript = await self.conversations.transcript_of(conversation_id)
        if transcript is None or transcript.upto_seq <= tie.copied_seq:
            return
        async with self._change(tie.ticket_id, SYSTEM) as change:
            await self.take_in(change, transcript)

    async def take_in(self, change: Change, transcript: Transcript) -> None:
        """The same, within a change of the ticket that holds it; for any other one nothing."""
        tie = (await change.session.exec(held_by_ticket(transcript.conversation_id).with_for_update())).first()
        if tie is None or tie.ticket_id != change.ticket.id:
            return
        actor = change.actor
        theirs = await _level_in(change, transcript)
        for said in transcript.messages:
            if said.seq <= tie.copied_seq or (said.ref or "").startswith(REF):
                continue
            change.actor = (
                Actor("operator", said.author_name, said.author_id)
                if said.author_kind == "operator"
                else Actor("requester", said.author_name or change.ticket.requester_name)
            )
            place = Place(transcript.conversation_id, said.seq)
            level = theirs if said.author_kind != "operator" else 0
            said_there = await change.say(
                said.text, channel="chat", place=place, at=said.at, files=said.files, level=level
            )
            await self._mail(change, said_there)
        change.actor = actor
        tie.copied_seq = max(tie.copied_seq, transcript.upto_seq)


async def _level_in(change: Change, transcript: Transcript) -> int:
    """How surely the visitor's words there are of the ticket's customer: the company's site may have named them."""
    named = await named_visitor(change.session, transcript.conversation_id)
    if named is not None and named.customer_id == change.ticket.customer_id:
        return NAMED
    return transcript.visitor.verify_level


async def homes_of(session: AsyncSession, ticket_id: UUID) -> list[UUID]:
    """The conversations in which the ticket speaks: those it holds, which are several after a merge; else those of the
    ticket it was split from, where its requester is found."""
    held = select(TicketConversation.conversation_id).where(col(TicketConversation.released_at).is_(None))
    own = (await session.exec(held.where(TicketConversation.ticket_id == ticket_id))).all()
    if own:
        return list(own)
    origin = select(TicketRelation.other_id).where(
        TicketRelation.ticket_id == ticket_id, TicketRelation.relation == "split"
    )
    return list(await session.exec(held.where(col(TicketConversation.ticket_id).in_(origin))))
