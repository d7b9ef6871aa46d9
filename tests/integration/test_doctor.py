"""The doctor among real broken things: a proxy that eats upgrades or forwards lies, a Redis that hangs, a database that
is behind, a key that others may read. Each finding says what to change."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import psycopg
import pytest
from sqlalchemy import create_engine

from chat import program as commands
from chat.clock import SystemClock
from chat.doctor import Finding, examine
from chat.doctor import database as about_database
from chat.migrations import schema
from chat.operations.mirror import HEADER, Seen, doctor_pass
from chat.settings import Settings, load_settings
from tests.support.databases import PostgresMaker, SqliteMaker
from tests.support.program import Running, program
from tests.support.proxies import Nginx
from tests.support.servers import PostgresServer, RedisServer, free_port

SECRET = "a key for tests only, thirty-two characters"
FORWARDED = "        proxy_set_header X-Forwarded-For $remote_addr;\n"
LIES = "        proxy_set_header X-Forwarded-For $http_x_forwarded_for;\n"


async def found(settings: Settings) -> dict[str, Finding]:
    findings = await examine(settings)
    for finding in findings:
        assert finding.ok or finding.mend, finding
        assert SECRET not in finding.says + finding.mend
    return {finding.name: finding for finding in findings}


def broken(findings: Mapping[str, Finding]) -> list[str]:
    return [name for name, finding in findings.items() if not finding.ok]


@asynccontextmanager
async def behind(folder: Path, trusted: str = "127.0.0.1", **nginx: Any) -> AsyncIterator[Running]:
    """A program behind nginx, whose address is the public one."""
    proxy = Nginx(**nginx)
    port = free_port()
    proxy.configure([port])
    await asyncio.to_thread(proxy.start)
    try:
        async with program(
            folder, port=port, base_url=proxy.base_url, trusted_proxies=tuple(trusted.split())
        ) as running:
            await running.operator("Ana")
            yield running
    finally:
        await asyncio.to_thread(proxy.remove)


def alone(folder: Path, **more: Any) -> Settings:
    """Settings of a desk whose server does not run."""
    port = free_port()
    base = {"data_dir": folder, "secret_key": SECRET, "listen": f"127.0.0.1:{port}"}
    return load_settings({}, **(base | {"base_url": f"http://127.0.0.1:{port}"} | more))


# ── the way in ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_healthy_desk_has_nothing_to_mend(tmp_path: Path, database_url: str) -> None:
    async with program(tmp_path, database_url) as running:
        await running.operator("Ana")
        findings = await found(running.settings)
    assert broken(findings) == []
    assert [finding.mend for finding in findings.values()] == [""] * len(findings)
    assert findings["upgrade"].says == "a WebSocket comes through"


async def test_behind_the_proxy_of_the_readme_all_is_well(tmp_path: Path) -> None:
    async with behind(tmp_path) as running:
        findings = await found(running.settings)
    assert broken(findings) == []
    assert findings["client address"].says == "visitors are told apart by their own addresses"


async def test_a_proxy_that_eats_upgrades_is_named_with_the_lines_it_lacks(tmp_path: Path) -> None:
    async with behind(tmp_path, websockets=False) as running:
        findings = await found(running.settings)
    assert broken(findings) == ["upgrade"]
    assert "proxy_set_header Upgrade $http_upgrade" in findings["upgrade"].mend


async def test_a_proxy_that_nobody_trusts_makes_all_visitors_one(tmp_path: Path) -> None:
    async with behind(tmp_path, trusted="10.0.0.0/8") as running:
        findings = await found(running.settings)
    assert broken(findings) == ["client address"]
    assert findings["client address"].mend == "Add it: NIGHTDESK_TRUSTED_PROXIES=10.0.0.0/8,127.0.0.1."


async def test_a_proxy_that_passes_lies_on_is_found(tmp_path: Path) -> None:
    lies = {
        FORWARDED: "        proxy_set_header X-Forwarded-For $http_x_forwarded_for;\n        proxy_bind 127.0.0.2;\n"
    }
    async with behind(tmp_path, trusted="127.0.0.2", changes=lies) as running:
        findings = await found(running.settings)
    assert broken(findings) == ["client address"]
    assert findings["client address"].says == "a forged X-Forwarded-For is believed"


async def test_from_a_trusted_address_lies_cannot_be_told(tmp_path: Path) -> None:
    async with behind(tmp_path, changes={FORWARDED: LIES}) as running:
        findings = await found(running.settings)
    assert broken(findings) == []
    assert "another machine" in findings["client address"].mend


async def test_a_proxy_that_names_nobody_is_found(tmp_path: Path) -> None:
    nothing = {FORWARDED: '        proxy_set_header X-Forwarded-For "";\n'}
    async with behind(tmp_path, changes=nothing) as running:
        findings = await found(running.settings)
    assert broken(findings) == ["client address"]
    assert "$remote_addr" in findings["client address"].mend


async def test_headers_that_arrive_changed_are_a_hint(tmp_path: Path) -> None:
    changed = {"proxy_set_header Host $host;": "proxy_set_header Host inside.example;"}
    async with behind(tmp_path, changes=changed) as running:
        findings = await found(running.settings)
    assert broken(findings) == []
    assert "inside.example" in findings["server"].mend


async def test_a_server_that_does_not_run_and_a_proxy_without_one(tmp_path: Path) -> None:
    findings = await found(alone(tmp_path))
    assert "server" in broken(findings)
    assert findings["server"].mend.startswith("Start `nightdesk serve`")
    proxy = Nginx()
    proxy.configure([free_port()])
    await asyncio.to_thread(proxy.start)
    try:
        findings = await found(alone(tmp_path, base_url=proxy.base_url))
        assert "answers 502" in findings["server"].says
        assert findings["server"].mend.startswith("Start `nightdesk serve`")
        async with program(tmp_path) as running:
            wrong = running.settings.model_copy(update={"base_url": proxy.base_url})
            findings = await found(wrong)
            assert "let the proxy pass" in findings["server"].mend
    finally:
        await asyncio.to_thread(proxy.remove)


async def test_a_server_with_another_key_is_not_ours(tmp_path: Path) -> None:
    async with program(tmp_path) as running:
        other = running.settings.model_copy(update={"secret_key": None})
        findings = await found(other)
    assert "NIGHTDESK_SECRET_KEY" in findings["server"].mend


@pytest.mark.parametrize(
    ("body", "age", "name", "word"),
    [
        (msgspec.json.encode(Seen(client="127.0.0.1")), 3600, "clock of the server", "NTP"),
        (b"<html>It works!</html>", 0, "server", "NIGHTDESK_BASE_URL"),
        (b"", 0, "server", "NIGHTDESK_BASE_URL"),
    ],
)
async def test_strangers_and_wrong_clocks(tmp_path: Path, body: bytes, age: float, name: str, word: str) -> None:
    date = format_datetime(SystemClock().now() - timedelta(seconds=age), usegmt=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        findings = await found(alone(tmp_path, base_url=f"http://127.0.0.1:{port}"))
    assert word in findings[name].mend
    assert not findings[name].ok


async def test_an_address_that_hangs_or_is_unknown_ends_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(20):
            findings = await found(alone(tmp_path, base_url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert "does not answer within 5 s" in findings["server"].says
    findings = await found(alone(tmp_path, base_url="https://chat.nightdesk.invalid"))
    assert not findings["server"].ok


async def test_how_a_request_arrived_is_told_to_nobody_without_the_key(tmp_path: Path) -> None:
    async with program(tmp_path) as running, httpx2.AsyncClient(base_url=running.base_url) as http:
        old = doctor_pass(SECRET, 1_000_000_000)
        for given in ("", "x", "9" * 11, old, doctor_pass("another key, also of more than 32 characters"), "²."):
            answer = await http.get("/doctor", headers=[(HEADER.encode(), given.encode())])
            assert answer.status_code == 404
        answer = await http.get("/doctor", headers={HEADER: doctor_pass(SECRET)})
        assert answer.json()["client"] == "127.0.0.1"


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hung_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        server.pause()
        yield server


async def test_a_redis_that_hangs_is_away_or_is_none(tmp_path: Path, hung_redis: RedisServer) -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        other = server.sockets[0].getsockname()[1]
        for url in (hung_redis.url, "redis://127.0.0.1:1", f"redis://127.0.0.1:{other}"):
            async with asyncio.timeout(20):
                findings = await found(alone(tmp_path, redis_url=url))
            assert not findings["bus"].ok
            assert "NIGHTDESK_REDIS_URL" in findings["bus"].mend


async def test_a_redis_that_gives_too_few_rights_is_told_which(tmp_path: Path, redis_server: RedisServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", redis_server.port)
    writer.write(b"ACL SETUSER mute on >word resetchannels &nightdesk:* -@all +subscribe +unsubscribe +ping\r\n")
    assert await reader.readline() == b"+OK\r\n"
    url = f"redis://mute:word@127.0.0.1:{redis_server.port}"
    findings = await found(alone(tmp_path, redis_url=url))
    writer.write(b"ACL DELUSER mute\r\n")
    await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert not findings["bus"].ok
    assert "PUBLISH" in findings["bus"].mend


async def test_redis_is_heard_both_ways(tmp_path: Path, redis_server: RedisServer) -> None:
    assert (await found(alone(tmp_path, redis_url=redis_server.url)))["bus"].says == "Redis, heard both ways"


async def test_a_database_behind_or_ahead_of_the_program(
    tmp_path: Path, database_maker: SqliteMaker | PostgresMaker
) -> None:
    url = database_maker.make(empty=True)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    findings = await found(alone(tmp_path, database_url=url))
    assert "schema empty" in findings["database"].says
    with engine.begin() as connection:
        schema.upgrade(connection, "0001")
    findings = await found(alone(tmp_path, database_url=url))
    assert (findings["database"].ok, findings["database"].mend) == (False, "Run `nightdesk migrate`.")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    findings = await found(alone(tmp_path, database_url=url))
    assert "newer than this program" in findings["database"].says


async def test_a_database_that_takes_no_writes_and_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(about_database, "WITHIN_SECONDS", 2.0)
    server = PostgresServer()
    try:
        await asyncio.to_thread(server.start)
        url = await asyncio.to_thread(PostgresMaker(server).make)
        settings = alone(tmp_path, database_url=url)
        name = url.rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        # Of several servers the one that takes writes is chosen; of one that takes none there is no choice.
        findings = await found(settings)
        assert not findings["database"].ok
        server.pause()
        findings = await found(settings)
        assert "does not answer" in findings["database"].says or "cannot be reached" in findings["database"].says
    finally:
        server.resume()
        await asyncio.to_thread(server.remove)


@pytest.mark.parametrize(
    ("name", "mode", "finding", "word"),
    [
        ("", 0o755, "folder", "chmod o-rwx"),
        ("nightdesk.sqlite3", 0o666, "folder", "chmod o-rwx"),
        ("secret-key", 0o644, "secret key", "chmod 600"),
    ],
)
async def test_what_others_may_read_or_change_is_named(
    tmp_path: Path, name: str, mode: int, finding: str, word: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    path = folder / name
    if name:
        path.write_text("k" * 48)
    path.chmod(mode)
    findings = await found(alone(folder, secret_key=None, database_url=f"sqlite:///{tmp_path}/other.sqlite3"))
    assert not findings[finding].ok
    assert word in findings[finding].mend
    assert str(path) in findings[finding].mend


async def test_a_key_that_is_cut_short_is_found(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("short")
    (tmp_path / "secret-key").chmod(0o600)
    findings = await found(alone(tmp_path, secret_key=None))
    assert "cut short" in findings["secret key"].says


async def test_what_the_program_makes_is_ours_alone(tmp_path: Path) -> None:
    settings = alone(tmp_path / "new", secret_key=None)
    await commands.migrate_now(settings)
    findings = await found(settings)
    assert {"folder", "secret key", "disk"} & set(broken(findings)) == set()
