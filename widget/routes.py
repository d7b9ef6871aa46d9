"""Addresses of the widget: the loader and the frame of each site."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence

import brotli
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from widget.accent import accent_of
from widget.places import translations
from widget.seams import Assets, Department, Pages, Site, Strings
from widget.sites import for_frame, for_loader

LOADER_CACHE = "public, max-age=300, stale-while-revalidate=86400"
PLACEHOLDER = "NIGHTDESK"
"""The free name in `loader.js` in whose place the site's settings are written."""
NOT_OF_THE_PANEL = ("widget/loader.js", "widget/demo/", "widget/sound.js", "widget/identified.js")
FILES, LATE = "files", "late"
"""Groups of modules that come when a visitor begins to write."""
CONNECTION = "shared/connection.js"


class WidgetRoutes:
    """`site_by_key` finds a site or None; `departments` lists them in the order visitors choose from."""

    def __init__(
        self,
        *,
        pages: Pages,
        assets: Assets,
        strings: Strings,
        base_url: str,
        site_by_key: Callable[[str], Awaitable[Site | None]],
        departments: Callable[[], Awaitable[Sequence[Department]]],
    ) -> None:
        self._pages = pages
        self._assets = assets
        self._strings = strings
        self._base_url = base_url
        self._site_by_key = site_by_key
        self._departments = departments
        self._compressed: dict[tuple[str, str], bytes] = {}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/w/{site_key}/loader.js", self._loader, methods=["GET"], name="loader"),
            Route("/w/{site_key}/files.json", self._words_of_files, methods=["GET"]),
            Route("/w/{site_key}", self._frame, methods=["GET"], name="frame"),
        ]

    async def _loader(self, request: Request) -> Response:
        site = await self._site(request)
        body = self.loader_of(site)
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = {
            "Cache-Control": LOADER_CACHE,
            "Cross-Origin-Resource-Policy": "cross-origin",
            "ETag": etag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        encoding = next((e for e in ("br", "gzip") if e in request.headers.get("accept-encoding", "")), "")
        if encoding:
            body = await asyncio.to_thread(self._compress, body, etag, encoding)
            headers["Content-Encoding"] = encoding
        return Response(body, headers=headers, media_type="text/javascript; charset=utf-8")

    async def _frame(self, request: Request) -> Response:
        site = await self._site(request)
        chosen = request.query_params.get("lang")
        locale = self._strings.negotiate(request.headers.get("accept-language", ""), chosen)
        accent = accent_of(site.settings.get("accent"))
        context = {
            "site": site,
            "settings": for_frame(site, locale, await self._departments()),
            "accent_css": accent.css if accent else "",
            "translations": translations(self._strings, locale),
            "modules": [self._assets.url(name) for name in self.modules()],
        }
        return self._pages.render(
            request, "widget/frame.html", context, locale=locale, frame_ancestors=site.origins or ["'none'"]
        )

    async def _words_of_files(self, request: Request) -> Response:
        """Translations for a module that most visitors never load."""
        await self._site(request)
        locale = self._strings.negotiate(None, request.query_params.get("lang"))
        words = {**self._strings.browser(locale, FILES), **self._strings.browser(locale, LATE)}
        return JSONResponse(words, headers={"Cache-Control": "no-store"})

    def loader_of(self, site: Site) -> bytes:
        """The script of this site, as sent: nothing in it depends on the request."""
        source = self._assets.source_of("widget/loader.js").decode()
        css = self._assets.source_of("widget/bubble.css").decode()
        catalogues = [self._strings.catalogue(locale) for locale in self._strings.locales]
        settings = json.dumps(
            for_loader(site, self._base_url, catalogues, css), ensure_ascii=False, separators=(",", ":")
        )
        return source.replace(PLACEHOLDER, settings).encode()

    def modules(self) -> list[str]:
        """Names of all modules that the panel begins with, so that the browser asks for them at once."""
        own = [
            name
            for name in self._assets.names(".js")
            if name.startswith("widget/") and not name.startswith(NOT_OF_THE_PANEL)
        ]
        return [*own, CONNECTION]

    async def _site(self, request: Request) -> Site:
        site = await self._site_by_key(request.path_params["site_key"])
        if site is None:
            raise HTTPException(404)
        return site

    def _compress(self, body: bytes, etag: str, encoding: str) -> bytes:
        known = self._compressed.get((etag, encoding))
        if known is None:
            if len(self._compressed) > 200:  # two forms of a hundred sites; a changed site leaves its old ones here
                self._compressed.clear()
            known = brotli.compress(body) if encoding == "br" else gzip.compress(body, 9, mtime=0)
            self._compressed[etag, encoding] = known
        return known
