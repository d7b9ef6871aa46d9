"""Sends what waits: claims a row by a conditional UPDATE, hands it to the server, records what became of it.

Exactly once, as far as SMTP allows: a row is claimed by one worker, its Message-ID is given with the first claim and
never changes. Between the server's 250 and our commit a worker may die; the row is then tried once more, and mail
programs show both as one. Who is told to end gives back what it has claimed.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import get_args
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.patience import at_most
from chat.tally import Counts
from escalation.mail.after import After
from escalation.mail.joining import next_of_talk, take_along, to_take_along
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut
from escalation.mail.smtp import Envelope, Kind, Line, Outcome, SmtpServer
from escalation.mail.standing import GOING
from escalation.mail.told import thread_before
from escalation.mail.writer import Sender, Writer

LANES = 4
"""Connections of one process: one slow answer holds up a quarter."""
POLL_SECONDS = 5.0
LEASE = timedelta(minutes=5)
"""Longer than the slowest try takes; who sends for longer is gone."""
ENDING_SECONDS = 5.0
"""So long the server has for its answer when the process ends: less than whoever ends it waits before it kills."""
PAUSES = (1, 5, 15, 60, 240, 240, 240, 240, 240)
"""Minutes before each further try: a day in all."""
AWAY_SECONDS = (5, 15, 60, 300)
"""While the server takes nothing at all, nothing is tried in between; no row is blamed for it."""
SEEN = 3 * LANES

log = structlog.get_logger(__name__)
_MAIL = table_of(MailOut)


@dataclass(frozen=True, slots=True)
class Claimed:
    mail: MailOut
    due_at: datetime
    """Since when it waits, before it was claimed."""


@dataclass(slots=True)
class Held:
    """A claim of this process, until what became of it is recorded."""

    claimed: Claimed
    outcome: Outcome | None = None


class LetGo(Enum):
    """Not to be sent any more."""

    LET_GO = "let go"


LET_GO = LetGo.LET_GO


class MailWorker:
    """Without a server it only lets go what has expired: the mail waits."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        mailbox: Mailbox,
        writer: Writer,
        after: After,
        server: SmtpServer | None,
        sender: Sender | None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._mailbox = mailbox
        self._writer = writer
        self._after = after
        self._server = server
        self._sender = sender
        self.sent = Counts({(kind,): 0 for kind in get_args(Kind)})
        """Of this process, by result."""
        self._refusals = 0
        self._again_at = 0.0
        self._ending = asyncio.Event()
        self._held: dict[Line, Held] = {}

    async def run(self) -> None:
        """Until cancelled: what is with the server then may have its answer for a little, all else is given back at
        once. Any number may run."""
        self._ending.clear()
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._expire_again_and_again(), name="mail that expired")
                if self._server is not None:
                    for _ in range(LANES):
                        lanes.create_task(self._lane(self._server), name="mail")
                try:
                    await asyncio.Event().wait()
                finally:
                    # In words too: `asyncio.wait_for`, which the client of SMTP uses, may swallow a cancellation.
                    self._ending.set()
                    self._mailbox.wake()
        finally:
            await self._give_back()

    async def _lane(self, server: SmtpServer) -> None:
        woken = asyncio.Event()
        self._mailbox.on_wake(woken.set)
        while not self._ending.is_set():
            woken.clear()
            line = Line(server)
            try:
                while await self._send_whole(line):
                    pass
            except Exception:
                # Whatever was claimed comes back when its lease ends.
                log.warning("mail could not be sent", exc_info=True)
            finally:
                await line.close()
            await at_most(POLL_SECONDS, woken)

    async def _send_whole(self, line: Line) -> bool:
        """One mail. In the middle of it, an end waits for a little."""
        sending = asyncio.create_task(self.send_one(line))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=ENDING_SECONDS)
            while not sending.done():
                sending.cancel()
                await asyncio.wait({sending}, timeout=1)
            await asyncio.gather(sending, return_exceptions=True)
            raise

    async def _give_back(self) -> None:
        """What this process had begun is another's at once. What the server was given and has not answered is tried
        once more, under the same Message-ID."""
        held, self._held = self._held, {}
        for line, one in held.items():
            outcome = one.outcome or Outcome("unsure" if line.unanswered else "away")
            values = self._values(one.claimed, outcome) or {"next_at": self._clock.now()}
            try:
                await self._record(one.claimed, values, outcome)
            except Exception:
                # Its lease ends by itself.
                log.warning("a mail could not be given back", mail=str(one.claimed.mail.id), exc_info=True)

    async def _expire_again_and_again(self) -> None:
        while not self._ending.is_set():
            try:
                await self.expire()
            except Exception:
                log.warning("expired mail could not be let go", exc_info=True)
            await asyncio.sleep(POLL_SECONDS)

    async def expire(self) -> None:
        """What is of no more use is not sent, and its link forgotten."""
        now = self._clock.now()
        over = and_(_MAIL.c.state.in_(("waiting", "deferred")), _MAIL.c.expires_at <= now)
        async with self._db.read() as session:
            found = (await session.execute(select(_MAIL.c.id).where(over).limit(500))).scalars().all()
        if found:
            async with self._db.write() as session:
                await session.execute(
                    update(_MAIL).where(_MAIL.c.id.in_(found), over).values(state="expired", data={}, changed_at=now)
                )

    # ── one mail ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def send_one(self, line: Line) -> bool:
        """False when there is nothing to do now."""
        if self._ending.is_set() or self._clock.monotonic() < self._again_at:
            return False
        claimed = await self._claim()
        if claimed is None:
            return False
        held = self._held[line] = Held(claimed)
        if self._ending.is_set():
            return False
        try:
            envelope = await self._write(claimed.mail)
            held.outcome = envelope if isinstance(envelope, Outcome) else await line.hand_over(envelope)
            await self._settle(claimed, held.outcome)
        except Exception:
            del self._held[line]  # it comes back when its lease ends
            raise
        del self._held[line]
        return held.outcome.kind != "away"

    async def _claim(self) -> Claimed | None:
        let_go = True
        while let_go:  # the next one of a thread may be due now
            let_go = False
            for mail_id in await self._due():
                claimed = await self._claim_one(mail_id)
                if isinstance(claimed, Claimed):
                    return claimed
                let_go = let_go or claimed is LET_GO
        return None

    async def _due(self) -> list[UUID]:
        due = and_(_MAIL.c.state.in_(GOING), _MAIL.c.next_at <= self._clock.now(), _is_first())
        async with self._db.read() as session:
            first = select(_MAIL.c.id).where(due).order_by(_MAIL.c.next_at).limit(SEEN)
            found = list((await session.execute(first)).scalars())
        random.shuffle(found)  # so that lanes and workers do not all reach for the same one
        return found

    async def _claim_one(self, mail_id: UUID) -> "Claimed | LetGo | None":
        """None where another was faster."""
        now = self._clock.now()
        async with self._db.write() as session:
            mail = await session.get(MailOut, mail_id)
            if mail is None or mail.next_at > now or mail.state not in GOING:
                return None
            values = {"state": "sending", "attempts": mail.attempts + 1, "next_at": now + LEASE, "changed_at": now}
            if (instead := await self._instead(session, mail)) is not None:
                values = {**instead, "changed_at": now}
            elif mail.state == "sending":
                values["unsure"] = True
            along: Sequence[MailOut] = ()
            if instead is None and mail.message_id is None and self._sender is not None:
                values["message_id"] = await self._writer.message_id(session, mail, self._sender)
                along = await to_take_along(session, mail)
            due_at = mail.next_at
            changed = await session.execute(
                update(_MAIL)
                .where(
                    _MAIL.c.id == mail_id,
                    _MAIL.c.state == mail.state,
                    _MAIL.c.attempts == mail.attempts,
                    _MAIL.c.next_at <= now,
                    _is_first(),
                )
                .values(**values)
            )
            if rows_changed(changed) == 0:
                return None
            if instead is not None:
                if instead["state"] == "failed":
                    await self._after.refused(session, mail, Outcome("unsure"))
                return LET_GO
            await take_along(session, mail, along, now)
            await session.refresh(mail)
            return Claimed(mail, due_at)

    async def _instead(self, session: AsyncSession, mail: MailOut) -> dict[str, object] | None:
        """What becomes of it without a try."""
        now = self._clock.now()
        if mail.expires_at is not None and mail.expires_at <= now:
            return {"state": "expired", "data": {}}
        if mail.state == "sending" and mail.unsure:
            says = "twice without an answer: the server may have it"
            return {"state": "failed", "code": "", "says": says, "data": _kept(mail)}
        if await self._after.takes_none(session, mail):
            return {"state": "suppressed", "data": {}}
        if await self._after.lost_standing(session, mail):
            return {"state": "expired", "data": {}}
        if await self._after.was_read(session, mail):
            return {"state": "read"}
        if (next_at := await next_of_talk(session, mail)) is not None and next_at > now:
            return {"state": "waiting", "next_at": next_at}
        return None

    async def _write(self, mail: MailOut) -> Envelope | Outcome:
        if self._sender is None:
            raise RuntimeError("who has a server has a sender")
        try:
            async with self._db.read() as session:
                words = await self._writer.words(session, mail, self._clock.now())
                before = await thread_before(session, mail)
            if words is None:
                return Outcome("refused", says="there is nothing to tell any more")
            return self._writer.envelope(mail, words, self._sender, before)
        except (ValueError, LookupError, UnicodeError) as error:
            log.exception("a mail could not be written", kind=mail.kind, mail=str(mail.id))
            return Outcome("refused", says=f"it could not be written ({type(error).__name__})")

    # ── what became of it ────────────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, claimed: Claimed, outcome: Outcome) -> None:
        values = self._values(claimed, outcome)
        if await self._record(claimed, values, outcome):
            self._tell(claimed.mail, outcome, str(values.get("state", "sending")))

    async def _record(self, claimed: Claimed, values: dict[str, object], outcome: Outcome) -> bool:
        """False where the lease ended meanwhile, and another has it."""
        mail = claimed.mail
        now = self._clock.now()
        async with self._db.write() as session:
            changed = await session.execute(
                update(_MAIL)
                .where(_MAIL.c.id == mail.id, _MAIL.c.state == "sending", _MAIL.c.attempts == mail.attempts)
                .values(**values, code=outcome.code, says=outcome.says, changed_at=now)
            )
            if rows_changed(changed) == 0:
                return False
            if values.get("state") in ("bounced", "failed"):
                await self._after.refused(session, mail, outcome)
        return True

    def _values(self, claimed: Claimed, outcome: Outcome) -> dict[str, object]:
        mail = claimed.mail
        now = self._clock.now()
        match outcome.kind:
            case "accepted":
                return {"state": "accepted", "data": _kept(mail)}
            case "no_address":
                return {"state": "bounced", "data": _kept(mail)}
            case "refused":
                return {"state": "failed", "data": _kept(mail)}
            case "later":
                if mail.attempts > len(PAUSES):
                    return {"state": "failed", "data": _kept(mail)}
                pause = timedelta(minutes=PAUSES[mail.attempts - 1])
                return {"state": "deferred", "next_at": now + pause, "unsure": False}
            case "unsure":
                if mail.unsure:
                    return {"state": "failed", "data": _kept(mail)}
                # Left as it is: once the lease has ended it is tried again, under the same Message-ID.
                return {}
            case "away":
                return {"state": "waiting", "attempts": mail.attempts - 1, "next_at": claimed.due_at}

    def _tell(self, mail: MailOut, outcome: Outcome, state: str) -> None:
        self.sent[outcome.kind,] += 1
        if outcome.kind == "away":
            pause = AWAY_SECONDS[min(self._refusals, len(AWAY_SECONDS) - 1)]
            self._refusals += 1
            self._again_at = self._clock.monotonic() + pause
            log.warning("the mail server takes nothing", fault=outcome.fault, code=outcome.code, pause=pause)
            return
        self._refusals = 0
        if outcome.kind != "accepted":
            log.warning("a mail was not taken", kind=mail.kind, mail=str(mail.id), state=state, code=outcome.code)
        if state in ("bounced", "failed"):
            self._after.tell(mail)


def _kept(mail: MailOut) -> dict[str, object]:
    """A path is no secret before it is signed; a whole link that works is forgotten."""
    return {name: value for name, value in mail.data.items() if name != "link" or str(value).startswith("/")}


def _is_first() -> ColumnElement[bool]:
    """Nothing earlier about the same ticket is still on its way to this address: a thread arrives in its order."""
    earlier = _MAIL.alias("earlier")
    return ~(
        select(earlier.c.id)
        .where(
            earlier.c.ticket_id == _MAIL.c.ticket_id,
            earlier.c.recipient == _MAIL.c.recipient,
            earlier.c.id < _MAIL.c.id,
            earlier.c.state.in_(GOING),
        )
        .correlate(_MAIL)
        .exists()
    )
