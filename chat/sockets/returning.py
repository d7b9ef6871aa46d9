"""Who comes back with a token: the visitor, their latest conversation and who answers in it, all by one query."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.conversations.models import Conversation
from chat.db import Database
from chat.people.models import Operator, Visitor
from chat.people.visitors import OWNS_TOKEN, KnownVisitor, token_parameters


@dataclass(frozen=True, slots=True)
class Returning:
    visitor: KnownVisitor
    conversation: Conversation | None
    operator_name: str
    """Of whoever has the conversation; empty for nobody."""


_person = (col(Visitor.id), col(Visitor.site_id), col(Visitor.locale), col(Visitor.name), col(Visitor.email))
_returning = (
    select(*_person, Conversation, col(Operator.name))
    .select_from(Visitor)
    .outerjoin(Conversation, col(Conversation.visitor_id) == col(Visitor.id))
    .outerjoin(Operator, col(Operator.id) == col(Conversation.operator_id))
    .where(OWNS_TOKEN)
    .order_by(col(Conversation.created_at).desc(), col(Conversation.id).desc())
    .limit(1)
)


async def returning(db: Database, clock: Clock, site_id: UUID, token: str) -> Returning | None:
    """None: the token is nobody's, not of this site, or has ended."""
    async with db.read() as session:
        found = (await session.execute(_returning, token_parameters(site_id, token, clock.now()))).first()
    if found is None:
        return None
    *known, conversation, operator_name = found
    return Returning(KnownVisitor(*known), conversation, operator_name or "")


async def people_of(session: AsyncSession, conversation: Conversation) -> tuple[str | None, str]:
    """The visitor's address, and the name of whoever has the conversation."""
    statement = (
        select(col(Visitor.email), col(Operator.name))
        .outerjoin(Operator, col(Operator.id) == conversation.operator_id)
        .where(col(Visitor.id) == conversation.visitor_id)
    )
    email, operator_name = (await session.execute(statement)).one()
    return email, operator_name or ""
