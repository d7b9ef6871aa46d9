"""All addresses of the program, and what answers there."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlmodel import col
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from chat.console.admin.canned import CannedPages
from chat.console.admin.departments import DepartmentPages
from chat.console.admin.door import Section
from chat.console.admin.log import AuditLog
from chat.console.admin.people import OperatorPages
from chat.console.admin.sites import SitePages
from chat.console.panels import ConsoleModule
from chat.console.routes import ConsolePanel, ConsoleRoutes
from chat.keys import secret_key_of
from chat.operations.mirror import Mirror
from chat.people.models import Department
from chat.people.visitors import site_by_key
from escalation.desk.rail import RAIL
from widget.demo import DemoRoutes
from widget.routes import WidgetRoutes

if TYPE_CHECKING:
    from chat.app import Nightdesk

ADMIN_SECTIONS = (
    Section(label="Operators", url="/console/admin/operators", icon="users"),
    Section(label="Departments", url="/console/admin/departments", icon="tag"),
    Section(label="Shifts", url="/desk/admin/shifts", icon="calendar"),
    Section(label="Promises", url="/desk/admin/policies", icon="clock"),
    Section(label="Calendars", url="/desk/admin/calendars", icon="history"),
    Section(label="Canned responses", url="/console/admin/canned", icon="canned"),
    Section(label="Sites", url="/console/admin/sites", icon="globe"),
    Section(label="Mail out", url="/desk/mail", icon="mail"),
    Section(label="Changes", url="/console/admin/log", icon="note"),
)


def routes_of(desk: "Nightdesk") -> list[BaseRoute]:
    console = ConsoleRoutes(
        db=desk.db,
        clock=desk.clock,
        settings=desk.settings,
        pages=desk.pages,
        strings=desk.strings,
        stream=desk.stream,
        presenter=desk.presenter,
        sign_in=desk.sign_in,
        signed_out=desk.operator_sockets.end_login,
        panels=[ConsolePanel(key="c", label="Ticket", url="/desk/conversations/{id}/ticket", icon="ticket")],
        links=RAIL,
        about=desk.escalation.about.of_conversation,
        alarms=desk.escalation.alarms.html,
        modules=[ConsoleModule("escalation/alarms.js", style="escalation/alarms.css", strings="desk")],
        warnings=desk.escalation.mail_desk.warnings,
        canary=desk.canary is not None,
        uploads=desk.uploads,
        downloads=desk.downloads,
    )
    widget_routes = WidgetRoutes(
        pages=desk.pages,
        assets=desk.assets,
        strings=desk.strings,
        base_url=desk.settings.base_url,
        site_by_key=lambda key: site_by_key(desk.db, key),
        departments=lambda: _departments(desk),
    )
    routes: list[BaseRoute] = [
        *desk.entrance.routes(),
        *desk.polling.routes(),
        *desk.visitor_files.routes(),
        *desk.downloads.routes(),
        *widget_routes.routes(),
        *console.routes(),
        *_admin_routes(desk),
        *desk.escalation.routes(),
        *desk.assets.routes(),
        *Mirror(secret_key_of(desk.settings)).routes(),
        Route("/healthz", _healthz, methods=["GET"]),
        Route("/readyz", desk.readiness.answer, methods=["GET"]),
        *(desk.metrics.routes() if desk.metrics else ()),
        *([Route("/console/canary.json", partial(_canary_state, desk), methods=["GET"])] if desk.canary else ()),
    ]
    if desk.demo_site is not None:
        demo = DemoRoutes(
            pages=desk.pages, strings=desk.strings, base_url=desk.settings.base_url, site_key=desk.demo_site
        )
        routes += [*demo.routes(), *desk.escalation.demo_routes()]
    else:
        routes.append(Route("/", _root, methods=["GET"]))
    return routes


def _admin_routes(desk: "Nightdesk") -> list[BaseRoute]:
    parts = (
        OperatorPages(desk.db, desk.clock, desk.admin, desk.sign_in),
        DepartmentPages(desk.db, desk.clock, desk.admin),
        CannedPages(desk.db, desk.clock, desk.admin),
        SitePages(desk.db, desk.clock, desk.admin, desk.settings.base_url),
        AuditLog(desk.db, desk.admin),
    )
    return [route for part in parts for route in part.routes()]


async def _departments(desk: "Nightdesk") -> Sequence[Department]:
    async with desk.db.read() as session:
        statement = select(Department).order_by(col(Department.position))
        return (await session.execute(statement)).scalars().all()


async def _canary_state(desk: "Nightdesk", request: Request) -> Response:
    """Asked by consoles again and again, not told over the socket: that may be just what is broken."""
    if await desk.sign_in.operator(request) is None:
        raise HTTPException(401)
    return JSONResponse({"state": desk.canary.state if desk.canary else "new"})


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def _root(_request: Request) -> Response:
    return PlainTextResponse("Nightdesk")
