"""Who can be called to what waits or be given it, and how it stood when nobody came."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import Operator, OperatorDepartment, duty_of, is_online
from escalation.directory import ROLES
from escalation.errors import OperatorAbsent, OperatorFull
from escalation.models import Ticket

SUPERVISING = ("supervisor", "administrator")


@dataclass(frozen=True, slots=True)
class Pick:
    """Who was chosen, out of how many: the line of why says both."""

    operator: Operator
    of: int


class Place(Protocol):
    """A ticket or a conversation: where it belongs and who has it."""

    department_id: UUID
    operator_id: UUID | None


async def least_loaded(session: AsyncSession, where: Place, now: datetime) -> Pick | None:
    """Of the department's people who are on duty, present, online and have room for a conversation and for a ticket,
    without the one who has it already. Nobody who is absent or full is ever chosen."""
    tickets = (
        select(func.count())
        .select_from(Ticket)
        .where(Ticket.operator_id == Operator.id, col(Ticket.open).is_(True))
        .correlate(Operator)
        .scalar_subquery()
    )
    found = await session.exec(
        select(Operator)
        .join(OperatorDepartment, col(OperatorDepartment.operator_id) == col(Operator.id))
        .where(
            OperatorDepartment.department_id == where.department_id,
            is_online(now),
            col(Operator.load) < col(Operator.capacity),
            tickets < col(Operator.ticket_capacity),
            col(Operator.id) != where.operator_id,
        )
        .order_by(
            col(Operator.load) * 1.0 / col(Operator.capacity) + tickets * 1.0 / col(Operator.ticket_capacity),
            col(Operator.assigned_at).asc().nulls_first(),
            col(Operator.id),
        )
    )
    fit = found.all()
    return Pick(fit[0], len(fit)) if fit else None


async def chosen(session: AsyncSession, where: Place, now: datetime) -> Pick | None:
    """The least loaded, kept for the caller's transaction: who was filled meanwhile is passed over."""
    while pick := await least_loaded(session, where, now):
        try:
            await require_room(session, pick.operator.id, now)
        except (OperatorAbsent, OperatorFull):
            continue
        break
    return pick


async def require_room(session: AsyncSession, operator_id: UUID, now: datetime) -> None:
    """Nobody hands a ticket to who is off duty or has as many as they take. Raises OperatorAbsent or OperatorFull. The
    lock makes those who hand to one person at once take turns."""
    row = select(Operator).where(Operator.id == operator_id).with_for_update(key_share=True)
    operator = (await session.exec(row.execution_options(populate_existing=True))).one()
    if not operator.active or not duty_of(operator).holds(now):
        raise OperatorAbsent
    some = (
        select(Ticket.id)
        .where(Ticket.operator_id == operator_id, col(Ticket.open).is_(True))
        .limit(operator.ticket_capacity)
        .subquery()
    )
    if (await session.exec(select(func.count()).select_from(some))).one() >= operator.ticket_capacity:
        raise OperatorFull


async def on_duty_in(session: AsyncSession, now: datetime) -> dict[UUID, int]:
    """By department, how many work now: on the roster, or here where no shift says when."""
    found: dict[UUID, int] = {}
    members = await session.exec(
        select(OperatorDepartment.department_id, Operator)
        .join(Operator, col(OperatorDepartment.operator_id) == col(Operator.id))
        .where(col(Operator.active).is_(True), col(Operator.role).in_(ROLES))
    )
    for department_id, operator in members:
        works = duty_of(operator).holds(now) and (operator.present or operator.duty_from is not None)
        found[department_id] = found.get(department_id, 0) + works
    return found


async def supervisors(session: AsyncSession, now: datetime) -> list[str]:
    """Names; those who are on duty and here, else all on duty, else all."""
    found = await session.exec(
        select(Operator)
        .where(col(Operator.active).is_(True), col(Operator.role).in_(SUPERVISING))
        .order_by(col(Operator.name), col(Operator.id))
    )
    people = found.all()
    on_shift = [operator for operator in people if duty_of(operator).holds(now)]
    here = [operator for operator in on_shift if operator.present]
    return [operator.name for operator in here or on_shift or people]


async def situation(session: AsyncSession, where: Place, now: datetime) -> dict[str, Any]:
    """Why nobody has replied, as far as the rows tell: who had it, or why nobody did."""
    if where.operator_id is not None:
        holder = await session.get_one(Operator, where.operator_id)
        return {"code": "held" if duty_of(holder).holds(now) else "absent", "name": holder.name}
    members = await session.exec(
        select(Operator)
        .join(OperatorDepartment, col(OperatorDepartment.operator_id) == col(Operator.id))
        .where(OperatorDepartment.department_id == where.department_id, col(Operator.active).is_(True))
    )
    on_shift = [operator for operator in members if duty_of(operator).holds(now)]
    if not on_shift:
        return {"code": "nobody_on_shift"}
    here = [operator for operator in on_shift if operator.present and operator.status == "online"]
    if not here:
        return {"code": "nobody_here", "number": len(on_shift)}
    pick = await least_loaded(session, where, now)
    return {"code": "not_taken", "number": pick.of} if pick else {"code": "all_full", "number": len(here)}


async def in_department(session: AsyncSession, operator_id: UUID) -> set[UUID]:
    found = await session.exec(
        select(OperatorDepartment.department_id).where(OperatorDepartment.operator_id == operator_id)
    )
    return set(found)
