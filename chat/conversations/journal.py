"""Group commit: messages that arrive while a commit is running go together into the next transaction.

Naive: one transaction per message, a flush to disk each: 200 to 1,900 messages a second on two cores. Here: one flush
per group, in a thread with a driver's connection of its own. The acknowledgement comes after the commit.

What a group becomes is said in `saying.py`, how it is written in `group_rows.py`. A group that breaks a rule of the
database is tried again one by one, so one bad message cannot refuse its neighbours; nor can a conversation that
somebody else has locked for long, without which the others are tried again.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from chat.clock import Clock
from chat.connecting import means_locked
from chat.conversations.entry import Author, StoredEntry
from chat.conversations.group_rows import group_rows
from chat.conversations.saying import NO_DATA, Outcome, Saying, plan
from chat.db import Database
from chat.outbox import OutboxDraft
from chat.protocol.errors import Unavailable, UnknownConversation
from chat.supervision import supervised
from chat.tally import SIZES, WAITS, Spread
from chat.writer import Unstorable, Unwritten

GROUP = 500
MOST_WAITING = 10_000
"""Of whose texts 100 MB are kept while a database hangs; the clients keep theirs anyway."""

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Waiting:
    saying: Saying
    done: asyncio.Future[StoredEntry]


class Journal:
    """`await say(…)` returns the committed entry, whether this call or an earlier one with the same `ref` made it.

    Raises UnknownConversation, RefTaken (the ref is another author's), NotHeld (`held_by` has it no more), Unavailable
    (nothing was acknowledged; retry).
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        on_committed: Callable[[UUID, list[StoredEntry], bool], None],
        on_again: Callable[[StoredEntry], None],
        owed: Callable[[Iterable[StoredEntry]], Sequence[OutboxDraft]],
        on_owed: Callable[[], None],
    ) -> None:
        """`owed`: rows of the outbox that are written with the entries, asked in the writer's thread."""
        self._db = db
        self._clock = clock
        self._rows = group_rows(db)
        self._on_committed = on_committed
        self._on_again = on_again
        self._owed = owed
        self._on_owed = on_owed
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False
        self.commit_seconds = Spread()
        self.group_sizes = Spread(SIZES)
        self.first_reply_seconds = Spread(WAITS)

    async def start(self) -> None:
        """Also after a stop."""
        self._is_ending = False
        self._task = asyncio.create_task(supervised("journal", self._run), name="journal")

    async def stop(self) -> None:
        """Finishes the group that is running and what waits, then ends; where nothing can be written any more, what
        waits is refused."""
        self._is_ending = True
        if self._task is not None and not self._task.done():
            await self._idle.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._refuse_waiting()

    async def say(
        self,
        conversation_id: UUID,
        author: Author,
        text: str,
        ref: str,
        *,
        reopens: bool = True,
        held_by: UUID | None = None,
        data: Mapping[str, Any] = NO_DATA,
    ) -> StoredEntry:
        return await self.say_soon(conversation_id, author, text, ref, reopens=reopens, held_by=held_by, data=data)

    def say_soon(
        self,
        conversation_id: UUID,
        author: Author,
        text: str,
        ref: str,
        *,
        reopens: bool = True,
        held_by: UUID | None = None,
        data: Mapping[str, Any] = NO_DATA,
    ) -> asyncio.Future[StoredEntry]:
        """What `say` waits for. Raises Unavailable where it would wait in vain."""
        if self._is_ending or len(self._waiting) >= MOST_WAITING:
            raise Unavailable
        done: asyncio.Future[StoredEntry] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Saying(conversation_id, author, text, ref, reopens, held_by, data), done))
        self._idle.clear()
        self._wake.set()
        return done

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            if not self._waiting:
                self._wake.clear()
            if group and not await self._commit(group) and self._is_ending:
                self._refuse_waiting()
            if not self._waiting:
                self._idle.set()

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            _answer(one, Unavailable())

    async def _commit(self, group: list[_Waiting], *, around_locks: bool = False) -> bool:
        """False when the database takes nothing, from whomever."""
        began = time.perf_counter()
        try:
            outcome, is_owed = await self._transaction([waiting.saying for waiting in group], around_locks)
        except Unstorable as error:
            if len(group) > 1:
                return await self._commit_singly(group)
            log.warning("a message could not be stored", error=type(error.__cause__).__name__)
            _answer(group[0], Unavailable())
            return True
        except Unwritten as error:
            if not around_locks and means_locked(error.__cause__) and len(group) > 1:
                return await self._commit(group, around_locks=True)
            # The database is away, locked or full, for each of them alike: they keep their texts and send again.
            log.warning("messages could not be stored", error=type(error.__cause__).__name__, messages=len(group))
            for waiting in group:
                _answer(waiting, Unavailable())
            return False
        except Exception as error:
            # Whatever it was, the next group is taken.
            log.exception("the journal failed")
            for waiting in group:
                _answer(waiting, error)
            return True
        self.commit_seconds.add(time.perf_counter() - began)
        self.group_sizes.add(len(group))
        self._tell_all(outcome)
        if is_owed:
            self._tell(self._on_owed)
        for waiting, answer in zip(group, outcome.answers, strict=True):
            _answer(waiting, answer)
        return True

    async def _commit_singly(self, group: list[_Waiting]) -> bool:
        """One of them is at fault: alone, each finds out whether it was the one."""
        for place, waiting in enumerate(group):
            if not await self._commit([waiting]):
                for left in group[place + 1 :]:
                    _answer(left, Unavailable())
                return False
        return True

    def _tell_all(self, outcome: Outcome) -> None:
        for talk in outcome.talks:
            if talk.first_reply_seconds is not None:
                self.first_reply_seconds.add(talk.first_reply_seconds)
            self._tell(partial(self._on_committed, talk.conversation_id, talk.added, talk.reopened))
        for entry in outcome.again:
            self._tell(partial(self._on_again, entry))

    def _tell(self, news: Callable[[], None]) -> None:
        try:
            news()
        except Exception:
            # What is committed is committed: whoever has not heard of it is told by the next sweep.
            log.exception("committed entries could not be told")

    async def _transaction(self, group: list[Saying], around_locks: bool) -> tuple[Outcome, bool]:
        """Also whether something is owed now."""
        rows, now = self._rows, self._clock.now()

        def work(connection: Any) -> tuple[Outcome, bool]:
            """In the writer's thread; said twice it is the same, by the refs."""
            ids = {saying.conversation_id for saying in group}
            refs = {(saying.conversation_id, saying.ref) for saying in group}
            locked, known = rows.look(connection, ids, refs, around_locks)
            outcome = plan(group, locked, known, now, Unavailable if around_locks else UnknownConversation)
            owed = self._owed(entry for talk in outcome.talks for entry in talk.added)
            rows.write(connection, outcome.talks, owed)
            return outcome, bool(owed)

        return await self._db.write_by_driver(work, first=True)


def _answer(waiting: _Waiting, answer: StoredEntry | Exception) -> None:
    if waiting.done.done():
        return  # who asked has left
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)
