"""Who may read the files of conversations: the visitor whose conversation it is, and operators who may see it."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import col

from chat.conversations.models import CANARY, Conversation
from chat.db import Database, table_of
from chat.ids import parse_id
from chat.people.models import SUPERVISING, Operator, OperatorDepartment, Visitor

PREFIX = "conversation:"


def place_of(conversation_id: UUID) -> str:
    return f"{PREFIX}{conversation_id}"


class FileReaders:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def visitor(self, visitor_id: UUID, places: list[str]) -> bool:
        conversation = col(Conversation.visitor_id) == visitor_id
        async with self._db.read() as session:
            visitor = await session.get(Visitor, visitor_id)
        if visitor is None or visitor.ended_at is not None:
            return False
        return "own" in places or await self._is_any(places, conversation)

    async def operator(self, operator_id: UUID, places: list[str]) -> bool:
        """The same rule as on the socket and in all lists."""
        async with self._db.read() as session:
            operator = await session.get(Operator, operator_id)
        if operator is None or not operator.active:
            return False
        is_real: ColumnElement[bool] = col(Conversation.state) != CANARY
        if operator.role not in SUPERVISING:
            members = table_of(OperatorDepartment)
            mine = select(members.c.department_id).where(members.c.operator_id == operator_id)
            held = or_(col(Conversation.department_id).in_(mine), col(Conversation.operator_id) == operator_id)
            is_real = and_(is_real, held)
        return "own" in places or await self._is_any(places, is_real)

    async def _is_any(self, places: Sequence[str], rule: ColumnElement[bool]) -> bool:
        ids = list(conversations_in(places))
        if not ids:
            return False
        statement = select(col(Conversation.id)).where(col(Conversation.id).in_(ids), rule).limit(1)
        async with self._db.read() as session:
            return (await session.execute(statement)).first() is not None


def conversations_in(places: Sequence[str]) -> Iterator[UUID]:
    """Those among the places of a file."""
    for place in places:
        if place.startswith(PREFIX) and (found := parse_id(place.removeprefix(PREFIX))) is not None:
            yield found
