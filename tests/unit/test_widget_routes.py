"""The loader and the frame as they go out."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import brotli
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import widget
from chat.assets import Assets
from chat.pages import Pages
from chat.strings import Strings
from tests.unit.test_widget_sites import Billing, PolarisSite
from widget.demo import DemoRoutes
from widget.routes import WidgetRoutes

BASE = "https://chat.polaris.example"
WIDGET = Path(widget.__file__).parent
SHARED = WIDGET.parent / "chat" / "static"


async def site_by_key(key: str) -> PolarisSite | None:
    return PolarisSite(settings={"accent": "#1E6B57"}) if key == "polaris" else None


async def departments() -> Sequence[Billing]:
    return [Billing()]


WHEN_NEEDED = ("identified.js", "sound.js")


@pytest.fixture(scope="module")
def visitor() -> TestClient:
    strings = Strings.load([WIDGET / "strings"])
    assets = Assets({"widget": WIDGET / "static", "shared": SHARED})
    pages = Pages(strings, assets, {"widget": WIDGET / "templates"}, BASE)
    routes = WidgetRoutes(
        pages=pages, assets=assets, strings=strings, base_url=BASE, site_by_key=site_by_key, departments=departments
    )
    demo = DemoRoutes(pages=pages, strings=strings, base_url=BASE, site_key="polaris")
    return TestClient(Starlette(routes=[*routes.routes(), *demo.routes()]))


def test_unknown_site_is_not_found(visitor: TestClient) -> None:
    assert visitor.get("/w/nobody").status_code == 404
    assert visitor.get("/w/nobody/loader.js").status_code == 404


def test_loader_may_be_kept_and_loaded_from_anywhere(visitor: TestClient) -> None:
    answer = visitor.get("/w/polaris/loader.js")
    assert answer.headers["cache-control"] == "public, max-age=300, stale-while-revalidate=86400"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "NIGHTDESK" not in answer.text


def test_loader_that_did_not_change_is_not_sent_again(visitor: TestClient) -> None:
    etag = visitor.get("/w/polaris/loader.js").headers["etag"]
    again = visitor.get("/w/polaris/loader.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("encoding", "expand"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_loader_goes_out_compressed(visitor: TestClient, encoding: str, expand: object) -> None:
    plain = visitor.get("/w/polaris/loader.js", headers={"Accept-Encoding": "identity"})
    with visitor.stream("GET", "/w/polaris/loader.js", headers={"Accept-Encoding": encoding}) as answer:
        assert answer.headers["content-encoding"] == encoding
        raw = b"".join(answer.iter_raw())
    assert callable(expand)
    assert expand(raw) == plain.content


def test_loader_does_not_reflect_the_request(visitor: TestClient) -> None:
    poison = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp"}
    plain = visitor.get("/w/polaris/loader.js")
    assert visitor.get("/w/polaris/loader.js?x=evil.example", headers=poison).content == plain.content
    assert BASE in plain.text


def test_loader_fits_into_four_kilobytes(visitor: TestClient) -> None:
    assert len(brotli.compress(visitor.get("/w/polaris/loader.js").content)) <= 4000


def test_frame_may_stand_on_the_sites_own_pages_only(visitor: TestClient) -> None:
    answer = visitor.get("/w/polaris")
    assert "frame-ancestors https://www.polaris.example" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"


def test_frame_preloads_every_module_of_the_panel(visitor: TestClient) -> None:
    page = visitor.get("/w/polaris").text
    modules = {
        path.relative_to(WIDGET / "static").as_posix()
        for path in (WIDGET / "static").rglob("*.js")
        if path.name not in ("loader.js", *WHEN_NEEDED) and "demo" not in path.parts
    }
    assert [name for name in sorted(modules) if f'/widget/{name}" nonce=' not in page] == []
    assert '/shared/connection.js" nonce=' in page
    # What only few ever need comes when it is needed.
    assert [name for name in ("polled.js", *WHEN_NEEDED) if name in page] == []
    assert "/widget/loader.js" not in page


def test_frame_speaks_the_language_that_is_asked_for(visitor: TestClient) -> None:
    assert '<html lang="sl"' in visitor.get("/w/polaris?lang=sl").text
    assert '<html lang="en"' in visitor.get("/w/polaris?lang=en").text
    assert '<html lang="sl"' in visitor.get("/w/polaris", headers={"Accept-Language": "sl-SI, en;q=0.5"}).text


def test_frame_has_the_sites_accent(visitor: TestClient) -> None:
    assert "--nd-accent: #1E6B57" in visitor.get("/w/polaris").text


def test_demo_page_has_the_one_line(visitor: TestClient) -> None:
    page = visitor.get("/", headers={"Host": "evil.example"}).text
    assert f'<script async src="{BASE}/w/polaris/loader.js"' in page
    assert "evil.example" not in page


@pytest.mark.parametrize(
    ("locale", "words"), [("en", "Hosting with a light on."), ("sl", "Gostovanje, kjer gori luč.")]
)
def test_demo_page_in_both_languages(visitor: TestClient, locale: str, words: str) -> None:
    assert words in visitor.get(f"/?lang={locale}").text
