"""The operators' one list of work, and taking the next of it. Thin: parse, read or act once, answer."""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.public import Operator, Pairing
from escalation import once
from escalation.actions import Tickets
from escalation.bulk import UNDO, Done, carry_out, parse_chosen, parse_order, take_back
from escalation.change import Change, within_changes
from escalation.desk.desk_pages import DeskPages, field_of, reader_in, ref_in
from escalation.errors import TextRefused, TextTooLong
from escalation.sla.policies import policies_in
from escalation.states import HIGH
from escalation.store import Wanted
from escalation.waiting import WaitingConversation
from escalation.who import actor_of
from escalation.worklist import WorkRow, counts, free_work, work_page

LIST = "/desk/tickets"
NONE_FREE = f"{LIST}?said=nothing"
NUMBER = re.compile(r"T-\d{2}-\d{6,12}", re.ASCII)
FEW = re.compile(r"\d{1,3}", re.ASCII)
REF = re.compile(r"[\w-]{8,64}", re.ASCII)
SLUG = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
LANES: dict[str, Wanted] = {
    "open": Wanted(),
    "mine": Wanted(mine=True),
    "solved": Wanted(lane="solved"),
    "closed": Wanted(lane="closed"),
    "spam": Wanted(lane="spam"),
}


COUNTED = ("done", "back", "refused", "absent", "full")
NOTHING: dict[str, Any] = {
    "kind": "", "number": "", "undo": "", "done": None, "back": None, "refused": 0, "absent": 0, "full": 0,
    "wrong": False,
}  # fmt: skip
"""What the list has to say first, when that is nothing."""


class WorkDesk:
    def __init__(self, tickets: Tickets, desk: DeskPages, pairing: Pairing) -> None:
        self._tickets = tickets
        self._desk = desk
        self._pairing = pairing

    def routes(self) -> list[BaseRoute]:
        return [
            Route(LIST, self._desk.signed_in(self._list), methods=["GET"]),
            Route("/desk/next", self._desk.signed_in(self._next), methods=["POST"]),
            Route("/desk/bulk", self._desk.signed_in(self._bulk), methods=["POST"]),
            Route("/desk/undo", self._desk.signed_in(self._undo), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        return await self._shown(request, operator, request.query_params, _said(request))

    async def _shown(
        self, request: Request, operator: Operator, asked: Mapping[str, str], said: Mapping[str, Any], *,
        kept: Collection[str] = (), act: str = "", note: str = "",
    ) -> Response:  # fmt: skip
        """`asked`: lane, department and the place to go on after. `kept`: numbers that are still selected."""
        lane = asked.get("lane", "") if asked.get("lane") in LANES else "open"
        after = asked.get("after", "")
        departments = await self._tickets.directory.departments()
        department = next((one for one in departments if one.slug == asked.get("department")), None)
        wanted = LANES[lane]
        wanted = Wanted(wanted.lane, wanted.mine, department_id=department.id if department else None)
        policies = await policies_in(self._tickets.db)
        reader = reader_in(request)
        async with self._tickets.db.read() as session:
            page = await work_page(session, reader, policies, wanted, after=after)
            counted = await counts(session, reader)
        now = self._tickets.clock.now()
        groups: list[tuple[str, list[WorkRow]]] = []
        for row in page.rows:
            title = _group(row, lane, now)
            if not groups or groups[-1][0] != title:
                groups.append((title, []))
            groups[-1][1].append(row)
        slug = department.slug if department else ""
        return self._desk.page(
            request, operator, "desk/tickets.html", status=422 if said.get("wrong") else 200,
            lane=lane, counts=counted, groups=groups, next=page.next, continued="after" in asked, ref=uuid4().hex,
            department=slug, said=said, people=await self._tickets.directory.operators(), kept=kept, act=act, note=note,
            href=lambda **query: _href(lane, slug, **query), all_departments=departments,
            here=_href(lane, slug, after=after),
            departments=[one for one in departments if one.id in reader.departments],
        )  # fmt: skip

    async def _next(self, request: Request, operator: Operator) -> Response:
        """Takes what is to be served first and leads there; the same ref leads to the same place."""
        sent = self._order(operator, ref_in(await form_data_of(request)))
        answer = await sent.begin(self._tickets.clock.now())
        if not answer:
            with suppress(once.Answered):
                answer = await self._take_first(request, operator, sent)
            answer = await sent.end(answer or NONE_FREE, self._tickets.clock.now())
        return RedirectResponse(answer, 303)

    def _order(self, operator: Operator, ref: str) -> once.Order:
        return once.Order(self._tickets.db, operator.id, ref or uuid4().hex)

    async def _bulk(self, request: Request, operator: Operator) -> Response:
        """One order for all that were chosen; the list says what came of it and offers the way back. What nobody could
        be given stays selected."""
        form = await form_data_of(request)
        ref = ref_in(form) or uuid4().hex
        chosen = parse_chosen([one for one in form.getlist("ticket") if isinstance(one, str)])
        lane, slug = field_of(form, "lane"), field_of(form, "department")
        asked = {"lane": lane if lane in LANES else "", "department": slug if SLUG.fullmatch(slug) else ""}
        act, note = field_of(form, "act"), field_of(form, "note")
        try:
            order = parse_order(act, field_of(form, "tag")[:200], note, ref)
        except TextRefused as refused:
            said = NOTHING | {"kind": "long" if isinstance(refused, TextTooLong) else "note", "wrong": True}
            return await self._shown(
                request, operator, asked, said, kept={one.number for one in chosen}, act=act, note=note
            )
        if order is None or not chosen:
            return RedirectResponse(_href(asked["lane"], asked["department"], said="none"), 303)
        sent = self._order(operator, ref)
        if answer := await sent.begin(self._tickets.clock.now()):
            return RedirectResponse(answer, 303)
        done = await carry_out(self._tickets, reader_in(request), actor_of(operator), order, chosen, sent)
        counted = _counted(done, "done") | {"undo": ref}
        answer = await sent.end(_href(asked["lane"], asked["department"], **counted), self._tickets.clock.now())
        if not done.left:
            return RedirectResponse(answer, 303)
        # Sent again it leads to the answer above.
        said = NOTHING | {"kind": "bulk", "done": len(done.changed), "refused": done.refused, "wrong": True}
        said |= {"absent": done.absent, "full": done.full, "undo": ref if done.changed else ""}
        return await self._shown(request, operator, asked, said, kept=set(done.left), act=act)

    async def _undo(self, request: Request, operator: Operator) -> Response:
        ref = ref_in(await form_data_of(request))
        since = self._tickets.clock.now() - UNDO
        done = await take_back(self._tickets, actor_of(operator), self._order(operator, ref), since)
        return RedirectResponse(f"{LIST}?{urlencode(_counted(done, 'back'))}", 303)

    async def _take_first(self, request: Request, operator: Operator, sent: once.Order) -> str:
        """Where it leads; empty where nothing is free. Raises Answered where its twin has taken something."""
        policies = await policies_in(self._tickets.db)
        async with self._tickets.db.read() as session:
            rows = await free_work(session, reader_in(request), policies)
        for row in rows:
            if row.conversation is not None:
                answer = f"/console/conversations/{row.conversation.id}"
                if await self._take_conversation(row.conversation, operator, sent, answer):
                    return answer
            elif row.ticket is not None:
                answer = f"/desk/tickets/{row.ticket.ticket.number}"
                with within_changes(partial(_lead, sent, answer)):
                    if await self._tickets.take(row.ticket.ticket.id, actor_of(operator)):
                        return answer
        return ""

    async def _take_conversation(
        self, conversation: WaitingConversation, operator: Operator, sent: once.Order, answer: str
    ) -> bool:
        """Between the look and now it may have been offered to this very operator, or withdrawn from them."""
        identity, pairing = conversation.id, self._pairing

        async def lead(session: AsyncSession) -> None:
            await sent.lead(session, answer)

        return (
            await pairing.accept(identity, operator.id, lead)
            or await pairing.take_waiting(identity, operator, lead)
            or await pairing.accept(identity, operator.id, lead)
        )


async def _lead(sent: once.Order, answer: str, change: Change) -> None:
    await sent.lead(change.session, answer)


def _group(row: WorkRow, lane: str, now: datetime) -> str:
    """The lane of a row. The order of service is the query's; this only names what stands together."""
    if lane == "spam":
        return "spam"
    if lane in ("solved", "closed"):
        return "rest"
    if not row.is_ours:
        return "theirs"
    if row.priority == HIGH:
        return "ours_high"
    return "ours_overdue" if row.due_at is not None and row.due_at < now else "ours"


def _counted(done: Done, name: str) -> dict[str, str]:
    """For an address."""
    found = {name: str(len(done.changed)), "refused": str(done.refused)}
    return found | {which: str(n) for which, n in (("absent", done.absent), ("full", done.full)) if n}


def _said(request: Request) -> dict[str, Any]:
    """What the list has to say first; `kind` is empty for nothing. Words of ours only: of the address no more than
    numbers are taken."""
    asked = request.query_params
    counted = {name: int(asked[name]) for name in COUNTED if FEW.fullmatch(asked.get(name, ""))}
    if NUMBER.fullmatch(asked.get("handed", "")):
        return NOTHING | {"kind": "handed", "number": asked["handed"]}
    if asked.get("said") in ("nothing", "none"):
        return NOTHING | {"kind": asked["said"]}
    if "done" in counted or "back" in counted:
        undo = asked.get("undo", "")
        return NOTHING | counted | {"kind": "bulk", "undo": undo if counted.get("done") and REF.fullmatch(undo) else ""}
    return NOTHING


def _href(lane: str, department: str, **query: str) -> str:
    asked = {"lane": "" if lane == "open" else lane, "department": department} | query
    tail = urlencode({name: value for name, value in asked.items() if value})
    return f"{LIST}?{tail}" if tail else LIST
