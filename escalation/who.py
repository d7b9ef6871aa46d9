"""Who is signed in, as far as tickets need to know."""

from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse

from chat.public import Operator
from escalation.change import Actor


class OperatorSignIn(Protocol):
    """What `chat` hands in: the operator of a request by its cookie, and the defence against foreign pages."""

    async def operator(self, request: HTTPConnection) -> Operator | None: ...

    def check_csrf(self, request: HTTPConnection) -> None:
        """Raises 403."""
        ...


def actor_of(operator: Operator) -> Actor:
    return Actor("operator", operator.name, operator.id)


def theme_of(operator: Operator) -> str:
    return str(operator.settings.get("theme", "auto"))


def to_sign_in(request: Request) -> RedirectResponse:
    return RedirectResponse("/console/sign-in", 303)
