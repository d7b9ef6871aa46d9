"""The rows that the canary talks in: one operator for all, and for each process a visitor and a conversation.

Nobody sees them. The state of such a conversation is one that no queue, list or count asks for; the operator's role is
one that sees nothing else and is in no department, so nothing is ever offered to it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.models import CANARY as CANARY_STATE
from chat.conversations.models import Conversation, Message
from chat.db import Database, table_of
from chat.ids import hashed, new_id, new_secret
from chat.people.models import (
    CANARY,
    Department,
    LoginSession,
    OneTimeSecret,
    Operator,
    Site,
    Visitor,
)

EMAIL = "canary@nightdesk.invalid"
LIFE = timedelta(hours=1)
"""A conversation is used so long, then a new one is begun: rows do not grow."""
DEAD = 2 * LIFE
"""Older ones belonged to processes that are gone."""


@dataclass(frozen=True, slots=True)
class Pair:
    site: str
    token: str
    conversation: UUID
    operator: Operator
    login: LoginSession


class CanaryRows:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def furnish(self) -> Pair | None:
        """Somebody to talk with; None while there is no site, and so nobody to chat with anyway."""
        now = self._clock.now()
        async with self._db.read() as session:
            site = (await session.execute(select(Site).order_by(col(Site.created_at)).limit(1))).scalars().first()
        if site is None:
            return None
        operator = await self._operator(now)
        await self._forget(operator.id, now - DEAD)
        token = new_secret()
        visitor = Visitor(
            id=new_id(), site_id=site.id, token_hash=hashed(token), name="Canary", pages=[], created_at=now, seen_at=now
        )
        login = LoginSession(
            id=new_id(),
            secret_hash=hashed(new_secret()),
            operator_id=operator.id,
            created_at=now,
            seen_at=now,
            expires_at=now + DEAD,
        )
        async with self._db.write() as session:
            department = select(col(Department.id)).order_by(col(Department.position)).limit(1)
            conversation = Conversation(
                id=new_id(),
                site_id=site.id,
                visitor_id=visitor.id,
                department_id=(await session.execute(department)).scalar_one(),
                start_ref=f"canary-{visitor.id}",
                state=CANARY_STATE,
                operator_id=operator.id,
                # Long before anything that is measured: its answers are no first replies of anybody.
                first_reply_at=datetime(1970, 1, 1, tzinfo=UTC),
                page={},
                created_at=now,
            )
            session.add(visitor)
            session.add(login)
            await session.flush()
            session.add(conversation)
        return Pair(site.key, token, conversation.id, operator, login)

    async def forget(self, pair: Pair) -> None:
        """Leaves nothing behind but the operator."""
        async with self._db.write() as session:
            await _forget_conversations(session, [pair.conversation])
            await _forget_logins(session, [pair.login.id])

    async def _operator(self, now: datetime) -> Operator:
        found = await self._known()
        if found is not None:
            return found
        made = Operator(
            id=new_id(),
            email=EMAIL,
            name="Canary",
            role=CANARY,
            status="away",
            capacity=0,
            settings={},
            created_at=now,
        )
        try:
            async with self._db.write() as session:
                session.add(made)
        except IntegrityError:
            found = await self._known()  # another process made it in this moment
            if found is None:
                raise
            return found
        return made

    async def _known(self) -> Operator | None:
        async with self._db.read() as session:
            return (await session.execute(select(Operator).where(col(Operator.role) == CANARY))).scalars().first()

    async def _forget(self, operator_id: UUID, before: datetime) -> None:
        async with self._db.read() as session:
            old = select(col(Conversation.id)).where(
                col(Conversation.state) == CANARY_STATE, col(Conversation.created_at) < before
            )
            conversations = list((await session.execute(old)).scalars())
            ended = select(col(LoginSession.id)).where(
                col(LoginSession.operator_id) == operator_id, col(LoginSession.created_at) < before
            )
            logins = list((await session.execute(ended)).scalars())
        if conversations or logins:
            async with self._db.write() as session:
                await _forget_conversations(session, conversations)
                await _forget_logins(session, logins)


async def _forget_conversations(session: AsyncSession, ids: list[UUID]) -> None:
    conversations, messages, visitors = table_of(Conversation), table_of(Message), table_of(Visitor)
    ours = conversations.c.id.in_(ids) & (conversations.c.state == CANARY_STATE)
    found = list(await session.execute(select(conversations.c.id, conversations.c.visitor_id).where(ours)))
    await session.execute(delete(messages).where(messages.c.conversation_id.in_([row.id for row in found])))
    await session.execute(delete(conversations).where(ours))
    await session.execute(delete(visitors).where(visitors.c.id.in_([row.visitor_id for row in found])))


async def _forget_logins(session: AsyncSession, ids: list[UUID]) -> None:
    logins, secrets = table_of(LoginSession), table_of(OneTimeSecret)
    await session.execute(delete(secrets).where(secrets.c.login_session_id.in_(ids)))
    await session.execute(delete(logins).where(logins.c.id.in_(ids)))
