"""Who can be called to a ticket that waits: the least loaded on shift, and the supervisors."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Operator, OperatorDepartment
from escalation.models import Ticket

SUPERVISING = ("supervisor", "administrator")


@dataclass(frozen=True, slots=True)
class Pick:
    """Who was chosen, out of how many: the line of why says both."""

    operator: Operator
    of: int


async def least_loaded(session: AsyncSession, ticket: Ticket) -> Pick | None:
    """Of the department's people who are present, online and have room, without the one who has the ticket. Nobody
    who is absent or full is ever chosen."""
    found = await session.exec(
        select(Operator)
        .join(OperatorDepartment, col(OperatorDepartment.operator_id) == col(Operator.id))
        .where(
            OperatorDepartment.department_id == ticket.department_id,
            col(Operator.active).is_(True),
            col(Operator.present).is_(True),
            Operator.status == "online",
            col(Operator.load) < col(Operator.capacity),
            col(Operator.id) != ticket.operator_id,
        )
        .order_by(col(Operator.load), col(Operator.assigned_at).asc().nulls_first(), col(Operator.id))
    )
    fit = found.all()
    return Pick(fit[0], len(fit)) if fit else None


async def supervisors(session: AsyncSession) -> list[str]:
    """Names; those who are here, else all."""
    found = await session.exec(
        select(Operator)
        .where(col(Operator.active).is_(True), col(Operator.role).in_(SUPERVISING))
        .order_by(col(Operator.name), col(Operator.id))
    )
    people = found.all()
    here = [operator.name for operator in people if operator.present]
    return here or [operator.name for operator in people]


async def in_department(session: AsyncSession, operator_id: UUID) -> set[UUID]:
    found = await session.exec(
        select(OperatorDepartment.department_id).where(OperatorDepartment.operator_id == operator_id)
    )
    return set(found)
