"""Files of a form that was sent without script, and ids of those that were uploaded before it was sent."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from chat.bodies import body_of, form_data_of, storable
from chat.files.errors import FileDelayed, FileRefused, TooManyFiles
from chat.files.limits import FILES_PER_MESSAGE, MB, PIECE
from chat.files.shares import Owner
from chat.files.uploads import Uploads
from chat.protocol.errors import Refusal

FIELDS = 50
CHOSEN_FILES = "files"
"""Chosen in the form itself."""
SENT_FILES = "file"
"""Ids of what a module has uploaded already, one field each."""


@dataclass(frozen=True, slots=True)
class FormFiles:
    """`ids` are ready to go along; `refused` says of which name what is wrong."""

    ids: list[str] = field(default_factory=list)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)


async def form_with_files(request: Request, uploads: Uploads, *, keeps_files: bool = True) -> FormData:
    """As `request.form()`, with limits. A form that somebody wrote is not lost for a character that no database keeps:
    that one is left out. `keeps_files`: else they are read and forgotten, for people who may not send any.

    Raises 413 for more than may ever be sent, 400 for what is no form.
    """
    most = uploads.max_bytes * FILES_PER_MESSAGE + MB
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit() or int(length) > most:
        # Without a length a body could go on for ever; browsers always say how long their forms are.
        await body_of(request, 0)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await form_data_of(request, MB)
    try:
        async with aclosing(request.stream()) as pieces:
            try:
                form = await _Parser(request.headers, pieces, keeps_files=keeps_files).parse()
            except MultiPartException:
                async for _rest in pieces:  # a browser that is still sending would not read the answer
                    pass
                raise
    except _TooMuchText:
        raise HTTPException(413) from None
    except MultiPartException:
        raise HTTPException(400) from None
    return FormData([(name, storable(one) if isinstance(one, str) else one) for name, one in form.multi_items()])


class _TooMuchText(MultiPartException):
    pass


class _Parser(MultiPartParser):
    """All texts of the form together have one limit."""

    def __init__(self, headers: Headers, pieces: AsyncGenerator[bytes, None], *, keeps_files: bool) -> None:
        super().__init__(headers, pieces, max_files=FIELDS, max_fields=FIELDS, max_part_size=MB)
        self._keeps_files = keeps_files
        self._text_bytes = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._text_bytes += end - start
            if self._text_bytes > MB:
                raise _TooMuchText("The texts are too long.")
        elif not self._keeps_files:
            return
        super().on_part_data(data, start, end)


async def files_of(form: FormData, uploads: Uploads, owner: Owner, ref: str) -> FormFiles:
    """Takes the files of the form in, and closes it; `ref` is the form's own, so that it may be sent twice."""
    try:
        return await _taken(form, uploads, owner, ref)
    finally:
        await form.close()


async def _taken(form: FormData, uploads: Uploads, owner: Owner, ref: str) -> FormFiles:
    found = FormFiles([one for one in form.getlist(SENT_FILES) if isinstance(one, str) and one])
    chosen = [one for one in form.getlist(CHOSEN_FILES) if isinstance(one, UploadFile) and one.filename]
    if len(found.ids) + len(chosen) > FILES_PER_MESSAGE:
        found.refused.append(("", TooManyFiles()))
        return found
    for place, one in enumerate(chosen):
        name = one.filename or ""
        # The same form, sent again with another file in this place, is another file.
        mark = hashlib.sha256(f"{ref}/{place}/{name}/{one.size}".encode()).hexdigest()[:40]
        try:
            upload = await uploads.take(owner, f"form-{mark}", name, one.size or 0, _pieces(one))
        except (FileRefused, FileDelayed) as refusal:
            found.refused.append((name, refusal))
        else:
            found.ids.append(str(upload.id))
    return found


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece
