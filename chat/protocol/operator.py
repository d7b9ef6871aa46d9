"""Sans-I/O half of an operator's connection."""

from chat.protocol import frames
from chat.protocol.decoding import decode
from chat.protocol.errors import NoteMissing, OutOfTurn, TextMissing
from chat.protocol.pace import Pace
from chat.protocol.visitor import State


class OperatorSession:
    """As `VisitorSession`; the first frame is `attend`."""

    def __init__(self) -> None:
        self.state = State.CONNECTING
        self._say = Pace(burst=30, per_second=10)
        self._other = Pace(burst=100, per_second=30)
        self._typing = Pace(burst=1, per_second=0.5)

    def receive(self, text: str, now: float) -> frames.OperatorFrame | None:
        frame = decode(frames.operator_decoder, text)
        match frame:
            case frames.Attend():
                if self.state is not State.CONNECTING:
                    raise OutOfTurn
                self.state = State.OPEN
                return frame
            case _ if self.state is not State.OPEN:
                raise OutOfTurn
            case frames.Say(files=[_, *_]):
                self._say.require(now)
            case frames.Say(text=words) | frames.Note(text=words):
                self._say.require(now)
                if not words.strip():
                    raise TextMissing
            case frames.Transfer(note=words):
                self._say.require(now)
                if not words.strip():
                    raise NoteMissing
            case frames.Type(typing=True):
                if self._typing.take(now):
                    return None
            case frames.Beat(ask=asks):
                return frame if asks else None
            case _:
                self._other.require(now)
        return frame
