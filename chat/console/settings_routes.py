"""The page where operators change what is their own: name, language, console, password."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from sqlalchemy import update
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.console.doorway import Doorway
from chat.console.forms import form_of
from chat.console.preferences import THEMES, Preferences
from chat.console.sign_in_routes import waiting
from chat.db import Database, table_of
from chat.people.models import Operator
from chat.people.operators import Operators, PasswordTooShort, SignedOut, require_length
from chat.people.sign_in import Login

MOST_CONVERSATIONS = 20
FIELDS = ("name", "capacity", "current", "new")


class SettingsRoutes:
    def __init__(self, db: Database, clock: Clock, doorway: Doorway) -> None:
        self._db = db
        self._doorway = doorway
        self._sign_in = doorway.sign_in
        self._operators = Operators(db, clock, doorway.sign_in.passwords)

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/console/settings", self._show, methods=["GET"]),
            Route("/console/settings", self._save, methods=["POST"]),
            Route("/console/settings/password", self._password, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        login = await self._sign_in.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        saved = {
            "settings": gettext("Saved."),
            "password": gettext("The password is changed. All other sign-ins are ended."),
        }
        return self._page(request, login, saved=saved.get(request.query_params.get("saved", ""), ""))

    def _page(
        self,
        request: Request,
        login: Login,
        *,
        errors: dict[str, str] | None = None,
        saved: str = "",
        typed: Mapping[str, str] | None = None,
    ) -> Response:
        """`typed`: a form that was refused, to be mended."""
        translate = self._doorway.strings.catalogue(self._doorway.locale(request, login.operator)).gettext
        operator = login.operator
        values = {"name": operator.name, "capacity": str(operator.capacity), "locale": operator.locale}
        context: dict[str, Any] = {
            "may_set_password": self._may_set_password(login),
            "preferences": Preferences.of(operator.settings) if typed is None else _preferences_in(typed),
            "values": values | {name: typed[name] for name in values if typed and name in typed},
            "errors": {field: translate(errors[field]) if errors and field in errors else "" for field in FIELDS},
            "saved": translate(saved) if saved else "",
        }
        return self._doorway.page(request, "settings.html", context, login.operator, 422 if errors else 200)

    def _may_set_password(self, login: Login) -> bool:
        """Who has none shows by a sign-in of just now who they are: whoever finds an old one open gets no way in of
        their own by it, nor what administrators are asked a proof for."""
        return login.operator.password is not None or self._sign_in.is_fresh(login)

    async def _save(self, request: Request) -> Response:
        login = await self._doorway.require(request)
        form = await form_of(request)
        operator = login.operator
        errors = {}
        name = " ".join(form.get("name", "").split())
        capacity = int(form["capacity"]) if form.get("capacity", "").isdecimal() else 0
        if not 1 <= len(name) <= 120:
            errors["name"] = gettext("Write a name of 1 to 120 characters.")
        if not 1 <= capacity <= MOST_CONVERSATIONS:
            errors["capacity"] = gettext("Write a number from 1 to 20.")
        if errors:
            return self._page(request, login, errors=errors, typed=form)
        rows = table_of(Operator)
        values = {
            "name": name,
            "capacity": capacity,
            "locale": self._doorway.strings.negotiate(None, form.get("locale")),
            "settings": _preferences_in(form).stored_in(operator.settings),
        }
        async with self._db.write() as session:
            await session.execute(update(rows).where(rows.c.id == operator.id).values(**values))
        return RedirectResponse("/console/settings?saved=settings", 303)

    async def _password(self, request: Request) -> Response:
        login = await self._doorway.require(request)
        form = await form_of(request)
        operator = login.operator
        new = form.get("new", "")
        if not self._may_set_password(login):
            answer = self._page(request, login)
            answer.status_code = 403
            return answer
        try:
            require_length(new)
        except PasswordTooShort:
            return self._page(request, login, errors={"new": gettext("Write at least 10 characters.")})
        if operator.password is not None:
            address = request.client.host if request.client else ""
            refused = await self._sign_in.own_password(operator, form.get("current", ""), address)
            if refused is not None:
                return self._refused(request, login, refused.wait)
        try:
            operator.password = await self._operators.change_password(operator.id, new, login_id=login.session.id)
        except SignedOut:
            return self._doorway.to_sign_in(request)
        answer = RedirectResponse("/console/settings?saved=password", 303)
        await self._sign_in.begin(operator, answer)
        return answer

    def _refused(self, request: Request, login: Login, wait: float) -> Response:
        c = self._doorway.strings.catalogue(self._doorway.locale(request, login.operator))
        error = waiting(c, c.gettext("This is not your current password."), wait)
        answer = self._page(request, login, errors={"current": error})
        if wait:
            answer.status_code = 429
            answer.headers["Retry-After"] = str(ceil(wait))
        return answer


def _preferences_in(form: Mapping[str, str]) -> Preferences:
    theme = form.get("theme", "")
    return Preferences(
        theme=theme if theme in THEMES else "auto",
        sound="sound" in form,
        letters="letters" in form,
        enter_sends="enter_sends" in form,
    )


def gettext(message: str) -> str:
    """Marks a message for the catalogue; the page translates it."""
    return message
