"""Who may come in to the pages of administrators, and what all of them look like. Other packages add theirs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from chat.bodies import kept
from chat.console.doorway import Doorway
from chat.console.forms import form_of
from chat.console.sign_in_routes import refusal
from chat.people.models import Operator
from chat.people.sign_in import PasswordRefused
from chat.strings import Catalogue

ADMINISTRATOR = "administrator"
Endpoint = Callable[[Request, Operator], Awaitable[Response]]
PROOF = "proof"
"""The field with the password, where it is asked for again."""
CODES = frozenset({"saved", "added", "removed"})


@dataclass(frozen=True)
class Section:
    """An entry of the menu. `label` is a msgid."""

    label: str
    url: str
    icon: str


class Blanks(dict[str, Any]):
    """Fields by name; one that is not there is blank."""

    def __missing__(self, name: str) -> str:
        return ""


class AdminDoor:
    def __init__(self, doorway: Doorway, sections: Sequence[Section]) -> None:
        self._doorway = doorway
        self._sections = tuple(sections)

    def guarded(self, endpoint: Endpoint, *, proves: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """For administrators. To everybody else who is signed in the page does not exist. `proves`: of a sign-in older
        than a quarter of an hour the password is asked for again, with the form kept."""

        async def answer(request: Request) -> Response:
            self._doorway.sign_in.check_csrf(request)
            login = await self._doorway.sign_in.login(request)
            if login is None:
                return self._doorway.to_sign_in(request)
            operator = login.operator
            if operator.role != ADMINISTRATOR:
                return self._nothing(request, operator, 404)
            try:
                if proves and not self._doorway.sign_in.is_fresh(login):
                    request = await kept(request)
                    if refused := await self._unproven(request, operator):
                        return refused
                return await endpoint(request, operator)
            except HTTPException as error:
                if error.status_code not in (404, 413):
                    raise
                return self._nothing(request, operator, error.status_code)

        return answer

    def _nothing(self, request: Request, operator: Operator, status: int) -> Response:
        context = {"status": status, "said": "", "number": "", "home": "/console"}
        return self._doorway.page(request, "refused.html", context, operator, status)

    async def _unproven(self, request: Request, operator: Operator) -> Response | None:
        form = await form_of(request)
        password = form.pop(PROOF, None)
        error, status = "", 403
        if password is not None:
            address = request.client.host if request.client else ""
            outcome = await self._doorway.sign_in.by_password(operator.email, password, address)
            if not isinstance(outcome, PasswordRefused):
                return None
            error, status = refusal(self.catalogue(request, operator), outcome.wait), 429 if outcome.wait else 422
        context = {"form": form, "proof": PROOF, "action": request.url.path, "error": error}
        return self._doorway.page(request, "admin/proof.html", context, operator, status)

    def catalogue(self, request: Request, operator: Operator) -> Catalogue:
        return self._doorway.strings.catalogue(self._doorway.locale(request, operator))

    def page(
        self,
        request: Request,
        operator: Operator,
        template: str,
        *,
        errors: dict[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """`errors`: field -> what is wrong, in the reader's language; with them the status is 422."""
        done = request.query_params.get("done", "")
        values = {
            "sections": self._sections,
            "done": done if done in CODES else "",
            "errors": Blanks(errors or {}),
            **context,
            "values": Blanks(context.get("values", {})),
        }
        return self._doorway.render(request, template, values, operator, 422 if errors else 200)
