"""One change of one ticket inside one transaction: thread, history and the derived columns move together."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

import escalation.queue  # noqa: F401 — it keeps `place` true at each flush
from chat.ids import new_id
from chat.public import INSIDE, Attached, Operator, put_files_along
from escalation.cursors import is_unheard
from escalation.customers.known import IDENTIFIED
from escalation.directory import Colleague
from escalation.errors import NotPossible, TagsRefused, TextEmpty, TextTooLong, TicketClosed, TicketMoved
from escalation.models import (
    SlaEvent,
    Ticket,
    TicketAssignment,
    TicketConversation,
    TicketEvent,
    TicketMention,
    TicketMessage,
    TicketTag,
)
from escalation.sla.clocks import (
    PHONE,
    Stopped,
    cancel_clocks,
    move_clocks,
    pause_clocks,
    start_next_reply,
    stop_by_reply,
)
from escalation.sla.crew import situation
from escalation.sla.policies import FIRST_REPLY, WAITING
from escalation.sla.solving import start_solve, stop_solve
from escalation.states import DONE, HIGH, LIVE, TEXT_LIMIT, State, may_follow

TAGS, TAG_LENGTH = 20, 40


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: operator, requester or system."""

    kind: str
    name: str = ""
    id: UUID | None = None


SYSTEM = Actor("system")
PUBLIC = frozenset({"created", "escalated", "said", "replied", "said_automatically", "state", "update_by", "merged"})
"""Events that the requester may see by a time or a word."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands in a conversation."""

    conversation_id: UUID
    seq: int


Within = Callable[["Change"], Awaitable[None]]
_WITHIN: ContextVar[Within | None] = ContextVar("within", default=None)


@contextmanager
def within_changes(note: Within) -> Iterator[None]:
    """What has to be written in the transaction of each change that is made here, once it has moved something."""
    token = _WITHIN.set(note)
    try:
        yield
    finally:
        _WITHIN.reset(token)


def within_here() -> Within | None:
    return _WITHIN.get()


class Change:
    """Holds the locked ticket. `moved` says whether anything happened; only then the version rises."""

    def __init__(self, session: AsyncSession, ticket: Ticket, actor: Actor, now: datetime) -> None:
        self.session = session
        self.ticket = ticket
        self.actor = actor
        self.now = now
        self.moved = False
        self.first_reply_seconds: float | None = None
        """Since the ticket was opened, where this change answers it for the first time."""

    def record(self, event: str, **data: Any) -> None:
        self.moved = True
        if event in PUBLIC:
            self.ticket.public_at = self.now
        self.ticket.last_event_seq += 1
        self.session.add(
            TicketEvent(
                ticket_id=self.ticket.id,
                seq=self.ticket.last_event_seq,
                type=event,
                actor_kind=self.actor.kind,
                actor_id=self.actor.id,
                actor_name=self.actor.name,
                data=data,
                at=self.now,
            )
        )

    def expect(self, version: int) -> None:
        """Raises TicketMoved where somebody changed the ticket since the operator looked."""
        if self.ticket.version != version:
            raise TicketMoved

    async def said_before(self, ref: str) -> TicketMessage | None:
        """The message a resend means."""
        found = await self.session.exec(
            select(TicketMessage).where(TicketMessage.ticket_id == self.ticket.id, TicketMessage.ref == ref)
        )
        return found.first()

    async def say(
        self,
        text: str,
        *,
        channel: str,
        ref: str | None = None,
        place: Place | None = None,
        at: datetime | None = None,
        automatic: bool = False,
        files: Sequence[Attached] = (),
        level: int = 0,
    ) -> TicketMessage:
        """A message to the other side. One of an operator keeps the promises; one of the requester brings a waiting
        or solved ticket back. What no person wrote (`automatic`) touches neither state nor turn nor clock."""
        if self.ticket.state == State.CLOSED:
            raise TicketClosed
        at = at or self.now
        message = self._add("message", text, channel, ref, place, at, level)
        if files:
            message.files = list(files)
            await put_files_along(self.session, files, place_of(self.ticket.id))
        if automatic or self.actor.kind not in ("operator", "requester"):
            self.record("said_automatically", message=message.seq, channel=channel)
        elif self.actor.kind == "operator":
            self.ticket.last_operator_at, self.ticket.last_operator_seq = at, message.seq
            self.ticket.waiting_since = None
            if self.ticket.first_reply_at is None and self.ticket.contact_channel != PHONE:
                # What was said while it was being opened is told by an earlier time.
                self.first_reply_seconds = max(0.0, (at - self.ticket.created_at).total_seconds())
            stopped = await stop_by_reply(self.session, self.ticket, at)
            for clock in stopped:
                if clock.untold:
                    await self._tell_breach(clock)
            self.record("replied", message=message.seq, channel=channel)
            for clock in stopped:
                if clock.metric == FIRST_REPLY:
                    self.record("first_reply", seconds=clock.seconds, target=clock.target_seconds)
            if self.ticket.state == State.NEW:
                await self._lead(State.OPEN)
        else:
            self.ticket.last_customer_at, self.ticket.last_customer_seq = at, message.seq
            self.ticket.waiting_since = self.ticket.waiting_since or at
            self.record("said", message=message.seq, channel=channel)
            if self.ticket.state in (State.WAITING_CUSTOMER, State.WAITING_THIRD_PARTY, State.SOLVED):
                await self._lead(State.OPEN)
            await start_next_reply(self.session, self.ticket, at)
        return message

    async def _tell_breach(self, clock: Stopped) -> None:
        """The reply came too late, and before the engine had looked: the breach has its line of why all the same."""
        cause = await situation(self.session, self.ticket, self.now)
        data = {"metric": clock.metric, "clock": str(clock.clock_id), "cause": cause}
        self.session.add(
            SlaEvent(
                id=new_id(), clock_id=clock.clock_id, type="breached", n=clock.instance, data=data, at=self.now
            )
        )  # fmt: skip
        self.record("breached", **data)

    def note(self, text: str, *, ref: str | None = None, files: Sequence[Attached] = ()) -> TicketMessage:
        message = self._add("note", text, "desk", ref, None, self.now)
        message.files = list(files)
        self.record("noted", message=message.seq)
        return message

    def _add(
        self, kind: str, text: str, channel: str, ref: str | None, place: Place | None, at: datetime, level: int = 0
    ) -> TicketMessage:
        self.ticket.last_seq += 1
        message = TicketMessage(
            id=new_id(),
            ticket_id=self.ticket.id,
            seq=self.ticket.last_seq,
            kind=kind,
            author_kind=self.actor.kind,
            author_id=self.actor.id,
            author_name=self.actor.name,
            contact_channel=channel,
            text=text,
            sender_level=level,
            conversation_id=place.conversation_id if place else None,
            conversation_seq=place.seq if place else None,
            ref=ref,
            at=at,
        )
        self.session.add(message)
        return message

    async def mention(self, people: Sequence[Colleague]) -> None:
        """They see the ticket from now on, whatever their department."""
        for one in people:
            if await self.session.get(TicketMention, (self.ticket.id, one.id)) is None:
                self.session.add(TicketMention(ticket_id=self.ticket.id, operator_id=one.id, at=self.now))
                self.record("mentioned", operator=str(one.id), name=one.name)

    async def tag(self, tags: Sequence[str]) -> None:
        wanted = {tag for raw in tags if (tag := " ".join(raw.split()).casefold())}
        if len(wanted) > TAGS or any(len(tag) > TAG_LENGTH for tag in wanted):
            raise TagsRefused
        there = {row.tag: row for row in await self.session.exec(_tags_of(self.ticket.id))}
        added, removed = sorted(wanted - there.keys()), sorted(there.keys() - wanted)
        for tag in removed:
            await self.session.delete(there[tag])
        for tag in added:
            self.session.add(TicketTag(ticket_id=self.ticket.id, tag=tag))
        if added or removed:
            self.record("tags", added=added, removed=removed)

    async def lead(self, target: State, reason: str | None = None, **why: Any) -> None:
        """To another state; the same state is no change. `why` stands in the history beside the reason. Raises
        TicketMoved where a conversation would be let go of in which something was said that is not here yet."""
        state = State(self.ticket.state)
        if target is state:
            return
        if not may_follow(state, target):
            raise NotPossible
        await self._lead(target, reason, **why)
        if target in (State.SOLVED, State.CLOSED):
            await stop_solve(self.session, self.ticket, self.now, counts=reason not in ("spam", "merged"))
        if target is State.SOLVED and self.actor.kind == "requester":
            # Nobody waits any more. An operator who solves without a word has still promised one.
            await cancel_clocks(self.session, self.ticket, self.now)
        if target is State.CLOSED:
            await self._close(reason or DONE)

    async def _lead(self, target: State, reason: str | None = None, **why: Any) -> None:
        before = self.ticket.state
        data = {"from": before, "to": target.value} | ({"reason": reason} if reason else {}) | why
        self.ticket.state = target.value
        self.record("state", **data)
        if before == State.SOLVED and target in LIVE:
            await start_solve(self.session, self.ticket, self.now)
        if before in WAITING or target in WAITING:
            await pause_clocks(self.session, self.ticket)

    async def open_again(self) -> None:
        """From closed, to the state before: what closed it was a mistake."""
        found = await self.session.exec(
            select(TicketEvent)
            .where(TicketEvent.ticket_id == self.ticket.id, TicketEvent.type == "state")
            .order_by(col(TicketEvent.seq).desc())
        )
        before = found.first()
        if self.ticket.state != State.CLOSED or before is None or before.data["to"] != State.CLOSED:
            raise NotPossible
        self.ticket.closed_reason = self.ticket.closed_at = None
        self.ticket.state = before.data["from"]
        self.record("state", **{"from": State.CLOSED.value, "to": self.ticket.state, "taken_back": True})

    async def rank(self, priority: int) -> None:
        """Raises NotPossible for high by anybody but an operator, where it is not proven who asks."""
        if priority == HIGH and self.actor.kind != "operator" and self.ticket.verify_level < IDENTIFIED:
            raise NotPossible
        if self.ticket.priority != priority:
            self.record("priority", **{"from": self.ticket.priority, "to": priority})
            self.ticket.priority = priority
            await move_clocks(self.session, self.ticket)

    async def hand_to(self, department_id: UUID, slug: str, note: int | None = None) -> None:
        """`note`: the seq of the one that the department reads first."""
        if self.ticket.department_id != department_id:
            self.record("department", to=slug, **({"note": note} if note is not None else {}))
            self.ticket.department_id = department_id
            await move_clocks(self.session, self.ticket)

    async def _close(self, reason: str) -> None:
        # A merged one is heard by the other.
        if reason != "merged" and await is_unheard(self.session, self.ticket.id):
            raise TicketMoved
        self.ticket.closed_reason, self.ticket.closed_at = reason, self.now
        if reason in ("spam", "merged"):
            await cancel_clocks(self.session, self.ticket, self.now)
        held = await self.session.exec(
            select(TicketConversation).where(
                TicketConversation.ticket_id == self.ticket.id, col(TicketConversation.released_at).is_(None)
            )
        )
        for tie in held:
            tie.released_at = self.now

    async def assign(self, operator_id: UUID | None, name: str, **why: Any) -> None:
        """`why` stands in the history beside it."""
        if operator_id == self.ticket.operator_id:
            return
        await self._give_to(operator_id)
        self.record("assigned", operator=str(operator_id) if operator_id else None, name=name, **why)
        if operator_id is not None and self.ticket.state == State.NEW:
            await self._lead(State.OPEN)

    async def hand_over(self, who: str, to: Operator | None, of: int) -> None:
        """At the end of the shift of `who`. `of`: how many could have taken it; where nobody could, it waits for the
        department."""
        await self._give_to(to.id if to else None)
        name = to.name if to else ""
        self.record("handed_over", **{"from": who, "operator": str(to.id) if to else None, "name": name, "number": of})

    async def _give_to(self, operator_id: UUID | None) -> None:
        current = await self.session.exec(
            select(TicketAssignment).where(
                TicketAssignment.ticket_id == self.ticket.id, col(TicketAssignment.ended_at).is_(None)
            )
        )
        for assignment in current:
            assignment.ended_at = self.now
        # The old row must end before the new one begins: one open assignment per ticket is a constraint.
        await self.session.flush()
        self.ticket.operator_id = operator_id
        if operator_id is not None:
            self.session.add(
                TicketAssignment(id=new_id(), ticket_id=self.ticket.id, operator_id=operator_id, started_at=self.now)
            )

    def settle(self) -> None:
        """Derived columns, once, at the end of the change."""
        ticket = self.ticket
        ticket.open = ticket.state in LIVE
        asked = ticket.last_customer_seq > ticket.last_operator_seq
        ticket.operators_turn = ticket.open and (asked or ticket.first_reply_at is None)
        ticket.changed_at = self.now
        ticket.version += 1


def place_of(ticket_id: UUID) -> str:
    """Who may read the ticket may read the files of this place."""
    return f"ticket:{ticket_id}"


def inside_of(ticket_id: UUID) -> str:
    """Files of its notes: only operators look here."""
    return f"{INSIDE}{place_of(ticket_id)}"


def _tags_of(ticket_id: UUID) -> SelectOfScalar[TicketTag]:
    return select(TicketTag).where(TicketTag.ticket_id == ticket_id)


def checked(text: str, files: Sequence[str] = (), *, limit: int = TEXT_LIMIT) -> str:
    """What somebody wrote, without blank ends; files may go alone. Raises TextEmpty or TextTooLong."""
    text = text.replace("\r\n", "\n").strip()
    if not text and not files:
        raise TextEmpty
    if len(text) > limit:
        raise TextTooLong
    return text
