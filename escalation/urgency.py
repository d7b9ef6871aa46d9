"""Words by which people say that something is urgent, in English and Slovenian, and who has yet to prove who they are.

Such a word changes nothing by itself: it leads to the offer of the verified way to a ticket, and operators get a hint.
"""

import re
import unicodedata

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from escalation.customers.known import IDENTIFIED
from escalation.models import Ticket, TicketMessage, TicketTranscript

PATH = "/client/tickets/new?priority=high"
"""The form for who has signed in, with high priority chosen."""

_SIGNS = (
    "urgent", "emergency", "outage", "down", "reach", "respon", "accessible", "stopped",
    "nuj", "ne de", "izpad", "dosegljiv", "dostop", "odziv",
)  # fmt: skip
"""One of them is in each of the words below. Most of what people say has none and is not searched any further."""

_WORDS = re.compile(
    r"(?<!\w)(?:"
    r"(?<!not )(?<!isn't )(?<!non-)(?<!nothing )urgent(?:ly)?|emergency|outages?"
    r"|(?:is|are|s|was|were|been|went|goes|gone|all|completely|totally|entirely|shop|store|site|website|server"
    r"|servers|service|services|network|mail|vps|everything) down(?! (?:to|the|there|payment|by)(?!\w))"
    r"|(?:not |un)reachable|can(?:no|')t (?:be )?reach(?:ed)?|can not (?:be )?reach(?:ed)?"
    r"|not responding|does(?: not|n't) respond|not accessible|inaccessible|stopped (?:working|responding)"
    r"|(?<!ni )(?<!niso )nuj(?:en|n\w{1,4})|ne deluje(?:jo|ta)?|ne dela(?:jo|ta)?|izpad(?:[aieu]|o[vm]|ih|el|l[aeio])?"
    r"|nedosegljiv\w{0,3}|nedostop(?:en|n\w{1,4})|(?:ni|niso) (?:dosegljiv\w{0,3}|dostop(?:en|n\w{1,4}))"
    r"|ne odziva(?:jo|ta)?"
    r")(?!\w)"
)


def is_urgent(text: str) -> bool:
    """Whether somebody says that something is urgent, whatever the case and the diacritics. Linear in its length."""
    plain = text.casefold()
    if not plain.isascii():
        apart = unicodedata.normalize("NFD", plain.replace("\u2019", "'"))
        plain = "".join(char for char in apart if not unicodedata.combining(char))
    for sign in _SIGNS:
        if sign in plain:
            return _WORDS.search(" ".join(plain.split())) is not None
    return False


async def waits_for_proof(session: AsyncSession, ticket: Ticket) -> bool:
    """Whether its requester wrote urgent words and has not proven who they are."""
    if ticket.verify_level >= IDENTIFIED:
        return False
    if is_urgent(ticket.subject):
        return True
    said = select(TicketMessage.text).where(
        TicketMessage.ticket_id == ticket.id, TicketMessage.kind == "message", TicketMessage.author_kind == "requester"
    )
    if any(is_urgent(text) for text in await session.exec(said)):
        return True
    bodies = await session.exec(select(TicketTranscript.body).where(TicketTranscript.ticket_id == ticket.id))
    return any(is_urgent(str(row["text"])) for body in bodies for row in body if row["by"] == "visitor")
