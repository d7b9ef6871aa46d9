"""The demo company's page: somewhere to try the chat. Served at `/` only by `nightdesk demo`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from widget.seams import Pages, Strings


class DemoRoutes:
    def __init__(self, *, pages: Pages, strings: Strings, base_url: str, site_key: str) -> None:
        self._pages = pages
        self._strings = strings
        self._base_url = base_url
        self._site_key = site_key

    def routes(self) -> list[BaseRoute]:
        return [Route("/", self._page, methods=["GET"], name="demo")]

    async def _page(self, request: Request) -> Response:
        chosen = request.query_params.get("lang")
        locale = self._strings.negotiate(request.headers.get("accept-language", ""), chosen)
        context = {"loader_url": f"{self._base_url}/w/{self._site_key}/loader.js"}
        return self._pages.render(request, "widget/demo.html", context, locale=locale)
