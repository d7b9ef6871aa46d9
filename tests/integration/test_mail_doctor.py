"""What the doctor finds wrong with the way to the mail server: each fault by its name, with what mends it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chat.doctor import mail as about_mail
from chat.doctor.finding import Finding
from chat.settings import load_settings
from tests.support.certificates import certificate
from tests.support.mail_server import MailServer, mail_server

SECRET = "pa%40ss-of-acme"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("mail"))


@pytest.fixture
def tls(made: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*made)
    return context


@pytest.fixture
async def plain() -> AsyncIterator[MailServer]:
    async with mail_server() as found:
        yield found


async def asked(url: str, sender: str = "Acme <support@acme.example>") -> Finding:
    settings = load_settings({}, smtp_url=url, mail_from=sender)
    finding = await about_mail.ask_mail(settings, has_rows=False)
    for secret in (SECRET, "pa@ss-of-acme", "acme:"):
        assert secret not in finding.says + finding.mend
    return finding


def is_about(finding: Finding, says: str, mend: str) -> None:
    assert not finding.ok
    assert says in finding.says
    assert mend in finding.mend


async def test_a_host_or_port_that_is_wrong() -> None:
    is_about(await asked("smtp://mail.nightdesk.invalid"), "mail.nightdesk.invalid has no address", "Check the host")
    is_about(await asked("smtp+starttls://127.0.0.1:1"), "nobody listens at 127.0.0.1:1", "587 goes with")


async def test_a_server_that_is_silent_or_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about_mail, "WITHIN_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        is_about(await asked(f"smtp://127.0.0.1:{silent.getsockname()[1]}"), "does not answer", "firewall")

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    monkeypatch.setattr(about_mail, "WITHIN_SECONDS", 10.0)
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        is_about(await asked(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"), "hangs up", "scheme and port")


async def test_encryption_that_is_wrong(plain: MailServer, tls: ssl.SSLContext) -> None:
    at = f"127.0.0.1:{plain.port}"
    is_about(await asked(f"smtps://{at}"), "does not speak TLS", "smtp+starttls://")
    is_about(await asked(f"smtp+starttls://acme:{SECRET}@{at}"), "offers no STARTTLS", "smtps://")
    async with AsyncExitStack() as servers:
        first = await servers.enter_async_context(mail_server(tls=tls))
        second = await servers.enter_async_context(mail_server(starttls=tls))
        for url in (f"smtps://127.0.0.1:{first.port}", f"smtp+starttls://127.0.0.1:{second.port}"):
            is_about(await asked(url), "is not trusted (self", "SSL_CERT_FILE")


async def test_encryption_that_is_right(
    made: tuple[Path, Path], tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(made[0]))
    async with mail_server(tls=tls) as first, mail_server(SECRET, starttls=tls) as second:
        assert (await asked(f"smtps://127.0.0.1:{first.port}")).ok
        assert (await asked(f"smtp+starttls://acme:{SECRET.replace('%', '%25')}@localhost:{second.port}")).ok


async def test_a_sign_in_that_is_wrong(plain: MailServer) -> None:
    is_about(
        await asked(f"smtp://acme:{SECRET}@127.0.0.1:{plain.port}"), "offers no sign-in", "leave name and password"
    )
    async with mail_server("open sesame") as strict:
        at = f"127.0.0.1:{strict.port}"
        is_about(await asked(f"smtp://acme:{SECRET}@{at}"), "refuses name or password (535", "%40 for @")
        is_about(await asked(f"smtp://{at}"), "wants a sign-in first (530", "user:password")
        assert (await asked(f"smtp://acme:open%20sesame@{at}")).ok


async def test_a_sender_that_is_refused_and_a_server_that_refuses_us(plain: MailServer) -> None:
    url = f"smtp://127.0.0.1:{plain.port}"
    assert (await asked(url)).says == f"127.0.0.1:{plain.port} lets us in and takes mail from support@acme.example"
    plain.refuses_sender = "553 5.7.1 not yours"
    is_about(await asked(url), "takes no mail from support@acme.example (553 5.7.1)", "NIGHTDESK_MAIL_FROM")
    plain.refuses_sender = "421 4.7.0 too many from you"
    is_about(await asked(url), "refuses us (421 4.7.0 too many from you)", "Ask who runs the server")
    assert plain.taken == []
