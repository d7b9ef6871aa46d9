"""What a browser shows where a page of ours is refused: words, and a way on. Programs that asked get one line."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from chat.console.doorway import Doorway
from chat.people.models import Operator

OPERATORS = ("/console", "/desk")
CUSTOMERS = "/client"
WITH_WORDS = (413, 429)
"""Raised with a sentence for the reader, in their language; other details are for programmers."""


class ErrorPages:
    """`http_error` and `server_error` are exception handlers of Starlette."""

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway

    async def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 — registered for it alone
        if not is_for_eyes(request):
            return PlainTextResponse(error.detail, error.status_code, error.headers)
        is_ours = request.url.path.startswith(OPERATORS)
        if error.status_code == 401 and request.method == "GET" and is_ours:
            return self._doorway.to_sign_in(request)
        operator = await self._doorway.sign_in.operator(request) if is_ours else None
        is_said = error.status_code in WITH_WORDS and error.detail != HTTPStatus(error.status_code).phrase
        said = error.detail if is_said else ""
        answer = self._page(request, error.status_code, operator, said=said)
        answer.headers.update(error.headers or {})
        return answer

    async def server_error(self, request: Request, _error: Exception) -> Response:
        """Asks no database who is there: it may be just what failed."""
        number = request.scope.get("request_id", "")
        if is_for_eyes(request):
            answer = self._page(request, 500, None, number=number)
        else:
            says = f"Something failed on our side. Nothing was lost; try again in a minute. Number {number}."
            answer = PlainTextResponse(says, 500)
        answer.headers["X-Request-Id"] = number
        return answer

    def _page(
        self, request: Request, status: int, operator: Operator | None, *, said: str = "", number: str = ""
    ) -> Response:
        path = request.url.path
        home = "/console" if path.startswith(OPERATORS) else CUSTOMERS if path.startswith(CUSTOMERS) else ""
        context = {"status": status, "said": said, "number": number, "home": home}
        return self._doorway.page(request, "refused.html", context, operator, status)


def is_for_eyes(request: Request) -> bool:
    """Whether the answer becomes the page of a tab: not a picture, a frame, or what a script has fetched."""
    becomes = request.headers.get("sec-fetch-dest")
    if becomes is not None:
        return becomes == "document"
    return "text/html" in request.headers.get("accept", "")
