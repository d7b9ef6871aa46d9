"""The door: all that `widget` and `escalation` may import from the rings below."""

from chat.console.admin.fields import Fields
from chat.console.admin.rows import named_row
from chat.console.forms import form_of, local_path
from chat.console.inbox import departments_of
from chat.console.panels import ConsoleWarning, RailLink
from chat.console.rows import visible_to
from chat.conversations.actions import DESK, LEFT, Conversations, checked_address
from chat.conversations.cards import CardDraft, CardDraftLink
from chat.conversations.entry import Author
from chat.conversations.file_readers import conversations_in
from chat.conversations.models import Conversation, Message
from chat.conversations.said import Said, said_in
from chat.conversations.transcript import Transcript, TranscriptMessage, TranscriptVisitor, transcript_of
from chat.files.attachments import INSIDE, Attached, claim_files, put_files_along, ready_files
from chat.files.downloads import Downloads
from chat.files.errors import NoSuchFile
from chat.files.forms import CHOSEN_FILES, SENT_FILES, FormFiles, files_of, form_with_files
from chat.files.limits import CUSTOMER_DAILY, FILES_PER_MESSAGE, OPERATOR_DAILY, VISITOR_DAILY
from chat.files.routes import UploadDoor, sentence
from chat.files.shares import Owner
from chat.files.uploads import Uploads
from chat.hub.admission import PerAddress
from chat.hub.bell import Bell
from chat.outbox import Outbox, OutboxDraft
from chat.pairing.actions import Pairing
from chat.pairing.duties import Duties, Duty, duty_of
from chat.pairing.presence import NOW, is_online, on_duty
from chat.people.audit import audit, differences
from chat.people.browsers import in_words
from chat.people.models import SUPERVISING, Department, Operator, OperatorDepartment, Site, Visitor
from chat.people.operators import Passwords, PasswordTooShort, require_length
from chat.people.sign_in_waits import SignInWaits
from chat.protocol.errors import Refusal, Unavailable, UnknownConversation

__all__ = [
    "CHOSEN_FILES",
    "CUSTOMER_DAILY",
    "DESK",
    "FILES_PER_MESSAGE",
    "INSIDE",
    "LEFT",
    "NOW",
    "OPERATOR_DAILY",
    "SENT_FILES",
    "SUPERVISING",
    "VISITOR_DAILY",
    "Attached",
    "Author",
    "Bell",
    "CardDraft",
    "CardDraftLink",
    "ConsoleWarning",
    "Conversation",
    "Conversations",
    "Department",
    "Downloads",
    "Duties",
    "Duty",
    "Fields",
    "FormFiles",
    "Message",
    "NoSuchFile",
    "Operator",
    "OperatorDepartment",
    "Outbox",
    "OutboxDraft",
    "Owner",
    "Pairing",
    "PasswordTooShort",
    "Passwords",
    "PerAddress",
    "RailLink",
    "Refusal",
    "Said",
    "SignInWaits",
    "Site",
    "Transcript",
    "TranscriptMessage",
    "TranscriptVisitor",
    "Unavailable",
    "UnknownConversation",
    "UploadDoor",
    "Uploads",
    "Visitor",
    "audit",
    "checked_address",
    "claim_files",
    "conversations_in",
    "departments_of",
    "differences",
    "duty_of",
    "files_of",
    "form_of",
    "form_with_files",
    "in_words",
    "is_online",
    "local_path",
    "named_row",
    "on_duty",
    "put_files_along",
    "ready_files",
    "require_length",
    "said_in",
    "sentence",
    "transcript_of",
    "visible_to",
]
