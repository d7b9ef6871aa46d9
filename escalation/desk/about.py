"""What the console shows of an identified requester beside their conversation. Empty for everybody else."""

from uuid import UUID

from markupsafe import Markup

from chat.pages import Pages
from escalation.actions import Tickets
from escalation.customers.known import known


class AboutRequester:
    def __init__(self, tickets: Tickets, pages: Pages) -> None:
        self._tickets = tickets
        self._pages = pages

    async def of_conversation(self, conversation_id: UUID, locale: str) -> Markup:
        """The caller has checked that the operator may see the conversation."""
        transcript = await self._tickets.conversations.transcript_of(conversation_id)
        if transcript is None:
            return Markup()
        return await self.html(transcript.visitor.email or "", transcript.visitor.verify_level, locale)

    async def html(self, address: str, level: int, locale: str) -> Markup:
        found = await known(self._tickets.db, self._tickets.registry, address, level)
        if found is None:
            return Markup()
        # The partial has escaped what people wrote.
        return Markup(self._pages.partial("desk/_account.html", locale, known=found))  # noqa: S704
