"""Transcript -> TicketDraft. Pure: it reads what was said and proposes; a person confirms."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar
from zoneinfo import ZoneInfo

from chat.public import Transcript, TranscriptMessage
from escalation.draft import Address, Drafted, FoundService, Origin, Source, Start, TicketDraft
from escalation.facts import Certainty, Fact, Kind, find_facts

T = TypeVar("T")
SUBJECT_LIMIT = 120
NORMAL = 1

_GREETING = re.compile(
    r"(?:hi|hello|hey|good (?:morning|day|afternoon|evening)|dear (?:all|team|support)|živjo|zivjo|zdravo|oj|"
    r"pozdravljeni|pozdrav|lep pozdrav|dober (?:dan|večer|vecer)|dobro jutro|spoštovani|spostovani)(?: there| all)?"
    r"(?!\w)[\s,.!:–-]{0,5}",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?…](?=\s)")
_SERVICE = re.compile(
    r"(?<!\w)(?:(?:VPS|VDS|KVM|DS)-?[0-9]{1,4}(?:\s(?:in|v|na)?\s?[A-ZČŠŽ][a-zčšž]{2,20})?"
    r"|(?<![@/.\w])[a-z0-9][a-z0-9-]{1,40}\.(?:si|com|net|org|eu|info|example|shop|io)(?![\w@.-]))"
)
_FINANCIAL = re.compile(
    r"(?<!\w)(?:račun|racun|plačil|placil|predračun|invoice|payment|billing|refund|vračil|ddv(?!\w)|vat(?!\w))",
    re.IGNORECASE,
)
_LINK_WORD = re.compile(r"\s(?:in|v|na)\s")


def draft_ticket(transcript: Transcript, zone: ZoneInfo) -> TicketDraft:
    """`zone` is the company's: it counts for times written without one."""
    said = [message for message in transcript.messages if message.author_kind == "visitor"]
    facts = [(message, fact) for message in said for fact in find_facts(message.text, message.at, zone)]
    visitor = transcript.visitor
    return TicketDraft(
        conversation_id=transcript.conversation_id,
        site_name=transcript.site_name,
        locale=transcript.locale,
        subject=_subject(said),
        department=_department(transcript, said),
        priority=Drafted(NORMAL, Origin(Source.SUGGESTED)),
        requester_name=_typed(visitor.name),
        requester_email=_typed(visitor.email),
        service=_service(said),
        orders=tuple(_unique((fact.value, message) for message, fact in facts if fact.kind is Kind.ORDER)),
        addresses=tuple(
            _unique(
                (Address(fact.value, fact.public), message)
                for message, fact in facts
                if fact.kind in (Kind.IPV4, Kind.IPV6)
            )
        ),
        start=_start(facts),
        environment={
            "locale": visitor.locale,
            "time_zone": visitor.time_zone,
            "browser": visitor.browser,
            "page": visitor.page_url,
        },
        waiting_since=transcript.waiting_since or (said[0].at if said else transcript.started_at),
        message_count=len(transcript.messages),
    )


def with_service(draft: TicketDraft, found: FoundService, origin: Origin) -> TicketDraft:
    """`origin` is of the order number, address or name that it was found by."""
    named = Drafted(found.name, Origin(Source.REGISTRY, origin.at, origin.seq))
    return replace(draft, service=named, service_id=found.id)


def _said(message: TranscriptMessage) -> Origin:
    return Origin(Source.SAID, message.at, message.seq)


def _typed(value: str | None) -> Drafted[str]:
    return Drafted(value or "", Origin(Source.TYPED if value else Source.NONE))


def _subject(said: Sequence[TranscriptMessage]) -> Drafted[str]:
    """The first message that says more than hello; where none does, the longest."""
    stated = [(message, subject_of(message.text)) for message in said]
    for message, subject in stated:
        if len(subject.split()) >= 3:
            return Drafted(subject, _said(message))
    if any(subject for _, subject in stated):
        message, subject = max(stated, key=lambda pair: len(pair[1]))
        return Drafted(subject, _said(message))
    return Drafted("", Origin(Source.NONE))


def subject_of(text: str) -> str:
    """The first line without its greeting, cut at the end of a sentence or of a word."""
    for line in text[:4000].splitlines():
        rest = _without_greeting(_without_greeting(" ".join(line.split())))
        if rest:
            return _cut(rest[0].upper() + rest[1:])
    return ""


def _without_greeting(line: str) -> str:
    greeting = _GREETING.match(line)
    return line[greeting.end() :] if greeting else line


def _cut(line: str) -> str:
    ends = [match.start() for match in _SENTENCE_END.finditer(line[: SUBJECT_LIMIT + 1])]
    first = next((end for end in ends if end >= 12), None)
    if first is not None:
        return line[: first + (line[first] == "?")]
    if len(line) <= SUBJECT_LIMIT:
        return line.removesuffix(".")
    head = line[: SUBJECT_LIMIT - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head).rstrip(" ,;:–-") + "…"


def _department(transcript: Transcript, said: Sequence[TranscriptMessage]) -> Drafted[str]:
    if transcript.department:
        return Drafted(transcript.department, Origin(Source.CONVERSATION))
    for message in said:
        if _FINANCIAL.search(message.text):
            return Drafted("financial", _said(message))
    return Drafted("technical", Origin(Source.SUGGESTED))


def _service(said: Sequence[TranscriptMessage]) -> Drafted[str]:
    for message in said:
        if found := _SERVICE.search(message.text):
            return Drafted(_LINK_WORD.sub(" ", found.group()), _said(message))
    return Drafted("", Origin(Source.NONE))


def _unique(found: Iterable[tuple[T, TranscriptMessage]]) -> Iterable[Drafted[T]]:
    seen: dict[T, Drafted[T]] = {}
    for value, message in found:
        seen.setdefault(value, Drafted(value, _said(message)))
    return seen.values()


def start_of(fact: Fact) -> Start:
    return Start(fact.instant, fact.text, fact.zone, fact.certainty, fact.question, fact.hint)


def _start(facts: Sequence[tuple[TranscriptMessage, Fact]]) -> Drafted[Start | None]:
    """The surest time, of equals the first said."""
    order = [Certainty.EXACT, Certainty.ABOUT, Certainty.UNCLEAR]
    times = [(message, fact) for message, fact in facts if fact.kind is Kind.TIME]
    if not times:
        return Drafted(None, Origin(Source.NONE))
    message, fact = min(times, key=lambda pair: order.index(pair[1].certainty))
    return Drafted(start_of(fact), _said(message))
