"""All metrics of Nightdesk: name, what it says, labels. Label values come from closed lists, never an id, an address or
the name of a person. Counters end in `_total`, units are seconds and bytes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()


HTTP_REQUESTS = Named("nightdesk_http_requests_total", "counter", "Requests answered.", ("method", "route", "status"))
HTTP_SECONDS = Named("nightdesk_http_request_duration_seconds", "histogram", "Time to the whole answer.", ("route",))

CONNECTIONS = Named("nightdesk_connections", "gauge", "Open sockets of this process.", ("role",))
CONNECTIONS_CLOSED = Named(
    "nightdesk_connections_closed_total",
    "counter",
    "Sockets that ended, by close code; code poll: a long poll that was answered, as each is.",
    ("role", "code"),
)
FRAMES = Named("nightdesk_frames_total", "counter", "Frames by direction (in, out) and type.", ("direction", "type"))
RESYNCS = Named(
    "nightdesk_resyncs_total",
    "counter",
    "Views brought up from rows: resume (came back), reset (had no cursor of ours), fill (no hint brought an entry).",
    ("reason",),
)

COMMIT_SECONDS = Named("nightdesk_commit_seconds", "histogram", "Time of one group commit of messages.")
COMMIT_GROUP_SIZE = Named("nightdesk_commit_group_size", "histogram", "Messages in one group commit.")
DELIVERY_SECONDS = Named(
    "nightdesk_delivery_seconds",
    "histogram",
    "From the time of a message to its way out on a socket of this process.",
    ("audience",),
)
CANARY_SECONDS = Named("nightdesk_canary_seconds", "histogram", "Send to shown, between the two of the canary.")
CANARY_LOST = Named("nightdesk_canary_lost_total", "counter", "Messages of the canary not shown in time.")

CONVERSATIONS_OPEN = Named("nightdesk_conversations_open", "gauge", "Waiting, offered or active.")
QUEUE_WAITING = Named("nightdesk_queue_waiting", "gauge", "Conversations that wait or are offered.", ("department",))
QUEUE_OLDEST = Named("nightdesk_queue_oldest_seconds", "gauge", "How long the first in line waits.", ("department",))
OPERATORS = Named("nightdesk_operators", "gauge", "Active operators: online, away, absent.", ("presence",))
FIRST_REPLY = Named(
    "nightdesk_first_reply_seconds",
    "histogram",
    "From the first word to the first message by a person.",
    ("origin",),
)

TICKETS_OPEN = Named(
    "nightdesk_tickets_open", "gauge", "Tickets not solved and not closed.", ("department", "priority")
)
SLA_BREACHES = Named("nightdesk_sla_breaches_total", "counter", "Promises broken, seen by this process.", ("target",))

MAIL_SENT = Named("nightdesk_mail_sent_total", "counter", "Tries to send a mail, of this process.", ("result",))
MAIL_WAITING = Named("nightdesk_mail_waiting", "gauge", "Mails that are due and not sent; 1000 stands for more.")
MAIL_LAG = Named("nightdesk_mail_lag_seconds", "gauge", "How long the oldest of them is due.")

OUTBOX_ROWS = Named("nightdesk_outbox_rows", "gauge", "Rows that are not done.", ("kind", "state"))
OUTBOX_LAG = Named("nightdesk_outbox_lag_seconds", "gauge", "Age of the oldest row that is not done.", ("kind",))

BUS_UP = Named("nightdesk_bus_up", "gauge", "1 while hints between processes arrive; 1 with the bus in memory.")
BUS_SILENCE = Named("nightdesk_bus_silence_seconds", "gauge", "How long this process has heard nothing on the bus.")
DB_CONNECTIONS = Named("nightdesk_db_connections_in_use", "gauge", "Connections to the database that are busy.")
DB_CONNECTIONS_LIMIT = Named(
    "nightdesk_db_connections_limit", "gauge", "Connections that this process may have, beside the journal's own."
)
TASKS = Named("nightdesk_tasks", "gauge", "Tasks of the event loop; idle sockets have none of their own.")
BUILD_INFO = Named("nightdesk_build_info", "gauge", "Always 1.", ("version",))

ALL: tuple[Named, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Named))
