"""Headers that every answer carries, errors included. Pages add their own in `pages.py`."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What has no policy of its own is data: nothing in it may run or be framed.
DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"
HSTS = "max-age=31536000; includeSubDomains"


class SecureHeaders:
    """Pure ASGI, outermost: fills in what an answer lacks and never overrides it."""

    def __init__(self, app: ASGIApp, *, hsts: bool = False) -> None:
        self._app = app
        self._hsts = hsts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                secure(MutableHeaders(scope=message), hsts=self._hsts)
            await send(message)

        await self._app(scope, receive, send_secured)


def secure(headers: MutableHeaders, *, hsts: bool = False) -> None:
    """Add what is missing to the headers of one answer."""
    headers.setdefault("x-content-type-options", "nosniff")
    headers.setdefault("referrer-policy", "same-origin")
    headers.setdefault("cross-origin-resource-policy", "same-origin")
    headers.setdefault("permissions-policy", PERMISSIONS)
    headers.setdefault("cache-control", "no-store")
    if hsts:
        headers.setdefault("strict-transport-security", HSTS)
    # A policy on a script would bind the workers started from it, and protects nothing.
    is_code = headers.get("content-type", "").startswith(("text/javascript", "text/css"))
    if "content-security-policy" not in headers and not is_code:
        headers["content-security-policy"] = DATA_POLICY
        headers.setdefault("x-frame-options", "DENY")
    if "server" in headers:
        del headers["server"]
