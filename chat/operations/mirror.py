"""`/doctor`: tells `nightdesk doctor` how its request arrived. For nobody else: who asks proves to hold the secret key,
and what it says (addresses, headers) is only of that request."""

import hashlib
import hmac
import time

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PATH = "/doctor"
HEADER = "X-Nightdesk-Doctor"
GOOD_SECONDS = 3600
"""Much, since a wrong clock is one of the things that the doctor looks for."""


class Seen(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    client: str = ""
    port: int = 0
    believed: bool = False
    """The address is the one that a trusted proxy named."""
    scheme: str = ""
    host: str = ""
    forwarded_for: str = ""


NOTHING = Seen()


def doctor_pass(secret_key: str, now: float | None = None) -> str:
    at = str(int(time.time() if now is None else now))
    key = hashlib.sha256(b"nightdesk doctor\0" + secret_key.encode()).digest()
    return f"{at}.{hmac.new(key, at.encode(), hashlib.sha256).hexdigest()}"


class Mirror:
    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        given = request.headers.get(HEADER, "")
        at = given.partition(".")[0]
        if not (at.isascii() and at.isdigit() and len(at) < 12) or abs(time.time() - int(at)) > GOOD_SECONDS:
            raise HTTPException(404)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), doctor_pass(self._secret_key, int(at)).encode()):
            raise HTTPException(404)
        client = request.client
        seen = Seen(
            client=client.host if client else "",
            port=client.port if client else 0,
            # The server puts no port beside an address that it took from the header.
            believed=client is not None and client.port == 0,
            scheme=request.url.scheme,
            host=request.headers.get("host", ""),
            forwarded_for=request.headers.get("x-forwarded-for", ""),
        )
        return Response(msgspec.json.encode(seen), media_type="application/json")
