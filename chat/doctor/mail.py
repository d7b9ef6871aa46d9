"""Mail out: whether it is set up, whether the server lets us in, and whether mail waits."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from chat.db import Database
from chat.doctor.finding import Finding
from chat.settings import Settings
from escalation.mail.faults import Fault
from escalation.mail.smtp import Line, SmtpServer
from escalation.mail.standing import Standing, standing
from escalation.mail.writer import Sender

SET_UP = "Set NIGHTDESK_SMTP_URL and NIGHTDESK_MAIL_FROM."
WITHIN_SECONDS = 10.0
"""Some servers let newcomers wait for their greeting."""
_PORTS = "587 goes with smtp+starttls://, 465 with smtps://, 25 with smtp://"
FAULTS: dict[Fault, tuple[str, str]] = {
    "unknown_host": ("the host %(host)s has no address", "Check the host in NIGHTDESK_SMTP_URL, and the name servers."),
    "closed": ("nobody listens at %(at)s", f"Check the port in NIGHTDESK_SMTP_URL: {_PORTS}."),
    "unreachable": ("there is no way to %(at)s", "Check the network of this machine and NIGHTDESK_SMTP_URL."),
    "silent": (
        "%(at)s does not answer",
        f"Check the firewall, and scheme and port in NIGHTDESK_SMTP_URL: {_PORTS}.",
    ),
    "hangs_up": (
        "%(at)s hangs up",
        f"Check scheme and port in NIGHTDESK_SMTP_URL ({_PORTS}), and whether the server lets this machine in.",
    ),
    "certificate": (
        "the certificate of %(at)s is not trusted (%(says)s)",
        "Name it in NIGHTDESK_SMTP_URL as its certificate does; an authority of your own is named in SSL_CERT_FILE.",
    ),
    "not_tls": (
        "%(at)s does not speak TLS from the first byte",
        f"Write smtp+starttls:// in NIGHTDESK_SMTP_URL, or the port for TLS: {_PORTS}.",
    ),
    "no_starttls": (
        "%(at)s offers no STARTTLS",
        f"Write smtps:// in NIGHTDESK_SMTP_URL, with the port for TLS: {_PORTS}.",
    ),
    "no_login": (
        "%(at)s offers no sign-in",
        f"Encrypt NIGHTDESK_SMTP_URL ({_PORTS}), or leave name and password out of it.",
    ),
    "login": (
        "%(at)s refuses name or password (%(code)s)",
        "Check both in NIGHTDESK_SMTP_URL; in them write %40 for @, %3A for : and %2F for /.",
    ),
    "needs_login": (
        "%(at)s wants a sign-in first (%(code)s)",
        "Write name and password into NIGHTDESK_SMTP_URL, as smtp+starttls://user:password@host:587.",
    ),
    "sender": (
        "%(at)s takes no mail from %(sender)s (%(code)s)",
        "Set NIGHTDESK_MAIL_FROM to an address that this server sends for.",
    ),
    "refuses": (
        "%(at)s refuses us (%(answer)s)",
        "Ask who runs the server, with its answer.",
    ),
}
"""What is found and how it is mended."""


async def ask_mail(settings: Settings, *, has_rows: bool) -> Finding:
    """`has_rows`: whether the database can be asked what waits."""
    waits = await _waits(settings) if has_rows else None
    number = waits.waiting if waits else 0
    if settings.smtp_url is None:
        if number:
            return Finding("mail", False, f"not set up, and {_mails(number)}", SET_UP)
        return Finding("mail", True, f"not set up: mail would wait. {SET_UP}")
    server = SmtpServer.of_url(
        settings.smtp_url.get_secret_value(), urlsplit(settings.base_url).hostname or "localhost"
    )
    sender = Sender.of_setting(settings.mail_from or "").address
    line = Line(server, WITHIN_SECONDS)
    refused = await line.reach(sender)
    await line.close()
    at = f"{server.host}:{server.port}"
    if refused is not None:
        says, mend = FAULTS[refused.fault or "refuses"]
        told = {"host": server.host, "at": at, "sender": sender, "code": refused.code, "says": refused.says}
        told["answer"] = f"{refused.code[:3]} {refused.says}".strip()
        return Finding("mail", False, says % told, mend)
    if waits is not None and waits.is_late(datetime.now(UTC)):
        mend = "Is a worker running? It sends: `nightdesk worker`, or `serve` without Redis."
        return Finding("mail", False, f"the server lets us in, but {_mails(number)}", mend)
    return Finding("mail", True, f"{at} lets us in and takes mail from {sender}")


def _mails(number: int) -> str:
    return "1 mail waits" if number == 1 else f"{number} mails wait"


async def _waits(settings: Settings) -> Standing:
    db = Database(settings.effective_database_url)
    try:
        async with db.read() as session:
            return await standing(session, datetime.now(UTC))
    finally:
        await db.close()
