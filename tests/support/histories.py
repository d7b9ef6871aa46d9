"""What each client of a run did and saw, in a file of its own: one JSON object per line, times of the monotonic clock.

All processes of one machine share that clock, so times of different files may be compared.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import msgspec

FLUSH_AT = 200


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="event", tag=str.lower):
    """Base; `event` is the class name in lower case."""


class Who(Event, frozen=True):
    """The first line. A visitor is known by the ref of the `start`, an operator by the e-mail address: both are told to
    the product, neither is learned from it. An idle visitor has none."""

    kind: str
    identity: str
    t: float


class Invoke(Event, frozen=True):
    """Wanted to say it. `t` is when it was due, not when a busy client came to it."""

    ref: str
    conversation: str
    t: float


class Ack(Event, frozen=True):
    ref: str
    conversation: str
    stream: str
    seq: int
    t: float


class Shown(Event, frozen=True):
    """`ref` is read from the text of the message, where the sender put it: empty for events and cards."""

    conversation: str
    stream: str
    seq: int
    ref: str
    t: float


class Resumed(Event, frozen=True):
    """The first page of a stream after a (re)connect brought the view from `start` to `to`. `reset`: what was shown was
    forgotten, and this page replaces it."""

    conversation: str
    stream: str
    start: int
    to: int
    t: float
    reset: bool = False


class Closed(Event, frozen=True):
    """The view of this conversation was closed."""

    conversation: str
    t: float


class Live(Event, frozen=True):
    """`welcomed` or `attended` on the socket that counts from now on."""

    t: float


class Lost(Event, frozen=True):
    """The line broke, or was given up; `code` as the close frame said. `by_link`: the way broke by itself, whatever the
    server did."""

    code: int
    t: float
    by_link: bool = False


class Error(Event, frozen=True):
    """An error that a person would have seen. A refusal that is retried by itself is none."""

    text: str
    t: float


class Revoked(Event, frozen=True):
    """The access of this client was taken away and the call that did it has returned."""

    t: float


class Gone(Event, frozen=True):
    """Left for good: this client need not see what comes later."""

    t: float


AnyEvent = Who | Invoke | Ack | Shown | Resumed | Closed | Live | Lost | Error | Revoked | Gone
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class History:
    """Appends; the file is opened only to write a batch, so that thousands of clients hold no descriptors."""

    def __init__(self, folder: Path, name: str, kind: str, clock: Callable[[], float] = monotonic) -> None:
        self.path = folder / f"{name}.jsonl"
        self._kind = kind
        self._clock = clock
        self._batch: list[AnyEvent] = []

    def who(self, identity: str) -> None:
        self.add(Who(self._kind, identity, self._clock()))

    def add(self, event: AnyEvent) -> None:
        self._batch.append(event)
        if len(self._batch) >= FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        if self._batch:
            lines, self._batch = _encoder.encode_lines(self._batch), []
            with self.path.open("ab") as file:
                file.write(lines)


def read_history(path: Path) -> list[AnyEvent]:
    return _decoder.decode_lines(path.read_bytes())


def read_histories(folder: Path) -> Iterator[tuple[str, list[AnyEvent]]]:
    for path in sorted(folder.glob("*.jsonl")):
        yield path.stem, read_history(path)
