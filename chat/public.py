"""The door: all that `widget` and `escalation` may import from the rings below."""

from chat.console.forms import form_of, local_path
from chat.conversations.actions import DESK, LEFT, Conversations, checked_address
from chat.conversations.cards import CardDraft, CardDraftLink
from chat.conversations.entry import Author
from chat.conversations.models import Conversation
from chat.conversations.transcript import Transcript, TranscriptMessage, TranscriptVisitor, transcript_of
from chat.hub.admission import PerAddress
from chat.outbox import Outbox
from chat.pairing.duties import Duties, Duty, duty_of
from chat.pairing.presence import is_online, on_duty
from chat.people.browsers import in_words
from chat.people.models import Department, Operator, OperatorDepartment, Site, Visitor
from chat.people.operators import Passwords, PasswordTooShort, require_length
from chat.people.sign_in_waits import SignInWaits
from chat.protocol.errors import Refusal, Unavailable, UnknownConversation

__all__ = [
    "DESK",
    "LEFT",
    "Author",
    "CardDraft",
    "CardDraftLink",
    "Conversation",
    "Conversations",
    "Department",
    "Duties",
    "Duty",
    "Operator",
    "OperatorDepartment",
    "Outbox",
    "PasswordTooShort",
    "Passwords",
    "PerAddress",
    "Refusal",
    "SignInWaits",
    "Site",
    "Transcript",
    "TranscriptMessage",
    "TranscriptVisitor",
    "Unavailable",
    "UnknownConversation",
    "Visitor",
    "checked_address",
    "duty_of",
    "form_of",
    "in_words",
    "is_online",
    "local_path",
    "on_duty",
    "require_length",
    "transcript_of",
]
