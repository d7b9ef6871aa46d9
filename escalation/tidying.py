"""Takes away sign-ins, links, leases, kept forms and the record of mail that are long over, in batches, each a
transaction of its own."""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, and_, delete, exists, or_, select, tuple_

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from escalation.client_area.models import CustomerLink, CustomerLogin, KeptForm, TokenUse
from escalation.customers.models import EmailProof
from escalation.desk_tables import DeskRef, TicketLooker
from escalation.mail.models import MailOut, Suppression
from escalation.models import Ticket
from escalation.states import State

KEPT = timedelta(days=30)
"""So long after its end a row can still be asked after."""
MAIL_KEPT = timedelta(days=90)
"""The record of a mail, after its last change and while its ticket is open. What went wrong stays."""
MAIL_DONE = ("accepted", "expired", "suppressed", "read", "joined")
BATCH = 200


class DeskTidying:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def clean(self) -> int:
        """How many rows went."""
        return sum([await self._delete(table, over) for table, over in _over(self._clock.now())])

    async def _delete(self, table: Table, over: ColumnElement[bool]) -> int:
        key = tuple(table.primary_key.columns)
        count = 0
        while True:
            async with self._db.read() as session:
                found = [tuple(row) for row in await session.execute(select(*key).where(over).limit(BATCH))]
            if not found:
                return count
            async with self._db.write() as session:
                # Asked again: somebody may have used it in between.
                gone = await session.execute(delete(table).where(tuple_(*key).in_(found), over))
            count += rows_changed(gone)
            if len(found) < BATCH:
                return count
            await asyncio.sleep(0)  # others write between two batches


def _over(now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
    links, logins = table_of(CustomerLink), table_of(CustomerLogin)
    proofs, lookers, forms = table_of(EmailProof), table_of(TicketLooker), table_of(KeptForm)
    tokens, refs, suppressions = table_of(TokenUse), table_of(DeskRef), table_of(Suppression)
    return [
        (links, links.c.expires_at < now - KEPT),
        (logins, _login_over(now - KEPT)),
        (proofs, proofs.c.expires_at < now - KEPT),
        (lookers, lookers.c.until < now),
        (forms, forms.c.expires_at < now),
        (tokens, tokens.c.expires_at < now - KEPT),
        (refs, refs.c.at < now - KEPT),
        (suppressions, suppressions.c.until < now - KEPT),
        (table_of(MailOut), _mail_over(now - MAIL_KEPT)),
    ]


def _login_over(before: datetime) -> ColumnElement[bool]:
    """The last one of each customer stays: by it a sign-in with a stolen password, months later, is of a new device."""
    logins, later = table_of(CustomerLogin), table_of(CustomerLogin).alias()
    was_here_again = exists().where(
        later.c.customer_id == logins.c.customer_id, later.c.created_at > logins.c.created_at
    )
    return and_(or_(logins.c.ended_at < before, logins.c.expires_at < before), was_here_again)


def _mail_over(before: datetime) -> ColumnElement[bool]:
    mails, tickets = table_of(MailOut).c, table_of(Ticket).c
    closed = exists().where(tickets.id == mails.ticket_id, tickets.state == State.CLOSED.value)
    return and_(
        mails.state.in_(MAIL_DONE),
        mails.next_at < before,  # by its index: what is younger is not looked at
        mails.changed_at < before,
        or_(mails.ticket_id.is_(None), closed),
    )
