"""Small forms, read with a limit; and where people may be sent afterwards."""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from chat.bodies import SMALL, body_of, storable

MOST_FIELDS = 40


async def form_of(request: Request, largest: int = SMALL) -> dict[str, str]:
    """The fields of a URL-encoded form of at most `largest` bytes; of two with one name the last counts. Raises 413,
    and 400 for what is no form or what no database keeps."""
    body = await body_of(request, largest)
    try:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(400) from None
    if any(storable(value) != value for value in form.values()):
        raise HTTPException(400)
    return form


def local_path(wanted: str, otherwise: str = "/console") -> str:
    """`wanted` if it is a path on this host, else `otherwise`.

    Browsers read a backslash as a slash and drop tabs and line ends, so none of them may be inside.
    """
    if not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 2000:
        return otherwise
    if "\\" in wanted or any(ord(character) <= 32 or ord(character) == 127 for character in wanted):
        return otherwise
    return wanted
