"""The operators' endpoint, `/console/socket`: commands in, entries with their rendered partials and rows out."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlmodel import col
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from chat.clock import Clock
from chat.console.rows import ConversationRow, rows_of
from chat.console.stream import Stream
from chat.conversations import store
from chat.conversations.actions import DESK, Conversations
from chat.conversations.entry import Author
from chat.conversations.models import INTERNAL, PUBLIC, Conversation
from chat.conversations.presenter import Audience, stamp
from chat.db import Database, table_of
from chat.hub.feed import FeedKey
from chat.hub.hub import Hub, News, conversation_topic
from chat.ids import parse_id
from chat.pairing.actions import Pairing
from chat.pairing.models import Assignment
from chat.pairing.presence import PresenceBook, online_count
from chat.people.models import LoginSession, Operator, OperatorDepartment
from chat.people.sign_in import SignIn
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.protocol.errors import NoSuchTarget, OutOfTurn, UnknownConversation
from chat.protocol.operator import OperatorSession
from chat.sockets.door import Door
from chat.sockets.paging import StreamReader
from chat.sockets.socket import Socket
from chat.strings import Strings

ROWS_SECONDS = 0.08
"""Rows that change within this time are read and rendered together."""

TOUCH_SECONDS = 300.0

log = structlog.get_logger(__name__)


class OperatorSockets:
    """All consoles of this process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        hub: Hub,
        strings: Strings,
        sign_in: SignIn,
        conversations: Conversations,
        pairing: Pairing,
        presence: PresenceBook,
        stream: Stream,
        door: Door,
        base_url: str,
    ) -> None:
        self.db = db
        self.clock = clock
        self.hub = hub
        self.strings = strings
        self.sign_in = sign_in
        self.conversations = conversations
        self.pairing = pairing
        self.presence = presence
        self.stream = stream
        self._door = door
        self._base_url = base_url
        self.all: set[OperatorSocket] = set()
        self._dirty: set[UUID] = set()
        self._changed = asyncio.Event()
        self._touched = clock.monotonic()
        hub.on("row", self._on_row)
        hub.on("typed", self._on_typed)
        hub.on("seen", self._on_seen)
        hub.on("viewing", self._on_viewing)
        hub.on("offer", self._on_offer)
        hub.on("withdrawn", self._on_withdrawn)
        hub.on("appeared", self._on_appeared)
        hub.on("nudge", self._on_nudge)
        hub.on("staff", self._on_staff)
        hub.on_sweep.append(self.end_revoked)

    def routes(self) -> list[BaseRoute]:
        return [WebSocketRoute("/console/socket", self.endpoint)]

    async def endpoint(self, websocket: WebSocket) -> None:
        # An exact Origin, always: a browser sends one, and beside a pass of 30 s nobody else is served (W1).
        if websocket.headers.get("origin") != self._base_url:
            await websocket.close(Closing.ACCESS_ENDED.code)
            return
        async with self._door.admitted(websocket) as admitted:
            if not admitted:
                return
            socket = OperatorSocket(websocket, self)
            try:
                await socket.run()
            finally:
                self.all.discard(socket)

    # ── news of the desk ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Renders changed rows once per language and hands them to whoever may see them."""
        self.hub.follow(DESK)
        self.hub.follow("staff")
        while True:
            await self._changed.wait()
            await asyncio.sleep(ROWS_SECONDS)
            self._changed.clear()
            dirty, self._dirty = self._dirty, set()
            try:
                if self.all:
                    await self._tell_rows(dirty)
                    await self._tell_counts()
            except Exception:
                # The rows stay changed: consoles compare their counts every 60 s and look again.
                log.warning("rows could not be told", exc_info=True)

    async def _tell_rows(self, ids: Iterable[UUID]) -> None:
        if not ids:
            return
        async with self.db.read() as session:
            rows = await rows_of(session, list(ids))
        for row in rows:
            rendered: dict[str, str] = {}
            for socket in list(self.all):
                if not socket.may_see(row.department_id, row.operator_id):
                    continue
                if socket.locale not in rendered:
                    rendered[socket.locale] = frames.encode(self._listed(row, socket.locale))
                socket.connection.push(rendered[socket.locale])

    def _listed(self, row: ConversationRow, locale: str) -> frames.Listed:
        return frames.Listed(
            conversation=str(row.id),
            state=row.state,
            html=self.stream.row_html(row, locale=locale),
            operator=str(row.operator_id or ""),
            waiting_since=stamp(row.waiting_since),
            at=stamp(row.last_message_at),
            priority=row.priority,
            version=row.version,
            unread=row.unread,
        )

    async def _tell_counts(self) -> None:
        conversations = table_of(Conversation)
        async with self.db.read() as session:
            online = await online_count(session)
            found = await session.execute(
                select(conversations.c.department_id, func.count(), func.min(conversations.c.waiting_since))
                .where(conversations.c.state.in_(("waiting", "offered")))
                .group_by(conversations.c.department_id)
            )
            waiting = {department: (count, oldest) for department, count, oldest in found}
        for socket in list(self.all):
            mine = [waiting[department] for department in waiting if socket.may_see(department, None)]
            oldest = min((since for _, since in mine if since is not None), default=None)
            count = sum(count for count, _ in mine)
            socket.push(frames.Counted(waiting=count, online=online, oldest_since=stamp(oldest)))

    def _on_row(self, _topic: str, news: News) -> None:
        self._dirty.add(UUID(str(news["conversation"])))
        self._changed.set()

    def _on_staff(self, _topic: str, _news: News) -> None:
        self._changed.set()

    def _on_nudge(self, _topic: str, news: News) -> None:
        for socket in list(self.all):
            socket.push(frames.Nudged(str(news["topic"]), str(news["id"])))

    # ── news of one conversation ─────────────────────────────────────────────────────────────────────────────────

    def _viewers(self, topic: str) -> list["OperatorSocket"]:
        conversation_id = UUID(topic.removeprefix("conversation:"))
        return [socket for socket in self.all if conversation_id in socket.open]

    def _on_typed(self, topic: str, news: News) -> None:
        person = frames.Person(str(news["by"]), str(news["name"]), str(news.get("id", "")))
        for socket in self._viewers(topic):
            if person.id != str(socket.operator.id):
                socket.push(frames.Typed(topic.removeprefix("conversation:"), bool(news["typing"]), person))

    def _on_seen(self, topic: str, news: News) -> None:
        for socket in self._viewers(topic):
            socket.push(frames.Seen(topic.removeprefix("conversation:"), str(news["by"]), int(news["seq"])))

    def _on_viewing(self, topic: str, news: News) -> None:
        """Somebody came or went. Who hears it answers with themselves once, so that both sides know."""
        person = frames.Person("operator", str(news["name"]), str(news["id"]))
        for socket in self._viewers(topic):
            if str(socket.operator.id) != person.id:
                socket.colleague(topic, person, bool(news["viewing"]), asks=bool(news["asks"]))

    # ── news for one operator ────────────────────────────────────────────────────────────────────────────────────

    def _of(self, topic: str) -> list["OperatorSocket"]:
        operator_id = topic.removeprefix("operator:")
        return [socket for socket in self.all if str(socket.operator.id) == operator_id]

    def _on_offer(self, topic: str, news: News) -> None:
        for socket in self._of(topic):
            socket.later(socket.tell_offer(UUID(str(news["conversation"]))))

    def _on_withdrawn(self, topic: str, news: News) -> None:
        for socket in self._of(topic):
            socket.push(frames.Withdrawn(str(news["conversation"]), str(news["because"])))

    def _on_appeared(self, topic: str, news: News) -> None:
        for socket in self._of(topic):
            socket.push(frames.Appeared(str(news["status"]), str(news["because"])))

    def end_login(self, login_session_id: UUID) -> None:
        """Signed out here: its sockets in this process end at once, those of others with their next sweep."""
        for socket in list(self.all):
            if socket.login_session_id == login_session_id:
                socket.connection.close(Closing.ACCESS_ENDED)

    async def end_revoked(self) -> None:
        """Sign-out, expiry and deactivation end open sockets; run with each sweep (security.md W3)."""
        if not self.all:
            return
        statement = (
            select(col(LoginSession.id))
            .join(Operator, col(Operator.id) == col(LoginSession.operator_id))
            .where(
                col(LoginSession.id).in_({socket.login_session_id for socket in self.all}),
                col(LoginSession.ended_at).is_(None),
                col(LoginSession.expires_at) > self.clock.now(),
                col(Operator.active),
            )
        )
        async with self.db.read() as session:
            alive = set((await session.execute(statement)).scalars())
        for socket in list(self.all):
            if socket.login_session_id not in alive:
                socket.connection.close(Closing.ACCESS_ENDED)
        if self.clock.monotonic() - self._touched > TOUCH_SECONDS:
            # An open console is use: it keeps its sign-in from growing idle.
            self._touched = self.clock.monotonic()
            for login_session_id in alive:
                await self.sign_in.touch(login_session_id)


class OperatorSocket(Socket[frames.OperatorFrame]):
    operator: Operator
    login_session_id: UUID

    def __init__(self, websocket: WebSocket, sockets: OperatorSockets) -> None:
        super().__init__(websocket, sockets.clock, sockets.strings, OperatorSession().receive)
        self._all = sockets
        self._departments: set[UUID] = set()
        self.open: dict[UUID, dict[str, StreamReader]] = {}
        self._colleagues: dict[str, dict[str, frames.Person]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def may_see(self, department_id: UUID, operator_id: UUID | None) -> bool:
        return (
            self.operator.role != "operator"
            or department_id in self._departments
            or (operator_id is not None and operator_id == self.operator.id)
        )

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def act(self, frame: frames.OperatorFrame) -> None:  # noqa: C901 — one case per frame of the wire
        if isinstance(frame, frames.Attend):
            await self._attend(frame)
            return
        if isinstance(frame, frames.Appear):
            await self._all.pairing.appear(self.operator.id, frame.status)
            return
        if isinstance(frame, frames.Beat):
            return
        if isinstance(frame, frames.Take):
            wanted = await self._seen(frame.conversation) if frame.conversation else None
            taken = await self._all.pairing.take(wanted.id if wanted else None, self.operator)
            self.push(frames.Done(frame.ref, str(taken)))
            return
        found = await self._seen(frame.conversation)
        author = Author("operator", self.operator.id, self.operator.name)
        match frame:
            case frames.Open():
                await self._open(found, frame)
            case frames.Close():
                self._close(found.id)
            case frames.Say(text=text, ref=ref):
                await self._all.pairing.may_say(found.id, self.operator)
                await self._all.conversations.say(found.id, author, text, ref)
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
                if found.operator_id == self.operator.id:
                    await self._all.conversations.read(found.id, "operator", seq)
            case frames.Fetch():
                await self._fetch(found, frame)
            case frames.Accept(ref=ref):
                await self._all.pairing.accept(found.id, self.operator.id)
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

    def _done(self, ref: str | None, conversation_id: UUID) -> None:
        if ref:
            self.push(frames.Done(ref, str(conversation_id)))

    async def leave(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        for conversation_id in list(self.open):
            self._close(conversation_id)
        if self.introduced:
            self._all.hub.unfollow(f"operator:{self.operator.id}")
            await self._all.presence.depart(self.operator.id)

    async def _attend(self, frame: frames.Attend) -> None:
        used = await self._all.sign_in.use_socket_pass(frame.socket_pass)
        if used is None:
            self.connection.close(Closing.ACCESS_ENDED)
            return
        self.operator, login_session = used
        self.login_session_id = login_session.id
        self.locale = self.operator.locale
        async with self._all.db.read() as session:
            members = table_of(OperatorDepartment)
            mine = select(members.c.department_id).where(members.c.operator_id == self.operator.id)
            self._departments = set((await session.execute(mine)).scalars())
            assignments = table_of(Assignment)
            offered = await session.execute(
                select(assignments.c.conversation_id).where(
                    assignments.c.operator_id == self.operator.id, assignments.c.state == "offered"
                )
            )
            offers = list(offered.scalars())
        self.introduced = True
        self._all.all.add(self)
        self._all.hub.follow(f"operator:{self.operator.id}")
        person = frames.Person("operator", self.operator.name, str(self.operator.id))
        self.push(frames.Attended(person, self.operator.status, self._all.pairing.offer_seconds))
        await self._all.presence.arrive(self.operator.id)
        for conversation_id in offers:
            await self.tell_offer(conversation_id)

    async def _seen(self, text: str) -> Conversation:
        """A conversation this operator may see; others are unknown (security.md A1)."""
        conversation_id = parse_id(text)
        if not self.introduced:
            raise OutOfTurn
        if conversation_id is not None:
            async with self._all.db.read() as session:
                found = await store.conversation(session, conversation_id)
            if found is not None and self.may_see(found.department_id, found.operator_id):
                return found
        raise UnknownConversation

    async def _open(self, found: Conversation, frame: frames.Open) -> None:
        if found.state == "offered" and found.operator_id == self.operator.id:
            await self._all.pairing.accept(found.id, self.operator.id)
        if found.id in self.open:
            self._close(found.id)
        audience = Audience("operator", self.locale)
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

    def _close(self, conversation_id: UUID) -> None:
        for reader in self.open.pop(conversation_id, {}).values():
            reader.leave()
        self._colleagues.pop(conversation_topic(conversation_id), None)
        self._view(conversation_id, viewing=False, asks=False)

    async def _fetch(self, found: Conversation, frame: frames.Fetch) -> None:
        readers = self.open.get(found.id)
        if readers is None:
            raise UnknownConversation
        if frame.before is not None:
            await readers[frame.stream].before(frame.before)
        else:
            await readers[frame.stream].after(frame.after or 0)

    def _view(self, conversation_id: UUID, *, viewing: bool, asks: bool) -> None:
        news = {"kind": "viewing", "viewing": viewing, "asks": asks, "name": self.operator.name}
        self._all.hub.publish(conversation_topic(conversation_id), news | {"id": str(self.operator.id)})

    def colleague(self, topic: str, person: frames.Person, viewing: bool, *, asks: bool) -> None:
        here = self._colleagues.setdefault(topic, {})
        if viewing:
            here[person.id] = person
        else:
            here.pop(person.id, None)
        conversation = topic.removeprefix("conversation:")
        self.push(frames.Viewed(conversation, list(here.values())))
        if asks:
            self._view(UUID(conversation), viewing=True, asks=False)

    async def tell_offer(self, conversation_id: UUID) -> None:
        async with self._all.db.read() as session:
            rows = await rows_of(session, [conversation_id])
        seconds = self._all.pairing.offer_seconds
        for row in rows:
            html = self._all.stream.offer_html(row, locale=self.locale, seconds=seconds)
            self.push(frames.Offered(str(conversation_id), seconds, html))
