"""Web sites that embed the widget: where it may stand and what it says there."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.console.admin.door import AdminDoor
from chat.console.admin.fields import Fields
from chat.console.admin.rows import named_row
from chat.console.forms import form_of
from chat.db import Database
from chat.ids import new_id
from chat.people.audit import audit, differences
from chat.people.models import Operator, Site

PLACE = "/console/admin/sites"
SUGGESTIONS = 3
LANGUAGES = ("en", "sl")


class SitePages:
    def __init__(self, db: Database, clock: Clock, door: AdminDoor, base_url: str) -> None:
        self._db = db
        self._clock = clock
        self._door = door
        self._base_url = base_url

    def routes(self) -> list[BaseRoute]:
        guarded = self._door.guarded
        return [
            Route(PLACE, guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._save, proves=True), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        async with self._db.read() as session:
            sites = (await session.execute(select(Site).order_by(col(Site.name), col(Site.id)))).scalars().all()
        return self._door.page(request, operator, "console/admin/sites.html", sites=sites)

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, Site, request)
        return self._one(request, operator, found, _values(found) if found else _EMPTY)

    def _one(
        self, request: Request, operator: Operator, found: Site | None, values: Mapping[str, str],
        errors: dict[str, str] | None = None,
    ) -> Response:  # fmt: skip
        snippet = f'<script async src="{self._base_url}/w/{found.key}/loader.js"></script>' if found else ""
        return self._door.page(
            request, operator, "console/admin/site.html", errors=errors, site=found, values=values, snippet=snippet,
            numbers=range(1, SUGGESTIONS + 1),
        )  # fmt: skip

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, Site, request)
        form = await form_of(request)
        fields = Fields(form, self._door.catalogue(request, operator))
        name, origins = fields.line("name", 120), fields.origins("origins")
        locale = fields.choice("locale", LANGUAGES)
        settings = {
            "accent": fields.colour("accent"),
            "logo_text": fields.line("logo_text", 2, needed=False),
            "privacy_url": fields.web_address("privacy_url"),
            "topics": {one: fields.line(f"topics_{one}", 160, needed=False) for one in LANGUAGES},
            "suggestions": _suggestions(fields),
        }
        if fields.errors:
            return self._one(request, operator, found, {**_EMPTY, **form}, fields.errors)
        now = self._clock.now()
        async with self._db.write() as session:
            if found is None:
                row = Site(
                    id=new_id(), key=secrets.token_hex(10), name=name, origins=origins, locale=locale,
                    settings=settings, created_at=now,
                )  # fmt: skip
                session.add(row)
                audit(session, "site.added", operator, now, subject=row.id, about=name, changes=_values(row))
            else:
                row = await session.get_one(Site, found.id, with_for_update=True)
                before = _values(row)
                row.name, row.origins, row.locale = name, origins, locale
                # What only other programs know stays.
                row.settings = {**row.settings, **settings}
                if changed := differences(before, _values(row)):
                    audit(session, "site.changed", operator, now, subject=row.id, about=name, changes=changed)
        return RedirectResponse(f"{PLACE}/{row.id}?done={'saved' if found else 'added'}", 303)


def _suggestions(fields: Fields) -> list[dict[str, Any]]:
    """Those with a question and an answer in at least one language."""
    found = []
    for n in range(1, SUGGESTIONS + 1):
        one: dict[str, dict[str, str]] = {"question": {}, "answer": {}}
        for locale in LANGUAGES:
            question = fields.line(f"question_{n}_{locale}", 160, needed=False)
            answer = fields.text(f"answer_{n}_{locale}", 1000, needed=bool(question))
            if question and answer:
                one["question"][locale], one["answer"][locale] = question, answer
        if one["question"]:
            found.append(one)
    return found


def _values(row: Site) -> dict[str, str]:
    settings = row.settings
    values = {
        "name": row.name,
        "origins": "\n".join(row.origins),
        "locale": row.locale,
        "accent": str(settings.get("accent") or ""),
        "logo_text": str(settings.get("logo_text") or ""),
        "privacy_url": str(settings.get("privacy_url") or ""),
    }
    for locale in LANGUAGES:
        values[f"topics_{locale}"] = _said(settings.get("topics"), locale)
    suggestions = settings.get("suggestions") or []
    for n in range(1, SUGGESTIONS + 1):
        one = suggestions[n - 1] if len(suggestions) >= n else {}
        for locale in LANGUAGES:
            for part in ("question", "answer"):
                values[f"{part}_{n}_{locale}"] = _said(one.get(part), locale)
    return values


def _said(value: object, locale: str) -> str:
    if isinstance(value, Mapping):
        return str(value.get(locale) or "")
    return str(value or "") if locale == "en" else ""


_EMPTY = _values(
    Site(
        id=new_id(), key="", name="", origins=[], locale="en", settings={}, created_at=datetime.min.replace(tzinfo=UTC)
    )
)
