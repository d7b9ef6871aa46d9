"""Where mail of an account goes: addresses per type, confirmed by who owns them, and the old ones told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from chat.db import Database
from chat.ids import new_id
from escalation.customers.delivery import TYPES, delivery_settings, targets_of
from escalation.customers.delivery_actions import (
    MOST_PER_TYPE,
    AddressGone,
    AddressRefused,
    AddressTaken,
    AddressThere,
    Delivery,
    TooMany,
    TooOften,
)
from escalation.customers.models import Account, Customer, EmailAddress
from escalation.mail.letter import ADDRESS_CHANGED, CONFIRM_ADDRESS
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut, Suppression
from tests.support.clock import FakeClock


@dataclass
class Desk:
    db: Database
    clock: FakeClock
    delivery: Delivery
    acme: UUID
    other: UUID

    async def mails(self, kind: str = "") -> list[MailOut]:
        async with self.db.read() as session:
            found = list((await session.exec(select(MailOut).order_by(col(MailOut.id)))).all())
        return [mail for mail in found if kind in ("", mail.kind)]

    async def proof_of(self, address: str) -> UUID:
        mail = [mail for mail in await self.mails(CONFIRM_ADDRESS) if mail.recipient == address][-1]
        return UUID(mail.cause)

    async def set(self, kind: str, address: str, account: UUID | None = None) -> None:
        account = account or self.acme
        if not await self.delivery.add(account, kind, address, "en"):
            await self.delivery.confirm(await self.proof_of(address))

    async def targets(self, kind: str, account: UUID | None = None) -> list[str]:
        async with self.db.read() as session:
            found = await targets_of(session, account or self.acme, kind, self.clock.now())
        return [target.address for target in found]

    async def shown(self, kind: str) -> list[tuple[str, str]]:
        async with self.db.read() as session:
            found = await delivery_settings(session, self.acme, self.clock.now())
        assert found is not None
        return [(one.address, one.standing) for one in found.by_type[kind]]

    async def id_of(self, kind: str, address: str) -> UUID:
        async with self.db.read() as session:
            found = await delivery_settings(session, self.acme, self.clock.now())
        assert found is not None
        return next(one.id for one in found.by_type[kind] if one.address == address)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    db, clock = Database(database_url), FakeClock()
    acme, other = new_id(), new_id()
    async with db.write() as session:
        for account_id, name, person in ((acme, "Acme d.o.o.", "ann"), (other, "Other", "oto")):
            customer_id = new_id()
            session.add(Account(id=account_id, account_no=name, name=name, language="sl", tags=[]))
            await session.flush()
            session.add(Customer(id=customer_id, account_id=account_id, ref=person, name=person.title()))
            await session.flush()
            session.add(
                EmailAddress(
                    id=new_id(),
                    account_id=account_id,
                    customer_id=customer_id,
                    address=f"{person}@example.com",
                    raw=f"{person}@example.com",
                    registered=True,
                    verified_at=clock.now(),
                    verified_by="import",
                )
            )
    try:
        yield Desk(db, clock, Delivery(db, clock, Mailbox(clock), "https://acme.example"), acme, other)
    finally:
        await db.close()


@pytest.mark.parametrize("address", ["", "ann", "a@b", "a@example.com\nBcc: b@example.com", "a@x.com, b@x.com"])
async def test_what_is_no_address_is_refused(desk: Desk, address: str) -> None:
    with pytest.raises(AddressRefused):
        await desk.delivery.add(desk.acme, "support", address, "en")
    assert await desk.shown("support") == []


async def test_without_any_address_the_registered_one_receives(desk: Desk) -> None:
    assert [await desk.targets(kind) for kind in (*TYPES, "security")] == [
        ["ann@example.com"],
        [],  # of support the requester of each ticket
        ["ann@example.com"],
        ["ann@example.com"],
        ["ann@example.com"],
    ]


async def test_an_address_counts_once_its_owner_used_the_link_and_the_old_one_is_told(desk: Desk) -> None:
    assert not await desk.delivery.add(desk.acme, "billing", "Bills@Example.com", "en")
    assert await desk.shown("billing") == [("Bills@Example.com", "waiting")]
    assert await desk.targets("billing") == ["ann@example.com"]
    (asked,) = await desk.mails()
    assert (asked.kind, asked.recipient) == (CONFIRM_ADDRESS, "bills@example.com")
    assert asked.data["account"] == "Acme d.o.o."

    proof_id = await desk.proof_of("bills@example.com")
    shown = await desk.delivery.proof(proof_id)
    assert (shown.address, shown.types) == ("Bills@Example.com", ["billing"])
    assert await desk.targets("billing") == ["ann@example.com"]  # looking uses nothing

    await desk.delivery.confirm(proof_id)
    assert await desk.shown("billing") == [("Bills@Example.com", "confirmed")]
    assert await desk.targets("billing") == ["bills@example.com"]
    assert await desk.targets("abuse") == ["ann@example.com"]
    (told,) = await desk.mails(ADDRESS_CHANGED)
    assert (told.recipient, told.locale, told.data["change"]) == ("ann@example.com", "sl", "replaced")
    assert told.data["link"] == "https://acme.example/client/settings/delivery"
    assert "bills" not in str(told.data)
    with pytest.raises(AddressGone):
        await desk.delivery.confirm(proof_id)


async def test_several_receive_and_each_is_told_of_the_next(desk: Desk) -> None:
    await desk.set("abuse", "one@example.com")
    await desk.set("abuse", "two@example.com")
    assert await desk.targets("abuse") == ["one@example.com", "two@example.com"]
    assert await desk.targets("security") == ["one@example.com", "two@example.com", "ann@example.com"]
    told = [(mail.recipient, mail.data["change"]) for mail in await desk.mails(ADDRESS_CHANGED)]
    assert told == [("ann@example.com", "replaced"), ("one@example.com", "added")]
    assert "link" not in (await desk.mails(ADDRESS_CHANGED))[-1].data  # who cannot sign in is shown no page


async def test_service_notices_without_an_address_go_to_the_registered_and_to_support(desk: Desk) -> None:
    await desk.set("support", "help@example.com")
    assert await desk.targets("service") == ["ann@example.com", "help@example.com"]
    await desk.set("service", "noc@example.com")
    assert await desk.targets("service") == ["noc@example.com"]


async def test_a_confirmed_address_needs_no_second_link(desk: Desk) -> None:
    await desk.set("support", "help@example.com")
    assert await desk.delivery.add(desk.acme, "service", "help@example.com", "en")
    assert await desk.targets("service") == ["help@example.com"]
    assert len(await desk.mails(CONFIRM_ADDRESS)) == 1
    with pytest.raises(AddressThere):
        await desk.delivery.add(desk.acme, "service", "HELP@example.com", "en")


async def test_one_link_confirms_an_address_for_all_its_types(desk: Desk) -> None:
    await desk.delivery.add(desk.acme, "support", "help@example.com", "en")
    await desk.delivery.add(desk.acme, "abuse", "help@example.com", "en")
    confirmed = await desk.delivery.confirm(await desk.proof_of("help@example.com"))
    assert confirmed.types == ["support", "abuse"]
    assert await desk.targets("support") == await desk.targets("abuse") == ["help@example.com"]


async def test_a_removed_address_is_told_and_the_registered_one_receives_again(desk: Desk) -> None:
    await desk.set("billing", "bills@example.com")
    await desk.delivery.remove(desk.acme, await desk.id_of("billing", "bills@example.com"))
    assert await desk.shown("billing") == []
    assert await desk.targets("billing") == ["ann@example.com"]
    assert [(mail.recipient, mail.data["change"]) for mail in await desk.mails(ADDRESS_CHANGED)] == [
        ("ann@example.com", "replaced"),
        ("bills@example.com", "removed"),
    ]


async def test_removed_before_it_was_confirmed_its_link_is_dead_and_nobody_is_told(desk: Desk) -> None:
    await desk.delivery.add(desk.acme, "billing", "bills@example.com", "en")
    await desk.delivery.remove(desk.acme, await desk.id_of("billing", "bills@example.com"))
    with pytest.raises(AddressGone):
        await desk.delivery.confirm(await desk.proof_of("bills@example.com"))
    assert await desk.mails(ADDRESS_CHANGED) == []


async def test_a_link_expires_and_another_can_be_asked_for(desk: Desk) -> None:
    await desk.delivery.add(desk.acme, "billing", "bills@example.com", "en")
    first = await desk.proof_of("bills@example.com")
    desk.clock.advance(900)
    assert await desk.shown("billing") == [("bills@example.com", "expired")]
    with pytest.raises(AddressGone):
        await desk.delivery.proof(first)
    await desk.delivery.ask_again(desk.acme, await desk.id_of("billing", "bills@example.com"), "sl")
    await desk.delivery.confirm(await desk.proof_of("bills@example.com"))
    assert await desk.targets("billing") == ["bills@example.com"]


async def test_mallory_reaches_nothing_of_another_account(desk: Desk) -> None:
    await desk.set("billing", "bills@example.com")
    theirs = await desk.id_of("billing", "bills@example.com")
    for attempt in (desk.delivery.remove(desk.other, theirs), desk.delivery.ask_again(desk.other, theirs, "en")):
        with pytest.raises(AddressGone):
            await attempt
    with pytest.raises(AddressGone):
        await desk.delivery.remove(desk.acme, uuid4())
    with pytest.raises(AddressGone):
        await desk.delivery.add(desk.acme, "everything", "x@example.com", "en")
    assert await desk.targets("billing") == ["bills@example.com"]


async def test_an_address_belongs_to_one_account_and_only_its_owner_learns_that(desk: Desk) -> None:
    await desk.set("billing", "bills@example.com")
    assert not await desk.delivery.add(desk.other, "billing", "bills@example.com", "en")  # as for any other
    with pytest.raises(AddressTaken):
        await desk.delivery.confirm(await desk.proof_of("bills@example.com"))
    assert await desk.targets("billing", desk.other) == ["oto@example.com"]
    assert await desk.targets("billing") == ["bills@example.com"]


async def test_nobody_is_flooded(desk: Desk) -> None:
    for kind in ("billing", "support", "abuse"):
        await desk.delivery.add(desk.acme, kind, "victim@example.com", "en")
    with pytest.raises(TooOften):
        await desk.delivery.add(desk.acme, "service", "victim@example.com", "en")
    with pytest.raises(TooOften):
        await desk.delivery.add(desk.other, "service", "victim@example.com", "en")
    assert await desk.shown("service") == []
    assert len(await desk.mails(CONFIRM_ADDRESS)) == 3
    for number in range(7):
        await desk.delivery.add(desk.acme, "service", f"v{number}@example.com", "en")
    with pytest.raises(TooOften):
        await desk.delivery.add(desk.acme, "service", "v8@example.com", "en")


async def test_of_one_type_there_are_ten_at_most(desk: Desk) -> None:
    for number in range(MOST_PER_TYPE):
        desk.clock.advance(600)
        await desk.delivery.add(desk.acme, "billing", f"b{number}@example.com", "en")
    desk.clock.advance(7200)
    with pytest.raises(TooMany):
        await desk.delivery.add(desk.acme, "billing", "more@example.com", "en")


async def test_a_refused_address_gives_way_to_the_registered_one_and_comes_back_by_a_link(desk: Desk) -> None:
    await desk.set("billing", "bills@example.com")
    until = desk.clock.now().replace(year=2027)
    async with desk.db.write() as session:
        email = (await session.exec(select(EmailAddress).where(EmailAddress.address == "bills@example.com"))).one()
        email.suppressed_until = until
        session.add(
            Suppression(
                address="bills@example.com", code="550 5.1.1", says="", until=until, created_at=desk.clock.now()
            )
        )
    assert await desk.shown("billing") == [("bills@example.com", "refused")]
    assert await desk.targets("billing") == ["ann@example.com"]
    await desk.delivery.ask_again(desk.acme, await desk.id_of("billing", "bills@example.com"), "en")
    assert (await desk.mails(CONFIRM_ADDRESS))[-1].state == "waiting"
    await desk.delivery.confirm(await desk.proof_of("bills@example.com"))
    assert await desk.targets("billing") == ["bills@example.com"]
