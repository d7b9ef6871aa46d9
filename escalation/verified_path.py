"""Who says something urgent in chat and has not proven who they are is shown the verified way to a ticket, once."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.public import CardDraft, CardDraftLink, Conversation, Message, OutboxDraft
from chat.strings import Strings
from escalation.actions import Tickets
from escalation.urgency import PATH, is_urgent

KEY = "verified-path"
URGENT = "conversation.urgent"
"""Outbox kind: urgent words were said."""


class VerifiedPath:
    """Construct it in each process: the offer is owed by a row that is stored with the urgent word, so whoever dies,
    it is made. The hint for operators is read from what was said."""

    def __init__(self, tickets: Tickets, base_url: str) -> None:
        self._tickets = tickets
        self._card = card_of_path(tickets.strings, base_url)
        tickets.conversations.with_words(owed_for)
        tickets.outbox.on(URGENT, self._offer_owed)

    async def _offer_owed(self, payload: dict[str, Any]) -> None:
        await self.offer(UUID(payload["conversation_id"]))

    async def offer(self, conversation_id: UUID) -> bool:
        """Whether the card was added now: once in a conversation, and to nobody whom the company's site has named."""
        async with self._tickets.db.read() as session:
            if await _is_offered(session, conversation_id):
                return False
        if await self._tickets.registry.named_in(conversation_id) is not None:
            return False
        async with self._tickets.db.write() as session:
            lock = select(Conversation.id).where(col(Conversation.id) == conversation_id).with_for_update()
            if (await session.exec(lock)).first() is None or await _is_offered(session, conversation_id):
                return False
            await self._tickets.conversations.append_card(session, conversation_id, self._card)
        await self._tickets.conversations.announce(conversation_id)
        return True


def owed_for(conversation_id: UUID, text: str) -> OutboxDraft | None:
    """Once for a conversation."""
    if not is_urgent(text):
        return None
    return OutboxDraft(URGENT, {"conversation_id": str(conversation_id)}, f"{URGENT}:{conversation_id}")


async def _is_offered(session: AsyncSession, conversation_id: UUID) -> bool:
    query = select(Message.id).where(Message.conversation_id == conversation_id, Message.ref == f"card:{KEY}:1")
    return (await session.exec(query)).first() is not None


def card_of_path(strings: Strings, base_url: str) -> CardDraft:
    catalogues = {locale: strings.catalogue(locale) for locale in strings.locales}
    says = {
        locale: [c.gettext("Sign in and open a ticket with high priority: those come first. Meanwhile we go on here.")]
        for locale, c in catalogues.items()
    }
    return CardDraft(
        key=KEY,
        kind="path",
        number="",
        title={locale: c.gettext("Is something down right now?") for locale, c in catalogues.items()},
        state={},
        facts=says,
        links=[
            CardDraftLink(
                label={locale: c.gettext("Open a verified ticket") for locale, c in catalogues.items()},
                path=f"{base_url}{PATH}",
                audience="visitor",
            )
        ],
    )
