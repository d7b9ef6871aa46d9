"""Errors of the protocol. The docstring is the message that people read; `code` is for programs.

ProtocolError
├── Refusal            answers one request with `refused`; the socket lives
│   ├── InvalidFrame
│   ├── TextMissing, TextTooLong, AddressInvalid, NoteMissing
│   ├── TooFast        with a time to wait
│   ├── UnknownConversation, NotYours, NothingWaiting, AlreadyEnded, NoSuchTarget, AtCapacity, RefTaken
│   └── Unavailable    the database is away; a retry helps
└── Fatal              closes the socket
    ├── Malformed
    ├── OutOfTurn
    └── TooMany        sockets of one visitor
"""

from random import uniform
from typing import ClassVar

from chat.protocol.closing import Closing


def gettext(message: str) -> str:
    """Marks a message for the catalogue; the reader's language is known later."""
    return message


AWAY_SECONDS = 1.0, 3.0
"""After which a client may try again that was told of a database that is away."""


class ProtocolError(Exception):
    pass


class Refusal(ProtocolError):
    code: ClassVar[str] = "refused"
    message: ClassVar[str] = gettext("This was not accepted.")
    retry: ClassVar[bool] = False

    def __init__(self, *, retry_after: float = 0) -> None:
        super().__init__(self.code)
        self.retry_after = retry_after


class InvalidFrame(Refusal):
    code = "invalid"
    message = gettext("This request is not one that the server knows. Reload the page to get the newest version.")


class TextMissing(Refusal):
    code = "text-missing"
    message = gettext("Write a few words first.")


class TextTooLong(Refusal):
    code = "text-too-long"
    message = gettext("The text is longer than 10,000 characters. Send it in two parts.")


class AddressInvalid(Refusal):
    code = "address-invalid"
    message = gettext("The e-mail address is not complete. Check it, for example name@company.com.")


class NoteMissing(Refusal):
    code = "note-missing"
    message = gettext("Write a note for whoever takes over.")


class TooFast(Refusal):
    code = "too-fast"
    message = gettext("That was a lot at once. It will be sent again in a moment.")
    retry = True


class UnknownConversation(Refusal):
    code = "unknown-conversation"
    message = gettext("There is no such conversation.")


class NotYours(Refusal):
    code = "not-yours"
    message = gettext("A colleague has this conversation. Take it over first, or write a note.")


class NothingWaiting(Refusal):
    code = "nothing-waiting"
    message = gettext("Nobody is waiting.")


class AlreadyEnded(Refusal):
    code = "already-ended"
    message = gettext("The conversation has ended.")


class NoSuchTarget(Refusal):
    code = "no-such-target"
    message = gettext("Choose a colleague or a department.")


class AtCapacity(Refusal):
    code = "at-capacity"
    message = gettext("That colleague cannot take another conversation now.")


class RefTaken(Refusal):
    code = "ref-taken"
    message = gettext("This message could not be told from another one. Send it again.")


class Unavailable(Refusal):
    code = "unavailable"
    message = gettext("The server cannot store anything at the moment. Your text is kept and sent again.")
    retry = True

    def __init__(self) -> None:
        # Of the thousands who are told this together each comes back at another moment.
        super().__init__(retry_after=round(uniform(*AWAY_SECONDS), 1))  # noqa: S311 — no secret


class Fatal(ProtocolError):
    closing: ClassVar[Closing]


class Malformed(Fatal):
    closing = Closing.MALFORMED


class OutOfTurn(Fatal):
    closing = Closing.OUT_OF_TURN


class TooMany(Fatal):
    closing = Closing.TOO_MANY
