"""The defence against foreign pages that post in a signed-in person's name."""

from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def origin_of(url: str) -> str:
    """`https://chat.example.com/a` -> `https://chat.example.com`, in lower case as browsers send it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def is_ours(connection: HTTPConnection, base_url: str) -> bool:
    """Whether the browser says that our own page sent this: `Sec-Fetch-Site`, else the exact Origin; neither is no."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return connection.headers.get("origin") == origin_of(base_url)


def require_ours(request: HTTPConnection, base_url: str) -> None:
    """Raises 403 for an unsafe method that does not come from our own pages."""
    if request.scope.get("method", "GET") not in SAFE_METHODS and not is_ours(request, base_url):
        raise HTTPException(403)
