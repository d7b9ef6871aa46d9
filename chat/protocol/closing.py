"""Close codes: they end the socket and say whether to come back. 4000 to 4499 come back, 4500 to 4999 do not."""

from enum import Enum


class Closing(Enum):
    RETIRING = 4000, "this server leaves, come back"
    SILENT = 4001, "no word for too long, come back"
    DATABASE_AWAY = 4002, "the database is away, come back"
    TOO_MANY = 4003, "too many sockets of one visitor, come back later"
    TOO_SLOW = 4008, "too slow, resume from your cursor"
    MALFORMED = 4501, "not a frame of this protocol"
    OUT_OF_TURN = 4502, "the first frame must introduce you"
    ACCESS_ENDED = 4503, "access ended"
    GONE = 1006, "the other side left"

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def reason(self) -> str:
        return self.value[1]

    @property
    def comes_back(self) -> bool:
        return self.code < 4500
