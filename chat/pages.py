"""Pages and partials: Jinja2 in the reader's language, with the policy that keeps strangers' text harmless.

Knows no page. Every page it renders carries the full set of headers that a page needs.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from jinja2 import BytecodeCache, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from chat.assets import Assets
from chat.clock import Clock, SystemClock
from chat.dates import date_filters
from chat.headers import PERMISSIONS
from chat.strings import Strings

# The console's partials come over its own socket; nobody else may turn text into HTML.
PARTIALS_POLICY = "partials"
WITH_PARTIALS = ("console/", "desk/")


class _Compiled(BytecodeCache):
    """Code of templates: what one program of this process has compiled for a language, the next one takes."""

    _codes: ClassVar[dict[tuple[str, str, str], CodeType]] = {}

    def __init__(self, kind: str) -> None:
        self._kind = kind
        """A filter of something constant is carried out at once: its outcome depends on language and time zone."""

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((self._kind, bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[self._kind, bucket.key, bucket.checksum] = bucket.code


class Pages:
    """`render` answers a request with a page, `partial` gives a piece of one as text.

    `folders` maps the first part of a template's name to its folder: `console/page.html`.
    """

    def __init__(
        self,
        strings: Strings,
        assets: Assets,
        folders: Mapping[str, Path],
        base_url: str,
        *,
        time_zone: str = "Europe/Ljubljana",
        clock: Clock | None = None,
        files_url: str = "",
    ) -> None:
        self._files_url = files_url if files_url != base_url else ""
        self._strings = strings
        self._assets = assets
        self._folders = dict(folders)
        self._base_url = base_url
        self._time_zone = time_zone
        self._clock = clock or SystemClock()
        self._environments = {locale: self._environment(locale) for locale in strings.locales}

    def render(
        self,
        request: Request,
        name: str,
        context: Mapping[str, Any],
        *,
        locale: str,
        status: int = 200,
        frame_ancestors: Sequence[str] = (),
    ) -> HTMLResponse:
        """`frame_ancestors`: origins whose pages may frame this one; none means nobody."""
        nonce = secrets.token_urlsafe(16)
        values = {"request": request, "csp_nonce": nonce, **context}
        text = self._in(locale).get_template(name).render(values)
        headers = page_headers(
            nonce,
            socket_origin=socket_origin(self._base_url),
            frame_ancestors=frame_ancestors,
            partials=name.startswith(WITH_PARTIALS),
            files_origin=self._files_url,
        )
        return HTMLResponse(text, status, headers | {"Content-Language": self._strings.catalogue(locale).locale})

    def partial(self, name: str, locale: str, /, **context: Any) -> str:
        return self._in(locale).get_template(name).render(context)

    def _in(self, locale: str) -> Environment:
        return self._environments[self._strings.catalogue(locale).locale]

    def _environment(self, locale: str) -> Environment:
        catalogue = self._strings.catalogue(locale)
        environment = Environment(
            loader=PrefixLoader({prefix: FileSystemLoader(folder) for prefix, folder in self._folders.items()}),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=_Compiled(f"{locale} {self._time_zone}"),
            # Else every partial of every entry asks the file system three times whether its templates have changed.
            auto_reload=not self._assets.is_packed,
        )
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            catalogue.gettext, catalogue.ngettext, newstyle=True
        )
        environment.globals.update(asset=self._assets.url, locale=locale, strings_json=self._strings_json(locale))
        environment.filters.update(date_filters(catalogue, self._time_zone, self._clock))
        return environment

    def _strings_json(self, locale: str) -> Any:
        def strings_json(*groups: str) -> Markup:
            """For `<script type="application/json" id="strings">`: `<` cannot end the element."""
            merged: dict[str, str | list[str]] = {}
            for group in groups:
                merged |= self._strings.browser(locale, group)
            return Markup(json.dumps(merged, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704 — escaped here

        return strings_json


def socket_origin(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"


def page_headers(
    nonce: str,
    *,
    socket_origin: str,
    frame_ancestors: Sequence[str] = (),
    partials: bool = False,
    files_origin: str = "",
) -> dict[str, str]:
    """What every HTML page carries, whatever it shows."""
    policy = {
        "default-src": "'none'",
        # Modules imported by a module with a nonce inherit it; style sheets that others @import do not.
        "script-src": f"'nonce-{nonce}'",
        "style-src": f"'self' 'nonce-{nonce}'",
        "connect-src": f"'self' {socket_origin}",
        "img-src": f"'self' {files_origin}".strip(),
        "media-src": "'self'",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(frame_ancestors) or "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": PARTIALS_POLICY if partials else "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS,
    }
    if frame_ancestors:
        return headers | {
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        }
    return headers | {
        "Cache-Control": "no-store, private",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
