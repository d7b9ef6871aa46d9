"""The dialog in which an operator makes a ticket of a conversation: everything is filled, Enter opens it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import form_data_of
from chat.ids import parse_id
from chat.pages import Pages
from chat.public import Attached, Conversation, Operator, Transcript, visible_to
from escalation import store
from escalation.actions import Tickets
from escalation.customers.known import confirmed, identified
from escalation.desk.draft_form import Fields, fields_from, fields_of, read
from escalation.draft import TicketDraft
from escalation.errors import NotPossible, TicketGone
from escalation.handoff import draft_ticket
from escalation.models import Ticket
from escalation.opening import open_ticket
from escalation.reach import reader_of
from escalation.sla.clocks import tags_of_account
from escalation.sla.policies import FIRST_REPLY, Subject, first_fitting, policies_in
from escalation.sla.timing import plan_of
from escalation.states import operators_word
from escalation.who import OperatorSignIn, actor_of, to_sign_in

DONE = {"X-Nightdesk-Done": "1"}
"""Tells the console to close the dialog."""
NO_STORE = {"Cache-Control": "no-store, private"}


class EscalationDialog:
    def __init__(self, tickets: Tickets, pages: Pages, sign_in: OperatorSignIn, zone: ZoneInfo) -> None:
        self._tickets = tickets
        self._pages = pages
        self._sign_in = sign_in
        self._zone = zone

    def routes(self) -> list[BaseRoute]:
        return [Route("/desk/conversations/{id}/ticket", self._answer, methods=["GET", "POST"])]

    async def _answer(self, request: Request) -> Response:
        self._sign_in.check_csrf(request)
        operator = await self._sign_in.operator(request)
        if operator is None:
            return to_sign_in(request)
        conversation_id = parse_id(request.path_params["id"])
        async with self._tickets.db.read() as session:
            seen = select(Conversation.id).where(Conversation.id == conversation_id, visible_to(operator))
            visible = conversation_id is not None and (await session.exec(seen)).first() is not None
        transcript = (
            await self._tickets.conversations.transcript_of(conversation_id) if visible and conversation_id else None
        )
        if transcript is None:
            return self._partial("desk/_no_conversation.html", operator, 404)
        async with self._tickets.db.read() as session:
            ticket = await store.ticket_holding(session, transcript.conversation_id)
        if ticket is not None:
            headers = DONE if request.method == "POST" else {}
            return await self._existing(operator, ticket, headers)
        proposed = draft_ticket(transcript, self._zone)
        proposed = await identified(self._tickets.registry, proposed, transcript.visitor.verify_level)
        if request.method == "POST":
            return await self._open(request, operator, transcript, proposed)
        return await self._form(operator, proposed, fields_of(proposed, self._zone), transcript)

    async def _open(
        self, request: Request, operator: Operator, transcript: Transcript, proposed: TicketDraft
    ) -> Response:
        form = await form_data_of(request)
        values = {name: [text for text in form.getlist(name) if isinstance(text, str)] for name in form}
        fields = fields_from(values)
        attached = attached_in(transcript)
        left_out = {one["id"] for one in attached} - set(values.get("carry", ())) if "files" in values else set()
        c = self._tickets.strings.catalogue(operator.locale)
        found = read(fields, proposed, self._tickets.clock.now(), self._zone, c)
        if not found.errors:
            try:
                draft = await confirmed(self._tickets.registry, proposed, found.draft)
                opened = await open_ticket(
                    self._tickets, draft, transcript.conversation_id, actor_of(operator),
                    channel="chat", zone=self._zone, left_out=left_out,
                )  # fmt: skip
                return await self._existing(operator, opened.ticket, DONE, 201 if opened.created else 200)
            except NotPossible:
                found.errors["department"] = c.gettext("There is no such department. Choose one of these.")
            except TicketGone:
                return self._partial("desk/_no_conversation.html", operator, 404)
        return await self._form(operator, proposed, fields, transcript, found.errors, left_out)

    async def _form(
        self,
        operator: Operator,
        draft: TicketDraft,
        fields: Fields,
        transcript: Transcript,
        errors: Mapping[str, str] | None = None,
        left_out: Collection[str] = (),
    ) -> Response:
        errors = errors or {}
        departments = await self._tickets.directory.departments()
        return self._partial(
            "desk/_escalation.html", operator, 422 if errors else 200,
            draft=draft, fields=fields, errors=errors, departments=departments,
            conversation_id=transcript.conversation_id, due_at=await self._promised(draft),
            attached=attached_in(transcript), left_out=left_out,
        )  # fmt: skip

    async def _promised(self, draft: TicketDraft) -> datetime | None:
        """When the first reply would be due if the ticket were opened now."""
        async with self._tickets.db.read() as session:
            tags = await tags_of_account(session, draft.account_id)
        subject = Subject("ticket", "chat", draft.department.value, draft.priority.value, tags)
        policy = first_fitting(await policies_in(self._tickets.db), subject)
        target = policy.targets.get(FIRST_REPLY) if policy else None
        return plan_of(target, self._tickets.clock.now()).due_at if target else None

    async def _existing(
        self, operator: Operator, ticket: Ticket, headers: Mapping[str, str], status: int = 200
    ) -> Response:
        """A ticket that was handed to another department shows its number and no more."""
        async with self._tickets.db.read() as session:
            reached = await store.is_reached(session, ticket.id, await reader_of(session, operator))
        c = self._tickets.strings.catalogue(operator.locale)
        word = operators_word(ticket.state, c)
        return self._partial("desk/_exists.html", operator, status, headers, ticket=ticket, word=word, reached=reached)

    def _partial(
        self,
        name: str,
        operator: Operator,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        html = self._pages.partial(name, operator.locale, **context)
        return HTMLResponse(html, status, NO_STORE | dict(headers or {}))


def attached_in(transcript: Transcript) -> list[Attached]:
    """All files of the conversation, in their order."""
    return [one for said in transcript.messages for one in said.files]
