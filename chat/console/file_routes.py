"""Files of operators: uploads, and `/console/files/ID` for whoever is signed in and may read it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.console.doorway import Doorway
from chat.files.downloads import Downloads
from chat.files.limits import OPERATOR_DAILY
from chat.files.routes import UploadDoor
from chat.files.shares import Owner
from chat.files.uploads import Uploads
from chat.people.models import Operator


class FileRoutes:
    def __init__(self, uploads: Uploads, downloads: Downloads, door: Doorway) -> None:
        self._downloads = downloads
        self._door = door
        self._uploads = UploadDoor(uploads, door.strings, "/console/uploads", self._who)

    def routes(self) -> list[BaseRoute]:
        return [
            *self._uploads.routes(),
            Route("/console/files/{id}", self._file, methods=["GET"]),
            Route("/console/files/{id}/{form}", self._file, methods=["GET"]),
        ]

    async def _who(self, request: Request) -> tuple[Owner, str]:
        login = await self._door.require(request)
        return owner_of(login.operator), self._door.locale(request, login.operator)

    async def _file(self, request: Request) -> Response:
        operator = await self._door.sign_in.operator(request)
        if operator is None:
            raise HTTPException(404)
        form = {"small": "s", "save": "d", None: "f"}.get(request.path_params.get("form"), "")
        return await self._downloads.redirect(f"operator:{operator.id}", request.path_params["id"], form)


def owner_of(operator: Operator) -> Owner:
    return Owner("operator", operator.id, OPERATOR_DAILY)
