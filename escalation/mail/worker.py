"""Sends what waits: claims a row by a conditional UPDATE, hands it to the server, records what became of it.

Exactly once, as far as SMTP allows: a row is claimed by one worker, its Message-ID is given with the first claim and
never changes. Between the server's 250 and our commit a worker may die; the row is then tried once more, and mail
programs show both as one.
"""

import asyncio
import random
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
from chat.tally import Counts
from escalation.mail.after import After
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

    async def run(self) -> None:
        """Until cancelled. Any number may run."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._expire_again_and_again(), name="mail that expired")
            if self._server is not None:
                for _ in range(LANES):
                    lanes.create_task(self._lane(self._server), name="mail")

    async def _lane(self, server: SmtpServer) -> None:
        woken = asyncio.Event()
        self._mailbox.on_wake(woken.set)
        while True:
            woken.clear()
            line = Line(server)
            try:
                while await self.send_one(line):
                    pass
            except Exception:
                # Whatever was claimed comes back when its lease ends.
                log.warning("mail could not be sent", exc_info=True)
            finally:
                await line.close()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await woken.wait()
            except TimeoutError:
                pass

    async def _expire_again_and_again(self) -> None:
        while True:
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
        if self._clock.monotonic() < self._again_at:
            return False
        claimed = await self._claim()
        if claimed is None:
            return False
        envelope = await self._write(claimed.mail)
        outcome = envelope if isinstance(envelope, Outcome) else await line.hand_over(envelope)
        await self._settle(claimed, outcome)
        return outcome.kind != "away"

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
            if instead is None and mail.message_id is None and self._sender is not None:
                values["message_id"] = await self._writer.message_id(session, mail, self._sender)
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
        if await self._after.was_read(session, mail):
            return {"state": "read"}
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
        mail = claimed.mail
        values = self._values(claimed, outcome)
        now = self._clock.now()
        async with self._db.write() as session:
            changed = await session.execute(
                update(_MAIL)
                .where(_MAIL.c.id == mail.id, _MAIL.c.state == "sending", _MAIL.c.attempts == mail.attempts)
                .values(**values, code=outcome.code, says=outcome.says, changed_at=now)
            )
            if rows_changed(changed) == 0:
                return  # the lease ended meanwhile, and another has it
            if values.get("state") in ("bounced", "failed"):
                await self._after.refused(session, mail, outcome)
        self._tell(mail, outcome, str(values.get("state", "sending")))

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
            log.warning("the mail server takes nothing", code=outcome.code, pause=pause)
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
