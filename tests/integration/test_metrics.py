"""`/metrics` of the whole program: who may read it, what it counts, and that no name of a person is in it."""

import asyncio
import contextlib
from pathlib import Path

import httpx2
import pytest

from chat.metrics import names
from tests.support.figures import Figures, figures
from tests.support.program import Running, program

EMPTY = {
    "nightdesk_http_requests_total",
    "nightdesk_http_request_duration_seconds",
    "nightdesk_connections_closed_total",
    "nightdesk_resyncs_total",
    "nightdesk_canary_seconds",
    "nightdesk_canary_lost_total",
}
"""Of these nothing has happened in the test that looks at all names."""
TOKEN = "a token of more than sixteen characters"


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def scraped(running: Running) -> Figures:
    assert running.desk.metrics is not None
    return figures((await running.desk.metrics.scrape.text()).decode())


async def test_without_a_setting_there_are_no_figures_for_anybody(tmp_path: Path) -> None:
    async with program(tmp_path) as running, httpx2.AsyncClient(base_url=running.base_url) as http:
        assert (await http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 404


async def test_on_the_main_address_only_the_token_reads(tmp_path: Path) -> None:
    async with (
        program(tmp_path, metrics_token=TOKEN) as running,
        httpx2.AsyncClient(base_url=running.base_url) as http,
    ):
        for wrong in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "š"}):
            answer = await http.get("/metrics", headers=[(k.encode(), v.encode()) for k, v in wrong.items()])
            assert answer.status_code == 404
            assert "nightdesk_" not in answer.text
        answer = await http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert figures(answer.text)["nightdesk_bus_up", ()] == 1


async def test_on_its_own_address_each_process_takes_the_next_free_port(tmp_path: Path) -> None:
    async with program(made(tmp_path / "a"), metrics_listen="127.0.0.1:0") as first:
        assert first.desk.metrics is not None
        assert first.desk.metrics.listener is not None
        taken = first.desk.metrics.listener.address
        assert taken is not None
        async with (
            program(made(tmp_path / "b"), metrics_listen=f"127.0.0.1:{taken[1]}") as second,
            httpx2.AsyncClient() as http,
        ):
            assert second.desk.metrics is not None
            assert second.desk.metrics.listener is not None
            other = second.desk.metrics.listener.address
            assert other is not None
            assert other[1] > taken[1]
            for host, port in (taken, other):
                answer = await http.get(f"http://{host}:{port}/metrics")
                assert answer.status_code == 200
                assert "nightdesk_build_info" in answer.text
                assert (await http.get(f"http://{host}:{port}/console")).status_code == 404
            assert (await http.get(f"{second.base_url}/metrics")).status_code == 404


async def test_requests_are_counted_by_route_and_never_by_address(tmp_path: Path) -> None:
    async with program(tmp_path, metrics_token=TOKEN) as running:
        async with httpx2.AsyncClient(base_url=running.base_url) as http:
            await http.get(f"/w/{running.site_key}/loader.js")
            await http.get("/console/sign-in/a-secret-in-an-address")
            await http.get("/wp-login.php?password=hunter2")
            await http.request("PROPFIND", "/healthz")
        assert running.desk.metrics is not None
        text = (await running.desk.metrics.scrape.text()).decode()
    found = figures(text)
    name = "nightdesk_http_requests_total"
    assert found[name, (("method", "GET"), ("route", "/w/{site_key}/loader.js"), ("status", "200"))] == 1
    assert found[name, (("method", "GET"), ("route", "/console/sign-in/{secret}"), ("status", "410"))] == 1
    assert found[name, (("method", "GET"), ("route", "other"), ("status", "404"))] == 1
    assert found[name, (("method", "other"), ("route", "/healthz"), ("status", "405"))] == 1
    for word in (running.site_key, "a-secret", "hunter2", "wp-login", "PROPFIND"):
        assert word not in text


async def test_queues_operators_and_outbox_as_they_are(tmp_path: Path) -> None:
    async with program(tmp_path, metrics_token=TOKEN) as running:
        await running.operator("Ana")
        ann = await running.visitor_who_said("My name is Ann Unfindable and I wait")
        found = await scraped(running)
        assert found["nightdesk_conversations_open", ()] == 1
        assert found["nightdesk_db_connections_limit", ()] == 10
        assert found["nightdesk_queue_waiting", (("department", "technical"),)] == 1
        assert found["nightdesk_queue_waiting", (("department", "financial"),)] == 0
        assert found["nightdesk_queue_oldest_seconds", (("department", "technical"),)] >= 0
        assert found["nightdesk_operators", (("presence", "absent"),)] == 1
        assert found["nightdesk_operators", (("presence", "online"),)] == 0
        assert found["nightdesk_outbox_rows", (("kind", "conversation.left"), ("state", "waiting"))] == 0
        assert found["nightdesk_connections", (("role", "visitor"),)] == 1
        assert found["nightdesk_connections", (("role", "operator"),)] == 0
        assert running.desk.metrics is not None
        text = (await running.desk.metrics.scrape.text()).decode()
        for word in ("Unfindable", "Ana", "desk.example", running.site_key, ann.conversation):
            assert word not in text


async def test_with_the_database_away_the_figures_of_rows_are_absent_and_the_rest_is_told(tmp_path: Path) -> None:
    async with program(tmp_path, metrics_token=TOKEN) as running:
        async with running.desk.db.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("ALTER TABLE conversation RENAME TO gone")
        found = await scraped(running)
        async with running.desk.db.write() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("ALTER TABLE gone RENAME TO conversation")
    assert ("nightdesk_conversations_open", ()) not in found
    assert found["nightdesk_bus_up", ()] == 1


@pytest.mark.parametrize("line", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 20_000, b"\x16\x03\x01\r\n\r\n"])
async def test_a_neighbour_who_speaks_something_else_harms_nothing(tmp_path: Path, line: bytes) -> None:
    async with program(tmp_path, metrics_listen="127.0.0.1:0") as running:
        assert running.desk.metrics is not None
        assert running.desk.metrics.listener is not None
        address = running.desk.metrics.listener.address
        assert address is not None
        reader, writer = await asyncio.open_connection(*address)
        writer.write(line)
        writer.write_eof()
        async with asyncio.timeout(10):
            try:
                answer = await reader.read()
            except ConnectionResetError:
                answer = b""
        assert b"200 OK" not in answer
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"http://{address[0]}:{address[1]}/metrics")).status_code == 200


async def test_a_conversation_leaves_its_counts(tmp_path: Path, database_url: str) -> None:
    async with program(tmp_path, database_url, metrics_token=TOKEN) as running:
        ana = await running.operator("Ana")
        console = await running.console(ana)
        ann = await running.visitor_who_said("The first word")
        await console.until("offered", lambda frame: frame["conversation"] == ann.conversation)
        await console.send("open", conversation=ann.conversation, last_seen=0, last_note=0)
        await console.until("paged")
        await console.say("An answer", conversation=ann.conversation)
        await ann.until("said", lambda frame: any(one.get("text") == "An answer" for one in frame["entries"]))
        await ann.socket.send("no frame")
        assert await ann.close_code() == 4501
        back = await running.visitor(token=ann.token, conversation=ann.conversation, last_seen=2)
        await back.until("paged")
        found = await scraped(running)
        assert found["nightdesk_commit_seconds_count", ()] == 1
        assert found["nightdesk_commit_group_size_sum", ()] == 1
        assert found["nightdesk_first_reply_seconds_count", (("origin", "chat"),)] == 1
        assert found["nightdesk_delivery_seconds_count", (("audience", "operator"),)] >= 1
        assert found["nightdesk_delivery_seconds_count", (("audience", "visitor"),)] >= 2
        assert found["nightdesk_connections_closed_total", (("code", "4501"), ("role", "visitor"))] == 1
        assert found["nightdesk_frames_total", (("direction", "in"), ("type", "say"))] == 1
        assert found["nightdesk_frames_total", (("direction", "in"), ("type", "refused"))] == 1
        assert found["nightdesk_frames_total", (("direction", "out"), ("type", "attended"))] == 1
        assert found["nightdesk_frames_total", (("direction", "out"), ("type", "said"))] >= 2
        assert found["nightdesk_resyncs_total", (("reason", "resume"),)] == 1
        assert found["nightdesk_conversations_open", ()] == 1


async def test_tickets_and_broken_promises_are_counted(tmp_path: Path) -> None:
    async with program(tmp_path, metrics_token=TOKEN) as running:
        ann = await running.visitor()
        await ann.send("enroll")
        await ann.until("enrolled")
        left = {"email": "ann@example.com", "text": "Please call me", "department": "financial"}
        await ann.send("leave", ref="ref-leave-01", **left)
        await ann.until("said", lambda frame: any(one["kind"] == "card" for one in frame["entries"]))
        tickets = ("nightdesk_tickets_open", (("department", "financial"), ("priority", "normal")))
        running.desk.escalation.breaches["first_reply",] += 1
        running.desk.escalation.tickets.first_reply_seconds.add(58)
        found = await scraped(running)
        assert found[tickets] == 1
        assert found["nightdesk_tickets_open", (("department", "financial"), ("priority", "high"))] == 0
        assert found["nightdesk_sla_breaches_total", (("target", "first_reply"),)] == 1
        assert found["nightdesk_first_reply_seconds_count", (("origin", "ticket"),)] == 1
        assert found["nightdesk_first_reply_seconds_count", (("origin", "chat"),)] == 0
        for one in names.ALL:
            if one.name not in EMPTY:
                series = one.name + ("_count" if one.kind == "histogram" else "")
                assert any(name == series for name, _ in found), one.name
