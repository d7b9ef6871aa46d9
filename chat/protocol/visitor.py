"""Sans-I/O half of a visitor's connection: which frame is allowed when, how fast, how long."""

from enum import Enum, auto

from chat.protocol import frames
from chat.protocol.decoding import decode
from chat.protocol.errors import OutOfTurn, TextMissing
from chat.protocol.pace import Pace


class State(Enum):
    CONNECTING = auto()
    OPEN = auto()


class VisitorSession:
    """Call `receive` with each text; it gives the frame to act on, or None for one that asks for nothing.

    Raises `Malformed` or `OutOfTurn` (the socket closes), `Undecodable` or a `Refusal` (an error frame answers).
    """

    __slots__ = ("_others", "_says", "_types", "state")

    def __init__(self) -> None:
        self.state = State.CONNECTING
        # Of thousands of visitors few speak: a pace is kept for those who do.
        self._says: Pace | None = None
        self._others: Pace | None = None
        self._types: Pace | None = None

    @property
    def _say(self) -> Pace:
        """10 at once, then 2 a second."""
        if self._says is None:
            self._says = Pace(burst=10, per_second=2)
        return self._says

    @property
    def _other(self) -> Pace:
        if self._others is None:
            self._others = Pace(burst=40, per_second=10)
        return self._others

    @property
    def _typing(self) -> Pace:
        """One in 2 s is passed on."""
        if self._types is None:
            self._types = Pace(burst=1, per_second=0.5)
        return self._types

    def receive(self, text: str, now: float) -> frames.VisitorFrame | None:
        frame = decode(frames.visitor_decoder, text)
        match frame:
            case frames.Hello():
                if self.state is not State.CONNECTING:
                    raise OutOfTurn
                self.state = State.OPEN
                return frame
            case _ if self.state is not State.OPEN:
                raise OutOfTurn
            case frames.Say(text=words, files=files) | frames.Start(text=words, files=files):
                self._say.require(now)
                if not words.strip() and not files:
                    raise TextMissing
            case frames.Leave() | frames.Enroll() | frames.Rate() | frames.End():
                self._say.require(now)
            case frames.Type(typing=True):
                if self._typing.take(now):
                    return None
            case frames.Beat(ask=asks):
                return frame if asks else None
            case _:
                self._other.require(now)
        return frame
