"""What an operator finds: tickets and conversations in their reach, newest first. The permission is in the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import table_of
from chat.public import Conversation, Message, Operator, Visitor, visible_to
from escalation.models import Ticket, TicketMessage
from escalation.reach import OperatorReader
from escalation.search.models import CONVERSATION, TICKET, SearchWord
from escalation.search.words import PREFIX, excerpt, question_of

FOUND = 20
CANDIDATES = 1000
"""Of the rarest word: the newest so many are looked at."""
LOOKED_AT = 300
"""Messages of one thread, for the excerpt."""
Pieces = Sequence[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Finding:
    """`place` is the address. `noted`: the excerpt is of a note."""

    kind: str
    place: str
    title: str
    who: str
    state: str
    at: datetime
    pieces: Pieces
    noted: bool


async def find(session: AsyncSession, reader: OperatorReader, operator: Operator, text: str) -> list[Finding]:
    """Empty for a question without words."""
    words = question_of(text)
    if not words:
        return []
    tickets = await _tickets(session, reader, words)
    conversations = await _conversations(session, operator, words)
    found = [await _of_ticket(session, one, words) for one in tickets]
    found += [await _of_conversation(session, one, name, words) for one, name in conversations]
    return sorted(found, key=lambda one: one.at, reverse=True)[: 2 * FOUND]


async def _tickets(session: AsyncSession, reader: OperatorReader, words: Sequence[str]) -> Sequence[Ticket]:
    fits = await _with_words(session, TICKET, words, table_of(Ticket).c.id)
    if fits is None:
        return []
    query = select(Ticket).where(fits, reader.reaches()).order_by(col(Ticket.id).desc()).limit(FOUND)
    return (await session.execute(query)).scalars().all()


async def _conversations(
    session: AsyncSession, operator: Operator, words: Sequence[str]
) -> Sequence[tuple[Conversation, str]]:
    fits = await _with_words(session, CONVERSATION, words, table_of(Conversation).c.id)
    if fits is None:
        return []
    query = (
        select(Conversation, col(Visitor.name))
        .join(Visitor, col(Visitor.id) == col(Conversation.visitor_id))
        .where(fits, visible_to(operator))
        .order_by(col(Conversation.id).desc())
        .limit(FOUND)
    )
    return [(row[0], row[1] or "") for row in await session.execute(query)]


async def _with_words(
    session: AsyncSession, kind: str, words: Sequence[str], subject: ColumnElement[UUID]
) -> ColumnElement[bool] | None:
    """By the rarest word, then the others in what it leaves; None where a word stands nowhere."""
    counted = []
    for word in words:
        some = (
            select(table_of(SearchWord).c.subject_id).where(*_is(word, kind, last=word == words[-1])).limit(CANDIDATES)
        )
        count = (await session.execute(select(func.count()).select_from(some.subquery()))).scalar_one()
        if not count:
            return None
        counted.append((count, word))
    rarest = min(counted)[1]
    candidates = _of_word(rarest, kind, last=rarest == words[-1])
    fits: ColumnElement[bool] = subject.in_(candidates)
    for word in words:
        if word != rarest:
            rows = table_of(SearchWord).alias()
            fits &= exists().where(rows.c.subject_id == subject, *_is(word, kind, last=word == words[-1], rows=rows.c))
    return fits


def _of_word(word: str, kind: str, *, last: bool) -> Select[Any]:
    rows = table_of(SearchWord).c
    query = select(rows.subject_id).where(*_is(word, kind, last=last)).distinct()
    newest = query.order_by(rows.subject_id.desc()).limit(CANDIDATES).subquery()
    return select(newest.c.subject_id)


def _is(word: str, kind: str, *, last: bool, rows: Any = None) -> list[ColumnElement[bool]]:
    """The last word may be a beginning: all words from it up to the next letter."""
    rows = table_of(SearchWord).c if rows is None else rows
    if last and len(word) >= PREFIX:
        return [rows.word >= word, rows.word < f"{word}\U0010ffff", rows.kind == kind]
    return [rows.word == word, rows.kind == kind]


async def _of_ticket(session: AsyncSession, ticket: Ticket, words: list[str]) -> Finding:
    rows = table_of(TicketMessage).c
    query = select(rows.text, rows.kind).where(rows.ticket_id == ticket.id).order_by(rows.seq.desc()).limit(LOOKED_AT)
    pieces, noted = _best([(row.text, row.kind == "note") for row in await session.execute(query)], words)
    return Finding(
        TICKET, f"/desk/tickets/{ticket.number}", f"{ticket.number} {ticket.subject}",
        ticket.requester_name or ticket.requester_email, ticket.state, ticket.changed_at, pieces, noted,
    )  # fmt: skip


async def _of_conversation(session: AsyncSession, found: Conversation, name: str, words: list[str]) -> Finding:
    rows = table_of(Message).c
    query = select(rows.text, rows.kind).where(rows.conversation_id == found.id, rows.kind.in_(("message", "note")))
    newest = await session.execute(query.order_by(rows.id.desc()).limit(LOOKED_AT))
    pieces, noted = _best([(row.text, row.kind == "note") for row in newest], words)
    at = found.last_message_at or found.created_at
    place = f"/console/conversations/{found.id}"
    return Finding(CONVERSATION, place, found.last_message_text, name, found.state, at, pieces, noted)


def _best(texts: Sequence[tuple[str, bool]], words: list[str]) -> tuple[Pieces, bool]:
    """The newest message in which most of the words stand."""
    best: tuple[int, Pieces, bool] = (0, [], False)
    for text, noted in texts:
        pieces = excerpt(text, words)
        if pieces is not None:
            hits = len({piece.casefold() for piece, hit in pieces if hit})
            if hits > best[0]:
                best = (hits, pieces, noted)
    return best[1], best[2]
