"""Static files under one digest: what is served, how it is kept, and what is never reached."""

import gzip
from pathlib import Path

import brotli
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from chat.assets import IMMUTABLE, AssetMissing, Assets, preferred_encoding


@pytest.fixture
def root(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    (static / "elements").mkdir(parents=True)
    (static / "panel.js").write_text("import { part } from './elements/part.js'\n// why\nexport const one = part + 1\n")
    (static / "elements" / "part.js").write_text("export const part = 1\n")
    (static / "panel.css").write_text("@import './tokens.css';\n.panel {\n  color : red;\n}\n")
    (static / "tokens.css").write_text(":root { --gap: 4px }\n")
    (static / "README.md").write_text("not served")
    (static / "dot.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret.js").write_text("outside")
    return static


@pytest.fixture
def packed(root: Path) -> Assets:
    return Assets({"widget": root})


def client_of(assets: Assets) -> TestClient:
    return TestClient(Starlette(routes=assets.routes()))


def test_a_file_is_served_small_compressed_and_for_ever(packed: Assets) -> None:
    answer = client_of(packed).get(packed.url("widget/panel.js"), headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "why" not in answer.text
    assert "./elements/part.js" in answer.text


def test_all_forms_say_the_same(packed: Assets) -> None:
    asset = packed.get("widget/panel.css")
    assert brotli.decompress(asset.compressed("br")) == asset.body
    assert gzip.decompress(asset.compressed("gzip")) == asset.body
    assert b"./tokens.css" in asset.body


def test_pictures_are_not_compressed_again(packed: Assets) -> None:
    answer = client_of(packed).get(packed.url("widget/dot.png"), headers={"Accept-Encoding": "br"})
    assert "content-encoding" not in answer.headers
    assert answer.content == b"\x89PNG"


def test_a_relative_import_leads_to_a_file_of_the_same_digest(packed: Assets) -> None:
    address = packed.url("widget/panel.js").replace("panel.js", "elements/part.js")
    assert address == packed.url("widget/elements/part.js")


def test_any_change_changes_the_digest(root: Path, packed: Assets) -> None:
    before = packed.digest
    (root / "elements" / "part.js").write_text("export const part = 2\n")
    assert Assets({"widget": root}).digest != before


def test_an_old_digest_gets_the_file_but_does_not_keep_it(packed: Assets) -> None:
    answer = client_of(packed).get("/assets/0000000000000000/widget/panel.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    [
        "widget/../secret.js",
        "widget/%2e%2e/secret.js",
        "widget/..%2fsecret.js",
        "widget//secret.js",
        "widget/README.md",
        "widget/none.js",
        "widget",
        "other/panel.js",
        "widget/panel.js%00.js",
    ],
)
@pytest.mark.parametrize("is_packed", [True, False])
def test_nothing_else_is_reached(root: Path, name: str, is_packed: bool) -> None:
    assets = Assets({"widget": root}, packed=is_packed)
    assert client_of(assets).get(f"/assets/{assets.digest}/{name}").status_code == 404


def test_source_is_as_written_and_fresh(root: Path) -> None:
    assets = Assets({"widget": root}, packed=False)
    address = assets.url("widget/panel.js")
    (root / "panel.js").write_text("// new\n")
    answer = client_of(assets).get(address)
    assert answer.text == "// new\n"
    assert answer.headers["cache-control"] == "no-store"


def test_a_template_cannot_name_what_is_not_there(packed: Assets) -> None:
    with pytest.raises(AssetMissing):
        packed.url("widget/none.js")


def test_what_the_minifier_cannot_read_goes_out_as_written(root: Path) -> None:
    (root / "broken.js").write_text("export const = ;;; {")
    assert Assets({"widget": root}).source_of("widget/broken.js") == b"export const = ;;; {"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)],
)
def test_the_encoding_is_what_the_browser_reads(accepted: str, encoding: str | None) -> None:
    assert preferred_encoding(accepted) == encoding
