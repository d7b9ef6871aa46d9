"""What is long over goes, in batches; what somebody may still ask after stays."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from chat.db import Database
from chat.ids import new_id
from escalation import tidying
from escalation.client_area.models import CustomerLogin, KeptForm
from escalation.customers.models import Account, Customer
from escalation.desk_tables import DeskRef, TicketLooker
from escalation.mail.models import MailOut, Suppression
from escalation.states import State
from escalation.tidying import DeskTidying
from tests.support.clock import FakeClock
from tests.support.tickets import Company, company


@pytest.fixture
async def acme(db: Database, clock: FakeClock) -> AsyncIterator[Company]:
    async with company(db, clock) as found:
        yield found


async def test_the_record_of_mail_and_what_lives_for_a_while_go(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "BATCH", 2)
    closed = await acme.ticket("Done")
    await acme.tickets.change_state(closed.id, acme.as_omar, State.CLOSED, version=closed.version)
    await acme.another_visitor()
    going_on = await acme.ticket("Not done")
    now = acme.clock.now()

    def mail(state: str, **of: Any) -> MailOut:
        return MailOut(
            id=new_id(), kind="ticket_reply", cause=f"{state} {of}", recipient="ann@example.com", locale="en", data={},
            state=state, next_at=now, created_at=now, changed_at=now, **of,
        )  # fmt: skip

    def login(day: int) -> CustomerLogin:
        at = now + timedelta(days=day)
        return CustomerLogin(
            id=new_id(), secret_hash=f"{day}", customer_id=rita.id, method="link", created_at=at, seen_at=at,
            expires_at=at + timedelta(days=30),
        )  # fmt: skip

    account = Account(id=new_id(), account_no="A1", name="Acme", tags=[])
    rita = Customer(id=new_id(), account_id=account.id, ref="c1", name="Rita")
    goes = [
        login(0),
        *(mail(state) for state in ("accepted", "expired", "suppressed", "read", "joined")),
        mail("accepted", ticket_id=closed.id),
        KeptForm(id=new_id(), secret_hash="x", path="/client/tickets/new", fields={}, expires_at=now),
        TicketLooker(ticket_id=going_on.id, operator_id=acme.omar.id, until=now),
        DeskRef(operator_id=acme.omar.id, ref="ref-0001", undo=[], at=now),
        Suppression(address="ann@example.com", code="550", says="no", until=now, created_at=now),
    ]
    stays = [
        *(mail(state, ticket_id=closed.id) for state in ("failed", "bounced", "waiting", "deferred")),
        mail("accepted", ticket_id=going_on.id),
    ]
    async with acme.db.write() as session:
        session.add(account)
        await session.flush()
        session.add(rita)
        await session.flush()
        session.add_all([*goes, *stays, last_login := login(1)])
    clean = DeskTidying(acme.db, acme.clock).clean
    assert await clean() == 0
    acme.clock.advance(timedelta(days=89).total_seconds())
    assert await clean() == 5
    acme.clock.advance(timedelta(days=2).total_seconds())
    assert await clean() == 6
    async with acme.db.read() as session:
        assert set(await session.exec(select(MailOut.id))) == {one.id for one in stays}
        assert list(await session.exec(select(CustomerLogin.id))) == [last_login.id]
    assert await clean() == 0
