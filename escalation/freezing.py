"""The frozen transcript: rows as they were said, and one digest over all of them. Pure."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from chat.public import Transcript, TranscriptMessage


def public_body(transcript: Transcript) -> list[dict[str, Any]]:
    return [_row(message) for message in transcript.messages]


def operators_body(transcript: Transcript) -> list[dict[str, Any]]:
    return [_row(note) for note in transcript.notes]


def digest(body: Sequence[dict[str, Any]], operators: Sequence[dict[str, Any]]) -> str:
    """SHA-256 in hex over canonical JSON of both parts, so that a changed word in either shows."""
    text = json.dumps([body, operators], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _row(message: TranscriptMessage) -> dict[str, Any]:
    row: dict[str, Any] = {
        "seq": message.seq,
        "at": message.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "by": message.author_kind,
        "name": message.author_name,
        "text": message.text,
    }
    if message.files:
        row["files"] = list(message.files)
    return row
