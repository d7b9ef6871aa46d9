"""Text of one WebSocket message -> a frame. The only place that reads what strangers send."""

import re
from typing import TypeVar

import msgspec

from chat.protocol.errors import InvalidFrame, Malformed, Refusal, TextTooLong

F = TypeVar("F")
_REF = re.compile(r"[A-Za-z0-9_-]{8,64}")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The escape itself; after an escaped backslash it is six harmless letters."""


class Undecodable(Exception):
    """JSON, but no frame of ours. `ref` names the request where it has one, `refusal` says what is wrong."""

    def __init__(self, refusal: Refusal, ref: str) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.ref = ref


def decode(decoder: "msgspec.json.Decoder[F]", text: str) -> F:
    """The frame. Raises `Malformed` for what is no JSON object (the socket closes) and `Undecodable` for JSON that is
    no frame (an error frame answers). NUL and lone surrogates cannot be stored and are refused."""
    try:
        frame = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise Undecodable(_refusal(str(error)), ref_in(text)) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
        raise Malformed from None
    if "\\u0000" in text and _NUL.search(text):
        raise Undecodable(InvalidFrame(), ref_in(text))
    return frame


def _refusal(complaint: str) -> Refusal:
    too_long = "length <= 10000" in complaint and "$.text" in complaint
    return TextTooLong() if too_long else InvalidFrame()


def ref_in(text: str) -> str:
    """The `ref` of a frame that was refused, so that the client knows which message to mark."""
    try:
        ref = msgspec.json.decode(text, type=dict[str, object]).get("ref")
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ""
    return ref if isinstance(ref, str) and _REF.fullmatch(ref) else ""
