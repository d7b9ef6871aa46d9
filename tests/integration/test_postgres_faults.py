"""What PostgreSQL does to us: it restarts, turns read-only, cuts connections, has none left, holds locks. Nothing is
acknowledged without a row, everything is refused with a retry, and all of it is over soon after the fault is."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import psycopg
import pytest

from chat.clock import SystemClock
from chat.connecting import connect_postgres_writer, hang_up
from chat.conversations.entry import Author, StoredEntry
from chat.conversations.saying import Talk
from chat.db import HUNG_SECONDS, Database, DatabaseAway
from chat.outbox import OutboxDraft
from chat.protocol.errors import Unavailable
from chat.writer import Unwritten, Writer
from tests.support.databases import PostgresMaker
from tests.support.faults import FaultProxy
from tests.support.parts import Parts, running
from tests.support.servers import PostgresServer
from tests.support.talker import rows_of, talking

RECOVERED = 10.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def maker(server: PostgresServer) -> PostgresMaker:
    return PostgresMaker(server)


@pytest.fixture
async def parts(maker: PostgresMaker) -> AsyncIterator[Parts]:
    db = Database(maker.make())
    async with running(db, SystemClock()) as parts:
        yield parts
    await db.close()


def connect(url: str) -> "psycopg.Connection[Any]":
    """Somebody else, who may write whatever the server says."""
    return psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off")


OURS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'nightdesk'"


def cut_all(connection: "psycopg.Connection[Any]") -> None:
    cut = connection.execute(f"SELECT pid, pg_terminate_backend(pid, 5000) {OURS}".encode()).fetchall()
    assert cut


def take_all(neighbours: ExitStack, url: str) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            neighbours.enter_context(connect(url))


async def reads(db: Database, statement: str = "SELECT 1") -> None:
    async with db.read() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(statement)


async def test_contract_13_a_restart_is_refused_and_then_over(parts: Parts, server: PostgresServer) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        await asyncio.to_thread(server.quit)
        await ann.is_refused(10)
        with pytest.raises(DatabaseAway):
            await reads(parts.db)
        await asyncio.to_thread(server.start)
        await ann.is_heard(RECOVERED)
        await asyncio.gather(*(reads(parts.db) for _ in range(20)))


async def test_contract_13_read_only_after_a_failover(parts: Parts) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        with connect(parts.db.url) as neighbour:
            neighbour.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            neighbour.execute("SELECT pg_reload_conf()")
            try:
                await ann.is_refused(10)
                with pytest.raises(DatabaseAway):
                    await writes(parts.db)
            finally:
                neighbour.execute("ALTER SYSTEM RESET default_transaction_read_only")
                neighbour.execute("SELECT pg_reload_conf()")
        await ann.is_heard(RECOVERED)


async def test_contract_13_cut_connections_are_not_even_noticed(parts: Parts) -> None:
    """57P01. What stood idle is replaced before it is used, and the whole idempotent group is said again."""
    async with talking(parts) as ann:
        for _ in range(5):
            await ann.is_heard(RECOVERED)
            with connect(parts.db.url) as neighbour:
                cut_all(neighbour)
            await asyncio.gather(*(reads(parts.db) for _ in range(20)))
        await ann.is_heard(RECOVERED)


async def test_contract_04_a_commit_whose_answer_is_lost_is_one_message_of_which_all_hear(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = await parts.furnish()
    found = await parts.conversation(site)
    author = Author("visitor", found.visitor_id)
    await parts.conversations.say(found.id, author, "one", "ref-00000001")
    rows = parts.conversations.journal._rows
    write, writes, heard = rows.write, 0, list[object]()

    def cut_after(connection: "psycopg.Connection[Any]", talks: Sequence[Talk], owed: Sequence[OutboxDraft]) -> None:
        nonlocal writes
        writes += 1
        write(connection, talks, owed)
        if writes == 1:
            hang_up([connection])
            connection.execute("SELECT 1")

    monkeypatch.setattr(rows, "write", cut_after)
    parts.conversations.on_said(heard.extend)
    said = await parts.conversations.say(found.id, author, "two", "ref-00000002")
    assert (said.seq, writes, heard) == (4, 2, [found.id])
    assert await rows_of(parts.db, found.id) == {"ref-00000001": 3, "ref-00000002": 4}


async def test_contract_13_no_connection_is_left(parts: Parts) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        with ExitStack() as neighbours:
            first = neighbours.enter_context(connect(parts.db.url))
            take_all(neighbours, parts.db.url)
            # Whoever is cut needs a new one, and neighbours take what becomes free.
            cut_all(first)
            take_all(neighbours, parts.db.url)
            await ann.is_refused(15)
        await ann.is_heard(RECOVERED)


@pytest.mark.parametrize(
    "held", ["LOCK TABLE conversation IN ACCESS EXCLUSIVE MODE", "SELECT FROM conversation FOR UPDATE"]
)
async def test_contract_13_a_lock_that_is_held(parts: Parts, held: str) -> None:
    async with talking(parts) as ann:
        await ann.is_heard(10)
        with connect(parts.db.url) as neighbour, neighbour.transaction():
            neighbour.execute(held.encode())
            # Its own limit ends the wait, not the lock.
            await ann.is_refused(10)
        await ann.is_heard(RECOVERED)


@pytest.mark.parametrize(("told", "ours"), [("off", "on"), ("remote_apply", "remote_apply")])
async def test_contract_01_a_server_that_is_told_to_be_quick_is_not_with_us(
    maker: PostgresMaker, told: str, ours: str
) -> None:
    url = maker.make()
    with connect(url) as neighbour:
        neighbour.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = {told}".encode())
    db = Database(url)
    async with db.write() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("SHOW synchronous_commit")).scalar_one() == ours
    assert await db.write_by_driver(lambda line: line.execute("SHOW synchronous_commit").fetchone()) == (ours,)
    await db.close()


async def test_a_conversation_that_is_locked_for_long_refuses_no_other(parts: Parts) -> None:
    site, _ = await parts.furnish()
    found = [await parts.conversation(site) for _ in range(6)]
    with connect(parts.db.url) as neighbour, neighbour.transaction():
        neighbour.execute("SELECT FROM conversation WHERE id = %s FOR UPDATE", (found[2].id,))
        answers = await asyncio.gather(
            *(
                parts.conversations.say(one.id, Author("visitor", one.visitor_id), "words", "ref-00000001")
                for one in found
            ),
            return_exceptions=True,
        )
    assert [isinstance(answer, Unavailable) for answer in answers] == [one is found[2] for one in found]
    one = found[2]
    again = await parts.conversations.say(one.id, Author("visitor", one.visitor_id), "words", "ref-00000001")
    assert [again.seq, *(answer.seq for answer in answers if isinstance(answer, StoredEntry))] == [3] * 6


async def test_a_statement_that_takes_too_long_is_ended(parts: Parts) -> None:
    with pytest.raises(DatabaseAway):
        await reads(parts.db, "SELECT pg_sleep(60)")
    await reads(parts.db)


async def test_a_server_that_says_nothing_any_more_is_left_by_all_at_once(
    maker: PostgresMaker, server: PostgresServer
) -> None:
    """A half-open line: the driver would ask this server to cancel, and wait for that too."""
    url = maker.make()
    road = FaultProxy("127.0.0.1", server.port)
    await road.start()
    db = Database(url.replace(f":{server.port}/", f":{road.port}/"), pool_size=4)
    try:
        await asyncio.gather(*(reads(db, "SELECT pg_sleep(0.2)") for _ in range(4)))
        assert road.orphan() == 4
        async with asyncio.timeout(HUNG_SECONDS + 5):  # the driver alone takes ten more
            found = await asyncio.gather(*(reads(db) for _ in range(4)), return_exceptions=True)
        assert [type(one) for one in found] == [DatabaseAway] * 4
        await asyncio.gather(*(reads(db) for _ in range(8)))
    finally:
        await db.close()
        await road.stop()


async def test_what_was_refused_because_it_took_too_long_is_not_done_again(maker: PostgresMaker) -> None:
    writer = Writer(partial(connect_postgres_writer, maker.make()), 60)
    tries = 0

    def sleeps(connection: "psycopg.Connection[Any]") -> None:
        nonlocal tries
        tries += 1
        connection.execute("SELECT pg_sleep(4)")

    # It has served before, so that a lost connection alone would be made anew.
    assert await writer.run(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    writer._seconds = 0.5
    with pytest.raises(Unwritten):
        await writer.run(sleeps)
    await writer.close()
    assert tries == 1


async def test_of_several_hosts_the_one_that_takes_writes(maker: PostgresMaker, server: PostgresServer) -> None:
    """A failover pair: whichever is read-only now is not stood on."""
    other = PostgresServer()
    try:
        await asyncio.to_thread(other.start)
        one, two = (f"127.0.0.1:{node.port}" for node in (server, other))
        await asyncio.to_thread(set_read_only, other, "on")
        db = Database(f"postgresql://postgres@{one},{two}/postgres")
        try:
            assert {await port_of(db), await writers_port(db)} == {server.port}
            await asyncio.to_thread(set_read_only, server, "on")
            await asyncio.to_thread(set_read_only, other, "off")
            with pytest.raises(DatabaseAway):
                await writes(db)
            assert {await port_of(db), await writers_port(db)} == {other.port}
            await writes(db)
            # Whoever finds out first, reading goes over with the writing: the old one answers with what was true once.
            await asyncio.to_thread(set_read_only, server, "off")
            await asyncio.to_thread(set_read_only, other, "on")
            assert {await writers_port(db), await port_of(db)} == {server.port}
        finally:
            await db.close()
            await asyncio.to_thread(set_read_only, server, "off")
    finally:
        await asyncio.to_thread(other.remove)


async def test_a_server_that_is_demoted_and_cuts_its_connections_is_left_in_one_try(
    maker: PostgresMaker, server: PostgresServer
) -> None:
    url = maker.make()
    db = Database(url)
    try:
        await reads(db)
        await writers_port(db)
        await asyncio.to_thread(set_read_only, server, "on")
        with pytest.raises(Unwritten):
            await writers_port(db)
        await asyncio.to_thread(set_read_only, server, "off")
        with connect(url) as neighbour:
            cut_all(neighbour)
        await reads(db)
    finally:
        await asyncio.to_thread(set_read_only, server, "off")
        await db.close()


async def test_who_has_nothing_to_write_sees_that_nothing_can_be_read(
    maker: PostgresMaker, server: PostgresServer
) -> None:
    road = FaultProxy("127.0.0.1", server.port)
    await road.start()
    db = Database(maker.make().replace(f":{server.port}/", f":{road.port}/"))
    try:
        await reads(db)
        takes = [db.takes_writes]
        road.cut()
        with pytest.raises(DatabaseAway):
            await reads(db)
        takes.append(db.takes_writes)
        await road.start()
        await reads(db)
        takes.append(db.takes_writes)
        assert takes == [True, False, True]
    finally:
        await db.close()
        await road.stop()


def set_read_only(node: PostgresServer, value: str) -> None:
    with connect(node.url()) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
    said = None
    while said != (value,):  # until new connections know of it
        with psycopg.connect(node.url()) as connection:
            said = connection.execute("SHOW default_transaction_read_only").fetchone()


async def port_of(db: Database) -> int:
    async with db.read() as session:
        connection = await session.connection()
        return int((await connection.exec_driver_sql("SELECT inet_server_port()")).scalar_one())


async def writers_port(db: Database) -> int:
    def look(connection: "psycopg.Connection[Any]") -> int:
        connection.execute("CREATE TABLE IF NOT EXISTS written (n int)")
        return int((connection.execute("SELECT inet_server_port()").fetchone() or (0,))[0])

    return await db.write_by_driver(look)


async def writes(db: Database) -> None:
    async with db.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS written (n int)")
