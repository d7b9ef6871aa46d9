"""What open consoles must be asked again and again: is the sign-in alive, the role, the departments, the conversation.

Read twice a second, so that access that has ended ends within seconds, whoever ended it and however.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.people.models import SUPERVISING, LoginSession, Operator, OperatorDepartment


@dataclass(frozen=True, slots=True)
class Access:
    """What one operator may see: all, or departments and the conversations that are theirs."""

    operator_id: UUID
    role: str
    departments: frozenset[UUID]

    def sees(self, department_id: UUID, operator_id: UUID | None) -> bool:
        return self.role in SUPERVISING or department_id in self.departments or operator_id == self.operator_id


async def departments_of(session: AsyncSession, operators: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
    statement = select(col(OperatorDepartment.operator_id), col(OperatorDepartment.department_id)).where(
        col(OperatorDepartment.operator_id).in_(operators)
    )
    found: dict[UUID, set[UUID]] = {operator_id: set() for operator_id in operators}
    for operator_id, department_id in await session.execute(statement):
        found[operator_id].add(department_id)
    return {operator_id: frozenset(departments) for operator_id, departments in found.items()}


async def access_of_logins(session: AsyncSession, logins: Collection[UUID], now: datetime) -> dict[UUID, Access]:
    """By login session; those that ended, ran out or belong to somebody deactivated are absent."""
    statement = (
        select(col(LoginSession.id), col(Operator.id), col(Operator.role))
        .join(Operator, col(Operator.id) == col(LoginSession.operator_id))
        .where(
            col(LoginSession.id).in_(logins),
            col(LoginSession.ended_at).is_(None),
            col(LoginSession.expires_at) > now,
            col(Operator.active),
        )
    )
    alive = list(await session.execute(statement))
    departments = await departments_of(session, {operator_id for _, operator_id, _ in alive})
    return {login: Access(operator_id, role, departments[operator_id]) for login, operator_id, role in alive}


async def places_of(session: AsyncSession, conversations: Collection[UUID]) -> dict[UUID, tuple[UUID, UUID | None]]:
    """Department and operator of each conversation."""
    statement = select(col(Conversation.id), col(Conversation.department_id), col(Conversation.operator_id)).where(
        col(Conversation.id).in_(conversations)
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(statement)}
