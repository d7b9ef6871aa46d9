"""Files of customers who are signed in: uploads, and `/client/files/ID` for whoever may read it."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chat.public import CUSTOMER_DAILY, Owner, UploadDoor
from escalation.client_area.doorway import Doorway
from escalation.client_area.sign_in import Login
from escalation.customers.reader import CustomerReader
from escalation.files import TicketFiles

UPLOADS = "/client/uploads"
FILES = "/client/files/"


class FileRoutes:
    def __init__(self, files: TicketFiles, doorway: Doorway) -> None:
        self._files = files
        self._doorway = doorway
        self._uploads = UploadDoor(files.uploads, doorway.strings, UPLOADS, self._who)

    def routes(self) -> list[BaseRoute]:
        return [
            *self._uploads.routes(),
            Route(f"{FILES}{{id}}", self._file, methods=["GET"]),
            Route(f"{FILES}{{id}}/{{form}}", self._file, methods=["GET"]),
        ]

    async def _who(self, request: Request) -> tuple[Owner, str]:
        login = await self._doorway.login(request)
        if login is None:
            raise HTTPException(401)
        return owner_of(login.reader), self._doorway.locale(request, login.reader)

    async def _file(self, request: Request) -> Response:
        login = await self._doorway.login(request)
        if login is None:
            raise HTTPException(404)
        form = {"small": "s", "save": "d", None: "f"}.get(request.path_params.get("form"), "")
        return await self._files.downloads.redirect(owner_of(login.reader).key, request.path_params["id"], form)


def owner_of(reader: CustomerReader) -> Owner:
    """As whom their uploads are kept."""
    return Owner("customer", reader.customer_id, CUSTOMER_DAILY)


async def form_of_login(request: Request, doorway: Doorway, files: TicketFiles) -> tuple[FormData, Login | None]:
    """A form that may bring files, and who is signed in when all of it is here. Before, that says only whether files
    are kept: of somebody who is not signed in the words are."""
    known = await doorway.login(request)
    form = await files.form(request, keeps_files=known is not None)
    return form, await doorway.login(request) if known is not None else None
