"""Account settings: language and zone, the password, where one is signed in. Other pages join by `settings_pages`."""

from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.db import Database, table_of
from chat.public import PasswordTooShort, form_of, in_words, local_path
from escalation.client_area.doorway import HOME, SIGN_IN, Doorway, SettingsPage, languages, wanted_path
from escalation.client_area.sign_in import Login, Refused, SignedOut, choose
from escalation.client_area.sign_in_routes import try_again
from escalation.customers.models import EmailAddress

PROFILE = "/client/settings"
SECURITY = "/client/settings/security"
AREAS = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
ZONES = ("UTC", *sorted(zone for zone in available_timezones() if zone.startswith(AREAS)))


class SettingsRoutes:
    def __init__(self, db: Database, clock: Clock, doorway: Doorway) -> None:
        self._db = db
        self._clock = clock
        self._doorway = doorway
        doorway.settings_pages += [
            SettingsPage(PROFILE, label="Profile"),
            SettingsPage(SECURITY, label="Sign-in and security"),
        ]

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PROFILE, self._profile, methods=["GET", "POST"]),
            Route(SECURITY, self._security, methods=["GET", "POST"]),
            Route("/client/settings/sign-out-elsewhere", self._sign_out_elsewhere, methods=["POST"]),
            Route("/client/language", self._language, methods=["POST"]),
        ]

    # ── profile ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _profile(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        if request.method == "GET":
            return await self._profile_page(request, login, login.reader.time_zone)
        form = await form_of(request)
        locale, zone = form.get("locale", ""), form.get("zone", "")
        if zone not in ZONES:
            error = self._doorway.catalogue(request, login.reader).gettext("Choose a zone from the list.")
            return await self._profile_page(request, login, "", error=error, status=422)
        await self._choose(login, locale=self._doorway.strings.negotiate(None, locale), time_zone=zone)
        return RedirectResponse(f"{PROFILE}?saved=1", 303)

    async def _profile_page(
        self, request: Request, login: Login, zone: str, *, error: str = "", status: int = 200
    ) -> Response:
        c = self._doorway.catalogue(request, login.reader)
        context = {
            "addresses": await self._addresses(login),
            "all_languages": languages(self._doorway.strings),
            "zones": ZONES,
            "chosen_zone": zone or str(self._doorway.zone_of(login.reader)),
            "now": self._clock.now(),
            "error": error,
            "said": c.gettext("It is saved.") if "saved" in request.query_params else "",
        }
        return await self._doorway.page(request, "settings.html", context, login, status=status)

    async def _choose(self, login: Login, **values: Any) -> None:
        async with self._db.write() as session:
            await choose(session, login.reader.customer_id, **values)

    async def _addresses(self, login: Login) -> list[str]:
        rows = table_of(EmailAddress)
        asked = (
            select(rows.c.raw)
            .where(rows.c.customer_id == login.reader.customer_id, rows.c.registered)
            .order_by(rows.c.address)
        )
        async with self._db.read() as session:
            return list((await session.execute(asked)).scalars())

    # ── security ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _security(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        if request.method == "GET":
            return await self._security_page(request, login)
        form = await form_of(request)
        c = self._doorway.catalogue(request, login.reader)
        if not login.has_password and not login.is_fresh:
            return await self._security_page(request, login, status=422)
        try:
            outcome = await self._doorway.sign_in.set_password(
                login,
                form.get("current", ""),
                form.get("password", ""),
                in_words(request.headers.get("user-agent", "")),
            )
        except SignedOut:
            return self._doorway.to_sign_in(request)
        except PasswordTooShort:
            error = c.gettext("A password has 10 to 200 characters.")
            return await self._security_page(request, login, error=error, is_new=True, status=422)
        if isinstance(outcome, Refused):
            error = c.gettext("That is not your current password.")
            if outcome.wait:
                error = f"{error} {try_again(c, outcome.wait)}"
            return await self._security_page(request, login, error=error, status=429 if outcome.wait else 422)
        answer = RedirectResponse(f"{SECURITY}?saved=1", 303)
        self._doorway.sign_in.remember(answer, outcome)
        return answer

    async def _security_page(
        self, request: Request, login: Login, *, error: str = "", is_new: bool = False, status: int = 200
    ) -> Response:
        c = self._doorway.catalogue(request, login.reader)
        context = {
            "addresses": await self._addresses(login),
            "has_password": login.has_password,
            "is_fresh": login.is_fresh,
            "logins": await self._doorway.sign_in.open_logins(login),
            "login_id": login.id,
            "error": error,
            "is_new": is_new,
            "said": c.gettext("The password is saved. Other browsers are signed out.")
            if "saved" in request.query_params
            else "",
        }
        return await self._doorway.page(request, "settings_security.html", context, login, status=status)

    async def _sign_out_elsewhere(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request, SECURITY)
        await self._doorway.sign_in.sign_out_elsewhere(login)
        return RedirectResponse(SECURITY, 303)

    async def _language(self, request: Request) -> Response:
        """For everybody; whoever is signed in keeps it."""
        login = await self._doorway.login(request)
        form = await form_of(request)
        locale = self._doorway.strings.negotiate(None, form.get("locale"))
        wanted = local_path(form.get("next", ""), HOME)
        # The pages of signing in may be left for another language, and come back to themselves.
        answer = RedirectResponse(wanted if wanted.startswith(SIGN_IN) else wanted_path(wanted), 303)
        if login is not None:
            await self._choose(login, locale=locale)
        self._doorway.keep_locale(answer, locale)
        return answer
