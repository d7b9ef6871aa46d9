"""Canned responses: a shortcut, a title, and a text in each language with names that are filled in."""

import re

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
from chat.conversations.models import CannedResponse
from chat.db import Database
from chat.ids import new_id
from chat.people.audit import audit
from chat.people.models import Operator

PLACE = "/console/admin/canned"
LONGEST = 4000
FILLED_IN = ("visitor.name", "operator.name")
_PLACEHOLDER = re.compile(r"\{([^{}\s]+)\}")


class CannedPages:
    def __init__(self, db: Database, clock: Clock, door: AdminDoor) -> None:
        self._db = db
        self._clock = clock
        self._door = door

    def routes(self) -> list[BaseRoute]:
        guarded = self._door.guarded
        return [
            Route(PLACE, guarded(self._list), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._show), methods=["GET"]),
            Route(f"{PLACE}/{{id}}", guarded(self._save), methods=["POST"]),
            Route(f"{PLACE}/{{id}}/remove", guarded(self._remove), methods=["POST"]),
        ]

    async def _list(self, request: Request, operator: Operator) -> Response:
        async with self._db.read() as session:
            found = (await session.execute(select(CannedResponse).order_by(col(CannedResponse.shortcut)))).scalars()
            responses = found.all()
        return self._door.page(request, operator, "console/admin/canned.html", responses=responses)

    async def _show(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, CannedResponse, request)
        values = _values(found) if found else {"shortcut": "", "title": "", "text_en": "", "text_sl": ""}
        return self._door.page(
            request, operator, "console/admin/canned_one.html", response=found, values=values, names=FILLED_IN
        )

    async def _save(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, CannedResponse, request)
        form = await form_of(request)
        fields = Fields(form, c := self._door.catalogue(request, operator))
        shortcut, title = fields.slug("shortcut"), fields.line("title", 120)
        texts = {}
        for locale in ("en", "sl"):
            name = f"text_{locale}"
            texts[locale] = fields.text(name, LONGEST, needed=locale == "en")
            unknown = [one for one in _PLACEHOLDER.findall(texts[locale]) if one not in FILLED_IN]
            if unknown:
                fields.errors[name] = c.gettext(
                    "{%(name)s} is filled in by nothing. Known: {visitor.name}, {operator.name}."
                ) % {"name": unknown[0][:40]}
        async with self._db.write() as session:
            same = select(CannedResponse).where(col(CannedResponse.shortcut) == shortcut)
            other = (await session.execute(same)).scalars().first()
            if other is not None and (found is None or other.id != found.id):
                fields.errors["shortcut"] = c.gettext("There is a response with this shortcut.")
            if not fields.errors:
                texts = {locale: text for locale, text in texts.items() if text}
                now = self._clock.now()
                if found is None:
                    row = CannedResponse(id=new_id(), shortcut=shortcut, title=title, texts=texts)
                    session.add(row)
                    audit(session, "canned.added", operator, now, subject=row.id, about=shortcut)
                else:
                    row = await session.get_one(CannedResponse, found.id, with_for_update=True)
                    row.shortcut, row.title, row.texts = shortcut, title, texts
                    audit(session, "canned.changed", operator, now, subject=row.id, about=shortcut)
        if fields.errors:
            return self._door.page(
                request, operator, "console/admin/canned_one.html", errors=fields.errors, response=found, values=form,
                names=FILLED_IN,
            )  # fmt: skip
        return RedirectResponse(f"{PLACE}?done={'saved' if found else 'added'}", 303)

    async def _remove(self, request: Request, operator: Operator) -> Response:
        found = await named_row(self._db, CannedResponse, request)
        if found is not None:
            async with self._db.write() as session:
                row = await session.get(CannedResponse, found.id)
                if row is not None:
                    await session.delete(row)
                    audit(session, "canned.removed", operator, self._clock.now(), subject=row.id, about=row.shortcut)
        return RedirectResponse(f"{PLACE}?done=removed", 303)


def _values(row: CannedResponse) -> dict[str, str]:
    return {
        "shortcut": row.shortcut,
        "title": row.title,
        "text_en": row.texts.get("en", ""),
        "text_sl": row.texts.get("sl", ""),
    }
