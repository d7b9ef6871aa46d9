"""Account settings, E-mail delivery: addresses per type, and the page behind the link that confirms one."""

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.clock import Clock
from chat.db import Database
from chat.ids import parse_id
from chat.links import Links
from chat.public import form_of
from chat.strings import Catalogue
from escalation.client_area.doorway import Doorway, SettingsPage
from escalation.client_area.sign_in import Login
from escalation.customers.delivery import TYPES, delivery_settings, types_of
from escalation.customers.delivery_actions import (
    MOST_PER_TYPE,
    PAGE,
    AddressGone,
    AddressRefused,
    AddressTaken,
    AddressThere,
    Delivery,
    DeliveryError,
    TooMany,
    TooOften,
)

NOBODY = UUID(int=0)


class DeliveryRoutes:
    def __init__(self, db: Database, clock: Clock, doorway: Doorway, delivery: Delivery, links: Links) -> None:
        self._db = db
        self._clock = clock
        self._doorway = doorway
        self._delivery = delivery
        self._links = links
        doorway.settings_pages.append(SettingsPage(PAGE, label="E-mail delivery"))

    def routes(self) -> list[BaseRoute]:
        return [
            Route(PAGE, self._answer, methods=["GET", "POST"]),
            Route(f"{PAGE}/addresses/{{id}}", self._change, methods=["POST"]),
            Route(f"{PAGE}/confirm/{{proof}}/{{signature}}", self._confirm, methods=["GET", "POST"]),
        ]

    # ── signed in ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        if request.method == "GET":
            return await self._page(request, login)
        form = await form_of(request)
        kind, address = form.get("type", ""), form.get("address", "")
        if kind not in await self._types(login):
            return await self._doorway.gone(request, login)
        if not login.is_fresh:
            return await self._page(request, login, kind=kind, address=address, status=403)
        c = self._doorway.catalogue(request, login.reader)
        try:
            at_once = await self._delivery.add(login.reader.account_id, kind, address, login.reader.locale)
        except DeliveryError as error:
            said = said_of(error, c)
            return await self._page(request, login, kind=kind, address=address, error=said, status=422)
        return RedirectResponse(f"{PAGE}?said={'added' if at_once else 'sent'}", 303)

    async def _change(self, request: Request) -> Response:
        """Send the link again, or take the address away."""
        login = await self._doorway.login(request)
        if login is None:
            return self._doorway.to_sign_in(request)
        form = await form_of(request)
        to_id = parse_id(request.path_params["id"]) or NOBODY
        c = self._doorway.catalogue(request, login.reader)
        kind = await self._delivery.kind_of(login.reader.account_id, to_id)
        if kind not in await self._types(login):
            return await self._doorway.gone(request, login)
        if not login.is_fresh:
            return await self._page(request, login, status=403)
        try:
            if form.get("action") == "remove":
                await self._delivery.remove(login.reader.account_id, to_id)
                return RedirectResponse(f"{PAGE}?said=removed", 303)
            await self._delivery.ask_again(login.reader.account_id, to_id, login.reader.locale)
        except AddressGone:
            return await self._doorway.gone(request, login)
        except DeliveryError as error:
            return await self._page(request, login, kind=kind, error=said_of(error, c), status=422)
        return RedirectResponse(f"{PAGE}?said=sent", 303)

    async def _types(self, login: Login) -> frozenset[str]:
        async with self._db.read() as session:
            return await types_of(session, login.reader)

    async def _page(
        self, request: Request, login: Login, *, kind: str = "", address: str = "", error: str = "", status: int = 200
    ) -> Response:
        c = self._doorway.catalogue(request, login.reader)
        async with self._db.read() as session:
            found = await delivery_settings(session, login.reader.account_id, self._clock.now())
            allowed = await types_of(session, login.reader)
        if found is None:
            return await self._doorway.gone(request, login)
        says = {
            "sent": c.gettext("A link is on its way. The address receives nothing before it is used."),
            "added": c.gettext("The address is added. It was confirmed before."),
            "removed": c.gettext("The address is removed."),
        }
        context: dict[str, Any] = {
            "kinds": [(one, *names_of(one, c)) for one in TYPES],
            "found": found,
            "allowed": allowed,
            "is_fresh": login.is_fresh,
            "page": PAGE,
            "opened": kind,
            "typed": address,
            "error": error,
            "said": says.get(request.query_params.get("said", ""), "") if status == 200 else "",
        }
        return await self._doorway.page(request, "settings_delivery.html", context, login, status=status)

    # ── by the link alone ────────────────────────────────────────────────────────────────────────────────────────

    async def _confirm(self, request: Request) -> Response:
        """GET shows a button, POST uses it. Forged, used, expired and unknown are one answer."""
        self._doorway.check_csrf(request)
        proof = request.path_params["proof"]
        genuine = self._links.verify(f"{PAGE}/confirm/{proof}", request.path_params["signature"])
        proof_id = (parse_id(proof) if genuine else None) or NOBODY
        context: dict[str, Any] = {"kept": None, "step": "ask"}
        try:
            if request.method == "POST":
                context |= {"step": "done", "proof": await self._delivery.confirm(proof_id)}
            else:
                context["proof"] = await self._delivery.proof(proof_id)
        except AddressTaken:
            return await self._doorway.page(request, "delivery_confirm.html", context | {"step": "taken"}, status=409)
        except AddressGone:
            return await self._doorway.page(request, "delivery_confirm.html", context | {"step": "over"}, status=404)
        c = self._doorway.catalogue(request)
        context["types"] = [names_of(kind, c)[0] for kind in context["proof"].types]
        return await self._doorway.page(request, "delivery_confirm.html", context)


def names_of(kind: str, c: Catalogue) -> tuple[str, str]:
    """Of a type, and what it holds."""
    match kind:
        case "billing":
            return c.gettext("Billing"), c.gettext("Invoices, order confirmations and tickets about them")
        case "support":
            return c.gettext("Support"), c.gettext("Ticket updates and replies")
        case "abuse":
            return c.gettext("Abuse"), c.gettext("Abuse reports and security notices")
        case _:
            return c.gettext("Service"), c.gettext("Maintenance, changes and outages of your services")


def said_of(error: DeliveryError, c: Catalogue) -> str:
    match error:
        case AddressRefused():
            return c.gettext("This is no e-mail address. Write it as name@example.com.")
        case AddressThere():
            return c.gettext("This address is in the list already.")
        case TooMany():
            return c.gettext("There are %(number)s addresses already. Remove one first.") % {"number": MOST_PER_TYPE}
        case TooOften():
            return c.gettext("Several links were sent already. Look into that mailbox, or try again tomorrow.")
        case _:
            return c.gettext("That did not work. Try again.")
