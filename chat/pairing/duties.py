"""When operators are on duty, and what becomes of their conversations when they are not.

Who keeps a roster writes the span of duty here; pairing judges by it in the same UPDATE that assigns, so nobody is
offered anything a second after the end of their shift, however late the next look at the roster is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.actions import Conversations
from chat.conversations.entry import SYSTEM, Author, EntryDraft, event
from chat.conversations.models import INTERNAL, Conversation
from chat.conversations.streams import append
from chat.db import Database, rows_changed, table_of
from chat.hub.hub import Hub
from chat.pairing import steps, waiting
from chat.pairing.models import Assignment
from chat.people.models import Department, Operator

UNDER_WAY = timedelta(minutes=3)
LINGERS = timedelta(minutes=30)
"""A talk that goes on with an operator who is still there is not torn from them at the stroke of the hour, but so
long after it at the latest."""
OFF_DUTY = "handed-over"


@dataclass(frozen=True, slots=True)
class Duty:
    """The span, the present or the next, in which an operator may be offered things; both None: at any time."""

    begins: datetime | None = None
    ends: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.begins is None or self.ends is None or self.begins <= now < self.ends


def duty_of(operator: Operator) -> Duty:
    return Duty(operator.duty_from, operator.duty_until)


class Duties:
    def __init__(self, db: Database, hub: Hub, conversations: Conversations) -> None:
        self._db = db
        self._hub = hub
        self._conversations = conversations

    async def set(self, session: AsyncSession, operator: Operator, duty: Duty, now: datetime) -> bool:
        """Whether this call changed it: of several that come from the same row one does. `changed` after the commit."""
        before = duty_of(operator)
        if duty.holds(now):
            off_since = None
        elif before.holds(now):
            off_since = now  # by a change of the roster: what was taken until now is handed over
        elif before.begins is not None and before.ends is not None and before.begins < before.ends <= now:
            off_since = before.ends
        else:
            off_since = operator.off_since or now
        rows = table_of(Operator)
        until = rows.c.duty_until
        done = await session.execute(
            update(rows)
            .where(
                rows.c.id == operator.id,
                until == operator.duty_until if operator.duty_until is not None else until.is_(None),
            )
            .values(duty_from=duty.begins, duty_until=duty.ends, off_since=off_since)
        )
        return rows_changed(done) == 1

    def changed(self, operator_id: UUID) -> None:
        """Consoles, visitors' pages and dispatchers look again."""
        self._hub.publish("staff", {"kind": "staff", "operator": str(operator_id)})
        self._conversations.waiting_changed()

    async def left_with(self, session: AsyncSession, operator: Operator, now: datetime) -> list[UUID]:
        """Conversations that an operator off duty still has from before, oldest first."""
        if operator.off_since is None:
            return []
        rows, assignments = table_of(Conversation), table_of(Assignment)
        query = (
            select(rows.c.id)
            .join(assignments, assignments.c.conversation_id == rows.c.id)
            .where(
                assignments.c.state == "accepted",
                assignments.c.operator_id == operator.id,
                assignments.c.accepted_at <= operator.off_since,
                rows.c.state == "active",
            )
            .order_by(assignments.c.accepted_at, rows.c.id)
        )
        if operator.present and now < operator.off_since + LINGERS:
            query = query.where(rows.c.last_message_at <= now - UNDER_WAY)
        return [UUID(str(one)) for one in (await session.execute(query)).scalars()]

    async def hand_over(self, conversation_id: UUID, operator_id: UUID, brief: str, now: datetime) -> bool:
        """To the head of the department's queue, from where it is offered to who is on duty; `brief` is a note for
        them. False where it is not theirs any more, or they are on duty again."""
        async with self._db.write() as session:
            locked = await steps.locked(session, conversation_id)
            if locked is None or locked.state != "active" or locked.operator_id != operator_id:
                return False
            operator = await session.get_one(Operator, operator_id, populate_existing=True)
            if operator.off_since is None or duty_of(operator).holds(now):
                return False
            await steps.end_assignment(session, conversation_id, operator_id, OFF_DUTY, now)
            since = await waiting.before_all(
                session, locked.department_id, locked.priority, locked.waiting_since or now
            )
            await steps.set_values(session, conversation_id, state="waiting", operator_id=None, waiting_since=since)
            department = await session.get_one(Department, locked.department_id)
            target = {"department": {"slug": department.slug, "names": department.names}}
            by = Author("operator", operator.id, operator.name)
            entries = await append(session, conversation_id, [event("transferred", by, off_duty=True, **target)], now)
            note = EntryDraft("note", SYSTEM, brief, data={"transfer": target})
            notes = await append(session, conversation_id, [note], now, stream=INTERNAL)
        self._conversations.entered(conversation_id, notes)
        self._conversations.entered(conversation_id, entries)
        self._conversations.changed_row(conversation_id)
        self._conversations.waiting_changed()
        return True
