"""Who could take a conversation: operators with presence and load, departments with their queues."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.conversations.models import Conversation
from chat.pairing.duties import duty_of
from chat.people.models import CANARY, Department, Operator, OperatorDepartment


@dataclass(frozen=True, slots=True)
class Colleague:
    id: UUID
    name: str
    presence: str
    """online, away, offline"""
    load: int
    capacity: int
    departments: str
    on_duty: bool
    """Off duty nothing is handed to them."""


@dataclass(frozen=True, slots=True)
class DepartmentChoice:
    slug: str
    name: str
    waiting: int


async def colleagues(session: AsyncSession, locale: str, now: datetime) -> list[Colleague]:
    """All active operators: who is here first, then who has most room."""
    people = select(Operator).where(col(Operator.active), col(Operator.role) != CANARY)
    operators = (await session.execute(people)).scalars().all()
    names: dict[UUID, list[str]] = {}
    members = await session.execute(
        select(col(OperatorDepartment.operator_id), Department)
        .join(Department, col(Department.id) == col(OperatorDepartment.department_id))
        .order_by(col(Department.position))
    )
    for operator_id, department in members:
        names.setdefault(operator_id, []).append(_name(department, locale))
    found = [
        Colleague(
            id=one.id,
            name=one.name,
            presence=one.status if one.present else "offline",
            load=one.load,
            capacity=one.capacity,
            departments=", ".join(names.get(one.id, [])),
            on_duty=duty_of(one).holds(now),
        )
        for one in operators
    ]
    order = {"online": 0, "away": 1, "offline": 2}
    return sorted(found, key=lambda one: (order[one.presence], one.load - one.capacity, one.name))


async def department_choices(session: AsyncSession, locale: str) -> list[DepartmentChoice]:
    waiting = (
        select(func.count())
        .where(col(Conversation.department_id) == col(Department.id), col(Conversation.state) == "waiting")
        .correlate(Department)
        .scalar_subquery()
    )
    found = await session.execute(select(Department, waiting).order_by(col(Department.position), col(Department.slug)))
    return [DepartmentChoice(department.slug, _name(department, locale), count) for department, count in found]


def _name(department: Department, locale: str) -> str:
    return department.names.get(locale) or department.slug
