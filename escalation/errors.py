"""What can go wrong with a ticket. The docstring is the message for logs; pages have their own words.

TicketError
├── TicketGone      there is none, or it is not for this reader: both look the same
├── TicketMoved     somebody changed it since the reader looked
├── TicketClosed    it is final
├── FilesRefused    a file that came along is not taken: nothing was said
├── TooManyTickets  of one customer in a short time; `again_at` says when there is room
├── NotPossible     the state, operator or department does not exist or cannot follow
│   ├── OperatorAbsent  who should get it is off duty
│   ├── OperatorFull    who should get it has no room for another ticket
│   ├── NoAddress       what was written is no address that a person reads
│   ├── AlreadyReads    it is the requester's own address
│   ├── TooManyPeople   more take part than may
│   └── TagsRefused     more tags, or a longer one, than a ticket has
├── TimeUnclear     what was written is no time of the coming day
├── DifferentPeople the requesters of two tickets are not known to be one person
├── MoreReaders     in the other ticket more people would read it
├── FewerReaders    who takes part in the one ticket could not read the other
├── NeedsOwnership  who asks is not known well enough for this action
└── TextRefused     TextEmpty, TextTooLong
"""

from collections.abc import Sequence
from datetime import datetime


class TicketError(Exception):
    """Base of all errors of tickets."""


class TicketGone(TicketError):
    """No such ticket for this reader."""


class TicketMoved(TicketError):
    """The ticket changed after the version the operator saw."""


class FilesRefused(TicketError):
    """A file that came along is not taken; nothing was said."""


class TooManyTickets(TicketError):
    """One customer has opened very many."""

    def __init__(self, count: int, again_at: datetime) -> None:
        super().__init__(f"{count}, the next at {again_at}")
        self.count = count
        self.again_at = again_at


class TicketClosed(TicketError):
    """The ticket is closed and takes no more messages."""


class NotPossible(TicketError):
    """This change cannot follow from here."""


class OperatorAbsent(NotPossible):
    """Whoever should get it is off duty."""


class OperatorFull(NotPossible):
    """Whoever should get it has as many open tickets as they take."""


class NoAddress(NotPossible):
    """Not an address that a person reads."""


class AlreadyReads(NotPossible):
    """The address is the requester's."""


class TooManyPeople(NotPossible):
    """So many take part that nobody more may."""


class TagsRefused(NotPossible):
    """More tags, or a longer one, than a ticket has."""


class TimeUnclear(TicketError):
    """Not a time of the day."""


class DifferentPeople(TicketError):
    """The tickets belong to different people."""


class MoreReaders(TicketError):
    """Somebody may read the one ticket who may not read the other."""


class FewerReaders(TicketError):
    """Somebody who takes part in the one ticket, or the people of its account, may not read the other."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"{len(names)} of them")
        self.names = names


class NeedsOwnership(TicketError):
    """The level of the message that asks is below what the action needs."""

    def __init__(self, level: int, needed: int) -> None:
        super().__init__(f"level {level}, needed {needed}")
        self.level = level
        self.needed = needed


class TextRefused(TicketError):
    """The text cannot be taken."""


class TextEmpty(TextRefused):
    """Nothing was written."""


class TextTooLong(TextRefused):
    """More than the limit was written."""
