"""The one place that pairs: offers, accepts, takes, transfers, ends. Each is one transaction whose conditional
UPDATEs judge, so that any process may try anything at any time and a second try changes nothing.

`operator.load` counts offered and accepted conversations and is raised only under `load < capacity`, for an operator
who is present and online, in the transaction that assigns. A person's own act (take, transfer to oneself, accept) may
pass the capacity: the rule protects people from the machine, not from themselves.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations import store
from chat.conversations.actions import Conversations
from chat.conversations.entry import SYSTEM, Author, EntryDraft, StoredEntry, event
from chat.conversations.models import CANARY, Conversation
from chat.conversations.streams import append
from chat.db import Database, table_of
from chat.hub.hub import Hub
from chat.pairing import reasons, steps, waiting
from chat.pairing.reasons import Reason
from chat.pairing.routing import choose
from chat.pairing.transfers import handed_on
from chat.people.models import Operator, OperatorDepartment
from chat.protocol.errors import (
    NothingWaiting,
    NotYours,
    UnknownConversation,
)

Within = Callable[[AsyncSession], Awaitable[None]]
FREE = ("waiting", "left", "ended")
"""States in which nobody has a conversation."""


class Pairing:
    def __init__(
        self, db: Database, clock: Clock, hub: Hub, conversations: Conversations, offer_seconds: float
    ) -> None:
        self._db = db
        self._clock = clock
        self._hub = hub
        self._conversations = conversations
        self.offer_seconds = offer_seconds

    # ── by the dispatcher ────────────────────────────────────────────────────────────────────────────────────────

    async def offer_next(self) -> bool | None:
        """Offers the conversation whose turn it is to the operator whose turn it is. True: look again. False: there is
        nothing to do. None: another process is deciding, look again in a moment."""
        now = self._clock.now()
        async with self._db.read() as session:
            heads = await waiting.first(session, await waiting.all_departments(session))
            room = await steps.with_room(session, [head.department_id for head in heads], now) if heads else set()
        for head in heads:
            if head.department_id in room and (outcome := await self._offer(head)) is not False:
                return outcome
        return False

    async def _offer(self, head: waiting.Waiter) -> bool | None:
        now = self._clock.now()
        async with self._db.write() as session:
            if not await steps.held(session, head.department_id):
                return None
            conversation = await steps.locked(session, head.id)
            if conversation is None or conversation.state != "waiting":
                return True  # taken, ended or transferred in this moment: look again
            choice = choose(*await steps.candidates(session, conversation, now))
            if choice is None:
                return False
            if not await steps.take_place(session, choice.operator_id, now):
                return True  # they left or filled up in this moment: look again
            await steps.set_values(session, head.id, state="offered", operator_id=choice.operator_id)
            session.add(steps.assignment(head.id, choice.operator_id, "offered", choice.reason, now))
        self._tell_operator(choice.operator_id, "offer", head.id)
        self._conversations.changed_row(head.id)
        return True

    async def withdraw(
        self, conversation_id: UUID, operator_id: UUID, because: str, *, offer: UUID | None = None
    ) -> bool:
        """Ends an offer (declined, missed, vanished): the conversation is at the head of its queue again. `offer`: this
        one and no later one to the same operator, by a process that may have slept since it looked."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None or locked.state != "offered" or locked.operator_id != operator_id:
                return False
            if offer is not None and not await steps.is_offered(session, offer):
                return False
            await steps.end_assignment(session, conversation_id, operator_id, because, self._clock.now())
            await steps.set_values(session, conversation_id, state="waiting", operator_id=None)
        self._tell_operator(operator_id, "withdrawn", conversation_id, because=because)
        self._after(conversation_id, [])
        return True

    async def give_back(self, conversation_id: UUID, operator_id: UUID) -> bool:
        """The operator vanished: back to the head of the queue, and the visitor is told."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None or locked.state != "active" or locked.operator_id != operator_id:
                return False
            operator = await session.get_one(Operator, operator_id, populate_existing=True)
            if operator.present and operator.active:
                return False
            now = self._clock.now()
            await steps.end_assignment(session, conversation_id, operator_id, "vanished", now)
            await steps.set_values(
                session,
                conversation_id,
                state="waiting",
                operator_id=None,
                waiting_since=await waiting.before_all(
                    session, locked.department_id, locked.priority, locked.waiting_since or now
                ),
            )
            returned = event("returned", operator={"name": operator.name})
            entries = await append(session, conversation_id, [returned, event("queued")], now)
        self._after(conversation_id, entries)
        return True

    # ── by operators ─────────────────────────────────────────────────────────────────────────────────────────────

    async def accept(self, conversation_id: UUID, operator_id: UUID, within: Within | None = None) -> bool:
        """The offer to this operator becomes an assignment; False when there is none any more. `within`: what is
        written in the same transaction."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None or locked.state != "offered" or locked.operator_id != operator_id:
                return False
            now = self._clock.now()
            operator = await session.get_one(Operator, operator_id)
            await steps.accepted(session, conversation_id, operator_id, now)
            await steps.set_values(session, conversation_id, state="active")
            entries = await append(session, conversation_id, [_assigned(operator)], now)
            if within is not None:
                await within(session)
        self._tell_operator(operator_id, "withdrawn", conversation_id, because="accepted")
        self._after(conversation_id, entries)
        return True

    async def take(self, conversation_id: UUID | None, operator: Operator) -> UUID:
        """The conversation becomes this operator's, whoever has it; without an id the oldest that waits."""
        if conversation_id is None:
            return await self._take_oldest(operator)
        return await self._take(conversation_id, operator)

    async def take_waiting(self, conversation_id: UUID, operator: Operator, within: Within | None = None) -> bool:
        """Only while it waits and nobody is being offered it; of many at once, one gets it. `within`: as above."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None or locked.state != "waiting":
                return False
            entries, _ = await self._assign(session, locked, operator, "taken", reasons.OLDEST)
            if within is not None:
                await within(session)
        self._after(conversation_id, entries)
        return True

    async def _take(self, conversation_id: UUID, operator: Operator, *, free_only: bool = False) -> UUID:
        """`free_only`: raises NotYours where a colleague has it, or is being offered it."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None:
                raise UnknownConversation
            if locked.state == "active" and locked.operator_id == operator.id:
                return conversation_id
            if free_only and locked.state not in FREE and locked.operator_id != operator.id:
                raise NotYours
            entries, before = await self._assign(session, locked, operator, "taken", reasons.BY_HAND)
        if before is not None:
            because = "accepted" if before == operator.id else "taken"
            self._tell_operator(before, "withdrawn", conversation_id, because=because)
        self._after(conversation_id, entries)
        return conversation_id

    async def _take_oldest(self, operator: Operator) -> UUID:
        async with self._db.read() as session:
            members = table_of(OperatorDepartment)
            mine = select(members.c.department_id).where(members.c.operator_id == operator.id)
            rows = table_of(Conversation)
            offered = await session.execute(
                select(rows.c.id).where(rows.c.state == "offered", rows.c.operator_id == operator.id).limit(1)
            )
            offer = offered.scalar_one_or_none()
            departments = list((await session.execute(mine)).scalars())
            found = await waiting.first(session, departments, limit=20)
        if offer is not None and await self.accept(offer, operator.id):
            return UUID(str(offer))
        for candidate in found:
            async with self._db.write() as session:
                locked = await steps.locked(session, candidate.id)
                if locked is None or locked.state != "waiting":
                    continue
                entries, _ = await self._assign(session, locked, operator, "taken", reasons.OLDEST)
            self._after(candidate.id, entries)
            return candidate.id
        raise NothingWaiting

    async def transfer(
        self,
        conversation_id: UUID,
        by: Operator,
        note: str,
        *,
        operator_id: UUID | None,
        department: str | None,
        ref: str,
    ) -> None:
        """To a department: its queue, at the head. To an operator: an offer to that person. The note is required and
        goes into the operators' stream; the visitor reads one line."""
        async with self._db.write() as session:
            done = await handed_on(
                session, conversation_id, by, note, to_operator=operator_id, to_department=department, ref=ref,
                now=self._clock.now(),
            )  # fmt: skip
        if done is None:
            return
        self._conversations.entered(conversation_id, done.notes)
        if done.before is not None and done.before != by.id:
            self._tell_operator(done.before, "withdrawn", conversation_id, because="transferred")
        if operator_id is not None:
            self._tell_operator(operator_id, "offer", conversation_id)
        self._after(conversation_id, done.entries)

    async def end(self, conversation_id: UUID, by: Author) -> None:
        """Ended by a person; ending twice is ending once."""
        now = self._clock.now()
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None:
                raise UnknownConversation
            if locked.state == "ended":
                return
            if locked.operator_id is not None:
                await steps.end_assignment(session, conversation_id, locked.operator_id, "ended", now)
            await steps.set_values(session, conversation_id, state="ended", ended_at=now, waiting_since=None)
            entries = await append(session, conversation_id, [event("ended", by, by=by.kind)], now)
        if locked.operator_id is not None and locked.state == "offered":
            self._tell_operator(locked.operator_id, "withdrawn", conversation_id, because="ended")
        self._after(conversation_id, entries)

    async def may_say(self, conversation_id: UUID, operator: Operator) -> None:
        """A reply accepts an offer to its operator and takes what waits. Raises NotYours for a colleague's."""
        async with self._db.read() as session:
            found = await store.conversation(session, conversation_id)
        if found is None:
            raise UnknownConversation
        if found.state in ("active", CANARY) and found.operator_id == operator.id:
            return
        if found.state == "offered" and found.operator_id == operator.id:
            if not await self.accept(conversation_id, operator.id):
                await self.may_say(conversation_id, operator)  # the offer ended in this moment
        elif found.state in FREE:
            await self._take(conversation_id, operator, free_only=True)
        else:
            raise NotYours

    async def appear(self, operator_id: UUID, status: str, because: str = "") -> None:
        operators = table_of(Operator)
        async with self._db.write() as session:
            await session.execute(update(operators).where(operators.c.id == operator_id).values(status=status))
        self._hub.publish(f"operator:{operator_id}", {"kind": "appeared", "status": status, "because": because})
        self.staff_changed(operator_id)

    def staff_changed(self, operator_id: UUID) -> None:
        self._hub.publish("staff", {"kind": "staff", "operator": str(operator_id)})
        self._conversations.waiting_changed()

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _assign(
        self, session: AsyncSession, locked: Conversation, operator: Operator, because: str, reason: Reason
    ) -> tuple[list[StoredEntry], UUID | None]:
        now = self._clock.now()
        before = locked.operator_id if locked.state in ("offered", "active") else None
        drafts = []
        if locked.state == "ended":
            drafts.append(event("reopened", Author("operator", operator.id, operator.name)))
        await steps.lock_operators(session, before, operator.id)
        if before is not None:
            await steps.end_assignment(session, locked.id, before, because, now)
        operators = table_of(Operator)
        await session.execute(
            update(operators).where(operators.c.id == operator.id).values(load=operators.c.load + 1, assigned_at=now)
        )
        session.add(steps.assignment(locked.id, operator.id, "accepted", reason, now))
        await steps.set_values(session, locked.id, state="active", operator_id=operator.id, ended_at=None)
        drafts.append(_assigned(operator))
        entries = await append(session, locked.id, drafts, now)
        return entries, before

    def _tell_operator(self, operator_id: UUID, kind: str, conversation_id: UUID, **more: str) -> None:
        self._hub.publish(f"operator:{operator_id}", {"kind": kind, "conversation": str(conversation_id), **more})

    def _after(self, conversation_id: UUID, entries: list[StoredEntry]) -> None:
        self._conversations.entered(conversation_id, entries)
        self._conversations.changed_row(conversation_id)
        self._conversations.waiting_changed()


def _assigned(operator: Operator) -> EntryDraft:
    return event("assigned", SYSTEM, operator={"id": str(operator.id), "name": operator.name})
