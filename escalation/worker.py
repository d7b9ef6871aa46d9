"""What must happen to tickets without anybody looking: messages left, and the thread kept whole over its windows."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from chat.public import LEFT
from escalation import cursors, store
from escalation.actions import SAID, Tickets
from escalation.change import Actor
from escalation.closing import Closing
from escalation.customers.known import identified
from escalation.draft import Drafted, Origin, Source
from escalation.handoff import draft_ticket
from escalation.mail.worker import MailWorker
from escalation.opening import open_ticket
from escalation.queue import put_in_place
from escalation.search.indexer import Indexer
from escalation.sla.engine import SlaEngine

SWEEP_SECONDS = 3.0
"""How late a message is whose hint was lost."""

MOST_SAID = 10_000
GATHER_SECONDS = 0.1
"""What is said within this time is looked at together."""

log = structlog.get_logger(__name__)


class EscalationWorker:
    """Construct it, then `run` it in a task: it takes the outbox kinds of tickets and copies what is said later."""

    def __init__(
        self,
        tickets: Tickets,
        zone: ZoneInfo,
        mail: MailWorker | None = None,
        closing: Closing | None = None,
    ) -> None:
        self._tickets = tickets
        self._zone = zone
        self.engine = SlaEngine(tickets)
        self.indexer = Indexer(tickets.db, tickets.clock)
        self._mail = mail
        self._closing = closing
        self._said: set[UUID] = set()
        self._look = asyncio.Event()
        tickets.outbox.on(LEFT, self.open_for_left)
        tickets.outbox.on(SAID, self.say_in_conversations)
        tickets.conversations.on_said(self._heard)

    def _heard(self, conversations: Sequence[UUID]) -> None:
        if len(self._said) < MOST_SAID:  # a process where nobody takes them; who works finds the rest by its sweep
            self._said.update(conversations)
        self._look.set()

    async def run(self) -> None:
        """Until cancelled. Any number may run, each part has its judge in the database."""
        with self._tickets.conversations.bell.followed():
            await self._run_parts()

    async def _run_parts(self) -> None:
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._copy(), name="copies")
            parts.create_task(self.engine.run(), name="sla")
            parts.create_task(self.indexer.run(), name="search")
            if self._mail is not None:
                parts.create_task(self._mail.run(), name="mail")
            if self._closing is not None:
                parts.create_task(self._closing.run(), name="closing")

    async def _copy(self) -> None:
        """The cursor and the unique place of a message are the judges."""
        loop = asyncio.get_running_loop()
        swept = loop.time()
        while True:
            try:
                await self.copy_heard()
            except Exception:
                # Nothing is lost: the cursors stand where they stood, the sweep tries again.
                log.warning("later messages could not be copied", exc_info=True)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._look.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                pass
            self._look.clear()
            if loop.time() - swept >= SWEEP_SECONDS:  # also where somebody speaks all the time
                swept = loop.time()
                await self._find_left_behind()

    async def copy_heard(self) -> None:
        heard, self._said = self._said, set()
        if not heard:
            return
        async with self._tickets.db.read() as session:
            behind = list(await cursors.behind_among(session, sorted(heard)))
        random.shuffle(behind)  # so that workers that heard the same do not all reach for the same one
        for conversation_id in behind:
            await self._tickets.copy_said(conversation_id)

    async def _find_left_behind(self) -> None:
        try:
            async with self._tickets.db.read() as session:
                self._said.update(await cursors.left_behind(session))
                strays = await store.without_place(session)
            if strays:
                async with self._tickets.db.write() as session:
                    await put_in_place(session, strays)
        except Exception:
            # The database is away; the next sweep asks again.
            log.warning("the sweep could not look", exc_info=True)

    async def sweep(self) -> None:
        """One round without a hint."""
        await self._find_left_behind()
        await self.copy_heard()

    async def open_for_left(self, payload: dict[str, Any]) -> None:
        """Outbox: a visitor left a message. Once more is harmless, whatever became of its ticket: it is in one."""
        conversation_id = UUID(payload["conversation_id"])
        transcript = await self._tickets.conversations.transcript_of(conversation_id)
        if transcript is None:
            return
        # A program of an older version does not say which message it was.
        said = [message.seq for message in transcript.messages if message.author_kind == "visitor"]
        async with self._tickets.db.read() as session:
            if await cursors.is_in_a_ticket(session, conversation_id, payload.get("seq") or max(said, default=0)):
                return
        draft = draft_ticket(transcript, self._zone)
        draft = await identified(self._tickets.registry, draft, transcript.visitor.verify_level)
        if not draft.subject.value:
            c = self._tickets.strings.catalogue(transcript.locale)
            subject = c.gettext("Message without a text")
            draft = draft.with_subject(Drafted(subject, Origin(Source.SUGGESTED)))
        actor = Actor("requester", draft.requester_name.value)
        await open_ticket(self._tickets, draft, conversation_id, actor, channel="form", zone=self._zone)
        await self._tickets.copy_said(conversation_id)

    async def say_in_conversations(self, payload: dict[str, Any]) -> None:
        """Outbox: something was written at a ticket."""
        homes = payload.get("conversations")
        known = None if homes is None else [UUID(one) for one in homes]
        await self._tickets.say_in_conversations(UUID(payload["message_id"]), known)
