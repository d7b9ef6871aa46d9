"""Reads all histories of a run and the database, and says what was lost, doubled, reordered, missing or misdelivered.

Run it when the run is quiet: what was committed must have reached every view that was still there.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from tests.support.histories import (
    Ack,
    AnyEvent,
    Closed,
    Gone,
    Invoke,
    Resumed,
    Revoked,
    Shown,
    Who,
)
from tests.support.oracle import Oracle
from tests.support.stored import Row, Stored

VERDICTS = ("lost", "doubled", "reordered", "holes", "misdelivered")
REVOKED_SECONDS = 5.0
"""Access that has ended may be used so long, while the bus is away."""


@dataclass(frozen=True, order=True)
class Finding:
    verdict: str
    story: str


@dataclass
class View:
    """One stream on one client. `base`: entries up to it were never asked for."""

    client: str
    conversation: str
    stream: str
    base: int | None = None
    shown: dict[int, str] = field(default_factory=dict)
    refs: dict[str, int] = field(default_factory=dict)
    last: int = 0
    is_open: bool = True


@dataclass
class Sending:
    """One ref: who said it when, and the first acknowledgement that a tab of the sender held."""

    client: str = ""
    conversation: str = ""
    invoked: float = inf
    seq: int = 0
    acked: float = inf


class Judge:
    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._oracle = Oracle(stored)
        self._findings: set[Finding] = set()
        self._views: list[View] = []
        self._sendings: defaultdict[str, Sending] = defaultdict(Sending)
        self._by_seq = {key: {row.seq: row for row in rows} for key, rows in stored.streams.items()}

    def findings(self, histories: Iterable[tuple[str, list[AnyEvent]]]) -> list[Finding]:
        for client, events in histories:
            self._read(client, events)
        self._judge_rows()
        self._judge_acks()
        self._judge_real_time()
        for view in self._views:
            self._judge_view(view)
        return sorted(self._findings)

    def _find(self, verdict: str, story: str) -> None:
        self._findings.add(Finding(verdict, story))

    # ── one history ──────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, client: str, events: list[AnyEvent]) -> None:
        views: dict[tuple[str, str], View] = {}
        kind = identity = ""
        revoked = inf
        for event in events:
            match event:
                case Who():
                    kind, identity = event.kind, event.identity
                case Invoke():
                    self._invoked(client, event)
                case Ack():
                    self._acked(event)
                case Resumed():
                    self._resumed(views, client, event)
                case Shown():
                    if event.t > revoked + REVOKED_SECONDS:
                        self._find("misdelivered", f"{client} was shown {_name(event)} after its access had ended")
                    elif not self._oracle.may_see(kind, identity, event.conversation, event.stream):
                        self._find("misdelivered", f"{client} was shown {_name(event)}, which it may not see")
                    self._shown(views, client, event)
                case Closed() | Revoked() | Gone():
                    revoked = event.t if isinstance(event, Revoked) else revoked
                    _close(views, event.conversation if isinstance(event, Closed) else "")
                case _:
                    pass
        self._views += views.values()

    def _resumed(self, views: dict[tuple[str, str], View], client: str, event: Resumed) -> None:
        key = (event.conversation, event.stream)
        view = views.get(key)
        if view is None or event.reset:
            if view is not None:
                view.is_open = False
                self._views.append(view)  # what was shown before is judged apart
            views[key] = View(client, *key, base=event.start)
        else:
            view.is_open = True

    def _shown(self, views: dict[tuple[str, str], View], client: str, event: Shown) -> None:
        key = (event.conversation, event.stream)
        view = views.get(key)
        if view is None:
            view = views[key] = View(client, *key, base=event.seq - 1)
        if event.seq in view.shown:
            self._find("doubled", f"{client} was shown {_name(event)} twice")
            return
        if event.ref and event.ref in view.refs:
            self._find("doubled", f"{client} was shown {event.ref} as {view.refs[event.ref]} and as {event.seq}")
        if event.seq < view.last:
            self._find("reordered", f"{client} was shown {_name(event)} after {view.last}")
        elif event.seq > (view.last or view.base or 0) + 1:
            self._find(
                "holes", f"{client} was shown {_name(event)} while {(view.last or view.base or 0) + 1} was missing"
            )
        view.shown[event.seq] = event.ref
        view.refs[event.ref] = event.seq
        view.last = max(view.last, event.seq)

    def _invoked(self, client: str, event: Invoke) -> None:
        sending = self._sendings[event.ref]
        if event.t < sending.invoked:
            sending.client, sending.conversation, sending.invoked = client, event.conversation, event.t

    def _acked(self, event: Ack) -> None:
        sending = self._sendings[event.ref]
        if sending.seq and sending.seq != event.seq:
            self._find("doubled", f"{event.ref} was acknowledged as {sending.seq} and as {event.seq}")
        sending.seq = sending.seq or event.seq
        sending.acked = min(sending.acked, event.t)
        row = self._by_seq.get((event.conversation, event.stream), {}).get(event.seq)
        if row is None or row.ref != event.ref:
            self._find("lost", f"{event.ref} was acknowledged as {_name(event)} and is not there")

    # ── the database ─────────────────────────────────────────────────────────────────────────────────────────────

    def _judge_rows(self) -> None:
        for (conversation, stream), rows in self._stored.streams.items():
            numbers = [row.seq for row in rows]
            if len(set(numbers)) != len(numbers):
                self._find("doubled", f"{conversation} {stream} has one number twice")
            elif numbers != list(range(1, len(numbers) + 1)):
                self._find("holes", f"{conversation} {stream} is not 1 … {len(numbers)} in the database")
            refs = [row.ref for row in rows if row.ref]
            for ref in {ref for ref in refs if refs.count(ref) > 1} if len(set(refs)) != len(refs) else ():
                self._find("doubled", f"{ref} is stored twice in {conversation}")

    def _judge_acks(self) -> None:
        stored: dict[str, str] = {}
        for (conversation, stream), rows in self._stored.streams.items():
            for row in rows:
                if row.ref in self._sendings:
                    if row.ref in stored and stored[row.ref] != conversation + stream:
                        self._find("doubled", f"{row.ref} is stored in two streams")
                    stored[row.ref] = conversation + stream
                    wanted = self._sendings[row.ref].conversation
                    if wanted and wanted != conversation:
                        self._find("misdelivered", f"{row.ref} was said to {wanted} and is in {conversation}")

    def _judge_real_time(self) -> None:
        """What was acknowledged before another was even said comes before it."""
        by_conversation: dict[str, list[Sending]] = {}
        for ref, sending in self._sendings.items():
            if sending.acked < inf and sending.invoked < inf and self._is_public(ref, sending):
                by_conversation.setdefault(sending.conversation, []).append(sending)
        for sendings in by_conversation.values():
            acked = sorted(sendings, key=lambda one: one.acked)
            highest, place = 0, 0
            for sending in sorted(sendings, key=lambda one: one.invoked):
                while place < len(acked) and acked[place].acked < sending.invoked:
                    highest = max(highest, acked[place].seq)
                    place += 1
                if sending.seq < highest:
                    self._find(
                        "reordered", f"{sending.client}: {sending.seq} was said after {highest} was acknowledged"
                    )

    def _is_public(self, ref: str, sending: Sending) -> bool:
        row = self._by_seq.get((sending.conversation, "public"), {}).get(sending.seq)
        return row is not None and row.ref == ref

    # ── one view ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge_view(self, view: View) -> None:
        rows: dict[int, Row] = self._by_seq.get((view.conversation, view.stream), {})
        for seq, ref in view.shown.items():
            row = rows.get(seq)
            if row is None:
                self._find("lost", f"{view.client} was shown {_name(view, seq)}, which is not in the database")
            elif ref and ref != row.ref:
                self._find("misdelivered", f"{view.client} was shown {ref} as {_name(view, seq)}, which is {row.ref}")
        if view.is_open:
            base = view.base or 0
            missing = [seq for seq in rows if seq > base and seq not in view.shown]
            if missing:
                self._find("lost", f"{view.client} was never shown {_name(view, missing[0])} ({len(missing)} in all)")


def _close(views: dict[tuple[str, str], View], conversation: str = "") -> None:
    """These views, or all of the client, need not show what comes later."""
    for view in views.values():
        if conversation in ("", view.conversation):
            view.is_open = False


def _name(thing: Shown | Ack | View, seq: int = 0) -> str:
    return f"{thing.conversation[-12:]} {thing.stream} {seq or getattr(thing, 'seq', 0)}"
