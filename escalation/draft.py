"""A ticket that is not one yet: each field with its value and where the value came from."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from escalation.facts import Certainty, Question

T = TypeVar("T")


class Source(StrEnum):
    SAID = "said"
    """From a message; its time is shown."""
    CONVERSATION = "conversation"
    TYPED = "typed"
    """Typed by the visitor into a form: a label, never an identity."""
    REGISTRY = "registry"
    """A service of the requester's account, found by what was said."""
    SUGGESTED = "suggested"
    """Guessed from words, or the default."""
    OPERATOR = "operator"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Origin:
    source: Source
    at: datetime | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Drafted(Generic[T]):
    value: T
    origin: Origin


@dataclass(frozen=True, slots=True)
class Address:
    value: str
    public: bool


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service of the requester's own account, under the name that the client area shows."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Start:
    """When it began. `instant` is missing where somebody has to be asked: `question` says what."""

    instant: datetime | None
    raw: str
    zone: str
    certainty: Certainty
    question: Question = Question.NONE
    hint: str = ""


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """What `open_ticket` writes. `priority`: 0 high, 1 normal. `department` is a slug."""

    conversation_id: UUID | None
    site_name: str
    locale: str
    subject: Drafted[str]
    department: Drafted[str]
    priority: Drafted[int]
    requester_name: Drafted[str]
    requester_email: Drafted[str]
    service: Drafted[str]
    orders: tuple[Drafted[str], ...]
    addresses: tuple[Drafted[Address], ...]
    start: Drafted[Start | None]
    environment: dict[str, Any]
    waiting_since: datetime | None
    message_count: int
    account_id: UUID | None = None
    """Of a requester who is identified."""
    customer_id: UUID | None = None
    """The person of the account."""
    service_id: UUID | None = None
    """What `service` was found to be in the account."""
    verify_level: int = 0

    def with_subject(self, subject: Drafted[str]) -> "TicketDraft":
        return replace(self, subject=subject)
