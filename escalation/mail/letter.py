"""What somebody wants mailed: who gets it, why, and what the words of its kind need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

SIGN_IN = "sign_in"
CONFIRM_ADDRESS = "confirm_address"
ADDRESS_CHANGED = "address_changed"
PASSWORD_CHANGED = "password_changed"  # noqa: S105 — a kind of letter
SIGNED_IN = "signed_in"
TICKET_OPENED = "ticket_opened"
TICKET_NEUTRAL = "ticket_neutral"
TICKET_REPLY = "ticket_reply"
TICKET_SHARED = "ticket_shared"

KINDS = (
    SIGN_IN,
    CONFIRM_ADDRESS,
    ADDRESS_CHANGED,
    PASSWORD_CHANGED,
    SIGNED_IN,
    TICKET_OPENED,
    TICKET_NEUTRAL,
    TICKET_REPLY,
    TICKET_SHARED,
)
ABOUT_TICKETS = frozenset({TICKET_OPENED, TICKET_REPLY, TICKET_SHARED})
"""Only to who may read the ticket when they are sent."""
ANSWERS = frozenset({TICKET_OPENED, TICKET_NEUTRAL})
"""Automatic answers: to something that came in. They have no return path, so that two robots never talk."""
PERSONAL = frozenset({TICKET_REPLY})
"""Written by a person; all others say that a program wrote them."""

TRIED_ANYWAY = frozenset({CONFIRM_ADDRESS})
"""Goes to an address that was refused, too: its owner says that it takes mail again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one address.

    `cause`: the same kind, cause and address is the same mail, however often it is posted.
    `link`: where its button leads. A path of ours (`/client/…/<id>`) is signed as `Links.sign` does when the mail is
    made, so that no row holds a link that works. A whole URL is kept until the mail is out, then forgotten.
    `values`: what the words of the kind need besides, see `wording`.
    `not_before`: it waits until then. `expires_at`: when it is of no more use; with a link, when that ends.
    """

    kind: str
    to: str
    cause: str
    locale: str
    link: str = ""
    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    not_before: datetime | None = None
    ticket_id: UUID | None = None
    ticket_message_id: UUID | None = None
