"""Who is signed in, as far as tickets need to know."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from chat.public import Operator
from chat.strings import Catalogue
from escalation.change import Actor


class OperatorSignIn(Protocol):
    """What `chat` hands in: the operator of a request by its cookie, and the defence against foreign pages."""

    async def operator(self, request: HTTPConnection) -> Operator | None: ...

    def check_csrf(self, request: HTTPConnection) -> None:
        """Raises 403."""
        ...


class AdminDoor(Protocol):
    """What `chat` hands in: pages of administrators stand behind it, and look alike."""

    def guarded(
        self, endpoint: Callable[[Request, Operator], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Nobody but administrators comes in; to others the page does not exist."""
        ...

    def catalogue(self, request: Request, operator: Operator) -> Catalogue: ...

    def page(
        self,
        request: Request,
        operator: Operator,
        template: str,
        *,
        errors: dict[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """`errors`: field -> what is wrong; with them the status is 422."""
        ...  # fmt: skip


def actor_of(operator: Operator) -> Actor:
    return Actor("operator", operator.name, operator.id)


def theme_of(operator: Operator) -> str:
    return str(operator.settings.get("theme", "auto"))


def to_sign_in(request: Request) -> RedirectResponse:
    return RedirectResponse("/console/sign-in", 303)
