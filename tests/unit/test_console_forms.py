"""Where people may be sent, and who may post: Mallory's pages and addresses are refused."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from chat.console.forms import form_of, local_path
from chat.csrf import is_ours, require_ours

OURS = "https://chat.example.com"


def request(method: str = "POST", body: bytes = b"", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    sent = False

    async def receive() -> dict[str, object]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "query_string": b""}, receive)


@pytest.mark.parametrize("path", ["/console", "/console/conversations/0198?x=1", "/desk/tickets#top"])
def test_a_local_path_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "/\t/evil.example", "/a\nb", "x"],
)
def test_another_host_is_never_a_way_back(path: str) -> None:
    assert local_path(path) == "/console"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_only_our_own_pages_may_post(site: str) -> None:
    with pytest.raises(HTTPException) as refused:
        require_ours(request(sec_fetch_site=site, origin=OURS), OURS)
    assert refused.value.status_code == 403


def test_our_page_may_post() -> None:
    require_ours(request(sec_fetch_site="same-origin"), OURS)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://chat.example.com",
        "https://chat.example.com:8443",
        "https://chat.example.com.evil.example",
        "https://evil-chat.example.com",
        "https://chat.example.com.",
        "https://chat.example.com/",
        "",
    ],
)
def test_without_fetch_metadata_only_the_exact_origin_counts(origin: str) -> None:
    assert is_ours(request(origin=OURS), OURS)
    assert not is_ours(request(origin=origin), OURS)


def test_with_neither_header_nobody_posts() -> None:
    with pytest.raises(HTTPException):
        require_ours(request(), OURS)
    require_ours(request("GET"), OURS)


async def test_a_form_is_read_with_a_limit() -> None:
    assert await form_of(request(body=b"a=1&b=%C5%A1&a=2")) == {"a": "2", "b": "š"}
    with pytest.raises(HTTPException) as too_large:
        await form_of(request(body=b"a=" + b"x" * 70_000))
    assert too_large.value.status_code == 413
    with pytest.raises(HTTPException):
        await form_of(request(body=b"a=%ff"))
