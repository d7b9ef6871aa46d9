"""Who comes back with a token: the visitor, their latest conversation and who answers in it. One query for everybody
who comes at the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database
from chat.ids import hashed
from chat.people.models import Operator, Visitor
from chat.people.visitors import OWNS_TOKENS, KnownVisitor, token_parameters
from chat.together import Together


@dataclass(frozen=True, slots=True)
class Returning:
    visitor: KnownVisitor
    conversation: Conversation | None
    operator_name: str
    """Of whoever has the conversation; empty for nobody."""


_later = aliased(Conversation)
_latest = and_(
    col(Conversation.visitor_id) == col(Visitor.id),
    ~exists().where(
        col(_later.visitor_id) == col(Visitor.id),
        or_(
            col(_later.created_at) > col(Conversation.created_at),
            and_(col(_later.created_at) == col(Conversation.created_at), col(_later.id) > col(Conversation.id)),
        ),
    ),
)
_person = (col(Visitor.id), col(Visitor.site_id), col(Visitor.locale), col(Visitor.name), col(Visitor.email))
_returning = (
    select(col(Visitor.token_hash), Conversation, col(Operator.name), *_person)
    .select_from(Visitor)
    .outerjoin(Conversation, _latest)
    .outerjoin(Operator, col(Operator.id) == col(Conversation.operator_id))
    .where(OWNS_TOKENS)
)


class Returns:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._found = Together(self._load)

    @property
    def lateness(self) -> float:
        """Seconds for which one waits who asks who comes back."""
        return self._found.lateness

    async def of(self, site_id: UUID, token: str) -> Returning | None:
        """None: the token is nobody's, not of this site, or has ended. Raises DatabaseAway."""
        found = await self._found.get(hashed(token))
        return found if found is not None and found.visitor.site_id == site_id else None

    async def _load(self, hashes: Sequence[str]) -> Mapping[str, Returning]:
        async with self._db.read() as session:
            rows = (await session.execute(_returning, token_parameters(hashes, self._clock.now()))).all()
        return {
            token_hash: Returning(KnownVisitor(*person), conversation, operator_name or "")
            for token_hash, conversation, operator_name, *person in rows
        }


async def people_of(session: AsyncSession, conversation: Conversation) -> tuple[str | None, str]:
    """The visitor's address, and the name of whoever has the conversation."""
    statement = (
        select(col(Visitor.email), col(Operator.name))
        .outerjoin(Operator, col(Operator.id) == conversation.operator_id)
        .where(col(Visitor.id) == conversation.visitor_id)
    )
    email, operator_name = (await session.execute(statement)).one()
    return email, operator_name or ""
