"""One table of headers and one test over all addresses, as a stranger and as an operator."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route

from tests.support.program import Running, program

STRANGER = "as a stranger"
OPERATOR = "as an operator"
PUBLIC = {("/contact", "public, max-age=60")}
"""Pages that are the same for everybody may be kept for a minute."""


def addresses(running: Running) -> list[str]:
    """Every GET route with something in the place of its parameters."""
    found = []
    for route in running.desk.routes():
        if isinstance(route, Route) and "GET" in (route.methods or ()):
            path = route.path.replace("{site_key}", running.site_key)
            found.append(re.sub(r"\{\w+(?::\w+)?\}", "none", path))
    return sorted(set(found))


def faults_of(path: str, answer: httpx2.Response) -> list[str]:
    headers = answer.headers
    policy = headers.get("content-security-policy", "")
    media_type = headers.get("content-type", "").split(";")[0]
    wanted = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
    faults = [f"{name} is {headers.get(name)}" for name, value in wanted.items() if headers.get(name) != value]
    if answer.status_code >= 500:
        faults.append(f"answers {answer.status_code}")
    if media_type not in ("text/javascript", "text/css"):
        if "default-src 'none'" not in policy or "unsafe" in policy:
            faults.append(f"policy is {policy!r}")
        is_framed = path.startswith("/w/") and answer.status_code == 200 and media_type == "text/html"
        if not is_framed and ("frame-ancestors 'none'" not in policy or headers.get("x-frame-options") != "DENY"):
            faults.append("may be framed")
        if is_framed and ("frame-ancestors https://" not in policy or "x-frame-options" in headers):
            faults.append("cannot be framed by its site")
        cached = headers.get("cache-control", "")
        if "no-store" not in cached and (path, cached) not in PUBLIC:
            faults.append(f"is cached: {headers.get('cache-control')}")
    if media_type == "text/html" and answer.status_code == 200:
        # A partial has no policy of its own and runs nothing at all; a page runs what carries its nonce.
        if "script-src" in policy and ("require-trusted-types-for 'script'" not in policy or "'nonce-" not in policy):
            faults.append("runs more than its own scripts")
        if not is_permission_refused(headers):
            faults.append("may ask for camera or place")
    return [f"{path}: {fault}" for fault in faults]


def is_permission_refused(headers: httpx2.Headers) -> bool:
    policy = headers.get("permissions-policy", "")
    return all(f"{name}=()" in policy for name in ("camera", "microphone", "geolocation"))


@pytest.mark.parametrize("who", [STRANGER, OPERATOR])
async def test_every_answer_has_its_headers(tmp_path: Path, who: str) -> None:
    async with program(tmp_path) as running:
        if who == OPERATOR:
            browser = await running.signed_in(await running.operator())
        else:
            browser = httpx2.AsyncClient(base_url=running.base_url)
        faults: list[str] = []
        for path in [*addresses(running), "/no/such/place", "/console/../etc", "/%00"]:
            faults += faults_of(path, await browser.get(path))
        await browser.aclose()
    assert faults == []


async def test_nothing_of_a_request_is_reflected_in_a_cached_answer(tmp_path: Path) -> None:
    """B6: poisoning headers leave the loader byte for byte as it is."""
    async with program(tmp_path) as running, httpx2.AsyncClient(base_url=running.base_url) as browser:
        path = f"/w/{running.site_key}/loader.js"
        plain = await browser.get(path)
        poisoned = await browser.get(
            f"{path}?callback=mallory",
            headers={
                "X-Forwarded-Host": "mallory.example",
                "X-Forwarded-Proto": "gopher",
                "X-Original-URL": "/mallory",
                "Forwarded": "host=mallory.example",
                "Accept-Language": "mallory",
            },
        )
    assert plain.status_code == 200
    assert plain.content == poisoned.content
    assert b"mallory" not in poisoned.content


async def test_no_answer_sends_a_browser_to_the_host_that_a_request_names(tmp_path: Path) -> None:
    async with program(tmp_path) as running, httpx2.AsyncClient(base_url=running.base_url) as browser:
        for path in addresses(running):
            for asked in (path, f"{path}/"):
                answer = await browser.get(asked, headers={"Host": "evil.example"})
                assert "evil.example" not in answer.headers.get("location", "") + answer.text, asked
