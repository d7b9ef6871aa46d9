"""Who says something urgent in chat and has not proven who they are is shown the verified way to a ticket, once."""

import asyncio
from uuid import UUID

import structlog
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.db import DatabaseAway
from chat.public import CardDraft, CardDraftLink, Conversation, Message
from chat.strings import Strings
from escalation.actions import Tickets
from escalation.urgency import PATH, is_urgent

KEY = "verified-path"
AGAIN_SECONDS = 1.0
MOST_HEARD = 10_000

log = structlog.get_logger(__name__)


class VerifiedPath:
    """Construct it, then `run` it in a task of each process that takes in words: what is urgent is heard where it was
    committed. A process that dies in that moment makes no offer; the next urgent word does, or the message that is
    left. The hint for operators is read from what was said, and so is never lost."""

    def __init__(self, tickets: Tickets, base_url: str) -> None:
        self._tickets = tickets
        self._card = card_of_path(tickets.strings, base_url)
        self._urgent: set[UUID] = set()
        self._look = asyncio.Event()
        tickets.conversations.on_words(self._heard)

    def _heard(self, conversation_id: UUID, text: str) -> None:
        if is_urgent(text) and len(self._urgent) < MOST_HEARD:
            self._urgent.add(conversation_id)
            self._look.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._look.wait()
            await self.offer_heard()
            if self._urgent:
                await asyncio.sleep(AGAIN_SECONDS)
                self._look.set()

    async def offer_heard(self) -> None:
        self._look.clear()
        heard, self._urgent = self._urgent, set()
        for conversation_id in sorted(heard):
            try:
                await self.offer(conversation_id)
            except DatabaseAway:
                self._urgent.add(conversation_id)
            except Exception:
                log.warning("the verified way to a ticket could not be offered", exc_info=True)

    async def offer_left(self, conversation_id: UUID) -> None:
        """As `offer`, for a conversation whose words nobody may have heard."""
        transcript = await self._tickets.conversations.transcript_of(conversation_id)
        said = transcript.messages if transcript is not None else ()
        if any(message.author_kind == "visitor" and is_urgent(message.text) for message in said):
            await self.offer(conversation_id)

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
