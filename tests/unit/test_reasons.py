"""Why an assignment was made is kept as a code that fits its column, and older words are still read."""

from chat.pairing import reasons
from chat.pairing.models import Assignment
from chat.pairing.reasons import Reason, read, written


def test_what_was_written_is_read_again() -> None:
    for reason in (Reason("least-busy", 500, 3, 5, 2), reasons.BY_HAND, reasons.OLDEST, reasons.transferred("Žana")):
        assert read(written(reason)) == reason


def test_the_longest_names_fit_the_column() -> None:
    length = Assignment.model_fields["reason"].metadata[0].max_length
    for name in ("š" * 120, '"' * 120):
        assert len(written(reasons.transferred(name))) <= length


def test_words_of_an_earlier_version_are_shown_as_they_are() -> None:
    assert read("least loaded of 3: 1 of 5") == Reason("words", by="least loaded of 3: 1 of 5")
    assert not read("").by
