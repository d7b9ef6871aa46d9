"""The ticket pages over HTTP without a server: who is signed in is said by the test."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import httpx2
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from chat.assets import Assets
from chat.csrf import require_ours
from chat.files.checking import Checks
from chat.files.downloads import Downloads
from chat.files.links import FileLinks
from chat.files.storage import DiskStorage
from chat.files.uploads import Uploads
from chat.pages import Pages
from chat.public import Operator
from escalation import store
from escalation.client_area.contact import ContactPage
from escalation.client_area.routes import ClientArea
from escalation.client_area.watching import Watching
from escalation.desk.alarms import AlarmBoard
from escalation.desk.desk_pages import DeskPages
from escalation.desk.dialog import EscalationDialog
from escalation.desk.routes import TicketDesk
from escalation.desk.search_routes import SearchDesk
from escalation.desk.shift_routes import ShiftDesk
from escalation.desk.ticket_acts import TicketActs
from escalation.desk.transfer_routes import TransferDesk
from escalation.desk.work_routes import WorkDesk
from escalation.files import TicketFiles
from escalation.models import Ticket
from escalation.ticket_links import link_for
from tests.support.tickets import LJUBLJANA, ROOT, Company

BASE = "http://127.0.0.1:8000"
OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class SignedIn:
    """Omar, or nobody."""

    operator_now: Operator | None

    async def operator(self, request: HTTPConnection) -> Operator | None:
        return self.operator_now

    def check_csrf(self, request: HTTPConnection) -> None:
        require_ours(request, BASE)


@dataclass
class Office:
    acme: Company
    http: httpx2.AsyncClient
    sign_in: SignedIn

    async def post(self, path: str, **form: str) -> httpx2.Response:
        return await self.http.post(path, data=form, headers=OURS)

    async def link(self, ticket: Ticket) -> str:
        async with self.acme.db.write() as session:
            fresh = await session.get_one(Ticket, ticket.id)
            link_id = await link_for(session, fresh, "", self.acme.clock.now())
        return self.acme.links.sign(f"/t/{link_id}").removeprefix(BASE)

    async def fresh(self, ticket: Ticket) -> Ticket:
        async with self.acme.db.read() as session:
            return await session.get_one(Ticket, ticket.id)

    async def texts(self, ticket: Ticket) -> list[str]:
        async with self.acme.db.read() as session:
            found = await store.operators_ticket(session, ticket.number, await self.acme.reader())
        assert found is not None
        return [message.text for message in found.messages if message.kind != "transcript"]


def transport(acme: Company, sign_in: SignedIn) -> httpx2.ASGITransport:
    def folder(*parts: str) -> Path:
        return ROOT.joinpath(*parts)

    roots = {
        "shared": folder("chat", "static"),
        "console": folder("chat", "console", "static"),
        "escalation": folder("escalation", "desk", "static"),
        "files": folder("chat", "files", "static"),
    }
    templates = {
        "console": folder("chat", "console", "templates"),
        "desk": folder("escalation", "desk", "templates"),
        "client": folder("escalation", "client_area", "templates"),
    }
    pages = Pages(acme.strings, Assets(roots=roots, packed=False), templates, BASE, clock=acme.clock)
    desk = DeskPages(acme.tickets, pages, sign_in)
    files = _files(acme)
    page = TicketDesk(acme.tickets, desk, files, LJUBLJANA)
    parts = (
        AlarmBoard(acme.tickets, acme.worker.engine.talks, pages, sign_in),
        WorkDesk(acme.tickets, desk, acme.pairing),
        page,
        TicketActs(acme.tickets, desk, page, LJUBLJANA),
        TransferDesk(acme.tickets, desk, page),
        SearchDesk(acme.tickets, desk),
        ShiftDesk(acme.tickets, desk, LJUBLJANA),
        EscalationDialog(acme.tickets, pages, sign_in, LJUBLJANA),
        ClientArea(acme.tickets, pages, acme.links, files, BASE, Watching(acme.conversations)),
        ContactPage(acme.tickets, pages),
    )
    return httpx2.ASGITransport(app=Starlette(routes=[route for part in parts for route in part.routes()]))


def _files(acme: Company) -> TicketFiles:
    """Few are sent here, and none is looked at."""
    storage = DiskStorage(Path(gettempdir()) / "nightdesk-office")
    uploads = Uploads(acme.db, acme.clock, storage, Checks(storage, None), 26_214_400)
    links = FileLinks("a secret of the tests, long enough for links", BASE)
    return TicketFiles(acme.tickets, uploads, Downloads(acme.db, acme.clock, storage, links, BASE, BASE))


def version_of(page: httpx2.Response) -> str:
    found = re.search(r'data-version="(\d+)"', page.text)
    assert found is not None
    return found.group(1)
