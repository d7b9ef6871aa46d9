"""Pages: the reader's language, escaped text, and the headers of pages."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from chat.assets import Assets
from chat.headers import SecureHeaders, secure
from chat.pages import Pages
from chat.strings import Catalogue, Strings
from tests.support.clock import FakeClock

MESSAGES: dict[str, str | tuple[str, ...]] = {
    "Hello %(name)s": "Pozdravljeni, %(name)s",
    "%(num)s ticket": ("%(num)s zahtevek", "%(num)s zahtevka", "%(num)s zahtevki", "%(num)s zahtevkov"),
    "now": "zdaj",
    "</script>": "</script><b>",
}
PAGE = """<p>{{ _("Hello %(name)s", name=name) }}</p><p>{{ ngettext("%(num)s ticket", "%(num)s tickets", 2) }}</p>
<script nonce="{{ csp_nonce }}" src="{{ asset("widget/a.js") }}"></script>
<script type="application/json" id="strings">{{ strings_json("widget") }}</script>"""
TIMES = """{{ at|time }} {{ at|time("America/New_York") }} | {{ at|datetime }} | {{ at|date }} | {{ at|ago }} |
{{- " " ~ at|iso }}"""


@pytest.fixture
def pages(tmp_path: Path, clock: FakeClock) -> Pages:
    (tmp_path / "a.js").write_text("t('</script>')")
    for name, text in {
        "page.html": PAGE,
        "times.html": TIMES,
        "wrong.html": "{{ nobody }}",
        "moment.html": "{{ at|moment }}",
    }.items():
        (tmp_path / name).write_text(text)
    slovenian = Catalogue("sl", MESSAGES, lambda n: {1: 0, 2: 1, 3: 2, 4: 2}.get(n % 100, 3))
    strings = Strings({"en": Catalogue("en"), "sl": slovenian}, {"widget": [tmp_path]})
    folders = {"widget": tmp_path, "console": tmp_path}
    return Pages(strings, Assets({"widget": tmp_path}), folders, "https://chat.example.com", clock=clock)


def answer_of(pages: Pages, name: str = "widget/page.html", frame_ancestors: Sequence[str] = ()) -> Response:
    request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
    return pages.render(request, name, {"name": "<Ann>"}, locale="sl", frame_ancestors=frame_ancestors)


def policy_of(answer: Response) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))


def test_a_page_speaks_the_language_and_escapes_what_people_wrote(pages: Pages) -> None:
    text = bytes(answer_of(pages).body).decode()
    assert "Pozdravljeni, &lt;Ann&gt;" in text
    assert "2 zahtevka" in text


def test_strings_of_the_browser_cannot_end_their_element(pages: Pages) -> None:
    text = bytes(answer_of(pages).body).decode()
    assert text.count("</script>") == 2
    assert '"\\u003c/script>": "\\u003c/script>\\u003cb>"' in text


def test_each_answer_has_a_nonce_of_its_own(pages: Pages) -> None:
    first, second = answer_of(pages), answer_of(pages)
    nonce = re.search(r'nonce="([^"]{22,})"', bytes(first.body).decode())
    assert nonce is not None
    assert f"'nonce-{nonce[1]}'" in policy_of(first)["script-src"]
    assert policy_of(first)["script-src"] != policy_of(second)["script-src"]


def test_a_page_runs_only_what_is_ours(pages: Pages) -> None:
    policy = policy_of(answer_of(pages))
    assert policy["default-src"] == "'none'"
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["connect-src"] == "'self' wss://chat.example.com"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not any("unsafe" in sources for sources in policy.values())


def test_nobody_frames_a_page_unless_told(pages: Pages) -> None:
    headers = answer_of(pages).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store, private"
    assert headers["referrer-policy"] == "same-origin"


def test_a_framed_page_names_who_may_frame_it(pages: Pages) -> None:
    answer = answer_of(pages, frame_ancestors=["https://shop.example", "https://www.shop.example"])
    assert policy_of(answer)["frame-ancestors"] == "https://shop.example https://www.shop.example"
    assert "x-frame-options" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers["cache-control"] == "no-store"


def test_only_the_console_may_make_html_of_text(pages: Pages) -> None:
    assert policy_of(answer_of(pages, "console/page.html"))["trusted-types"] == "partials"
    assert policy_of(answer_of(pages))["trusted-types"] == "'none'"


def test_a_name_that_nobody_gave_is_a_fault(pages: Pages) -> None:
    with pytest.raises(UndefinedError):
        pages.partial("console/wrong.html", "en")


@pytest.mark.parametrize(
    ("before", "zone", "english", "slovenian"),
    [
        (timedelta(hours=2), "", "19:00", "19:00"),
        (timedelta(hours=21), "", "00:00", "00:00"),
        (timedelta(hours=21, minutes=1), "", "Nov 24 23:59", "24. nov. 23:59"),
        (timedelta(hours=21), "America/New_York", "Nov 24 18:00", "24. nov. 18:00"),
        (timedelta(hours=-4), "", "Nov 26 01:00", "26. nov. 01:00"),
        (timedelta(hours=-4), "America/New_York", "19:00", "19:00"),
        (timedelta(days=-40), "", "Jan 4, 2027 21:00", "4. jan. 2027 21:00"),
    ],
)
def test_a_moment_names_its_day_unless_it_is_today(
    pages: Pages, clock: FakeClock, before: timedelta, zone: str, english: str, slovenian: str
) -> None:
    """In the reader's zone, where another day may be today."""
    for locale, text in (("en", english), ("sl", slovenian)):
        shown = pages.partial("console/moment.html", locale, at=clock.now() - before, time_zone=zone)
        assert shown == text


def test_times_are_told_in_zone_and_language(pages: Pages, clock: FakeClock) -> None:
    at = clock.now() - timedelta(hours=2, minutes=3)
    english = pages.partial("console/times.html", "en", at=at)
    assert english == ("18:57 12:57 | Nov 25, 2026, 18:57 | Nov 25, 2026 | 2 hours ago | 2026-11-25T17:57:00.000Z")
    assert pages.partial("console/times.html", "sl", at=at).split(" | ")[1:4] == [
        "25. nov. 2026, 18:57",
        "25. nov. 2026",
        "pred 2 urama",
    ]
    assert pages.partial("console/times.html", "sl", at=clock.now()).split(" | ")[3] == "zdaj"
    assert pages.partial("console/times.html", "en", at=at, time_zone="UTC").startswith("17:57")


def test_every_answer_carries_what_it_lacks(pages: Pages) -> None:
    async def page(request: Request) -> Response:
        return pages.render(request, "widget/page.html", {"name": "Ann"}, locale="en", frame_ancestors=["https://a.b"])

    async def data(_request: Request) -> Response:
        return JSONResponse({}, headers={"server": "uvicorn"})

    async def code(_request: Request) -> Response:
        return PlainTextResponse("", media_type="text/javascript")

    routes = [Route("/page", page), Route("/data", data), Route("/code", code)]
    app = Starlette(routes=routes, middleware=[Middleware(SecureHeaders, hsts=True)])
    client = TestClient(app)
    answers = {path: client.get(path).headers for path in ("/page", "/data", "/code", "/nowhere")}
    for headers in answers.values():
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["strict-transport-security"].startswith("max-age=")
        assert "server" not in headers
    assert "frame-ancestors https://a.b" in answers["/page"]["content-security-policy"]
    assert "x-frame-options" not in answers["/page"]
    for path in ("/data", "/nowhere"):
        assert answers[path]["content-security-policy"].startswith("default-src 'none'")
        assert answers[path]["x-frame-options"] == "DENY"
        assert answers[path]["cache-control"] == "no-store"
    assert "content-security-policy" not in answers["/code"]


def test_without_https_no_hsts() -> None:
    headers = MutableHeaders()
    secure(headers)
    assert "strict-transport-security" not in headers
