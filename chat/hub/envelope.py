"""Batches between processes, sealed: whoever has not our key can delay them, and no more.

The code (keyed BLAKE2b) covers the channel, the sender and the batch's number, so that what was recorded on one channel
says nothing on another, and a batch that comes again is known by its number.
"""

import hashlib
import hmac
import secrets
from typing import NamedTuple

VERSION = b"\x01"
MAC_BYTES = 16
ID_BYTES = 8
NUMBER_BYTES = 8
HEAD_BYTES = len(VERSION) + MAC_BYTES + ID_BYTES + NUMBER_BYTES
MAX_SEALED = 256 * 1024
"""Four times what a process sends: anything larger is not ours, and not worth a look."""


class Opened(NamedTuple):
    sender: bytes
    number: int
    body: bytes


class Seal:
    def __init__(self, secret_key: str) -> None:
        key = hashlib.blake2b(b"nightdesk bus\0" + secret_key.encode()).digest()
        self._keyed = hashlib.blake2b(digest_size=MAC_BYTES, key=key)
        self.desk = hashlib.blake2b(b"desk", digest_size=4, key=key).hexdigest()
        """Names the channels of this desk: two desks on one Redis do not meet."""

    def close(self, channel: bytes, sender: bytes, number: int, body: bytes) -> bytes:
        said = sender + number.to_bytes(NUMBER_BYTES) + body
        return VERSION + self._mac(channel, said) + said

    def open(self, channel: bytes, data: bytes) -> Opened | None:
        """None for whatever was not made by a process with our key for this channel."""
        if not HEAD_BYTES <= len(data) <= MAX_SEALED or data[:1] != VERSION:
            return None
        mac, said = data[1 : 1 + MAC_BYTES], data[1 + MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(channel, said)):
            return None
        number = int.from_bytes(said[ID_BYTES : ID_BYTES + NUMBER_BYTES])
        return Opened(said[:ID_BYTES], number, said[ID_BYTES + NUMBER_BYTES :])

    def _mac(self, channel: bytes, said: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(channel + b"\0" + said)
        return mac.digest()


def new_sender() -> bytes:
    return secrets.token_bytes(ID_BYTES)
