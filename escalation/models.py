"""Tables of tickets: the ticket with its thread, history and clock, and its ties to conversations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Column, ForeignKey, Index, String, UniqueConstraint, Uuid, text
from sqlmodel import Field

from chat.db import Row, UTCDateTime


def _index_where(name: str, columns: str, condition: str) -> Index:
    """Of the few rows that fit, however many there are."""
    some = text(condition)
    return Index(name, *columns.split(), sqlite_where=some, postgresql_where=some)


class TicketCounter(Row, table=True):
    """The last number given in a year. Raised by UPDATE in the transaction of the ticket: no gap, no double."""

    __tablename__ = "ticket_counter"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    last: int = 0


class Ticket(Row, table=True):
    """`operators_turn`, `due_at`, `waiting_since` and `place` are derived: they follow the thread and the clocks in the
    same transaction and stand here so that list and "take next" share one ORDER BY."""

    __tablename__ = "ticket"
    __table_args__ = (
        Index("ix_ticket_department_id_place", "department_id", "place"),
        Index("ix_ticket_operator_id_place", "operator_id", "place"),
        Index("ix_ticket_department_id_operator_id_place", "department_id", "operator_id", "place"),
        Index("ix_ticket_open", "open", "department_id", "priority"),
        Index("ix_ticket_account_id_open", "account_id", "open"),
        Index("ix_ticket_customer_id_public_at", "customer_id", "public_at"),
    )
    id: UUID = Field(primary_key=True)
    number: str = Field(unique=True, max_length=20)
    site_name: str = Field(default="", max_length=120)
    """Whom the requester wrote to: the name over their pages."""
    place: str = Field(
        default="",
        sa_column=Column(
            String(80).with_variant(String(80, collation="C"), "postgresql"), nullable=False, server_default=""
        ),
    )
    """Where it stands in the order of service, as text that sorts: `escalation.queue` writes it at each flush."""
    department_id: UUID = Field(foreign_key="department.id")
    priority: int = 1  # 0 high, 1 normal: ascending is the order of service
    state: str = Field(max_length=24)  # new, open, waiting_customer, waiting_third_party, solved, closed
    closed_reason: str | None = Field(default=None, max_length=10)  # done, merged, spam
    open: bool = True
    """Neither solved nor closed."""
    operators_turn: bool = True
    contact_channel: str = Field(max_length=10)  # chat, form, mail, phone
    subject: str = Field(max_length=200)
    locale: str = Field(default="en", max_length=8)
    operator_id: UUID | None = Field(default=None, foreign_key="operator.id")
    requester_name: str = Field(default="", max_length=120)
    requester_email: str = Field(default="", max_length=254)
    verify_level: int = 0
    verify_method: str = Field(default="", max_length=40)
    verified_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    service_label: str = Field(default="", max_length=200)
    account_id: UUID | None = None
    """Of a requester who was identified; with `service_id`, what the label was found to be in that account. Without
    foreign keys: on SQLite the table would have to be copied for one, and accounts and services are never deleted."""
    customer_id: UUID | None = None
    """The person of the account whose ticket it is; the same holds for it."""
    service_id: UUID | None = None
    started_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    started_raw: str = Field(default="", max_length=120)
    started_zone: str = Field(default="", max_length=64)
    started_certainty: str = Field(default="", max_length=10)  # exact, about, unclear
    environment: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    """Language, page, browser, zone: for operators only."""
    waiting_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    due_metric: str = Field(default="", max_length=12, sa_column_kwargs={"server_default": ""})
    """Which clock is due next: `due_at` is its due."""
    first_reply_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_customer_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_operator_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    last_seq: int = 0
    last_customer_seq: int = 0
    last_operator_seq: int = 0
    """Newest public message of each side: the higher one says whose turn it is."""
    last_event_seq: int = 0
    created_by: UUID | None = Field(default=None, foreign_key="operator.id")
    """The operator who opened it; none where the visitor did."""
    created_at: datetime = Field(sa_type=UTCDateTime)
    changed_at: datetime = Field(sa_type=UTCDateTime)
    public_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Of the newest change that the requester may see: a note must not show by a time. None counts as the creation."""
    closed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 0
    """Raised by each change; an operator's action names the one it was written on."""


class TicketOrder(Row, table=True):
    __tablename__ = "ticket_order"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    value: str = Field(primary_key=True, max_length=20, index=True)
    source: str = Field(max_length=20)  # text, operator, requester


class TicketIp(Row, table=True):
    __tablename__ = "ticket_ip"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    value: str = Field(primary_key=True, max_length=45, index=True)
    source: str = Field(max_length=20)


class TicketMessage(Row, table=True):
    """One entry of the thread: message (said to the other side), note (operators only), transcript (the first one).

    What came from a conversation is unique on its place there, what somebody sent is unique on its `ref`.
    """

    __tablename__ = "ticket_message"
    __table_args__ = (
        UniqueConstraint("ticket_id", "seq"),
        UniqueConstraint("ticket_id", "ref"),
        UniqueConstraint("ticket_id", "conversation_id", "conversation_seq"),
    )
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    seq: int
    kind: str = Field(max_length=12)  # message, note, transcript
    author_kind: str = Field(max_length=10)  # requester, operator, system
    author_id: UUID | None = None
    author_name: str = Field(default="", max_length=120)
    contact_channel: str = Field(max_length=10)  # chat, desk, page, mail
    text: str = ""
    locale: str = Field(default="", max_length=8)
    sender_level: int = 0
    conversation_id: UUID | None = Field(default=None, foreign_key="conversation.id")
    conversation_seq: int | None = None
    ref: str | None = Field(default=None, max_length=80)
    files: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    """What goes along with it: id, name, type, size, and of images width and height."""
    at: datetime = Field(sa_type=UTCDateTime)


class TicketConversation(Row, table=True):
    """The tie between a ticket and the conversation it was born of.

    Its first constraint judges who was first, so it is written before the ticket: hence the deferred foreign key.
    """

    __tablename__ = "ticket_conversation"
    __table_args__ = (
        UniqueConstraint("conversation_id", "escalation_no"),
        Index(
            "uq_ticket_conversation_one_held",
            "conversation_id",
            unique=True,
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(
        sa_column=Column(
            Uuid, ForeignKey("ticket.id", deferrable=True, initially="DEFERRED"), nullable=False, index=True
        )
    )
    conversation_id: UUID = Field(foreign_key="conversation.id")
    escalation_no: int = 1
    upto_seq: int = 0
    copied_seq: int = 0
    """Everything said in the conversation up to here stands in the ticket."""
    card_digest: str = Field(default="", max_length=64)
    """Of the card as it was last shown: a change that does not show makes no revision."""
    released_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TicketTranscript(Row, table=True):
    """What was said before the ticket, frozen. Notes stand in a part of their own, for operators only."""

    __tablename__ = "ticket_transcript"
    __table_args__ = (UniqueConstraint("ticket_id", "conversation_id", "revision"),)
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    conversation_id: UUID = Field(foreign_key="conversation.id")
    revision: int = 1
    upto_seq: int
    body: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    operators_body: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    sha256: str = Field(max_length=64)
    """Over both parts in canonical JSON."""
    created_at: datetime = Field(sa_type=UTCDateTime)


class TicketEvent(Row, table=True):
    """The history, append-only: each change of a ticket is one row in the transaction of the change."""

    __tablename__ = "ticket_event"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    seq: int = Field(primary_key=True)
    type: str = Field(max_length=24)
    actor_kind: str = Field(max_length=10)  # operator, requester, system
    actor_id: UUID | None = None
    actor_name: str = Field(default="", max_length=120)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UTCDateTime)


class TicketAssignment(Row, table=True):
    """Operator and ticket, with start and end: a record, not a flag."""

    __tablename__ = "ticket_assignment"
    __table_args__ = (
        Index(
            "uq_ticket_assignment_one_open",
            "ticket_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    started_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class TicketMention(Row, table=True):
    """An operator whom a note names: from then on they see the ticket, whatever their department."""

    __tablename__ = "ticket_mention"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id", index=True)
    at: datetime = Field(sa_type=UTCDateTime)


class TicketTag(Row, table=True):
    __tablename__ = "ticket_tag"
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    tag: str = Field(primary_key=True, max_length=40, index=True)


class TicketRelation(Row, table=True):
    """Two tickets that have to do with each other, written from the one that was acted on: `merged` into the other,
    `split` from the other, a `follow-up` of it, `linked` with it."""

    __tablename__ = "ticket_relation"
    __table_args__ = (UniqueConstraint("ticket_id", "other_id", "relation"),)
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    other_id: UUID = Field(foreign_key="ticket.id", index=True)
    relation: str = Field(max_length=12)
    card_digest: str = Field(default="", max_length=64)
    """Of the card of a ticket that was split off, as it was last shown where the other one stands."""
    at: datetime = Field(sa_type=UTCDateTime)


class TicketLink(Row, table=True):
    """A way to one ticket without sign-in. The id stands in the address beside our signature."""

    __tablename__ = "ticket_link"
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id", index=True)
    scope: str = Field(default="requester", max_length=12)
    recipient: str = Field(default="", max_length=254, sa_column_kwargs={"server_default": ""})
    """The address that got it; empty for the one in the conversation."""
    expires_at: datetime = Field(sa_type=UTCDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """The first time; of links to read, only of those of participants."""
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(sa_type=UTCDateTime)


class TicketParticipant(Row, table=True):
    """Whom an operator lets take part: a customer of the account, or an outside address with a link of its own."""

    __tablename__ = "ticket_participant"
    __table_args__ = (UniqueConstraint("ticket_id", "address"),)
    id: UUID = Field(primary_key=True)
    ticket_id: UUID = Field(foreign_key="ticket.id")
    address: str = Field(max_length=254)
    customer_id: UUID | None = Field(default=None, foreign_key="customer.id", index=True)
    name: str = Field(default="", max_length=120)
    locale: str = Field(default="", max_length=8)
    """What they chose on their page; empty: `escalation.languages` knows another."""
    added_by: str = Field(default="", max_length=120)
    added_at: datetime = Field(sa_type=UTCDateTime)


class SlaClock(Row, table=True):
    """One running or finished promise. `subject_kind` is ticket or conversation; state: running, met, cancelled.

    A breached clock runs on until the reply comes; `met` with `breached_at` is a reply that came too late.
    """

    __tablename__ = "sla_clock"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "metric", "instance"),
        Index("ix_sla_clock_state_due_at", "state", "due_at"),
        Index("ix_sla_clock_state_next_at", "state", "next_at"),
        Index("ix_sla_clock_state_breached_at", "state", "breached_at"),
        Index("ix_sla_clock_metric_started_at", "metric", "started_at"),
        _index_where("ix_sla_clock_alarmed", "due_at", "alarmed_at IS NOT NULL"),
        _index_where("ix_sla_clock_absent", "due_at", "absent_at IS NOT NULL"),
        _index_where("ix_sla_clock_offered_to", "offered_to", "offered_to IS NOT NULL"),
    )
    id: UUID = Field(primary_key=True)
    subject_kind: str = Field(max_length=12)
    subject_id: UUID
    metric: str = Field(max_length=12)  # first_reply, next_reply, update_by, solve
    instance: int = 1
    policy_id: UUID | None = Field(default=None, foreign_key="sla_policy.id")
    policy_version: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    target_seconds: int
    started_at: datetime = Field(sa_type=UTCDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """None while it pauses."""
    breach_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    next_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Its next step; the worker that moves this on by a conditional UPDATE carries the step out."""
    state: str = Field(max_length=10)
    met_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    breached_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    elapsed_seconds: int | None = None
    reason: str = Field(default="", max_length=500, sa_column_kwargs={"server_default": ""})
    """Why it was breached, in the words of an operator; asked for as long as it is empty."""
    alarmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Of the newest alarm, the breach included. As `offered_to` and `absent_at` it is kept by `escalation.sla.ringing`
    and only while the clock runs."""
    absent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Of the newest alarm that found its holder off duty: it is for all of the department."""
    offered_to: UUID | None = None
    """The operator whom the newest offer names."""


class SlaEvent(Row, table=True):
    """What happened to a clock. The unique constraint makes each alarm happen once."""

    __tablename__ = "sla_event"
    __table_args__ = (UniqueConstraint("clock_id", "type", "n"),)
    id: UUID = Field(primary_key=True)
    clock_id: UUID = Field(foreign_key="sla_clock.id")
    type: str = Field(max_length=12)  # alarm, breached, applied
    n: int
    """Of an alarm: its `after`. Of `applied`: the version of the policy."""
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime = Field(sa_type=UTCDateTime)


class SlaSeen(Row, table=True):
    """An operator has acknowledged an alarm: it is shown and rung to them no more. Once, however often they press."""

    __tablename__ = "sla_seen"
    event_id: UUID = Field(primary_key=True, foreign_key="sla_event.id")
    operator_id: UUID = Field(primary_key=True, foreign_key="operator.id")
    at: datetime = Field(sa_type=UTCDateTime)
