"""Add ticket: the form, what is wrong with it, and the ticket. Whoever is not signed in comes back to it as it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.public import FILES_PER_MESSAGE, Attached, in_words
from escalation.actions import Tickets
from escalation.client_area.began import UNSURE, ClockQuestion
from escalation.client_area.doorway import HOME, NEW, Doorway
from escalation.client_area.file_routes import UPLOADS, form_of_login, owner_of
from escalation.client_area.kept import KeptForms, files_in
from escalation.client_area.sign_in import Login
from escalation.client_area.submitting import submit_ticket
from escalation.client_area.ticket_form import Fields, read
from escalation.errors import TooManyTickets
from escalation.files import TicketFiles
from escalation.sla.clocks import tags_of_account
from escalation.sla.policies import FIRST_REPLY, Subject, first_fitting, policies_in
from escalation.states import NORMAL

FILLS = ("fill", "keep")
"""Actions of a form that brings what it holds and is not sent yet: a reply that came too late for its ticket."""
SHOWN = ("form", "department", "subject", "other", "where", "day", "clock", "text", "diagnostics", "files")
"""What can be wrong, in the order of the form."""
ZONES = (
    "UTC", "Europe/London", "Europe/Lisbon", "Europe/Berlin", "Europe/Helsinki", "Europe/Kyiv", "Europe/Istanbul",
    "Europe/Moscow", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Promise:
    """`minutes` to the first reply; `always`: at any hour, else of the hours in which the calendar is open."""

    name: str
    minutes: int
    always: bool


class NewTicketRoutes:
    def __init__(self, tickets: Tickets, doorway: Doorway, files: TicketFiles, kept: KeptForms, zone: ZoneInfo) -> None:
        self._files = files
        self._tickets = tickets
        self._doorway = doorway
        self._kept = kept
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        return [Route(NEW, self._show, methods=["GET"]), Route(NEW, self._send, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        """Filled with what was kept, else with what the address says: a link elsewhere may fill some of it."""
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        kept = await self._kept.of(request)
        if kept is not None and kept.path == NEW:
            ready, lost = await self._kept.files(kept, owner_of(login.reader))
            return await self._page(
                request, login, Fields.of(kept.fields), is_kept=True, is_lost=lost, kept_files=ready
            )  # fmt: skip
        return await self._page(request, login, Fields.of(request.query_params))

    async def _send(self, request: Request) -> Response:
        form, login = await form_of_login(request, self._doorway, self._files)
        fields = Fields.of({"follows": request.query_params.get("follows", ""), **form})
        if login is None:
            answer = self._doorway.to_sign_in(request)
            await self._kept.keep(
                request, answer, NEW, fields.kept() | files_in(form), self._doorway.catalogue(request)
            )
            await form.close()
            return answer
        c = self._doorway.catalogue(request, login.reader)
        departments = [department.slug for department in await self._tickets.directory.departments()]
        found = read(
            fields,
            departments=departments,
            services=await self._tickets.registry.services_of(login.reader.account_id),
            now=self._tickets.clock.now(),
            company=self._zone,
            c=c,
        )
        ref = fields.ref if 8 <= len(fields.ref) <= 56 and fields.ref.isascii() else uuid4().hex
        owner = owner_of(login.reader)
        received = await self._files.received(form, owner, ref, c.locale)
        if form.get("action") in FILLS:
            errors = {"files": received.refused} if received.refused else {}
            return await self._page(
                request, login, replace(fields, ref=""), errors=errors, kept_files=received.ready
            )  # fmt: skip
        # An outage is reported whatever becomes of a file; its page says that one is missing.
        if received.refused and not fields.is_high:
            found.errors["files"] = received.refused
        if found.new is None or found.errors or found.question:
            return await self._page(
                request,
                login,
                fields,
                errors=found.errors,
                question=found.question,
                status=422,
                kept_files=received.ready,
            )
        try:
            sent = await submit_ticket(
                self._tickets,
                login.reader,
                found.new,
                ref=ref,
                locale=self._doorway.locale(request, login.reader),
                site_name=await self._doorway.site_name(),
                zone=self._zone,
                browser=in_words(request.headers.get("user-agent", "")),
                files=[one["id"] for one in received.ready[:FILES_PER_MESSAGE]],
                owner=owner.key,
            )
        except TooManyTickets as many:
            error = c.gettext(
                "You opened %(count)s tickets in a short time. Write into one of those, or come back at %(time)s. "
                "An outage is always taken: choose high priority."
            )
            again_at = many.again_at.astimezone(self._doorway.zone_of(login.reader))
            errors = {"form": error % {"count": many.count, "time": f"{again_at:%H:%M}"}}
            return await self._page(
                request, login, fields, errors=errors, status=429, kept_files=received.ready
            )  # fmt: skip
        if not sent.is_same:
            error = c.gettext(
                "This form was sent before, as %(number)s. Send it again for a second ticket, or add to the first one."
            )
            errors = {"form": error % {"number": sent.number}}
            fresh = replace(fields, ref=uuid4().hex)
            return await self._page(request, login, fresh, errors=errors, already=sent.number, status=409)
        missing = "&missing=1" if received.refused or form.get("missing") else ""
        answer = RedirectResponse(f"{HOME}/{sent.number}?opened=1{missing}", 303)
        await self._kept.forget(request, answer)
        return answer

    async def _page(
        self,
        request: Request,
        login: Login,
        fields: Fields,
        *,
        errors: dict[str, str] | None = None,
        question: ClockQuestion | None = None,
        already: str = "",
        is_kept: bool = False,
        is_lost: bool = False,
        status: int = 200,
        kept_files: Sequence[Attached] = (),
    ) -> Response:
        locale = self._doorway.locale(request, login.reader)
        departments = await self._tickets.directory.departments()
        errors = dict.fromkeys(SHOWN, "") | (errors or {})
        c = self._doorway.catalogue(request, login.reader)
        wrong = sum(map(bool, errors.values())) + (question is not None)
        context: dict[str, Any] = {
            "fields": fields,
            "errors": errors,
            "summary": c.ngettext("%(num)s thing to look at.", "%(num)s things to look at.", wrong) % {"num": wrong}
            if wrong
            else "",
            "question": question,
            "unsure": UNSURE,
            "already": already,
            "is_kept": is_kept,
            "lost": is_lost,
            "ref": fields.ref or uuid4().hex,
            "departments": [(one.slug, one.name(locale)) for one in departments],
            "services": await self._tickets.registry.services_of(login.reader.account_id),
            "company_zone": self._zone.key,
            "zones": [zone for zone in ZONES if zone != self._zone.key],
            "today": self._tickets.clock.now().astimezone(self._zone),
            "promises": await self._promises(login.reader.account_id, locale),
            "here": NEW,
            "kept_files": kept_files,
            "uploads": UPLOADS,
        }
        return await self._doorway.page(request, "new_ticket.html", context, login, status=status)

    async def _promises(self, account_id: UUID, locale: str) -> list[Promise]:
        """Of each department, with normal priority; where all promise the same, one without a name."""
        departments = await self._tickets.directory.departments()
        policies = await policies_in(self._tickets.db)
        async with self._tickets.db.read() as session:
            tags = await tags_of_account(session, account_id)
        found = []
        for one in departments:
            policy = first_fitting(policies, Subject("ticket", "form", one.slug, NORMAL, tags))
            if policy is not None and (target := policy.targets.get(FIRST_REPLY)) is not None:
                found.append(Promise(one.name(locale), target.target_seconds // 60, target.calendar.always))
        alike = len(found) == len(departments) and len({(one.minutes, one.always) for one in found}) == 1
        return [replace(found[0], name="")] if alike else found
