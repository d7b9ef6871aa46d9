"""Puts escalation together from what chat hands in."""

from zoneinfo import ZoneInfo

from starlette.routing import BaseRoute

from chat.clock import Clock
from chat.db import Database
from chat.links import Links
from chat.pages import Pages
from chat.public import Conversations, Duties, Outbox
from chat.settings import Settings
from chat.strings import Strings
from escalation.actions import Tickets
from escalation.client_area.contact import ContactPage
from escalation.client_area.routes import ClientArea
from escalation.desk.about import AboutRequester
from escalation.desk.dialog import EscalationDialog
from escalation.desk.routes import TicketDesk
from escalation.directory import Directory
from escalation.shifts.keeper import ShiftKeeper
from escalation.who import OperatorSignIn
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
    ) -> None:
        zone = ZoneInfo(settings.time_zone)
        self.tickets = Tickets(db, clock, conversations, outbox, Directory(db), strings)
        self.worker = EscalationWorker(self.tickets, zone)
        self.shifts = ShiftKeeper(self.tickets, duties, zone)
        self.breaches = self.worker.engine.breaches
        self.about = AboutRequester(self.tickets, pages)
        self._parts = (
            TicketDesk(self.tickets, pages, sign_in, zone),
            EscalationDialog(self.tickets, pages, sign_in, zone),
            ClientArea(self.tickets, pages, links, settings.base_url),
            ContactPage(self.tickets, pages),
        )

    def routes(self) -> list[BaseRoute]:
        return [route for part in self._parts for route in part.routes()]
