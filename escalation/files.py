"""Files of tickets: who may read them, and files of forms that are sent without script."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select
from starlette.datastructures import FormData
from starlette.requests import Request

from chat.ids import parse_id
from chat.public import (
    INSIDE,
    Attached,
    Department,
    Downloads,
    NoSuchFile,
    Operator,
    Owner,
    Refusal,
    Uploads,
    conversations_in,
    files_of,
    form_with_files,
    ready_files,
    sentence,
)
from escalation.actions import Tickets
from escalation.client_area.conversations_store import is_theirs
from escalation.client_area.tickets_store import seen_by
from escalation.customers.models import Account, Customer
from escalation.customers.reader import CustomerReader
from escalation.errors import FilesRefused
from escalation.models import Ticket
from escalation.reach import reader_of
from escalation.ticket_links import by_link

PREFIX = "ticket:"


@dataclass(frozen=True, slots=True)
class Received:
    """`ready` goes along; `refused` says in words what does not: then nothing is said yet."""

    ready: list[Attached] = field(default_factory=list)
    refused: str = ""

    def ids(self) -> list[str]:
        """Raises FilesRefused, with the words."""
        if self.refused:
            raise FilesRefused(self.refused)
        return [one["id"] for one in self.ready]


class TicketFiles:
    """`received` takes the files of a form in; `said` makes a sentence of what was refused."""

    def __init__(self, tickets: Tickets, uploads: Uploads, downloads: Downloads) -> None:
        self._tickets = tickets
        self.uploads = uploads
        self.downloads = downloads
        downloads.add_reader("operator", self._operator)
        downloads.add_reader("customer", self._customer)
        downloads.add_reader("link", self._link)

    async def form(self, request: Request, *, keeps_files: bool = True) -> FormData:
        """Who sends it is to be asked again when it is here: files take minutes to come."""
        return await form_with_files(request, self.uploads, keeps_files=keeps_files)

    async def received(self, form: FormData, owner: Owner, ref: str, locale: str) -> "Received":
        found = await files_of(form, self.uploads, owner, ref)
        async with self._tickets.db.read() as session:
            ready = await ready_files(session, owner.key, found.ids)
        if len(ready) != len(set(found.ids)):
            found.refused.append(("", NoSuchFile()))
        refused = [(name, self.said(why, locale)) for name, why in found.refused]
        return Received(ready, " ".join(f"{name}: {words}" if name else words for name, words in refused))

    def said(self, refusal: Refusal, locale: str) -> str:
        return sentence(refusal, self._tickets.strings, locale, self.uploads.max_bytes)

    # ── who may read ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _operator(self, operator_id: UUID, places: list[str]) -> bool:
        async with self._tickets.db.read() as session:
            operator = await session.get(Operator, operator_id)
            if operator is None or not operator.active:
                return False
            reached = (await reader_of(session, operator)).reaches()
            return await _is_any(session, [one.removeprefix(INSIDE) for one in places], reached)

    async def _customer(self, customer_id: UUID, places: list[str]) -> bool:
        async with self._tickets.db.read() as session:
            customer = await session.get(Customer, customer_id)
            account = await session.get(Account, customer.account_id) if customer else None
            if customer is None or account is None or not (customer.active and account.active):
                return False
            reader = CustomerReader(
                customer.id,
                customer.name,
                account.id,
                account.account_no,
                account.name,
                customer.can_see_tickets,
                customer.can_see_billing,
                "",
                "",
            )
            if "own" in places or await _is_any(session, places, seen_by(reader)):
                return True
            return await is_theirs(session, reader, *conversations_in(places))

    async def _link(self, link_id: UUID, places: list[str]) -> bool:
        async with self._tickets.db.read() as session:
            found = await by_link(session, link_id, self._tickets.clock.now())
        return found is not None and ("own" in places or f"{PREFIX}{found[0].id}" in places)


async def _is_any(session: Any, places: Sequence[str], rule: ColumnElement[bool]) -> bool:
    ids = [found for place in places if place.startswith(PREFIX) and (found := parse_id(place[len(PREFIX) :]))]
    if not ids:
        return False
    statement = (
        select(Ticket.id)
        .join(Department, col(Department.id) == col(Ticket.department_id))
        .where(col(Ticket.id).in_(ids), rule)
        .limit(1)
    )
    return (await session.exec(statement)).first() is not None
