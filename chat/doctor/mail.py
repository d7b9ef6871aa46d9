"""Mail out: whether it is set up, whether the server lets us in, and whether mail waits."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from chat.db import Database
from chat.doctor.finding import Finding
from chat.settings import Settings
from escalation.mail.smtp import Line, SmtpServer
from escalation.mail.standing import Standing, standing

SET_UP = "Set NIGHTDESK_SMTP_URL and NIGHTDESK_MAIL_FROM."


async def ask_mail(settings: Settings, *, has_rows: bool) -> Finding:
    """`has_rows`: whether the database can be asked what waits."""
    waits = await _waits(settings) if has_rows else None
    number = waits.waiting if waits else 0
    if settings.smtp_url is None:
        if number:
            return Finding("mail", False, f"not set up, and {number} mails wait", SET_UP)
        return Finding("mail", True, f"not set up: mail would wait. {SET_UP}")
    server = SmtpServer.of_url(
        settings.smtp_url.get_secret_value(), urlsplit(settings.base_url).hostname or "localhost"
    )
    line = Line(server)
    refused = await line.reach()
    await line.close()
    if refused is not None:
        why = f"{refused.code} {refused.says}".strip()
        says = f"{server.host}:{server.port} does not let us in ({why})"
        return Finding("mail", False, says, "Check NIGHTDESK_SMTP_URL: address, encryption, name and password.")
    if waits is not None and waits.is_late(datetime.now(UTC)):
        mend = "Is a worker running? It sends: `nightdesk worker`, or `serve` without Redis."
        return Finding("mail", False, f"the server lets us in, but {number} mails wait", mend)
    return Finding("mail", True, f"{server.host}:{server.port} lets us in")


async def _waits(settings: Settings) -> Standing:
    db = Database(settings.effective_database_url)
    try:
        async with db.read() as session:
            return await standing(session, datetime.now(UTC))
    finally:
        await db.close()
