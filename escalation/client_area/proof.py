"""The page behind the link in a neutral question: a button that proves the address. Works without script."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chat.csrf import require_ours
from chat.ids import parse_id
from chat.links import Links
from chat.pages import Pages
from chat.public import form_of
from escalation import proofs
from escalation.actions import Tickets

NOBODY = UUID(int=0)


class ProofPage:
    """A link that does not work, for whatever reason, is 404; an expired one offers to mail another."""

    def __init__(self, tickets: Tickets, pages: Pages, links: Links, base_url: str) -> None:
        self._tickets = tickets
        self._pages = pages
        self._links = links
        self._base_url = base_url

    def routes(self) -> list[BaseRoute]:
        return [Route("/t/prove/{link}/{signature}", self._answer, methods=["GET", "POST"])]

    async def _answer(self, request: Request) -> Response:
        require_ours(request, self._base_url)
        link = request.path_params["link"]
        genuine = self._links.verify(f"/t/prove/{link}", request.path_params["signature"])
        proof_id = (parse_id(link) if genuine else None) or NOBODY
        if request.method == "POST" and genuine:  # what comes with a forged link is not even read
            return await self._use(request, proof_id)
        opened = await proofs.is_open(self._tickets, proof_id)
        return await self._page(request, "ask" if opened else "over", proof_id, 200 if opened else 404)

    async def _use(self, request: Request, proof_id: UUID) -> Response:
        form = await form_of(request)
        if form.get("action") == "again":
            sent = await proofs.ask_again(self._tickets, proof_id)
            return await self._page(request, "sent" if sent else "over", proof_id, 200 if sent else 404)
        path = await proofs.prove(self._tickets, proof_id)
        if path is None:
            return await self._page(request, "over", proof_id, 404)
        return RedirectResponse(self._links.sign(path).removeprefix(self._base_url), 303)

    async def _page(self, request: Request, step: str, proof_id: UUID, status: int) -> Response:
        strings = self._tickets.strings
        chosen = request.query_params.get("lang") or await proofs.locale_of(self._tickets, proof_id)
        locale = strings.negotiate(request.headers.get("accept-language"), chosen)
        names = {"en": "English", "sl": "Slovenščina"}
        languages = [
            (code, names.get(code, code), f"{request.url.path}?lang={code}")
            for code in strings.locales
            if code != locale
        ]
        context = {"step": step, "languages": languages, "action": request.url.path}
        return self._pages.render(request, "client/proof.html", context, locale=locale, status=status)
