"""The company's records: imported whole or not at all, found by nobody but their owners. Both databases."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from chat.assets import Assets
from chat.db import Database, table_of
from chat.pages import Pages
from escalation.customers.importing import Importer, Outcome
from escalation.customers.known import confirmed, identified, known
from escalation.customers.models import Account, Customer, EmailAddress, NotificationAddress, Service, ServiceIp
from escalation.customers.ranges import packed, parse_range
from escalation.customers.registry import Registry
from escalation.desk.about import AboutRequester
from escalation.draft import Drafted, Origin, Source
from escalation.opening import open_ticket
from tests.support.clock import FakeClock
from tests.support.tickets import LJUBLJANA, ROOT, company

ACCOUNTS = "account_no;name;language\nA1;Acme d.o.o.;sl\nA2;Borut s.p.;en\n"
CUSTOMERS = (
    "account_no,ref,name,email,email_verified,rights\n"
    "A1,c1,Ann,Ann@Example.com,yes,tickets billing\n"
    "A1,c2,Cilka,cilka@example.com,no,\n"
    "A2,c3,Borut,borut@example.com,yes,tickets\n"
)
SERVICES = (
    "account_no,service_ref,order_no,name,ips\n"
    "A1,s1,#482913,Čebelji strežnik,192.0.2.0/24 2001:db8::/64\n"
    "A1,s2,482914,VPS-2,192.0.2.8-192.0.2.11\n"
    "A2,s3,700001,VPS-2,198.51.100.0/28\n"
)
ADDRESSES = "account_no,kind,email,language,digest\nA1,billing,racuni@example.com,sl,no\nA1,abuse,ann@example.com,,\n"
TABLES: tuple[type[SQLModel], ...] = (Account, Customer, EmailAddress, NotificationAddress, Service, ServiceIp)


class Records:
    def __init__(self, db: Database, clock: FakeClock) -> None:
        self.db = db
        self.importer = Importer(db, clock, ("en", "sl"))
        self.registry = Registry(db)

    async def take(self, *contents: str, dry_run: bool = False, complete: bool = False, force: bool = False) -> Outcome:
        files = [(f"{n}.csv", content.encode()) for n, content in enumerate(contents, 1)]
        return await self.importer.import_files(files, dry_run=dry_run, complete=complete, force=force)

    async def everything(self) -> list[list[tuple[object, ...]]]:
        async with self.db.read() as session:
            return [
                sorted(tuple(map(str, row)) for row in await session.execute(select(table_of(table))))
                for table in TABLES
            ]

    async def account(self, number: str) -> UUID:
        accounts = table_of(Account)
        async with self.db.read() as session:
            found: UUID = (
                await session.execute(select(accounts.c.id).where(accounts.c.account_no == number))
            ).scalar_one()
        return found

    async def owner(self, address: str) -> str | None:
        found = await self.registry.account_of_verified_email(address)
        return found.account_no if found else None

    async def ref(self, number: str, *, order_no: str = "", ip: str = "", name: str = "") -> str | None:
        found = await self.registry.find_service(await self.account(number), order_no=order_no, ip=ip, name=name)
        return found.ref if found else None


@pytest.fixture
async def books(db: Database, clock: FakeClock) -> Records:
    found = Records(db, clock)
    outcome = await found.take(SERVICES, ADDRESSES, CUSTOMERS, ACCOUNTS)
    assert (outcome.faults, outcome.written) == ([], True)
    assert {sheet: count["added"] for sheet, count in outcome.counts.items()} == {
        "services": 3, "addresses": 2, "customers": 3, "accounts": 2,
    }  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("content", "column", "reason"),
    [
        ("account_no,ref,name\nA9,c9,Eva\n", "account_no", "there is no account A9"),
        ("account_no,ref,name\nA2,c1,Ann\n", "account_no", "is one of account A1 and cannot move"),
        ("account_no,service_ref,name,ips\nA9,s9,X,nonsense\n", "account_no", "there is no account A9"),
        (
            "account_no,ref,name,email,email_verified\nA2,c9,Eva,ann@example.com,yes\n",
            "email",
            "verified for account A1 already",
        ),
        ("account_no,ref,name,email_verified\nA2,c9,Eva,yes\n", "email_verified", "no address"),
    ],
)
async def test_one_bad_line_and_nothing_is_written(books: Records, content: str, column: str, reason: str) -> None:
    before = await books.everything()
    outcome = await books.take("account_no,name\nA7,New one\n", content)
    assert any(fault.column == column and fault.line == 2 and reason in fault.reason for fault in outcome.faults)
    assert not outcome.written
    assert await books.everything() == before


async def test_the_same_twice_changes_nothing_and_says_so(books: Records) -> None:
    before = await books.everything()
    outcome = await books.take(ACCOUNTS, CUSTOMERS, SERVICES, ADDRESSES, complete=True)
    assert (outcome.changes, outcome.written, outcome.faults) == (False, False, [])
    assert outcome.counts["services"] == {"added": 0, "changed": 0, "unchanged": 3, "deactivated": 0}
    assert await books.everything() == before


async def test_a_dry_run_says_what_would_change_and_writes_nothing(books: Records) -> None:
    before = await books.everything()
    outcome = await books.take("account_no,name\nA1,Renamed\nA3,New\n", dry_run=True)
    assert outcome.counts["accounts"] == {"added": 1, "changed": 1, "unchanged": 0, "deactivated": 0}
    assert (outcome.written, outcome.changes) == (False, True)
    assert await books.everything() == before


async def test_what_the_file_does_not_say_is_left_alone(books: Records) -> None:
    outcome = await books.take("account_no,service_ref,name\nA1,s1,Renamed\n")
    assert outcome.counts["services"]["changed"] == 1
    assert await books.ref("A1", order_no="482913", name="") == "s1"
    assert await books.ref("A1", ip="2001:db8::7") == "s1"
    assert await books.ref("A1", name="renamed") == "s1"


async def test_ranges_are_replaced_and_emptied(books: Records) -> None:
    await books.take("account_no,service_ref,name,ips\nA1,s1,X,203.0.113.1\nA1,s2,VPS-2,\n")
    assert await books.ref("A1", ip="203.0.113.1") == "s1"
    assert await books.ref("A1", ip="192.0.2.9") is None


async def test_missing_rows_are_deactivated_only_when_told_and_many_only_by_force(books: Records) -> None:
    partial = "account_no,service_ref,name\nA1,s1,Čebelji strežnik\n"
    await books.take(partial)
    assert await books.ref("A1", order_no="482914") == "s2"
    refused = await books.take(partial, complete=True)
    assert (refused.written, [str(fault) for fault in refused.faults]) == (
        False,
        ["services: 2 of 3 are missing, more than 10 %; use --force if that is meant"],
    )
    outcome = await books.take(partial, complete=True, force=True)
    assert outcome.counts["services"]["deactivated"] == 2
    assert await books.ref("A1", order_no="482914") is None
    assert await books.owner("ann@example.com") == "A1"
    await books.take(SERVICES)
    assert await books.ref("A1", order_no="482914") == "s2"


async def test_unknown_and_foreign_give_the_same_answer(books: Records) -> None:
    for asked in ({"order_no": "700001"}, {"ip": "198.51.100.3"}, {"order_no": "999999"}, {"ip": "8.8.8.8"}):
        assert await books.ref("A1", **asked) is None
    assert await books.ref("A2", order_no="700001") == "s3"
    assert await books.ref("A2", name="vps-2") == "s3"
    for odd in ({"ip": "no address"}, {"name": "  "}, {}):
        assert await books.ref("A1", **odd) is None


async def test_the_narrowest_range_counts_and_names_need_no_diacritics(books: Records) -> None:
    assert await books.ref("A1", ip="192.0.2.9") == "s2"
    assert await books.ref("A1", ip="192.0.2.12") == "s1"
    assert await books.ref("A1", ip="::ffff:192.0.2.12") == "s1"
    assert await books.ref("A1", name="CEBELJI streznik") == "s1"
    [first, second] = await books.registry.services_of(await books.account("A1"))
    assert (first.ips, second.ips) == (("192.0.2.0/24", "2001:db8::/64"), ("192.0.2.8/30",))


async def test_an_order_with_two_services_finds_none(books: Records) -> None:
    await books.take("account_no,service_ref,order_no,name\nA1,s8,482913,Second\n")
    assert await books.ref("A1", order_no="482913") is None


async def test_only_a_verified_address_on_record_names_an_account(books: Records) -> None:
    assert await books.owner(" ANN@example.com ") == "A1"
    for address in ("cilka@example.com", "racuni@example.com", "nobody@example.com", ""):
        assert await books.owner(address) is None
    await books.take("account_no,ref,name,email\nA1,c1,Ann,new@example.com\n")
    assert await books.owner("new@example.com") is None
    assert await books.owner("ann@example.com") is None


async def test_an_import_takes_back_what_an_import_gave(books: Records) -> None:
    await books.take("account_no,ref,name,email_verified\nA1,c1,Ann,no\n")
    assert await books.owner("ann@example.com") is None


async def test_who_left_makes_room_for_the_same_address_elsewhere(books: Records) -> None:
    moved = CUSTOMERS.replace("A1,c1,Ann", "A2,c9,Ann")
    outcome = await books.take(moved, complete=True, force=True)
    assert outcome.faults == []
    assert await books.owner("ann@example.com") == "A2"


async def test_a_closed_account_owns_nothing(books: Records) -> None:
    await books.take("account_no,name\nA2,Borut s.p.\n", complete=True, force=True)
    assert await books.owner("ann@example.com") is None
    assert await books.ref("A1", order_no="482913") is None
    assert await books.registry.services_of(await books.account("A1")) == []


async def test_the_look_up_agrees_with_a_walk_over_all_ranges(db: Database, clock: FakeClock) -> None:
    """300 services with overlapping, nested and repeated ranges of all sizes, 600 addresses."""
    chosen, books = Random(11), Records(db, clock)  # noqa: S311 — the cases are the same in each run
    bases = (int(ip_address("185.203.0.0")), int(ip_address("2a02:e48::")))
    cells: dict[str, str] = {}
    for n in range(300):
        base, bits = (bases[0], chosen.randrange(17)) if n % 2 else (bases[1], chosen.randrange(100))
        first = base + chosen.randrange(1 << 16)
        cells[f"s{n}"] = f"{ip_address(first)}-{ip_address(first + chosen.randrange(1 << bits))}"
    rows = [f"A{n % 3},s{n},Service {n},{cells[f's{n}']}" for n in range(300)]
    accounts = "account_no,name\nA0,Zero\nA1,One\nA2,Two\n"
    outcome = await books.take(accounts, "\n".join(["account_no,service_ref,name,ips", *rows]))
    assert outcome.faults == []
    ranges = {ref: parse_range(cell) for ref, cell in cells.items()}
    ids = {number: await books.account(number) for number in ("A0", "A1", "A2")}
    hits = 0
    for n in range(600):
        number = f"A{chosen.randrange(3)}"
        address = ip_address(bases[n % 2] + chosen.randrange(-5, 1 << 17))
        raw = packed(address)
        sizes = {
            ref: int.from_bytes(one.ip_to) - int.from_bytes(one.ip_from)
            for ref, one in ranges.items()
            if int(ref[1:]) % 3 == int(number[1]) and one.version == address.version and one.ip_from <= raw <= one.ip_to
        }
        found = await books.registry.find_service(ids[number], ip=str(address))
        if not sizes:
            assert found is None
            continue
        hits += 1
        assert found is not None
        assert sizes[found.ref] == min(sizes.values())
    assert 100 < hits < 600


# ── what it is for ───────────────────────────────────────────────────────────────────────────────────────────────────

PROBLEM = "Our shop is down since 20:40, order #482914, address 192.0.2.77"


async def test_omar_gets_the_service_of_an_identified_requester(books: Records, clock: FakeClock) -> None:
    async with company(books.db, clock) as acme:
        conversation = await acme.conversation(PROBLEM, email="ann@example.com")
        typed = await acme.draft(conversation)
        for level in (0, 1):
            assert await identified(books.registry, typed, level) == typed
        draft = await identified(books.registry, typed, 2)
        assert (draft.service.value, draft.service.origin.source, draft.service.origin.seq) == (
            "VPS-2", Source.REGISTRY, 1,
        )  # fmt: skip
        opened = await open_ticket(
            acme.tickets, draft, conversation, acme.as_omar, channel="chat", zone=LJUBLJANA
        )  # fmt: skip
        assert (opened.ticket.account_id, opened.ticket.service_id) == (draft.account_id, draft.service_id)
        found = await known(books.db, books.registry, "ann@example.com", 2, await acme.reader())
        assert found is not None
        assert (found.customer.account_no, len(found.services)) == ("A1", 2)
        assert [ticket.number for ticket in found.open_tickets] == [opened.ticket.number]
        beside = await known(books.db, books.registry, "ann@example.com", 2, await acme.reader(), but=opened.ticket.id)
        assert beside is not None
        assert beside.open_tickets == []


async def test_an_address_finds_the_service_where_no_order_was_said(books: Records, clock: FakeClock) -> None:
    async with company(books.db, clock) as acme:
        typed = await acme.draft(await acme.conversation("Nothing at 192.0.2.77 answers", email="ann@example.com"))
        assert (await identified(books.registry, typed, 3)).service.value == "Čebelji strežnik"


async def test_what_omar_changes_is_looked_up_again(books: Records, clock: FakeClock) -> None:
    async with company(books.db, clock) as acme:
        proposed = await identified(
            books.registry, await acme.draft(await acme.conversation(PROBLEM, email="ann@example.com")), 2
        )
        by_omar = Origin(Source.OPERATOR)
        other = replace(proposed, service=Drafted("cebelji STREZNIK", by_omar))
        s1 = await books.registry.find_service(await books.account("A1"), order_no="482913")
        assert s1 is not None
        assert (await confirmed(books.registry, proposed, other)).service_id == s1.id
        free = replace(proposed, service=Drafted("the old shop", by_omar))
        assert (await confirmed(books.registry, proposed, free)).service_id is None
        stranger = replace(proposed, requester_email=Drafted("mallory@example.com", by_omar))
        checked = await confirmed(books.registry, proposed, stranger)
        assert (checked.account_id, checked.service_id, checked.verify_level) == (None, None, 0)


async def test_mallory_who_types_anns_address_shows_nothing(books: Records, clock: FakeClock) -> None:
    async with company(books.db, clock) as acme:
        templates = {
            "console": ROOT / "chat" / "console" / "templates",
            "desk": ROOT / "escalation" / "desk" / "templates",
        }
        assets = Assets(roots={"shared": Path(ROOT / "chat" / "static")}, packed=False)
        pages = Pages(
            acme.strings, assets, templates, "http://127.0.0.1:8000", time_zone="Europe/Ljubljana", clock=clock
        )
        about = AboutRequester(acme.tickets, pages)
        conversation = await acme.conversation(PROBLEM, email="ann@example.com")
        assert "Acme" not in await about.of_conversation(conversation, acme.omar, "en")
        shown = await about.of_conversation(conversation, acme.omar, "en")
        assert "nothing is proven" in shown
        assert "Sounds urgent" in shown
        await acme.another_visitor()
        calm = await acme.conversation("Where is my invoice?")
        assert "Sounds urgent" not in await about.of_conversation(calm, acme.omar, "en")
        reader = await acme.reader()
        shown = await about.html("ann@example.com", 2, reader, "sl")
        for part in ("Acme d.o.o.", "Čebelji strežnik", "#482914", "192.0.2.8/30", "preverjeno po evidenci podjetja"):
            assert part in shown
        for foreign in ("borut@example.com", "cilka@example.com"):
            assert "Acme" not in await about.html(foreign, 1, reader, "en")
