"""Links that sign a customer in once: asked for by anybody, mailed only to an address on record, used by a button.

Who asks gets the same answer for every address after the same work: one outbox row. Whether the address is known is
found out by the worker, later, where nobody can measure it.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.ids import hashed, new_id, new_secret, parse_id
from chat.public import Outbox, PerAddress
from escalation.client_area.letters import Letters, SignInLetter
from escalation.client_area.models import CustomerAccess, CustomerLink
from escalation.client_area.sign_in import CustomerSignIn
from escalation.customers.models import Account, Customer, EmailAddress

ASKED = "client.sign_in_asked"
"""Outbox kind: somebody asked for a link to this address."""
LIFE = timedelta(minutes=15)
AGAIN_SECONDS = 60
"""One link for an address, a page and a form in so long a time, however often it is asked for."""
AT_ONCE = 5
"""Letters to one address before they wait: then as many minutes as there are unused ones, at most LONGEST_WAIT."""
LONGEST_WAIT = 60
PER_HOUR = 20
"""Of one network address, per process."""

_LINK, _EMAIL = table_of(CustomerLink), table_of(EmailAddress)
_CUSTOMER, _ACCOUNT, _ACCESS = table_of(Customer), table_of(Account), table_of(CustomerAccess)


@dataclass(frozen=True, slots=True)
class Used:
    """`secret` of the new login session, the path that was wanted, the form that was kept."""

    secret: str
    wanted: str
    kept_id: UUID | None


class SignInLinks:
    def __init__(
        self, db: Database, clock: Clock, outbox: Outbox, sign_in: CustomerSignIn, letters: Letters, base_url: str
    ) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._sign_in = sign_in
        self._letters = letters
        self._base_url = base_url
        self._asking = PerAddress(PER_HOUR, 3600)
        outbox.on(ASKED, self.carry_out)

    async def ask(self, email: str, *, address: str, wanted: str, kept_id: UUID | None, locale: str) -> float:
        """0: it is on its way if the address is known. Else the seconds to wait, for whoever asks too often."""
        now = self._clock.now()
        if wait := self._asking.take(address, self._clock.monotonic()):
            return wait
        typed = email.strip().lower()
        # Whoever else asked for this address in this minute decides neither the page nor the form it leads to.
        what = hashlib.sha256(f"{typed}\n{kept_id or ''}\n{wanted}".encode()).hexdigest()[:32]
        payload = {
            "id": str(new_id()),
            "email": typed,
            "wanted": wanted,
            "kept": str(kept_id or ""),
            "locale": locale,
        }
        async with self._db.write() as session:
            await self._outbox.add(session, ASKED, payload, f"{ASKED}:{what}:{int(now.timestamp()) // AGAIN_SECONDS}")
        self._outbox.wake()
        return 0

    async def carry_out(self, payload: dict[str, Any]) -> None:
        """Outbox. A repeat finds the link that is there and does nothing."""
        asked_id = UUID(payload["id"])
        async with self._db.write() as session:
            there = await session.execute(select(_LINK.c.asked_id).where(_LINK.c.asked_id == asked_id))
            found = await _on_record(session, payload["email"])
            if found is None or there.first() is not None or await self._is_too_soon(session, found):
                return
            secret, expires_at = new_secret(), self._clock.now() + LIFE
            session.add(
                CustomerLink(
                    secret_hash=hashed(secret),
                    customer_id=found.customer_id,
                    email_id=found.id,
                    asked_id=asked_id,
                    wanted=payload["wanted"],
                    kept_id=parse_id(payload["kept"]),
                    expires_at=expires_at,
                )
            )
            await session.flush()
            letter = SignInLetter(
                address=payload["email"],
                name=found.name,
                locale=found.locale or found.language or payload["locale"],
                link=self.url(secret),
                cause=str(asked_id),
                expires_at=expires_at,
            )
            await self._letters.sign_in(session, letter)
        self._letters.wake()

    async def _is_too_soon(self, session: AsyncSession, found: Any) -> bool:
        """While nobody uses them letters come ever more seldom, whoever asks; that none comes at all never happens."""
        now = self._clock.now()
        unused = (_LINK.c.customer_id == found.customer_id, _LINK.c.email_id == found.id, _LINK.c.used_at.is_(None))
        counted = select(func.count(), func.max(_LINK.c.expires_at)).where(
            *unused, _LINK.c.expires_at > now + LIFE - timedelta(days=1)
        )
        count, newest = (await session.execute(counted)).one()
        return bool(count >= AT_ONCE and newest - LIFE > now - timedelta(minutes=min(count, LONGEST_WAIT)))

    async def make(self, customer_id: UUID, wanted: str = "") -> str:
        """A link without a mail, for the command line."""
        secret = new_secret()
        async with self._db.write() as session:
            session.add(
                CustomerLink(
                    secret_hash=hashed(secret),
                    customer_id=customer_id,
                    wanted=wanted,
                    expires_at=self._clock.now() + LIFE,
                )
            )
        return self.url(secret)

    def url(self, secret: str) -> str:
        return f"{self._base_url}/client/sign-in/{secret}"

    async def whose(self, secret: str) -> str:
        """The name of whom it signs in; empty where it does not work."""
        async with self._db.read() as session:
            found = await self._unused(session, secret)
        return str(found.name) if found is not None else ""

    async def use(self, secret: str, browser: str) -> Used | None:
        """Once. The address it was mailed to is verified from now on."""
        async with self._db.write() as session:
            found = await self._unused(session, secret)
            if found is None:
                return None
            await self._sign_in.take_turn(session, found.customer_id)
            now = self._clock.now()
            claimed = await session.execute(
                update(_LINK)
                .where(_LINK.c.secret_hash == found.secret_hash, _LINK.c.used_at.is_(None))
                .values(used_at=now)
            )
            if rows_changed(claimed) != 1:
                return None
            if found.email_id is not None and not await self._prove(session, found.email_id, found.customer_id):
                return None
            login = await self._sign_in.begin(session, found.customer_id, "link", browser)
            return Used(login, found.wanted, found.kept_id)

    async def _unused(self, session: AsyncSession, secret: str) -> Any:
        asked = (
            select(_LINK, _CUSTOMER.c.name)
            .join(_CUSTOMER, _CUSTOMER.c.id == _LINK.c.customer_id)
            .join(_ACCOUNT, _ACCOUNT.c.id == _CUSTOMER.c.account_id)
            .where(
                _LINK.c.secret_hash == hashed(secret),
                _LINK.c.used_at.is_(None),
                _LINK.c.expires_at > self._clock.now(),
                _CUSTOMER.c.active,
                _ACCOUNT.c.active,
            )
        )
        return (await session.execute(asked)).first()

    async def _prove(self, session: AsyncSession, email_id: UUID, customer_id: UUID) -> bool:
        """False: the address is no longer this customer's, or somebody else has proven it meanwhile."""
        email = (await session.execute(select(_EMAIL).where(_EMAIL.c.id == email_id))).first()
        if email is None or email.customer_id != customer_id or not email.registered:
            return False
        if email.verified_at is not None:
            return True
        try:
            async with session.begin_nested():
                await session.execute(
                    update(_EMAIL)
                    .where(_EMAIL.c.id == email_id)
                    .values(verified_at=self._clock.now(), verified_by="link")
                )
        except IntegrityError:
            return False
        return True


async def _on_record(session: AsyncSession, address: str) -> Any:
    """The registered address of an active customer: the verified one, else the only one. Two that nobody has proven
    are nobody's."""
    asked = (
        select(
            _EMAIL.c.id,
            _EMAIL.c.customer_id,
            _EMAIL.c.verified_at,
            _CUSTOMER.c.name,
            _ACCOUNT.c.language,
            _ACCESS.c.locale,
        )
        .join_from(_EMAIL, _CUSTOMER, _CUSTOMER.c.id == _EMAIL.c.customer_id)
        .join(_ACCOUNT, _ACCOUNT.c.id == _CUSTOMER.c.account_id)
        .outerjoin(_ACCESS, _ACCESS.c.customer_id == _CUSTOMER.c.id)
        .where(_EMAIL.c.address == address, _EMAIL.c.registered, _CUSTOMER.c.active, _ACCOUNT.c.active)
        .limit(3)
    )
    rows = (await session.execute(asked)).all()
    verified = [row for row in rows if row.verified_at is not None]
    if verified:
        return verified[0]
    return rows[0] if len(rows) == 1 else None
