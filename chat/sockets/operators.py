"""All consoles of this process and their endpoint, `/console/socket`: news of the desk go to whoever may see them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from uuid import UUID

import structlog

from chat.clock import Clock
from chat.console.rows import ConversationRow, rows_of
from chat.console.stream import Stream
from chat.conversations.actions import DESK, Conversations
from chat.conversations.presenter import stamp
from chat.db import Database
from chat.hub.hub import Hub, News
from chat.ids import id_of
from chat.pairing.actions import Pairing
from chat.pairing.presence import PresenceBook, online_count
from chat.pairing.waiting import counts
from chat.people.sign_in import SignIn
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.sockets.access import access_of_logins, places_of
from chat.sockets.door import FORBIDDEN, Admitted, Denied, Door, Knock
from chat.sockets.heart import Heart
from chat.sockets.operator import OperatorSocket
from chat.strings import Strings

ROWS_SECONDS = 0.05
"""Rows that change within this time are read and rendered together."""
ROWS_SECONDS_AT_MOST = 2.0
ROWS_AT_ONCE = 40
"""A console takes 256 kB at once, and a row has up to 2: what changes beyond is told in the next round."""

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
        heart: Heart,
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
        self.heart = heart
        self._door = door
        self._base_url = base_url
        self.all: set[OperatorSocket] = set()
        self._viewers: dict[str, list[OperatorSocket]] = {}
        """By topic: who shows this conversation."""
        self._dirty: set[UUID] = set()
        self._changed = asyncio.Event()
        self._touched = clock.monotonic()
        self._goodbyes: list[tuple[float, Callable[[], None]]] = []
        hub.on_sweep.append(self._say_goodbyes)
        hub.on("rows", self._on_rows)
        hub.on("typed", self._on_typed)
        hub.on("seen", self._on_seen)
        hub.on("viewing", self._on_viewing)
        hub.on("offer", self._on_offer)
        hub.on("withdrawn", self._on_withdrawn)
        hub.on("appeared", self._on_appeared)
        hub.on("nudge", self._on_nudge)
        presence.on_ended.append(self._on_ended)
        hub.on("signed-out", self._on_signed_out)

    async def enter(self, knock: Knock) -> Admitted | Denied:
        # An exact Origin, always: a browser sends one, and beside a pass of 30 s nobody else is served.
        if knock.origin != self._base_url:
            return FORBIDDEN
        if denied := await self._door.enter(knock):
            return denied
        return Admitted(
            lambda transport: OperatorSocket(transport, self, knock.address), lambda: self._door.leave(knock.address)
        )

    def departed(self, socket: OperatorSocket, address: str) -> None:
        self.all.discard(socket)
        self._door.leave(address)

    # ── news of the desk ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Renders changed rows once per language and hands them to whoever may see them."""
        took = 0.0
        while True:
            await self._changed.wait()
            # When much changes, rows wait: no more than a tenth of the time goes to them, the rest to messages.
            await asyncio.sleep(min(ROWS_SECONDS_AT_MOST, max(ROWS_SECONDS, 9 * took)))
            self._changed.clear()
            dirty = {self._dirty.pop() for _ in range(min(ROWS_AT_ONCE, len(self._dirty)))}
            if self._dirty:
                self._changed.set()
            began, rested = time.perf_counter(), 0.0
            try:
                if self.all:
                    rested = await self._tell_rows(dirty)
                    await self._tell_counts()
            except Exception:
                # They are told with the next that change; consoles compare their counts every 60 s and look again.
                self._dirty |= dirty
                log.warning("rows could not be told", exc_info=True)
            took = time.perf_counter() - began - rested

    async def _tell_rows(self, ids: Iterable[UUID]) -> float:
        """Seconds that were others' meanwhile."""
        rested = 0.0
        if not ids:
            return rested
        async with self.db.read() as session:
            rows = await rows_of(session, list(ids))
        for row in rows:
            for socket in list(self.all):
                if not socket.access.sees(row.department_id, row.operator_id):
                    socket.lose(row.id)
        for row in rows:
            rendered: dict[str, str] = {}
            for socket in list(self.all):
                if not socket.access.sees(row.department_id, row.operator_id):
                    continue
                if socket.locale not in rendered:
                    rendered[socket.locale] = frames.encode(self._listed(row, socket.locale))
                socket.connection.push(rendered[socket.locale])
            # A round of rows takes 10 to 30 ms at full load: what is said meanwhile does not wait for all of it.
            resting = time.perf_counter()
            await asyncio.sleep(0)
            rested += time.perf_counter() - resting
        return rested

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
        async with self.db.read() as session:
            online = await online_count(session, self.clock.now())
            waiting = await counts(session)
        for socket in list(self.all):
            mine = [waiting[department] for department in waiting if socket.access.sees(department, None)]
            oldest = min((since for _, since in mine if since is not None), default=None)
            count = sum(count for count, _ in mine)
            socket.push(frames.Counted(waiting=count, online=online, oldest_since=stamp(oldest)))

    def _on_rows(self, _topic: str, news: News) -> None:
        self._dirty.update(id_of(str(one)) for one in news["conversations"])
        self._changed.set()

    def staff_changed(self) -> None:
        self._changed.set()

    def _on_nudge(self, _topic: str, news: News) -> None:
        for socket in list(self.all):
            socket.push(frames.Nudged(str(news["topic"]), str(news["id"])))

    # ── news of one conversation ─────────────────────────────────────────────────────────────────────────────────

    def view(self, topic: str, socket: "OperatorSocket") -> None:
        self._viewers.setdefault(topic, []).append(socket)

    def leave(self, topic: str, socket: "OperatorSocket") -> None:
        viewers = self._viewers.get(topic, [])
        if socket in viewers:
            viewers.remove(socket)
        if not viewers:
            self._viewers.pop(topic, None)

    def _on_typed(self, topic: str, news: News) -> None:
        if viewers := self._viewers.get(topic):
            person = frames.Person(str(news["by"]), str(news["name"]), str(news.get("id", "")))
            text = frames.encode(frames.Typed(topic.removeprefix("conversation:"), bool(news["typing"]), person))
            for socket in viewers:
                if person.id != socket.person_id:
                    socket.connection.push(text)

    def _on_seen(self, topic: str, news: News) -> None:
        if viewers := self._viewers.get(topic):
            seen = frames.Seen(topic.removeprefix("conversation:"), str(news["by"]), int(news["seq"]))
            text = frames.encode(seen)
            for socket in viewers:
                socket.connection.push(text)

    def _on_viewing(self, topic: str, news: News) -> None:
        """Somebody came or went. Who hears it answers with themselves once, so that both sides know."""
        person = frames.Person("operator", str(news["name"]), str(news["id"]))
        for socket in self._viewers.get(topic, ()):
            if socket.person_id != person.id:
                epoch = UUID(str(news["epoch"]))
                socket.colleague(topic, person, epoch, bool(news["viewing"]), asks=bool(news["asks"]))

    def _on_ended(self, epochs: set[UUID]) -> None:
        """Who was viewing through a process that is dead says no goodbye."""
        for socket in list(self.all):
            socket.forget_colleagues(epochs)

    def later(self, seconds: float, goodbye: Callable[[], None]) -> None:
        """For whoever is expected back: said when they have not come."""
        self._goodbyes.append((self.clock.monotonic() + seconds, goodbye))

    async def _say_goodbyes(self) -> None:
        now = self.clock.monotonic()
        due = [goodbye for at, goodbye in self._goodbyes if at <= now]
        self._goodbyes = [one for one in self._goodbyes if one[0] > now]
        for goodbye in due:
            goodbye()

    # ── news for one operator ────────────────────────────────────────────────────────────────────────────────────

    def _of(self, topic: str) -> list["OperatorSocket"]:
        operator_id = topic.removeprefix("operator:")
        return [socket for socket in self.all if socket.person_id == operator_id]

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
        """Signed out here: its sockets end at once, in every process that hears it; the others look by themselves."""
        self.hub.publish(DESK, {"kind": "signed-out", "login": str(login_session_id)})

    def _on_signed_out(self, _topic: str, news: News) -> None:
        for socket in list(self.all):
            if str(socket.login_session_id) == news["login"]:
                socket.connection.close(Closing.ACCESS_ENDED)

    async def end_revoked(self) -> None:
        """Sign-out, expiry, deactivation and another role end open sockets, a lost department ends open
        conversations: access that was checked once, at the beginning, is not access now."""
        asked = list(self.all)  # who attends meanwhile was asked just now
        if not asked:
            return
        async with self.db.read() as session:
            alive = await access_of_logins(session, {socket.login_session_id for socket in asked}, self.clock.now())
            places = await places_of(session, {conversation for socket in asked for conversation in socket.open})
        for socket in asked:
            access = alive.get(socket.login_session_id)
            if access is None or access.role != socket.access.role:
                socket.connection.close(Closing.ACCESS_ENDED)
                continue
            socket.access = access
            for conversation_id in list(socket.open):
                if conversation_id in places and not access.sees(*places[conversation_id]):
                    socket.lose(conversation_id)
        if self.clock.monotonic() - self._touched > TOUCH_SECONDS:
            # An open console is use: it keeps its sign-in from growing idle. All at once, since while they are touched
            # nobody looks whose access has ended.
            self._touched = self.clock.monotonic()
            await self.sign_in.touch(alive.keys())
