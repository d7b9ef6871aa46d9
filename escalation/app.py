"""Puts escalation together from what chat hands in."""

from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from starlette.routing import BaseRoute

from chat.clock import Clock
from chat.db import Database
from chat.keys import secret_key_of
from chat.links import Links
from chat.pages import Pages
from chat.public import Conversations, Downloads, Duties, Outbox, Pairing, Uploads
from chat.settings import Settings
from chat.strings import Strings
from escalation.actions import Tickets
from escalation.administration.calendars import CalendarPages
from escalation.administration.policies import PolicyPages
from escalation.administration.shifts import ShiftPages
from escalation.client_area.contact import ContactPage, Doors
from escalation.client_area.delivery_routes import DeliveryRoutes
from escalation.client_area.doorway import HOME, Doorway
from escalation.client_area.enter_routes import EnterRoutes
from escalation.client_area.file_routes import FileRoutes
from escalation.client_area.kept import KeptForms
from escalation.client_area.letters import MailedLetters
from escalation.client_area.links import SignInLinks
from escalation.client_area.more_routes import MoreRoutes
from escalation.client_area.new_routes import NewTicketRoutes
from escalation.client_area.proof import ProofPage
from escalation.client_area.routes import ClientArea
from escalation.client_area.settings_routes import SettingsRoutes
from escalation.client_area.sign_in import CustomerSignIn
from escalation.client_area.sign_in_routes import SignInRoutes
from escalation.client_area.ticket_routes import TicketRoutes
from escalation.client_area.tickets_routes import TicketsRoutes
from escalation.client_area.tokens import SiteSecrets, Tokens
from escalation.client_area.watching import Watching
from escalation.client_area.widget_routes import EndVisitor, WidgetTickets
from escalation.closing import Closing
from escalation.customers.delivery_actions import Delivery
from escalation.desk.about import AboutRequester
from escalation.desk.alarms import AlarmBoard
from escalation.desk.desk_pages import DeskPages
from escalation.desk.dialog import EscalationDialog
from escalation.desk.mail import MailDesk
from escalation.desk.routes import TicketDesk
from escalation.desk.search_routes import SearchDesk
from escalation.desk.shift_routes import ShiftDesk
from escalation.desk.ticket_acts import TicketActs
from escalation.desk.transfer_routes import TransferDesk
from escalation.desk.work_routes import WorkDesk
from escalation.directory import Directory
from escalation.files import TicketFiles
from escalation.mail.after import After
from escalation.mail.demo import MAILBOX, DemoMailbox
from escalation.mail.headers import mail_key
from escalation.mail.smtp import SmtpServer
from escalation.mail.worker import MailWorker
from escalation.mail.writer import Sender, Writer
from escalation.shifts.keeper import ShiftKeeper
from escalation.verified_path import VerifiedPath
from escalation.who import AdminDoor, OperatorSignIn
from escalation.worker import EscalationWorker


class Escalation:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        settings: Settings,
        conversations: Conversations,
        outbox: Outbox,
        duties: Duties,
        pages: Pages,
        strings: Strings,
        links: Links,
        sign_in: OperatorSignIn,
        pairing: Pairing,
        admin: AdminDoor,
        uploads: Uploads,
        downloads: Downloads,
        end_visitor: EndVisitor,
        in_demo: bool = False,
    ) -> None:
        zone = ZoneInfo(settings.time_zone)
        self.tickets = Tickets(db, clock, conversations, outbox, Directory(db), strings, zone)
        company = Sender.of_setting(settings.mail_from).name if settings.mail_from else ""
        self.writer = Writer(pages, strings, links, zone, mail_key(secret_key_of(settings)), company)
        after = After(clock, self.tickets.mailbox)
        self.mail = self._mail_worker(db, clock, settings, after)
        VerifiedPath(self.tickets, settings.base_url)
        closing = Closing(self.tickets, settings.solved_days)
        self.worker = EscalationWorker(self.tickets, zone, self.mail, closing)
        self.shifts = ShiftKeeper(self.tickets, duties, zone)
        self.breaches = self.worker.engine.breaches
        self.about = AboutRequester(self.tickets, pages)
        letters = MailedLetters(self.tickets.mailbox, settings.base_url)
        self.customers = CustomerSignIn(db, clock, settings, letters)
        self.sign_in_links = SignInLinks(db, clock, outbox, self.customers, letters, settings.base_url)
        self.tokens = Tokens(db, clock, SiteSecrets(secret_key_of(settings)))
        kept = KeptForms(db, clock, settings)
        self.watching = Watching(conversations)
        mailbox = MAILBOX if in_demo else ""
        self.doorway = Doorway(db, clock, settings, pages, strings, self.customers, mailbox)
        desk = DeskPages(self.tickets, pages, sign_in)
        self.alarms = AlarmBoard(self.tickets, self.worker.engine.talks, pages, sign_in)
        self.files = TicketFiles(self.tickets, uploads, downloads)
        page = TicketDesk(self.tickets, desk, self.files, zone)
        self.mail_desk = MailDesk(self.tickets, desk, is_set_up=settings.smtp_url is not None, mailbox=mailbox)
        self._demo_mailbox = DemoMailbox(db, clock, pages, strings, self.writer, after, zone)
        self._parts = (
            self.mail_desk,
            ProofPage(self.tickets, pages, links, settings.base_url),
            self.alarms,
            PolicyPages(self.tickets, self.worker.engine, admin),
            CalendarPages(self.tickets, self.worker.engine, self.shifts, admin),
            ShiftPages(self.tickets, self.shifts, admin, zone),
            WorkDesk(self.tickets, desk, pairing),
            page,
            TicketActs(self.tickets, desk, page, zone),
            TransferDesk(self.tickets, desk, page),
            SearchDesk(self.tickets, desk),
            ShiftDesk(self.tickets, desk, zone),
            EscalationDialog(self.tickets, pages, sign_in, zone),
            ClientArea(self.tickets, pages, links, self.files, settings.base_url, self.watching),
            SignInRoutes(self.doorway, self.sign_in_links, kept),
            EnterRoutes(self.doorway, self.customers, self.tokens, settings.base_url),
            WidgetTickets(self.tickets, self.customers, self.tokens, end_visitor, settings.base_url, zone),
            SettingsRoutes(db, clock, self.doorway),
            DeliveryRoutes(
                db, clock, self.doorway, Delivery(db, clock, self.tickets.mailbox, settings.base_url), links
            ),
            TicketsRoutes(self.tickets, self.doorway),
            NewTicketRoutes(self.tickets, self.doorway, self.files, kept, zone),
            TicketRoutes(self.tickets, self.doorway, self.files, kept, self.watching),
            MoreRoutes(self.tickets, self.doorway),
            FileRoutes(self.files, self.doorway),
            ContactPage(self.tickets, pages, Doors(ticket=f"{HOME}/new")),
        )

    def _mail_worker(self, db: Database, clock: Clock, settings: Settings, after: After) -> MailWorker:
        server = sender = None
        if settings.smtp_url is not None and settings.mail_from is not None:
            here = urlsplit(settings.base_url).hostname or "localhost"
            server = SmtpServer.of_url(settings.smtp_url.get_secret_value(), here)
            sender = Sender.of_setting(settings.mail_from)
        return MailWorker(db, clock, self.tickets.mailbox, self.writer, after, server, sender)

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]

    def demo_routes(self) -> list[BaseRoute]:
        """Only for the demo: everybody who can reach it reads all mail."""
        return self._demo_mailbox.routes()
