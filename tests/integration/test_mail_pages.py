"""Mail that waits or was refused is seen: above the inbox, on a page of its own, by the doctor and in the figures."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update
from sqlmodel import col, select
from starlette.applications import Starlette

from chat.db import table_of
from chat.doctor.mail import ask_mail
from chat.people.audit import AuditEntry
from chat.settings import Settings, load_settings
from escalation.mail.letter import SIGN_IN, Letter
from escalation.mail.models import MailOut, Suppression
from escalation.mail.standing import standing
from escalation.models import Ticket
from tests.support.customers import add_customer, signed_in
from tests.support.mail_server import mail_server
from tests.support.program import Running, program


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with program(tmp_path) as found:
        yield found


async def post(running: Running, cause: str = "one", to: str = "ann@example.com") -> None:
    mailbox = running.desk.escalation.tickets.mailbox
    letter = Letter(SIGN_IN, to=to, cause=cause, locale="en", link="/client/sign-in/one")
    async with running.desk.db.write() as session:
        await mailbox.post(session, letter)
    mailbox.wake()


async def change(running: Running, **values: object) -> None:
    async with running.desk.db.write() as session:
        await session.execute(update(table_of(MailOut)).values(**values))


async def as_role(running: Running, role: str, **more: str) -> httpx2.AsyncClient:
    browser = await running.signed_in(await running.operator(role.title(), role=role, **more))
    running.browsers.append(browser)
    return browser


async def test_without_a_mail_server_the_console_says_what_waits(running: Running) -> None:
    omar = await as_role(running, "operator")
    assert "no mail server" not in (await omar.get("/console")).text
    await post(running)
    await post(running, "two")
    page = await omar.get("/console")
    assert "2 mails wait: no mail server is set up." in page.text
    assert "/desk/mail" not in page.text  # it tells of all departments
    boss = await as_role(running, "supervisor", locale="sl")
    page = await boss.get("/console")
    assert "2 sporočili čakata: poštni strežnik ni nastavljen." in page.text
    assert 'href="/desk/mail?list=waiting"' in page.text


async def test_the_list_is_for_supervisors_and_404_for_others(running: Running) -> None:
    await post(running)
    omar = await as_role(running, "operator")
    for answer in (await omar.get("/desk/mail"), await omar.post("/desk/mail/release", data={"address": "x"})):
        assert answer.status_code == 404
        assert "ann@example.com" not in answer.text
    nobody = httpx2.AsyncClient(base_url=running.base_url)
    assert (await nobody.get("/desk/mail")).status_code == 303
    await nobody.aclose()
    boss = await as_role(running, "administrator")
    page = await boss.get("/desk/mail?list=waiting")
    assert page.status_code == 200
    assert "ann@example.com" in page.text
    assert "/client/sign-in/one" not in page.text


async def test_refused_mail_is_seen_with_the_servers_words_and_the_address_can_be_released(running: Running) -> None:
    await post(running)
    now = running.desk.clock.now()
    await change(running, state="bounced", code="550 5.1.1", says="<b>no such user</b>", next_at=now, changed_at=now)
    async with running.desk.db.write() as session:
        session.add(
            Suppression(
                address="ann@example.com", code="550 5.1.1", says="x", until=now + timedelta(days=60), created_at=now
            )
        )
    boss = await as_role(running, "supervisor")
    assert "1 mail was refused in the last day." in (await boss.get("/console")).text
    page = await boss.get("/desk/mail")
    assert "550 5.1.1" in page.text
    assert "&lt;b&gt;no such user&lt;/b&gt;" in page.text
    answer = await boss.post("/desk/mail/release", data={"address": "ann@example.com"})
    assert answer.status_code == 303
    foreign = await boss.post("/desk/mail/release", data={"address": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    async with running.desk.db.read() as session:
        assert (await session.exec(select(Suppression))).all() == []
    # What failed is tried again, once, and who did what is written down.
    rita = await signed_in(running, await add_customer(running))
    await rita.post("/client/tickets/new", data={"text": "No ping", "ref": "again-0001"})
    async with running.desk.db.read() as session:
        mail = (await session.exec(select(MailOut).where(MailOut.recipient == "ann@example.com"))).one()
        ticket = (await session.exec(select(Ticket))).one()
    await change(running, state="failed", ticket_id=ticket.id)
    for _ in range(2):
        assert (await boss.post(f"/desk/mail/{mail.id}/again")).status_code == 303
    async with running.desk.db.read() as session:
        entries = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))).all()
    told = [(one.action, one.about, one.actor_name) for one in entries]
    assert told == [(what, "ann@example.com", "Supervisor") for what in ("mail.released", "mail.again")]


async def test_mail_that_does_not_go_out_is_told_with_a_server_too(running: Running) -> None:
    await post(running)
    now = running.desk.clock.now()
    async with running.desk.db.read() as session:
        assert not (await standing(session, now)).is_late(now)
    await change(running, next_at=now - timedelta(minutes=6))
    async with running.desk.db.read() as session:
        found = await standing(session, now)
    assert found.is_late(now)
    assert found.waiting == 1


async def test_the_demo_shows_mail_and_only_the_demo(running: Running, tmp_path: Path) -> None:
    await post(running)
    http = httpx2.AsyncClient(base_url=running.base_url)
    assert (await http.get("/mailbox")).status_code == 404
    await http.aclose()
    routes = [*running.desk.assets.routes(), *running.desk.escalation.demo_routes()]
    served = httpx2.ASGITransport(Starlette(routes=routes))
    demo = httpx2.AsyncClient(transport=served, base_url=running.base_url)
    page = await demo.get("/mailbox")
    assert page.status_code == 200
    assert "Your sign-in link" in page.text
    async with running.desk.db.read() as session:
        mail = (await session.exec(select(MailOut))).one()
    page = await demo.get(f"/mailbox/{mail.id}")
    assert running.desk.links.sign("/client/sign-in/one") in page.text
    for path in ("/mailbox/x", f"/mailbox/{mail.id}x"):
        assert (await demo.get(path)).status_code == 404
    await demo.aclose()


async def test_the_doctor_tells_of_mail(running: Running) -> None:
    settings = running.settings
    assert (await ask_mail(settings, has_rows=True)).ok
    await post(running)
    finding = await ask_mail(settings, has_rows=True)
    assert not finding.ok
    assert "1 mail waits" in finding.says
    assert "NIGHTDESK_SMTP_URL" in finding.mend

    def with_server(url: str) -> Settings:
        return load_settings(
            {}, data_dir=settings.data_dir, smtp_url=url, mail_from="support@polaris.example", secret_key="k" * 40
        )

    async with mail_server(password="open sesame") as server:
        at = f"127.0.0.1:{server.port}"
        wrong = await ask_mail(with_server(f"smtp://acme:wrong@{at}"), has_rows=True)
        assert not wrong.ok
        assert "535" in wrong.says
        assert "wrong" not in wrong.says + wrong.mend
        right = await ask_mail(with_server(f"smtp://acme:open%20sesame@{at}"), has_rows=True)
        assert right.ok
        await change(running, next_at=running.desk.clock.now() - timedelta(minutes=6))
        late = await ask_mail(with_server(f"smtp://acme:open%20sesame@{at}"), has_rows=True)
        assert not late.ok
        assert "worker" in late.mend
    away = await ask_mail(with_server("smtp://127.0.0.1:1"), has_rows=True)
    assert not away.ok


async def test_the_figures_tell_of_mail(tmp_path: Path) -> None:
    async with program(tmp_path, metrics_token="a token of the tests") as running:
        await post(running)
        http = httpx2.AsyncClient(base_url=running.base_url, headers={"Authorization": "Bearer a token of the tests"})
        text = (await http.get("/metrics")).text
        await http.aclose()
        assert "nightdesk_mail_waiting 1.0" in text
        assert "nightdesk_mail_lag_seconds" in text


async def test_the_program_sends_what_is_posted(tmp_path: Path) -> None:
    async with (
        mail_server() as server,
        program(tmp_path, smtp_url=server.url, mail_from="Polaris <support@polaris.example>") as running,
    ):
        await post(running)
        async with asyncio.timeout(20):
            await server.has_content.wait()
        (taken,) = server.taken
        assert taken.message["Subject"] == "Your sign-in link – Polaris"
