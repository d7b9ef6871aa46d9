"""What the widget needs of its surroundings, as small protocols: it imports nothing of chat to serve its pages."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response


class Site(Protocol):
    """A row of a web site that embeds the widget; `key` is a public name without power."""

    key: str
    name: str
    origins: list[str]
    locale: str
    settings: dict[str, Any]


class Department(Protocol):
    slug: str
    names: dict[str, str]


class Catalogue(Protocol):
    @property
    def locale(self) -> str: ...

    def gettext(self, message: str) -> str: ...

    def ngettext(self, singular: str, plural: str, n: int) -> str: ...


class Strings(Protocol):
    @property
    def locales(self) -> Sequence[str]: ...

    def catalogue(self, locale: str) -> Catalogue: ...

    def browser(self, locale: str, group: str) -> Mapping[str, str | Sequence[str]]: ...

    def negotiate(self, accept_language: str | None, chosen: str | None = None) -> str: ...


class Assets(Protocol):
    def url(self, name: str) -> str: ...

    def source_of(self, name: str) -> bytes: ...

    def names(self, suffix: str = "") -> list[str]: ...


class Pages(Protocol):
    def render(
        self,
        request: Request,
        name: str,
        context: Mapping[str, Any],
        *,
        locale: str,
        status: int = 200,
        frame_ancestors: Sequence[str] = (),
    ) -> Response: ...
