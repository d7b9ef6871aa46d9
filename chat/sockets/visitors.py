"""The visitors' endpoint, `/w/{site_key}/socket`. The conversation comes from the token, never from a name alone."""

import asyncio
import sys
from uuid import UUID

import structlog

from chat.clock import Clock
from chat.conversations.actions import Conversations, Opening, checked_address
from chat.conversations.entry import Author, StoredEntry
from chat.conversations.missed import Missed
from chat.conversations.models import PUBLIC, Conversation
from chat.conversations.presenter import Audience, stamp
from chat.db import Database
from chat.hub.admission import PerAddress
from chat.hub.feed import FeedKey
from chat.hub.hub import Hub, News, conversation_topic
from chat.hub.transport import Transport
from chat.ids import id_of, parse_id, text_of
from chat.pairing.actions import Pairing
from chat.pairing.places import PlaceBoard
from chat.pairing.staff import StaffBoard
from chat.people.catalogue import Catalogue, KnownSite
from chat.people.visitors import KnownVisitor, Visitors
from chat.people.visits import Visits
from chat.protocol import frames
from chat.protocol.closing import Closing
from chat.protocol.errors import TooFast, TooMany, UnknownConversation
from chat.protocol.visitor import VisitorSession
from chat.sockets.door import FORBIDDEN, Admitted, Denied, Door, Knock
from chat.sockets.heart import Heart
from chat.sockets.paging import StreamReader
from chat.sockets.returning import Returning, Returns, people_of
from chat.sockets.socket import BEAT, Socket
from chat.strings import Strings

SOCKETS_PER_VISITOR = 20
AT_A_TIME = 200
ENDED_SECONDS = 60.0
"""So long a socket may take from reading a token to being known by it; then its visitor need not be looked for."""

log = structlog.get_logger(__name__)


class VisitorSockets:
    """All visitors' sockets of this process."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        hub: Hub,
        strings: Strings,
        visitors: Visitors,
        visits: Visits,
        catalogue: Catalogue,
        conversations: Conversations,
        pairing: Pairing,
        staff: StaffBoard,
        places: PlaceBoard,
        heart: Heart,
        door: Door,
        beginnings: PerAddress,
        base_url: str,
    ) -> None:
        self.db = db
        self.clock = clock
        self.hub = hub
        self.strings = strings
        self.visitors = visitors
        self.visits = visits
        self.catalogue = catalogue
        self.conversations = conversations
        self.pairing = pairing
        self.staff = staff
        self.places = places
        self.heart = heart
        self._door = door
        self._beginnings = beginnings
        self._base_url = base_url
        self.all: set[VisitorSocket] = set()
        self.by_conversation: dict[UUID, set[VisitorSocket]] = {}
        self._ended: dict[UUID, float] = {}
        self.returns = Returns(db, clock)
        self.missed = Missed(db)
        self._counts: dict[UUID, int] = {}
        """Sockets of each visitor."""
        hub.on("typed", self._on_typed)
        hub.on("seen", self._on_seen)

    async def enter(self, knock: Knock, site_key: str) -> Admitted | Denied:
        # Only the frame speaks here, and the frame is ours; a foreign page has another Origin, and takes nobody's turn.
        if knock.origin is not None and knock.origin != self._base_url:
            return FORBIDDEN
        if denied := await self._door.enter(knock):
            return denied
        try:
            site = await self.catalogue.site(site_key)
        except BaseException:
            self._door.leave(knock.address)
            raise
        if site is None:
            self._door.leave(knock.address)
            return FORBIDDEN
        return Admitted(
            lambda transport: VisitorSocket(transport, self, site, knock), lambda: self._door.leave(knock.address)
        )

    @property
    def lateness(self) -> float:
        """Seconds for which one waits who was let in and asks the database what everybody asks who comes."""
        return max(self.catalogue.lateness, self.returns.lateness, self.missed.lateness)

    def departed(self, socket: "VisitorSocket", address: str) -> None:
        self.all.discard(socket)
        self._door.leave(address)
        if socket.visitor_id is not None:
            if (left := self._counts[socket.visitor_id] - 1) > 0:
                self._counts[socket.visitor_id] = left
            else:
                del self._counts[socket.visitor_id]

    def count(self, visitor_id: UUID) -> None:
        """Raises `TooMany`; else it is one more until it departs."""
        count = self._counts.get(visitor_id, 0)
        if count >= SOCKETS_PER_VISITOR:
            raise TooMany
        self._counts[visitor_id] = count + 1

    def require_beginning(self, address: str) -> None:
        """Raises `TooFast` for an address that has begun too many conversations lately."""
        if wait := self._beginnings.take(address, self.clock.monotonic()):
            raise TooFast(retry_after=round(wait, 1))

    async def end_revoked(self) -> None:
        """Visitors whose access was ended leave, whoever ended it and in whatever process."""
        if not self.all:
            return
        now = self.clock.monotonic()
        found = await self.visitors.ended_lately()
        self._ended = {visitor_id: self._ended.get(visitor_id, now) for visitor_id in found}
        fresh = {visitor_id for visitor_id, since in self._ended.items() if now - since < ENDED_SECONDS}
        if not fresh:
            return
        for socket in list(self.all):
            if socket.visitor_id in fresh:
                socket.connection.close(Closing.ACCESS_ENDED)

    async def tell_staff(self, staff: frames.Staff) -> None:
        """Some thousands of sockets, and others who want to talk meanwhile."""
        text = frames.encode(frames.Staffed(staff))
        for number, socket in enumerate(list(self.all)):
            if socket.introduced:
                socket.connection.push(text)
            if number % AT_A_TIME == AT_A_TIME - 1:
                await asyncio.sleep(0)

    def _sockets(self, topic: str) -> set["VisitorSocket"]:
        return self.by_conversation.get(UUID(topic.removeprefix("conversation:")), set())

    def _on_typed(self, topic: str, news: News) -> None:
        if news["by"] == "operator":
            person = frames.Person("operator", str(news["name"]))
            for socket in self._sockets(topic):
                socket.push(frames.Typed(str(socket.conversation_id), bool(news["typing"]), person))

    def _on_seen(self, topic: str, news: News) -> None:
        if news["by"] == "operator":
            for socket in self._sockets(topic):
                socket.push(frames.Seen(str(socket.conversation_id), "operator", int(news["seq"])))


class VisitorSocket(Socket[frames.VisitorFrame]):
    role = "visitor"
    flood = (100, 20)
    __slots__ = (
        "_address",
        "_all",
        "_browser",
        "_page",
        "_reader",
        "_site",
        "_time_zone",
        "_visitor",
        "conversation_id",
    )

    def __init__(self, transport: Transport, sockets: VisitorSockets, site: KnownSite, knock: Knock) -> None:
        self._all = sockets
        self._site = site
        self._visitor: KnownVisitor | None = None
        self._address = sys.intern(knock.address)
        self._browser = sys.intern(knock.browser)
        self._time_zone = ""
        self._page: frames.Page | None = None
        self._reader: StreamReader | None = None
        self.conversation_id: UUID | None = None
        super().__init__(
            transport,
            sockets.heart,
            sockets.clock,
            sockets.strings,
            VisitorSession().receive,
        )
        sockets.all.add(self)

    async def act(self, frame: frames.VisitorFrame) -> None:
        match frame:
            case frames.Hello():
                await self._hello(frame)
            case frames.Enroll():
                await self._enroll()
            case frames.Start():
                await self._start(frame)
            case frames.Leave():
                await self._leave_message(frame)
            case frames.Say(conversation=id, text=text, ref=ref, files=files):
                found = await self._own(id)
                await self._all.conversations.say(found.id, self._author(), text, ref, files=files)
                await self._follow(found)
            case frames.Read(conversation=id, seq=seq):
                self._all.conversations.marks.note((await self._own(id)).id, "visitor", seq)
            case frames.Fetch():
                await self._fetch(frame)
            case frames.Visit(page=page):
                self._page = page
                if self._visitor is not None:
                    self._all.visits.note(self._visitor.id, page)
            case frames.End(conversation=id):
                found = await self._own(id)
                visitor = self._known()
                await self._all.pairing.end(found.id, Author("visitor", visitor.id, visitor.name or ""))
            case frames.Rate(conversation=id, score=score, text=text):
                found = await self._own(id)
                await self._all.conversations.rate(found.id, self._known(), score, text)

    def act_soon(self, frame: frames.VisitorFrame) -> "asyncio.Future[StoredEntry] | None":
        match frame:
            case frames.Say(conversation=id, text=text, ref=ref, files=[]) if self._is_followed(id):
                return self._all.conversations.say_soon(id_of(id), self._author(), text, ref)
        return None

    def _is_followed(self, conversation: str) -> bool:
        """It is this visitor's, as was asked before it was followed."""
        return self.conversation_id is not None and conversation == text_of(self.conversation_id)

    def _author(self) -> Author:
        visitor = self._known()
        return Author("visitor", visitor.id, visitor.name or "")

    def act_now(self, frame: frames.VisitorFrame) -> bool:
        match frame:
            case frames.Type(typing=typing):
                topic = conversation_topic(self.conversation_id) if self.conversation_id is not None else ""
                if topic == f"conversation:{frame.conversation}":
                    news = {"kind": "typed", "by": "visitor", "typing": typing, "name": self._known().name or ""}
                    self._all.hub.publish(topic, news)
                return True
            case frames.Read(conversation=id, seq=seq) if self._is_followed(id):
                self._all.conversations.marks.note(id_of(id), "visitor", seq)
                return True
            case frames.Beat():
                self.connection.push(BEAT)
                return True
        return False

    @property
    def visitor_id(self) -> UUID | None:
        return self._visitor.id if self._visitor is not None else None

    def departed(self) -> None:
        self._all.departed(self, self._address)

    async def leave(self) -> None:
        self._unfollow()

    # ── introductions ────────────────────────────────────────────────────────────────────────────────────────────

    async def _hello(self, frame: frames.Hello) -> None:
        self.locale = self._all.strings.negotiate(None, frame.locale)
        self._time_zone = sys.intern(frame.time_zone)
        self._page = frame.page
        if frame.site != self._site.key:
            frame = frames.Hello(site=self._site.key, locale=frame.locale)
        found: Returning | None = None
        if frame.token is not None:
            found = await self._all.returns.of(self._site.id, frame.token)
        latest = found.conversation if found else None
        if found is not None:
            self._all.count(found.visitor.id)
            self._visitor = found.visitor
            if frame.page is not None and frame.page.url:
                self._all.visits.note(found.visitor.id, frame.page)
        state = await self._state(latest, found.visitor.email, found.operator_name) if found and latest else None
        # Read last: what changes from here on is told to whoever is introduced, and nothing older may follow it.
        staff = await self._all.staff.now()
        self.push(
            frames.Welcomed(
                known=found is not None,
                staff=staff,
                conversation=state,
                name=(found.visitor.name or "") if found else "",
                email=(found.visitor.email or "") if found else "",
            )
        )
        self.introduced = True
        if latest is not None:
            last_seen = frame.last_seen if frame.conversation == str(latest.id) else 0
            await self._follow(latest, last_seen)

    async def _enroll(self) -> None:
        if self._visitor is not None:
            return  # a token was accepted already; a second one would split the person
        visitor, token = await self._all.visitors.enroll(
            self._site.id, locale=self.locale, time_zone=self._time_zone, browser=self._browser, page=self._page
        )
        self._all.count(visitor.id)
        self._visitor = visitor
        self.push(frames.Enrolled(token))

    def _known(self) -> KnownVisitor:
        if self._visitor is None:
            raise UnknownConversation
        return self._visitor

    async def _own(self, text: str) -> Conversation:
        """The visitor's own conversation; foreign and unknown are refused alike: nobody learns which ids there are."""
        conversation_id = parse_id(text)
        if conversation_id is None:
            raise UnknownConversation
        return await self._all.conversations.of_visitor(conversation_id, self._known().id)

    # ── conversations ────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, frame: frames.Start) -> None:
        opening = self._opening(frame)
        if frame.email:
            checked_address(frame.email)
        if await self._all.conversations.begun(self._known(), frame.ref) is None:
            self._all.require_beginning(self._address)
        found = await self._all.conversations.start(self._known(), opening)
        await self._begun(frame.ref, found, frame.name)

    def _opening(self, frame: frames.Start | frames.Leave) -> Opening:
        page = frame.page or self._page
        return Opening(frame.ref, frame.text, frame.name, frame.email, frame.department, page, frame.files)

    async def _leave_message(self, frame: frames.Leave) -> None:
        opening = self._opening(frame)
        own = await self._own(frame.conversation) if frame.conversation else None
        if own is None and await self._all.conversations.begun(self._known(), frame.ref) is None:
            self._all.require_beginning(self._address)
        found = await self._all.conversations.leave(self._known(), opening, own.id if own else None)
        await self._begun(frame.ref, found, frame.name)

    async def _begun(self, ref: str, found: Conversation, name: str) -> None:
        if name.strip():
            self._known().name = name.strip()
        async with self._all.db.read() as session:
            email, operator_name = await people_of(session, found)
        self.push(frames.Started(ref, await self._state(found, email, operator_name)))
        await self._follow(found)

    async def _follow(self, conversation: Conversation, after: int = 0) -> None:
        if self.conversation_id == conversation.id:
            return
        self._unfollow()
        self.conversation_id = conversation.id
        self._all.by_conversation.setdefault(conversation.id, set()).add(self)
        self._reader = StreamReader(
            self._all.db,
            self._all.hub,
            self._all.conversations.presenter,
            self.connection,
            FeedKey(conversation.id, PUBLIC),
            Audience("visitor", self.locale),
            self._known().id,
            self._all.missed,
        )
        try:
            await self._reader.resume(after, conversation.last_seq)
        except BaseException:
            self._unfollow()  # else the next try would take it for followed, and nothing would ever come
            raise
        # Changes are told to all; who comes needs to hear where they stand.
        if (place := await self._all.places.of(conversation)) is not None:
            self.push(frames.Queued(str(conversation.id), place.position, place.wait))

    def _unfollow(self) -> None:
        if self._reader is not None:
            self._reader.leave()
            self._reader = None
        if self.conversation_id is not None:
            sockets = self._all.by_conversation.get(self.conversation_id, set())
            sockets.discard(self)
            if not sockets:
                self._all.by_conversation.pop(self.conversation_id, None)
            self.conversation_id = None

    async def _fetch(self, frame: frames.Fetch) -> None:
        found = await self._own(frame.conversation)
        if self._reader is None or self.conversation_id != found.id:
            await self._follow(found, frame.after or 0)
        elif frame.before is not None:
            await self._reader.before(frame.before)
        else:
            await self._reader.after(frame.after or 0)

    async def _state(
        self, conversation: Conversation, email: str | None, operator_name: str
    ) -> frames.ConversationState:
        department = await self._all.catalogue.department(conversation.department_id)
        active = conversation.state == "active"
        return frames.ConversationState(
            id=str(conversation.id),
            state="waiting" if conversation.state == "offered" else conversation.state,
            seq=conversation.last_seq,
            operator=frames.Person("operator", operator_name) if operator_name and active else None,
            department=department.slug,
            department_name=department.name_in(self.locale),
            visitor_read=conversation.visitor_read_seq,
            operator_read=conversation.operator_read_seq,
            rated=conversation.rating is not None,
            email=email or "",
            started_at=stamp(conversation.created_at),
            first_reply_seconds=conversation.first_reply_seconds,
        )
