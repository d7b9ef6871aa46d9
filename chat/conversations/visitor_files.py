"""Files of visitors over HTTP: `/w/SITE_KEY/uploads`, and links to what stands in their conversation.

The token comes as a Bearer: no foreign page can send it, and no cookie is set.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chat.bodies import json_of
from chat.files.downloads import Downloads
from chat.files.limits import VISITOR_DAILY
from chat.files.routes import NO_STORE, UploadDoor
from chat.files.shares import Owner
from chat.files.uploads import Uploads
from chat.people.catalogue import Catalogue
from chat.people.visitors import KnownVisitor, Visitors
from chat.strings import Strings

BODY_BYTES = 8192


class _Wanted(msgspec.Struct, frozen=True):
    ids: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=100)]


class VisitorFiles:
    def __init__(
        self, uploads: Uploads, downloads: Downloads, strings: Strings, catalogue: Catalogue, visitors: Visitors
    ) -> None:
        self._downloads = downloads
        self._catalogue = catalogue
        self._visitors = visitors
        self._door = UploadDoor(uploads, strings, "/w/{site_key}/uploads", self._who)

    def routes(self) -> list[BaseRoute]:
        return [*self._door.routes(), Route("/w/{site_key}/files", self._links, methods=["POST"])]

    async def _who(self, request: Request) -> tuple[Owner, str]:
        visitor = await self._visitor(request)
        return owner_of(visitor), visitor.locale

    async def _visitor(self, request: Request) -> KnownVisitor:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        site = await self._catalogue.site(request.path_params["site_key"])
        found = None
        if site is not None and scheme == "Bearer":
            found = await self._visitors.by_token(site.id, token)
        if found is None:
            raise HTTPException(404)
        return found

    async def _links(self, request: Request) -> Response:
        """`{ids}` -> `{id: {url, save, small?}}`, for some minutes; what is not theirs is not there."""
        visitor = await self._visitor(request)
        wanted = await json_of(request, _Wanted, BODY_BYTES)
        found = await self._downloads.links_of(f"visitor:{visitor.id}", wanted.ids)
        return JSONResponse(found, headers=NO_STORE)


def owner_of(visitor: KnownVisitor) -> Owner:
    return Owner("visitor", visitor.id, VISITOR_DAILY, f"site:{visitor.site_id}")
