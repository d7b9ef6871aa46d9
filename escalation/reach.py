"""Which tickets an operator sees: those of their departments, those that are theirs, and those a note named them in.

Supervisors see all. Whatever is out of reach is 404, as what does not exist.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, or_, true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import SUPERVISING, Operator, departments_of
from escalation.models import Ticket, TicketMention


@dataclass(frozen=True, slots=True)
class OperatorReader:
    """Reads for an operator. Functions that read for customers take another one; none takes a flag."""

    operator_id: UUID
    supervises: bool
    departments: tuple[UUID, ...]
    """All there are, for who supervises."""

    def reaches(self) -> ColumnElement[bool]:
        """To stand in the WHERE of each query over tickets."""
        if self.supervises:
            return true()
        named = select(TicketMention.ticket_id).where(TicketMention.operator_id == self.operator_id)
        return or_(
            col(Ticket.department_id).in_(self.departments),
            col(Ticket.operator_id) == self.operator_id,
            col(Ticket.id).in_(named),
        )


async def reader_of(session: AsyncSession, operator: Operator) -> OperatorReader:
    departments = tuple(await departments_of(session, operator))
    return OperatorReader(operator.id, operator.role in SUPERVISING, departments)
