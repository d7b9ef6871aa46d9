"""Static files: read once at start, minified, served under one digest of the whole tree.

One digest for all, so that relative imports between modules and style sheets work as written.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

import brotli
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".wav": "audio/wav",
}
COMPRESSED = {".css", ".js", ".json", ".svg", ".webmanifest"}
IMMUTABLE = "public, max-age=31536000, immutable"


class AssetMissing(LookupError):
    """A template or page names a static file that is not there."""


@dataclass(frozen=True)
class Asset:
    """One file as it goes out. Compressed forms are made when first asked for: brotli 11 is too slow for a start."""

    name: str
    body: bytes

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.suffix]

    def compressed(self, encoding: str) -> bytes:
        """Blocks for some milliseconds the first time; encodings are `br` and `gzip`."""
        return compress(self.body, encoding)


class Assets:
    """`url("console/console.css")` for pages, `source_of(…)` for what is embedded, `routes()` for the application.

    With `packed=False` files are read at each request and not cached, for developing.
    """

    def __init__(self, roots: Mapping[str, Path], packed: bool = True) -> None:
        self._roots = {name: root.resolve() for name, root in roots.items()}
        self.is_packed = packed
        self._files = _read(self._roots) if packed else {}

    @cached_property
    def digest(self) -> str:
        if not self.is_packed:
            return "source"
        total = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            total.update(f"{name}\0{len(asset.body)}\0".encode())
            total.update(asset.body)
        return total.hexdigest()[:16]

    def url(self, name: str) -> str:
        self.get(name)
        return f"/assets/{self.digest}/{name}"

    def source_of(self, name: str) -> bytes:
        return self.get(name).body

    def get(self, name: str) -> Asset:
        """Raises `AssetMissing`."""
        found = self._files.get(name) if self.is_packed else self._as_written(name)
        if found is None:
            raise AssetMissing(name)
        return found

    def names(self, suffix: str = "") -> list[str]:
        """All names, sorted; used to list modules for preloading."""
        files = self._files if self.is_packed else _read(self._roots, minified=False)
        return sorted(name for name in files if name.endswith(suffix))

    def routes(self) -> list[BaseRoute]:
        return [Route("/assets/{digest}/{name:path}", self._serve, methods=["GET"], name="asset")]

    async def _serve(self, request: Request) -> Response:
        try:
            asset = self.get(request.path_params["name"])
        except AssetMissing:
            raise HTTPException(404) from None
        # While two versions run side by side a page may ask the other one: a near file beats none, but is not kept.
        is_current = self.is_packed and request.path_params["digest"] == self.digest
        headers = {
            "Cache-Control": IMMUTABLE if is_current else "no-store",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        body = asset.body
        if asset.suffix in COMPRESSED:
            headers["Vary"] = "Accept-Encoding"
            encoding = preferred_encoding(request.headers.get("accept-encoding", ""))
            if encoding and self.is_packed:
                body = await asyncio.to_thread(asset.compressed, encoding)
                headers["Content-Encoding"] = encoding
        return Response(body, headers=headers, media_type=asset.media_type)

    def _as_written(self, name: str) -> Asset | None:
        root_name, _, rest = name.partition("/")
        root = self._roots.get(root_name)
        if root is None or "\0" in rest or PurePosixPath(rest).suffix not in MEDIA_TYPES:
            return None
        path = (root / rest).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            return None
        return Asset(name, path.read_bytes())


@cache
def compress(body: bytes, encoding: str) -> bytes:
    return brotli.compress(body, quality=11) if encoding == "br" else gzip.compress(body, 9, mtime=0)


def preferred_encoding(accept_encoding: str) -> str | None:
    """`br` before `gzip`; a weight of 0 is a refusal."""
    offered = {}
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.strip().partition(";")
        offered[name.strip()] = weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((encoding for encoding in ("br", "gzip") if offered.get(encoding)), None)


def minified(source: bytes, suffix: str) -> bytes:
    """Smaller, if the minifier is there and can read it; otherwise as written."""
    media_type = {".css": "text/css", ".js": "application/javascript"}.get(suffix)
    if media_type is None or not source:
        return source
    try:
        import minify  # brings a runtime of its own with threads: only where files are served

        smaller: str = minify.string(media_type, source.decode())
    except (ImportError, ValueError):  # no wheel for this system, or nothing that it can read
        return source
    return smaller.encode()


def _read(roots: Mapping[str, Path], *, minified: bool = True) -> dict[str, Asset]:
    files = {}
    for root_name, root in roots.items():
        for path in sorted(root.rglob("*")):
            rest = path.relative_to(root)
            if path.suffix in MEDIA_TYPES and path.is_file() and not any(part.startswith(".") for part in rest.parts):
                name = f"{root_name}/{rest.as_posix()}"
                body = path.read_bytes()
                files[name] = Asset(name, _minified(body, path.suffix) if minified else body)
    return files


_minified = minified
