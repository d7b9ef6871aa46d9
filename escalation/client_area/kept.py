"""What was typed before the sign-in: kept for a day, found again by a cookie, and a new ticket by the link too."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from chat.clock import Clock
from chat.cookies import give_cookie, take_cookie
from chat.db import Database, table_of
from chat.ids import hashed, new_id, new_secret, parse_id
from chat.public import CHOSEN_FILES, FILES_PER_MESSAGE, SENT_FILES, Attached, Owner, PerAddress, ready_files
from chat.settings import Settings
from chat.strings import Catalogue
from escalation.client_area.models import KeptForm

LIFE = timedelta(hours=24)
LONGEST_PATH = 200
PER_HOUR = 20
"""Forms of one address: nobody is signed in who could be held to a share."""
LONGEST = 165_000
"""Characters of one form: the longest description and diagnostics that a ticket takes, and the short fields."""
MOST = 5000
"""Forms of everybody."""
_KEPT = table_of(KeptForm)
_LOST = "lost"
"""Files that came with the form itself: nobody was signed in whose they could be."""


@dataclass(frozen=True, slots=True)
class Kept:
    id: UUID
    path: str
    fields: dict[str, Any]


class KeptForms:
    def __init__(self, db: Database, clock: Clock, settings: Settings) -> None:
        self._db = db
        self._clock = clock
        self._is_secure = settings.is_secure
        self._keeping = PerAddress(PER_HOUR, 3600)
        self.cookie = "__Host-nd_kept" if settings.is_secure else "nd_kept"

    async def keep(self, request: Request, answer: Response, path: str, fields: dict[str, Any], c: Catalogue) -> None:
        """`answer` gets the cookie; an older form of this browser is forgotten. What was sent to a path that no page
        has is not kept. Raises 413 and 429 for more than is kept: the browser still has what was typed."""
        if len(path) > LONGEST_PATH:
            return
        if sum(len(str(value)) for value in fields.values()) > LONGEST:
            says = c.gettext(
                "The text is too long to be kept until you have signed in: go back, it is still there. Up to 80,000 "
                "characters fit."
            )
            raise HTTPException(413, says)
        if wait := self._keeping.take(request.client.host if request.client else "", self._clock.monotonic()):
            raise HTTPException(429, headers={"Retry-After": str(ceil(wait))})
        secret, now = new_secret(), self._clock.now()
        older = hashed(request.cookies.get(self.cookie, ""))
        async with self._db.write() as session:
            await session.execute(delete(_KEPT).where(or_(_KEPT.c.expires_at < now, _KEPT.c.secret_hash == older)))
            if (await session.execute(select(func.count()).select_from(_KEPT))).scalar_one() >= MOST:
                raise HTTPException(429, headers={"Retry-After": "600"})
            session.add(
                KeptForm(id=new_id(), secret_hash=hashed(secret), path=path, fields=fields, expires_at=now + LIFE)
            )
        self._give(answer, secret)

    async def of(self, request: HTTPConnection) -> Kept | None:
        secret = request.cookies.get(self.cookie, "")
        return await self._find(_KEPT.c.secret_hash == hashed(secret)) if secret else None

    async def files(self, kept: Kept, owner: Owner) -> tuple[list[Attached], bool]:
        """What this owner had uploaded for it, and whether anything is lost."""
        wanted = str(kept.fields.get(SENT_FILES, "")).split()
        async with self._db.read() as session:
            ready = await ready_files(session, owner.key, wanted)
        return ready, len(ready) < len(wanted) or _LOST in kept.fields

    async def carry_over(self, answer: Response, kept_id: UUID, path: str) -> None:
        """To the browser that used the link: it may be another one than the form was filled in. Only of `path`."""
        secret = new_secret()
        async with self._db.write() as session:
            row = await session.get(KeptForm, kept_id)
            if row is None or row.path != path or row.expires_at <= self._clock.now():
                return
            row.secret_hash = hashed(secret)
        self._give(answer, secret)

    async def forget(self, request: HTTPConnection, answer: Response) -> None:
        """It was sent."""
        secret = request.cookies.get(self.cookie, "")
        if not secret:
            return
        async with self._db.write() as session:
            await session.execute(delete(_KEPT).where(_KEPT.c.secret_hash == hashed(secret)))
        take_cookie(answer, self.cookie, is_secure=self._is_secure)

    def _give(self, answer: Response, secret: str) -> None:
        give_cookie(answer, self.cookie, secret, LIFE, is_secure=self._is_secure)

    async def _find(self, whose: Any) -> Kept | None:
        asked = select(_KEPT.c.id, _KEPT.c.path, _KEPT.c.fields).where(whose, _KEPT.c.expires_at > self._clock.now())
        async with self._db.read() as session:
            row = (await session.execute(asked)).first()
        return Kept(row.id, row.path, dict(row.fields)) if row else None


def files_in(form: FormData) -> dict[str, str]:
    """Fields to be kept: ids of what was uploaded before, which stays its sender's."""
    sent = [one for one in form.getlist(SENT_FILES) if isinstance(one, str) and parse_id(one) is not None]
    chosen = any(not isinstance(one, str) and one.filename for one in form.getlist(CHOSEN_FILES))
    found = {SENT_FILES: " ".join(sent[:FILES_PER_MESSAGE])} if sent else {}
    return found | ({_LOST: "1"} if chosen else {})
