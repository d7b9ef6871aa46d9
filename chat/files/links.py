"""Links to files: for one reader and one file, for some minutes. Permission is asked again at each request."""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

LIFE_SECONDS = 300
STEP_SECONDS = 120
"""Links made within two minutes are the same, so that a browser finds its copy again."""
_SHAPE = struct.Struct(">16sIc16s")


@dataclass(frozen=True, slots=True)
class Grant:
    """`form`: f the file, s its thumbnail, d the file to be saved whatever it is. `reader` as `visitor:<id>`."""

    file_id: UUID
    reader: str
    form: str


class FileLinks:
    def __init__(self, secret_key: str, files_url: str) -> None:
        self._key = hashlib.sha256(b"nightdesk files\0" + secret_key.encode()).digest()
        self._files_url = files_url

    def make(self, grant: Grant, name: str, now: datetime) -> str:
        until = int(now.timestamp()) // STEP_SECONDS * STEP_SECONDS + LIFE_SECONDS
        kind, _, reader_id = grant.reader.partition(":")
        body = _SHAPE.pack(grant.file_id.bytes, until, grant.form.encode(), UUID(reader_id).bytes) + kind.encode()
        token = base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")
        return f"{self._files_url}/files/{token}/{quote(name, safe='')}"

    def read(self, token: str, now: datetime) -> Grant | None:
        """None for what is forged, altered or over."""
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            signature, body = data[:16], data[16:]
            if not hmac.compare_digest(self._signature(body), signature):
                return None
            file_id, until, form, reader_id = _SHAPE.unpack(body[: _SHAPE.size])
            kind = body[_SHAPE.size :].decode()
        except (binascii.Error, ValueError, struct.error):
            return None
        if now.timestamp() > until:
            return None
        return Grant(UUID(bytes=file_id), f"{kind}:{UUID(bytes=reader_id)}", form.decode())

    def _signature(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:16]
