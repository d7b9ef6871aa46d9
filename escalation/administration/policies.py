"""Policies: what is promised to whom. A change is a new version, and says what running clocks do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.ids import new_id
from chat.public import Fields, Operator, audit, differences, form_of
from chat.strings import Catalogue
from escalation.actions import Tickets
from escalation.administration.following import applied_in, query_of
from escalation.directory import Department
from escalation.models import SlaClock
from escalation.sla.engine import SlaEngine
from escalation.sla.policies import (
    ACCOUNT_TAGS,
    ALWAYS,
    FIRST_REPLY,
    NEXT_REPLY,
    SOLVE,
    WAITING,
    Alarm,
    Policy,
    Target,
    calendar_of,
    current_policies,
    policies_in,
    publish,
)
from escalation.sla.policy_tables import CalendarRow, SlaPolicy
from escalation.sla.words import policy_text
from escalation.states import HIGH, NORMAL
from escalation.who import AdminDoor

PLACE = "/desk/admin/policies"
STEPS = ("assigned", "offer", "supervisor")
CHANNELS = ("chat", "form", "mail", "phone")
LONGEST = 7 * 24 * 60
"""Minutes."""


class PolicyPages:
    def __init__(self, tickets: Tickets, engine: SlaEngine, door: AdminDoor) -> None:
        self._tickets = tickets
        self._engine = engine
        self._door = door

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PLACE, self._door.guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{key}}", self._door.guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{key}}", self._door.guarded(self._save), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        policies, c = await policies_in(self._tickets.db), self._door.catalogue(request, operator)
        return self._door.page(
            request, operator, "desk/admin/policies.html",
            policies=[(policy, policy_text(policy.name, c), _values(policy)) for policy in policies],
            departments=await self._names(request, operator),
        )  # fmt: skip

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        return await self._one(request, operator, found, _values(found) if found else _EMPTY)

    async def _one(
        self, request: Request, operator: Operator, found: Policy | None, values: Mapping[str, Any],
        errors: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        async with self._tickets.db.read() as session:
            calendars = (await session.exec(select(CalendarRow).order_by(col(CalendarRow.name)))).all()
            running = await _running(session, found) if found else 0
            versions = await _versions(session, found) if found else []
        return self._door.page(
            request, operator, "desk/admin/policy.html", errors=errors, policy=found, values=values,
            title=policy_text(found.name, self._door.catalogue(request, operator)) if found else "",
            calendars=[(row.id, row.name) for row in calendars], running=running, versions=versions,
            departments=await self._names(request, operator),
            applied=applied_in(request),
        )  # fmt: skip

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await self._found(request)
        form = await form_of(request)
        c = self._door.catalogue(request, operator)
        fields = Fields(form, c)
        async with self._tickets.db.read() as session:
            rows = (await session.exec(select(CalendarRow))).all()
        departments = await self._tickets.directory.departments()
        changed = _read(fields, form, found, rows, departments, c)
        if changed is None:
            shown = {**_EMPTY, **form, "match": _match(form, departments)}
            return await self._one(request, operator, found, shown, fields.errors)
        now = self._tickets.clock.now()
        async with self._tickets.db.write() as session:
            current = {policy.key: policy for policy in await current_policies(session)}
            before = current.get(changed.key)
            if before is not None and form.get("version") != str(before.version):
                said = c.gettext("A colleague published another version meanwhile. This is how it stands now.")
                return await self._one(request, operator, before, _values(before), {"name": said})
            published = await publish(session, changed, now)
            old = _values(before) if before else {}
            action = "policy.changed" if before else "policy.added"
            audit(
                session, action, operator, now, subject=published.id,
                about=f"{published.name}, {published.version}", changes=differences(old, _values(published)),
            )  # fmt: skip
            await self._engine.changed(session)
        follows = query_of(await self._engine.apply())
        return RedirectResponse(f"{PLACE}/{published.key}?done={'saved' if found else 'added'}&{follows}", 303)

    async def _names(self, request: Request, operator: Operator) -> list[tuple[str, str]]:
        locale = self._door.catalogue(request, operator).locale
        return [(one.slug, one.name(locale)) for one in await self._tickets.directory.departments()]

    async def _found(self, request: Request) -> Policy | None:
        """None for a new one. Raises 404."""
        wanted = request.path_params["key"]
        if wanted == "new":
            return None
        for policy in await policies_in(self._tickets.db):
            if policy.key == wanted:
                return policy
        raise HTTPException(404)


def _read(
    fields: Fields, form: Mapping[str, str], found: Policy | None, rows: Sequence[CalendarRow],
    departments: Sequence[Department], c: Catalogue,
) -> Policy | None:  # fmt: skip
    """The policy as it was written; None where `fields.errors` says what is wrong."""
    name, position = fields.line("name", 120), fields.number("position", 0, 999)
    fields.line("account_tags", 400, needed=False)
    calendars = {str(row.id): row for row in rows}
    row = calendars.get(fields.choice("calendar", list(calendars)))
    target = fields.number("target", 1, LONGEST) * 60
    breach = fields.number("breach", 1, LONGEST) * 60
    if "breach" not in fields.errors and "target" not in fields.errors and breach < target:
        fields.errors["breach"] = c.gettext("Not before the promised time.")
    alarms = []
    for step in STEPS:
        if form.get(f"step_{step}", "").strip():
            after = fields.number(f"step_{step}", 1, LONGEST) * 60
            if f"step_{step}" not in fields.errors and after > breach:
                fields.errors[f"step_{step}"] = c.gettext("Later than the breach nobody can be warned of it.")
            alarms.append(Alarm(after, step))
    if len({alarm.after for alarm in alarms}) < len(alarms):
        fields.errors["step_offer"] = c.gettext("Two steps at one minute: choose another.")
    if fields.errors or row is None:
        return None
    calendar = calendar_of(row)
    kind = form.get("kind") if form.get("kind") in ("ticket", "conversation") else "ticket"
    steps = tuple(sorted(alarms, key=lambda alarm: alarm.after))
    targets = dict(found.targets) if found else {}
    for metric in (FIRST_REPLY, NEXT_REPLY):
        pauses = () if metric == FIRST_REPLY or kind == "conversation" else WAITING
        targets[metric] = Target(metric, target, breach, steps, calendar, pauses, row.id)
    if found is None and kind == "ticket":
        every = Alarm(-120, "assigned")
        targets["update_by"] = Target("update_by", 0, 0, (every,), calendar, (), row.id)
    key = found.key if found else f"policy-{new_id().hex[-12:]}"
    match = {"subject_kind": [kind]} | _match(form, departments)
    if kind == "conversation" and match.pop(ACCOUNT_TAGS, None):
        fields.errors["account_tags"] = c.gettext(
            "Only for tickets: of who writes in a conversation no account is known."
        )
        return None
    changed = Policy(new_id(), key, 0, position, name, match, targets)
    return replace(found, name=name, position=position, match=match, targets=targets) if found else changed


def _match(form: Mapping[str, str], departments: Sequence[Department]) -> dict[str, list[Any]]:
    """What is ticked; nothing or all of a kind fits all."""
    match: dict[str, list[Any]] = {}
    channels = [one for one in CHANNELS if f"channel_{one}" in form]
    if channels and len(channels) < len(CHANNELS):
        match["contact_channel"] = channels
    chosen = [one.slug for one in departments if f"department_{one.slug}" in form]
    if chosen and len(chosen) < len(departments):
        match["department"] = chosen
    priorities = [one for one in (HIGH, NORMAL) if f"priority_{one}" in form]
    if len(priorities) == 1:
        match["priority"] = priorities
    tags = dict.fromkeys(" ".join(tag.split()).casefold() for tag in form.get("account_tags", "").split(","))
    if found := [tag for tag in tags if tag]:
        match[ACCOUNT_TAGS] = found
    return match


def _values(policy: Policy) -> dict[str, Any]:
    target = policy.targets.get(FIRST_REPLY)
    steps = {alarm.step: alarm.after // 60 for alarm in target.alarms} if target else {}
    return {
        "name": policy.name,
        "position": policy.position,
        "kind": "conversation" if policy.match.get("subject_kind") == ["conversation"] else "ticket",
        "match": {name: allowed for name, allowed in policy.match.items() if name != "subject_kind"},
        "calendar": str(target.calendar_id or ALWAYS) if target else str(ALWAYS),
        "target": target.target_seconds // 60 if target else 10,
        "breach": target.breach_seconds // 60 if target else 10,
        **{f"step_{step}": steps.get(step, "") for step in STEPS},
    }


_EMPTY: dict[str, Any] = {
    "name": "", "position": 0, "kind": "ticket", "match": {}, "calendar": str(ALWAYS), "target": 10, "breach": 10,
    "step_assigned": 5, "step_offer": 8, "step_supervisor": 9,
}  # fmt: skip


async def _running(session: AsyncSession, policy: Policy) -> int:
    counted = (
        select(func.count())
        .select_from(SlaClock)
        .join(SlaPolicy, col(SlaPolicy.id) == col(SlaClock.policy_id))
        .where(SlaClock.state == "running", SlaClock.metric != SOLVE, col(SlaClock.breached_at).is_(None))
        .where(SlaPolicy.key == policy.key)
    )
    return (await session.exec(counted)).one()


async def _versions(session: AsyncSession, policy: Policy) -> Sequence[SlaPolicy]:
    """Newest first."""
    found = await session.exec(
        select(SlaPolicy).where(SlaPolicy.key == policy.key).order_by(col(SlaPolicy.version).desc()).limit(10)
    )
    return found.all()
