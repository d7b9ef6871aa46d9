"""Where a list of the client area goes on: a moment and an id, as text that stands in an address."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from chat.ids import parse_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_of(at: datetime, row_id: UUID) -> str:
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}.{row_id}"


def parsed(cursor: str) -> tuple[datetime, UUID] | None:
    """None where somebody changed it: the list then begins at its head."""
    micros, _, text = cursor.partition(".")
    found = parse_id(text)
    if found is None or not micros.isascii() or not micros.isdigit() or len(micros) > 17:
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(micros)), found
    except OverflowError:
        return None
