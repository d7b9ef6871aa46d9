"""One operator's console: commands in, entries with their rendered partials out."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import select

from chat.console.rows import rows_of
from chat.conversations import store
from chat.conversations.actions import DESK
from chat.conversations.entry import Author
from chat.conversations.models import CANARY, INTERNAL, PUBLIC, Conversation
from chat.conversations.presenter import Audience
from chat.conversations.saying import NotHeld
from chat.db import table_of
from chat.hub.feed import FeedKey
from chat.hub.hub import conversation_topic
from chat.hub.transport import Transport
from chat.ids import parse_id
from chat.pairing.models import Assignment
from chat.people.models import Operator
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.protocol.errors import AlreadyEnded, NoSuchTarget, NotYours, OutOfTurn, UnknownConversation
from chat.protocol.operator import OperatorSession
from chat.sockets.access import Access, departments_of
from chat.sockets.paging import StreamReader
from chat.sockets.socket import BEAT, Socket

if TYPE_CHECKING:
    from chat.sockets.operators import OperatorSockets

VIEWED_SECONDS = 0.05
"""Colleagues who come to a conversation within this time are told of together."""

log = structlog.get_logger(__name__)


class OperatorSocket(Socket[frames.OperatorFrame]):
    """Has `operator`, `access` and `login_session_id` once it is introduced."""

    role = "operator"
    flood = (300, 60)
    operator: Operator
    access: Access
    login_session_id: UUID

    def __init__(self, transport: Transport, sockets: "OperatorSockets", address: str) -> None:
        self._all = sockets
        self.person_id = ""
        self.open: dict[UUID, dict[str, StreamReader]] = {}
        self._colleagues: dict[str, dict[tuple[str, UUID], frames.Person]] = {}
        """By topic: who is viewing too, and through which process."""
        self._viewed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._address = address
        super().__init__(
            transport,
            sockets.heart,
            sockets.clock,
            sockets.strings,
            OperatorSession().receive,
        )

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # An offer that nobody sees is waited for in vain: who comes back is shown what is offered.
            log.warning("an offer could not be shown", connection_id=self.id, error=type(error).__name__)
            self.connection.close(Closing.DATABASE_AWAY)

    async def act(self, frame: frames.OperatorFrame) -> None:  # noqa: C901 — one case per frame of the wire
        if isinstance(frame, frames.Attend):
            await self._attend(frame)
            return
        if isinstance(frame, frames.Appear):
            await self._all.pairing.appear(self.operator.id, frame.status)
            return
        if isinstance(frame, frames.Take):
            wanted = await self._seen(frame.conversation) if frame.conversation else None
            taken = await self._all.pairing.take(wanted.id if wanted else None, self.operator)
            self.push(frames.Done(frame.ref, str(taken)))
            return
        if isinstance(frame, frames.Beat):
            return
        if not self.introduced:
            raise OutOfTurn
        author = Author("operator", self.operator.id, self.operator.name)
        if isinstance(frame, frames.Say) and await self._say_as_holder(frame, author):
            return
        found = await self._seen(frame.conversation)
        match frame:
            case frames.Open():
                await self._open(found, frame)
            case frames.Close():
                self._close(found.id)
            case frames.Say(text=text, ref=ref, files=files):
                await self._all.pairing.may_say(found.id, self.operator)
                try:
                    await self._all.conversations.say_if_held(found.id, author, text, ref, files)
                except NotHeld:
                    raise NotYours from None  # a colleague took it in this moment
                if found.id not in self.open:
                    self.push(frames.Done(ref, str(found.id)))
            case frames.Note(text=text, ref=ref):
                await self._all.conversations.note(found.id, author, text, ref)
                if found.id not in self.open:
                    self.push(frames.Done(ref, str(found.id)))
            case frames.Type(typing=typing):
                news = {"kind": "typed", "by": "operator", "typing": typing, "name": self.operator.name}
                self._all.hub.publish(conversation_topic(found.id), news | {"id": str(self.operator.id)})
            case frames.Read(seq=seq):
                self._all.conversations.marks.note(found.id, "operator", seq, held_by=self.operator.id)
            case frames.Fetch():
                await self._fetch(found, frame)
            case frames.Accept(ref=ref):
                await self._accept(found.id)
                self._done(ref, found.id)
            case frames.Decline(ref=ref):
                await self._all.pairing.withdraw(found.id, self.operator.id, "declined")
                self._done(ref, found.id)
            case frames.Transfer(ref=ref, note=note, operator=operator, department=department):
                target = parse_id(operator) if operator else None
                if operator and target is None:
                    raise NoSuchTarget
                await self._all.pairing.transfer(
                    found.id, self.operator, note, operator_id=target, department=department, ref=ref
                )
                self._done(ref, found.id)
            case frames.End(ref=ref):
                await self._all.pairing.end(found.id, author)
                self._done(ref, found.id)
            case frames.Keep(mode=mode, text=text):
                await self._all.conversations.keep_draft(found.id, self.operator.id, mode, text)

    def act_now(self, frame: frames.OperatorFrame) -> bool:
        if isinstance(frame, frames.Beat):
            self.connection.push(BEAT)
            return True
        if isinstance(frame, frames.Read) and (conversation_id := parse_id(frame.conversation)) in self.open:
            self._all.conversations.marks.note(conversation_id, "operator", frame.seq, held_by=self.operator.id)
            return True
        return False

    def _done(self, ref: str | None, conversation_id: UUID) -> None:
        if ref:
            self.push(frames.Done(ref, str(conversation_id)))

    async def _accept(self, conversation_id: UUID) -> None:
        """The offer, or what has become of it: it waits again, it is this operator's already, or it is gone."""
        if await self._all.pairing.accept(conversation_id, self.operator.id):
            return
        async with self._all.db.read() as session:
            found = await store.conversation(session, conversation_id)
        if found is None or found.state in ("ended", "left"):
            raise AlreadyEnded
        await self._all.pairing.may_say(conversation_id, self.operator)

    def departed(self) -> None:
        self._all.departed(self, self._address)

    async def leave(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        lingers = self._transport.lingers
        for conversation_id in list(self.open):
            self._close(conversation_id, lingers)
        if self.introduced:
            for topic in (DESK, f"operator:{self.operator.id}"):
                self._all.hub.unfollow(topic)
            silent = self.connection.closing is Closing.SILENT
            unheard = self._clock.monotonic() - self._heard if silent else 0.0
            await self._all.presence.depart(self.operator.id, unheard=unheard, lingers=lingers)

    async def _attend(self, frame: frames.Attend) -> None:
        used = await self._all.sign_in.use_socket_pass(frame.socket_pass)
        if used is None:
            self.connection.close(Closing.ACCESS_ENDED)
            return
        self.operator, login_session = used
        self.person_id = str(self.operator.id)
        self.login_session_id = login_session.id
        self.locale = self.operator.locale
        async with self._all.db.read() as session:
            departments = await departments_of(session, [self.operator.id])
        self.access = Access(self.operator.id, self.operator.role, departments[self.operator.id])
        self.introduced = True
        # Of the desk only a process with consoles hears: it is news at every message.
        for topic in (DESK, f"operator:{self.operator.id}"):
            self._all.hub.follow(topic)
        await self._all.presence.arrive(self.operator.id)
        # Who reads `attended` is present for all others; what was offered in between is found by the query.
        self._all.all.add(self)
        person = frames.Person("operator", self.operator.name, str(self.operator.id))
        self.push(frames.Attended(person, self.operator.status, self._all.pairing.offer_seconds))
        async with self._all.db.read() as session:
            assignments = table_of(Assignment)
            offered = await session.execute(
                select(assignments.c.conversation_id).where(
                    assignments.c.operator_id == self.operator.id, assignments.c.state == "offered"
                )
            )
        for conversation_id in offered.scalars():
            await self.tell_offer(conversation_id)

    async def _say_as_holder(self, frame: frames.Say, author: Author) -> bool:
        """Most replies: in an open conversation of this operator's. The transaction itself sees whether it still is."""
        conversation_id = parse_id(frame.conversation)
        if conversation_id is None or conversation_id not in self.open:
            return False
        try:
            await self._all.conversations.say_if_held(conversation_id, author, frame.text, frame.ref, frame.files)
        except NotHeld:
            return False
        return True

    async def _seen(self, text: str) -> Conversation:
        """A conversation this operator may see; others are unknown, so that nobody finds out which there are."""
        conversation_id = parse_id(text)
        if not self.introduced:
            raise OutOfTurn
        if conversation_id is not None:
            async with self._all.db.read() as session:
                found = await store.conversation(session, conversation_id)
            # What the program says to itself is seen by its own operator only, as in all lists.
            if (
                found is not None
                and self.access.sees(found.department_id, found.operator_id)
                and (found.state != CANARY or found.operator_id == self.operator.id)
            ):
                return found
        raise UnknownConversation

    async def _open(self, found: Conversation, frame: frames.Open) -> None:
        if found.state == "offered" and found.operator_id == self.operator.id:
            await self._all.pairing.accept(found.id, self.operator.id)
        if found.id in self.open:
            self._close(found.id)
        audience = Audience("operator", self.locale)
        self._all.view(conversation_topic(found.id), self)
        self.open[found.id] = readers = {
            stream: StreamReader(
                self._all.db,
                self._all.hub,
                self._all.conversations.presenter,
                self.connection,
                FeedKey(found.id, stream),
                audience,
                self.operator.id,
            )
            for stream in (PUBLIC, INTERNAL)
        }
        async with self._all.db.read() as session:
            head = await store.conversation(session, found.id) or found
        await readers[PUBLIC].resume(frame.last_seen, head.last_seq)
        await readers[INTERNAL].resume(frame.last_note, head.last_note_seq)
        for side, seq in (("visitor", head.visitor_read_seq), ("operator", head.operator_read_seq)):
            self.push(frames.Seen(str(found.id), side, seq))
        self._view(found.id, viewing=True, asks=True)

    def _close(self, conversation_id: UUID, lingers: float = 0.0) -> None:
        for reader in self.open.pop(conversation_id, {}).values():
            reader.leave()
        topic = conversation_topic(conversation_id)
        self._all.leave(topic, self)
        self._colleagues.pop(topic, None)
        if lingers:
            self._all.later(lingers, partial(self._view, conversation_id, viewing=False, asks=False))
        else:
            self._view(conversation_id, viewing=False, asks=False)

    def lose(self, conversation_id: UUID) -> None:
        """It went where this operator may not see it: nothing more of it comes."""
        if conversation_id in self.open:
            self._close(conversation_id)
            self.push(frames.Withdrawn(str(conversation_id), "moved"))

    async def _fetch(self, found: Conversation, frame: frames.Fetch) -> None:
        readers = self.open.get(found.id)
        if readers is None:
            raise UnknownConversation
        if frame.before is not None:
            await readers[frame.stream].before(frame.before)
        else:
            await readers[frame.stream].after(frame.after or 0)

    def _view(self, conversation_id: UUID, *, viewing: bool, asks: bool) -> None:
        others = (one for one in self._all.all if one is not self and one.operator.id == self.operator.id)
        if not viewing and any(conversation_id in one.open for one in others):
            return  # they look at it in another window
        news = {"kind": "viewing", "viewing": viewing, "asks": asks, "name": self.operator.name}
        news |= {"id": str(self.operator.id), "epoch": str(self._all.presence.process_id)}
        self._all.hub.publish(conversation_topic(conversation_id), news)

    def colleague(self, topic: str, person: frames.Person, epoch: UUID, viewing: bool, *, asks: bool) -> None:
        here = self._colleagues.setdefault(topic, {})
        known = here.pop((person.id, epoch), None)
        if viewing:
            here[person.id, epoch] = person
        if known != here.get((person.id, epoch)):
            self._tell_colleagues(topic)
        if asks:
            self._view(UUID(topic.removeprefix("conversation:")), viewing=True, asks=False)

    def forget_colleagues(self, epochs: set[UUID]) -> None:
        for topic, here in self._colleagues.items():
            if gone := [key for key in here if key[1] in epochs]:
                for key in gone:
                    del here[key]
                self._tell_colleagues(topic)

    def _tell_colleagues(self, topic: str) -> None:
        # Each of a hundred viewers answers a newcomer: one by one they would fill the outbound with growing lists.
        if not self._viewed:
            asyncio.get_running_loop().call_later(VIEWED_SECONDS, self._tell_viewed)
        self._viewed.add(topic)

    def _tell_viewed(self) -> None:
        viewed, self._viewed = self._viewed, set()
        for topic in viewed & self._colleagues.keys():
            people = {person.id: person for person in self._colleagues[topic].values()}
            self.push(frames.Viewed(topic.removeprefix("conversation:"), list(people.values())))

    async def tell_offer(self, conversation_id: UUID) -> None:
        async with self._all.db.read() as session:
            rows = await rows_of(session, [conversation_id])
        seconds = self._all.pairing.offer_seconds
        for row in rows:
            html = self._all.stream.offer_html(row, locale=self.locale, seconds=seconds)
            self.push(frames.Offered(str(conversation_id), seconds, html))
