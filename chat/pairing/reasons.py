"""Why an assignment was made: a code and its figures, kept with it and told in the language of who reads it."""

import msgspec

LONGEST_NAME = 80


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """`least-busy`, `by-hand`, `oldest`, `transferred`; `words` for what an earlier version wrote in English."""

    why: str
    of: int = 0
    """How many could have taken it."""
    load: int = 0
    capacity: int = 0
    passed_on: int = 0
    """How often this operator had missed or declined it before."""
    by: str = ""


BY_HAND = Reason("by-hand")
OLDEST = Reason("oldest")


def transferred(by: str) -> Reason:
    return Reason("transferred", by=by[:LONGEST_NAME])


def written(reason: Reason) -> str:
    return msgspec.json.encode(reason).decode()


def read(text: str) -> Reason:
    try:
        return msgspec.json.decode(text, type=Reason)
    except msgspec.DecodeError:
        return Reason("words", by=text)
