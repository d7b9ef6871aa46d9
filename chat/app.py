"""Composition root: settings -> services -> routes -> Starlette. Imported by nobody but the command line and tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from chat.addresses import ADMIN_SECTIONS, routes_of
from chat.assets import Assets
from chat.clock import Clock, SystemClock
from chat.console.admin.door import AdminDoor
from chat.console.doorway import Doorway
from chat.console.error_pages import ErrorPages
from chat.console.stream import Stream
from chat.conversations.actions import Conversations
from chat.conversations.file_readers import FileReaders
from chat.conversations.presenter import Presenter
from chat.conversations.source import StoredEntries
from chat.conversations.visitor_files import VisitorFiles
from chat.db import Database, DatabaseAway
from chat.files.checking import Checks
from chat.files.downloads import Downloads
from chat.files.links import FileLinks
from chat.files.storage import DiskStorage
from chat.files.tidying import Tidying
from chat.files.uploads import Uploads
from chat.folders import STATIC, TEMPLATES, make_strings
from chat.headers import SecureHeaders
from chat.hub.admission import Admission, PerAddress
from chat.hub.bell import Bell
from chat.hub.bus import Bus
from chat.hub.buses import bus_of
from chat.hub.gate import Gate
from chat.hub.hub import Hub
from chat.keys import secret_key_of
from chat.links import Links
from chat.metrics.http import CountRequests
from chat.operations.housekeeping import Housekeeping
from chat.operations.readiness import Readiness
from chat.outbox import Outbox
from chat.pages import Pages
from chat.pairing.actions import Pairing
from chat.pairing.dispatcher import Dispatcher
from chat.pairing.duties import Duties
from chat.pairing.places import PlaceBoard
from chat.pairing.presence import PresenceBook
from chat.pairing.staff import StaffBoard
from chat.people.catalogue import Catalogue
from chat.people.sign_in import SignIn
from chat.people.visitors import Visitors
from chat.people.visits import Visits
from chat.request_ids import RequestIds
from chat.settings import Settings
from chat.shared_clock import SharedClock
from chat.sockets.door import Door
from chat.sockets.elsewhere import Elsewhere
from chat.sockets.entrance import Entrance
from chat.sockets.heart import Heart
from chat.sockets.operators import OperatorSockets
from chat.sockets.polling import Polling
from chat.sockets.queue import QueueTeller
from chat.sockets.revocation import AccessWatch
from chat.sockets.staff import StaffTeller
from chat.sockets.visitors import VisitorSockets
from chat.supervision import supervised
from chat.whole_forms import WholeForms
from escalation.app import Escalation
from escalation.tidying import DeskTidying

if TYPE_CHECKING:
    from chat.operations.canary import Canary
    from chat.operations.metrics import DeskMetrics


log = structlog.get_logger(__name__)


class Nightdesk:
    """Everything, put together. `start` and `stop` run it; `routes` are its addresses."""

    def __init__(
        self,
        settings: Settings,
        *,
        bus: Bus | None = None,
        clock: Clock | None = None,
        demo_site: str | None = None,
        works: bool | None = None,
    ) -> None:
        self.settings = settings
        self.db = Database(settings.effective_database_url)
        # One process alone is of one mind with itself.
        self._shared_clock = None if clock or self.db.is_sqlite else SharedClock(self.db, SystemClock())
        self.clock: Clock = clock or self._shared_clock or SystemClock()
        self.bus = bus or bus_of(settings)
        self.bus.can_store = self._can_store
        self._has_door = False
        self.works = works if works is not None else not settings.redis_url
        """Whether this process carries out the outbox itself; with Redis that is the workers' part."""
        self.strings = make_strings(settings.locales)
        self.assets = Assets(roots=STATIC, packed=settings.assets == "packed")
        self.pages = Pages(
            self.strings,
            self.assets,
            TEMPLATES,
            settings.base_url,
            time_zone=settings.time_zone,
            clock=self.clock,
            files_url=settings.effective_files_url,
        )
        self.links = Links(secret_key_of(settings), settings.base_url)
        self.stream = Stream(self.pages)
        self.presenter = Presenter(self.links, lambda entry, locale: self.stream.entry_html(entry, locale=locale))
        self.hub = Hub(self.bus, StoredEntries(self.db, self.presenter))
        self.bell = Bell(self.hub)
        self.outbox = Outbox(self.db, self.clock, self.bell)
        self.conversations = Conversations(self.db, self.clock, self.hub, self.outbox, self.presenter, self.bell)
        self.pairing = Pairing(self.db, self.clock, self.hub, self.conversations, settings.offer_seconds)
        self.duties = Duties(self.db, self.hub, self.conversations)
        self.presence = PresenceBook(self.db, self.clock, self.pairing.staff_changed)
        self._is_alone = bus is None and settings.redis_url is None
        self.dispatcher = Dispatcher(self.db, self.clock, self.hub, self.pairing, settings.vanished_seconds)
        self.staff = StaffBoard(self.db, self.clock)
        self.places = PlaceBoard(self.db, self.clock)
        self.sign_in = SignIn(self.db, self.clock, settings)
        self.visitors = Visitors(self.db, self.clock)
        self.visits = Visits(self.db, self.clock)
        self.catalogue = Catalogue(self.db, self.clock)
        self.storage = DiskStorage(settings.data_dir)
        self.uploads = Uploads(
            self.db,
            self.clock,
            self.storage,
            Checks(self.storage, settings.scan_command),
            settings.upload_max_bytes,
        )
        files_url = settings.effective_files_url
        file_links = FileLinks(secret_key_of(settings), files_url)
        self.downloads = Downloads(self.db, self.clock, self.storage, file_links, settings.base_url, files_url)
        readers = FileReaders(self.db)
        self.downloads.add_reader("visitor", readers.visitor)
        self.downloads.add_reader("operator", readers.operator)
        self.visitor_files = VisitorFiles(self.uploads, self.downloads, self.strings, self.catalogue, self.visitors)
        self.heart = Heart()
        self.gate = Gate(settings.resumes_per_second, self._lateness)
        self.visitor_sockets = VisitorSockets(
            self.db,
            self.clock,
            self.hub,
            self.strings,
            self.visitors,
            self.visits,
            self.catalogue,
            self.conversations,
            self.pairing,
            self.staff,
            self.places,
            self.heart,
            self._door(),
            PerAddress(settings.conversations_per_hour, 3600),
            settings.base_url,
        )
        self.operator_sockets = OperatorSockets(
            self.db,
            self.clock,
            self.hub,
            self.strings,
            self.sign_in,
            self.conversations,
            self.pairing,
            self.presence,
            self.stream,
            self.heart,
            self._door(first=True),
            settings.base_url,
        )
        self.elsewhere = Elsewhere(
            self.db,
            self.bus,
            self.visitor_sockets,
            self.operator_sockets,
            per_second=settings.resumes_per_second,
        )
        self.presence.on_lost.append(self.elsewhere.close)
        self.entrance = Entrance(self.visitor_sockets, self.operator_sockets)
        self.polling = Polling(self.entrance, self.clock, settings)
        self.admin = AdminDoor(Doorway(self.pages, self.strings, self.sign_in), ADMIN_SECTIONS)
        self.errors = ErrorPages(Doorway(self.pages, self.strings, self.sign_in))
        self.escalation = Escalation(
            db=self.db,
            clock=self.clock,
            settings=settings,
            conversations=self.conversations,
            outbox=self.outbox,
            duties=self.duties,
            pages=self.pages,
            strings=self.strings,
            links=self.links,
            sign_in=self.sign_in,
            pairing=self.pairing,
            admin=self.admin,
            uploads=self.uploads,
            downloads=self.downloads,
            end_visitor=self.visitors.end_access,
            in_demo=demo_site is not None,
        )
        self.draining = False
        self.readiness = Readiness(
            self.db,
            settings.data_dir,
            process_id=lambda: self.presence.process_id,
            bus_is_up=lambda: self.hub.bus_is_up,
            draining=lambda: self.draining,
        )
        self.canary = self._canary()
        self.metrics = self._metrics()
        self.housekeeping = Housekeeping(self.db, self.clock)
        self.housekeeping.others.append(Tidying(self.db, self.clock, self.storage).clean)
        self.housekeeping.others.append(DeskTidying(self.db, self.clock).clean)
        self.demo_site = demo_site
        self._tasks: set[asyncio.Task[None]] = set()
        self.staff_teller = StaffTeller(self.hub, self.staff, self.visitor_sockets, self.operator_sockets)
        self.queue_teller = QueueTeller(self.clock, self.hub, self.places, self.visitor_sockets)
        self.access_watch = AccessWatch(self.visitor_sockets, self.operator_sockets)

    def _can_store(self) -> bool:
        """What clients of others would say here. A worker lets nobody in, nor does who leaves."""
        return self._has_door and not self.draining and self.db.takes_writes

    def _lateness(self) -> float:
        """Seconds; without end for a process that sends everybody away."""
        if self.elsewhere.is_needed:
            return float("inf")
        return max(self.heart.lateness, self.visitor_sockets.lateness)

    def _door(self, *, first: bool = False) -> Door:
        limits = Admission(
            sockets=self.settings.sockets_per_address, attempts_per_minute=self.settings.attempts_per_minute
        )
        return Door(limits, self.gate, self.clock, first=first)

    def _canary(self) -> "Canary | None":
        if not self.settings.canary:
            return None
        # A client of WebSockets is loaded only where somebody speaks through it.
        from chat.operations.canary import Canary
        from chat.operations.canary_rows import CanaryRows

        return Canary(self.settings, CanaryRows(self.db, self.clock), self.sign_in, self.clock)

    def _metrics(self) -> "DeskMetrics | None":
        if not self.settings.metrics_listen and not self.settings.metrics_token:
            return None
        # A tenth of a second of imports that a program nobody measures does not need.
        from chat.operations.figures import DeskFigures
        from chat.operations.metrics import DeskMetrics
        from escalation.figures import TicketFigures
        from escalation.mail.figures import MailFigures

        tickets = TicketFigures(self.db, self.escalation.breaches)
        mail = MailFigures(self.db, self.clock, self.escalation.mail.sent)
        return DeskMetrics(
            self.settings,
            db=self.db,
            clock=self.clock,
            hub=self.hub,
            journal=self.conversations.journal,
            heart=self.heart,
            visitors=self.visitor_sockets,
            operators=self.operator_sockets,
            canary=self.canary,
            readers=[DeskFigures(self.db, self.clock, lambda: self.outbox.kinds).read, tickets.read, mail.read],
            sources=[tickets.counted, mail.counted],
            ticket_replies=self.escalation.tickets.first_reply_seconds,
        )

    def routes(self) -> list[BaseRoute]:
        return routes_of(self)

    def starlette(self) -> Starlette:
        @contextlib.asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            await self.start()
            try:
                yield
            finally:
                await self.stop()

        middleware = [
            Middleware(RequestIds),
            Middleware(SecureHeaders, hsts=self.settings.is_secure),
            Middleware(WholeForms),
        ]
        if self.metrics is not None:
            middleware.insert(0, Middleware(CountRequests, tally=self.metrics.http))
        app = Starlette(
            routes=self.routes(),
            lifespan=lifespan,
            middleware=middleware,
            exception_handlers={HTTPException: self.errors.http_error, 500: self.errors.server_error},
        )
        app.state.entrance = self.entrance
        # It would send browsers to the host that the request names, which anybody may choose.
        app.router.redirect_slashes = False
        return app

    async def start(self) -> None:
        self._has_door = True
        await self._agree_on_the_time()
        await self.presence.start(alone=self._is_alone)
        await self.hub.start()
        await self.conversations.journal.start()
        if self.metrics is not None:
            await self.metrics.start()
        self._keep(self.heart.run, "heart")
        self._keep(self.visits.run, "visits")
        self._keep(self.presence.run, "presence")
        self._keep(self.dispatcher.run, "dispatcher")
        self._keep(self.staff_teller.run, "staff")
        self._keep(self.queue_teller.run, "places")
        self._keep(self.access_watch.run, "access")
        self._keep(self.elsewhere.run, "elsewhere")
        self._keep(self.operator_sockets.run, "console rows")
        self._keep(self.conversations.marks.run, "read marks")
        if self.db.is_sqlite:
            self._keep(self.housekeeping.copy_log, "log")
        if self.canary is not None:
            self._keep(self.canary.run, "canary")
        if self.works:
            self._keep(self.outbox.run, "outbox")
            self._keep(self.escalation.worker.run, "escalation")
            self._keep(self.escalation.shifts.run, "shifts")
            self._keep(self.housekeeping.run, "housekeeping")

    async def start_worker(self) -> None:
        """The workers' part alone: no sockets are served and no operator is present here."""
        await self._agree_on_the_time()
        await self.hub.start()
        await self.conversations.journal.start()
        if self.metrics is not None:
            await self.metrics.start()
        self._keep(self.outbox.run, "outbox")
        self._keep(self.escalation.worker.run, "escalation")
        self._keep(self.escalation.shifts.run, "shifts")
        self._keep(self.housekeeping.run, "housekeeping")

    async def stop(self) -> None:
        """What was begun is finished, then everything ends; presence goes at once."""
        self.escalation.watching.end()
        await self.heart.rest()
        with contextlib.suppress(DatabaseAway):
            await self.visits.write()
        await self.conversations.journal.stop()
        await self.conversations.marks.write()
        for task in list(self._tasks):
            if not task.cancelling():  # a second time would cut short what the canary takes away
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self.presence.stop()
        except Exception:
            # Its lease ends by itself within 25 s.
            log.warning("presence could not be taken back", exc_info=True)
        await self.hub.stop()
        if self.metrics is not None:
            await self.metrics.stop()
        await self.readiness.stop()
        await self.uploads.stop()
        await self.db.close()

    async def retire(self) -> None:
        """Make before break: every client is asked to come elsewhere, spread over a few seconds, and leaves this
        process when it is there. Alone, there is no elsewhere: the clients come back when the process does."""
        self.draining = True
        self.polling.end()
        self.escalation.watching.end()
        for task in self._tasks:
            if task.get_name() == "canary":
                task.cancel()  # a process that leaves loses nothing
        if self.settings.redis_url is None:
            return
        await self.elsewhere.send()

    async def _agree_on_the_time(self) -> None:
        if self._shared_clock is not None:
            await self._shared_clock.look()
            self._keep(self._shared_clock.run, "clock")

    def _keep(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        task = asyncio.create_task(supervised(name, work), name=name)
        self._tasks.add(task)
