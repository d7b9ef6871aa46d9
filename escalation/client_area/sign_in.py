"""Sign-in of customers: the login session behind the cookie, and passwords. Apart from the operators' in all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection
from starlette.responses import Response

from chat.clock import Clock
from chat.cookies import give_cookie, take_cookie
from chat.db import Database, insert_for, rows_changed, table_of
from chat.ids import hashed, new_id, new_secret
from chat.public import Passwords, SignInWaits, require_length
from chat.settings import Settings
from escalation.client_area.letters import DeviceNews, Letters, PasswordNews
from escalation.client_area.models import CustomerAccess, CustomerLink, CustomerLogin
from escalation.customers.models import Account, Customer, EmailAddress
from escalation.customers.reader import CustomerReader

IDLE = timedelta(hours=24)
LIFE = timedelta(days=30)
FRESH = timedelta(minutes=15)
"""So long after a sign-in the password may be set without the old one; not after one by a token, which scripts of the
company's site can read."""
TOUCHED_EVERY = timedelta(minutes=1)
LONGEST_PASSWORD = 200

_LOGIN, _CUSTOMER, _ACCOUNT = table_of(CustomerLogin), table_of(Customer), table_of(Account)
_ACCESS, _EMAIL, _LINK = table_of(CustomerAccess), table_of(EmailAddress), table_of(CustomerLink)


@dataclass(frozen=True)
class Login:
    """Who is signed in, and by which login session."""

    reader: CustomerReader
    id: UUID
    is_fresh: bool
    has_password: bool


@dataclass(frozen=True)
class Refused:
    """The same for a wrong password and an unknown address; `wait` seconds until the next try counts."""

    wait: float


class SignedOut(Exception):
    """This sign-in was ended meanwhile."""


class CustomerSignIn:
    def __init__(self, db: Database, clock: Clock, settings: Settings, letters: Letters) -> None:
        self._db = db
        self._clock = clock
        self._is_secure = settings.is_secure
        # Its own room for hashing: a flood at this door keeps no operator waiting at theirs.
        self._passwords = Passwords()
        self._letters = letters
        self._waits = SignInWaits(clock)
        self.cookie = "__Host-nd_client" if settings.is_secure else "nd_client"

    async def login(self, request: HTTPConnection) -> Login | None:
        """By the cookie, asked from the rows each time: what is ended or inactive there is out everywhere."""
        secret = request.cookies.get(self.cookie, "")
        if not secret:
            return None
        now = self._clock.now()
        asked = (
            select(
                *_READER,
                _LOGIN.c.id.label("login_id"),
                _LOGIN.c.method,
                _LOGIN.c.created_at,
                _LOGIN.c.seen_at,
                _ACCESS.c.password.is_not(None).label("has_password"),
            )
            .join_from(_LOGIN, _CUSTOMER, _CUSTOMER.c.id == _LOGIN.c.customer_id)
            .join(_ACCOUNT, _ACCOUNT.c.id == _CUSTOMER.c.account_id)
            .outerjoin(_ACCESS, _ACCESS.c.customer_id == _CUSTOMER.c.id)
            .where(
                _LOGIN.c.secret_hash == hashed(secret),
                _LOGIN.c.ended_at.is_(None),
                _LOGIN.c.expires_at > now,
                _LOGIN.c.seen_at > now - IDLE,
                _CUSTOMER.c.active,
                _ACCOUNT.c.active,
            )
        )
        async with self._db.read() as session:
            row = (await session.execute(asked)).first()
        if row is None:
            return None
        if now - row.seen_at >= TOUCHED_EVERY:
            async with self._db.write() as session:
                await session.execute(update(_LOGIN).where(_LOGIN.c.id == row.login_id).values(seen_at=now))
        is_fresh = row.method != "token" and now - row.created_at < FRESH
        return Login(reader_of(row), row.login_id, is_fresh, bool(row.has_password))

    async def reader(self, customer_id: UUID) -> CustomerReader | None:
        """None: there is none, or customer or account are not active."""
        async with self._db.read() as session:
            asked = _reader_by(customer_id).where(_CUSTOMER.c.active, _ACCOUNT.c.active)
            row = (await session.execute(asked)).first()
        return reader_of(row) if row else None

    async def begin(self, session: AsyncSession, customer_id: UUID, method: str, browser: str) -> str:
        """A new login session in the caller's transaction; its secret is for `remember`. Who must know is told by mail
        of a device that was not used before: another browser or system than any of the last month's, and than the last
        one of who was not here for longer."""
        await self.take_turn(session, customer_id)
        secret, now, login_id = new_secret(), self._clock.now(), new_id()
        used = (await session.execute(select(_LOGIN.c.browser).where(_LOGIN.c.customer_id == customer_id))).scalars()
        browsers = set(used)
        if browsers and browser[:120] not in browsers:
            reader = reader_of((await session.execute(_reader_by(customer_id))).one())
            await self._letters.device(session, DeviceNews(reader, browser, f"device:{login_id}", now))
        session.add(
            CustomerLogin(
                id=login_id,
                secret_hash=hashed(secret),
                customer_id=customer_id,
                method=method,
                browser=browser[:120],
                created_at=now,
                seen_at=now,
                expires_at=now + LIFE,
            )
        )
        await session.flush()
        return secret

    async def take_turn(self, session: AsyncSession, customer_id: UUID) -> None:
        """Before anything else of their way in is written. Who signs in and who puts others out wait for each other:
        none that begins in this moment is passed over."""
        row = select(_CUSTOMER.c.id).where(_CUSTOMER.c.id == customer_id)
        await session.execute(row.with_for_update(key_share=True))

    def remember(self, answer: Response, secret: str) -> None:
        give_cookie(answer, self.cookie, secret, LIFE, is_secure=self._is_secure)

    async def by_password(self, email: str, password: str, address: str, browser: str) -> str | Refused:
        """The secret of a new login session."""
        typed = email.strip().lower()
        if wait := self._waits.take(f"client:{typed}", address):
            return Refused(wait)
        asked = (
            select(_CUSTOMER.c.id, _ACCESS.c.password)
            .join_from(_EMAIL, _CUSTOMER, _CUSTOMER.c.id == _EMAIL.c.customer_id)
            .join(_ACCOUNT, _ACCOUNT.c.id == _CUSTOMER.c.account_id)
            .join(_ACCESS, _ACCESS.c.customer_id == _CUSTOMER.c.id)
            .where(
                _EMAIL.c.address == typed,
                _EMAIL.c.verified_at.is_not(None),
                _EMAIL.c.registered,
                _CUSTOMER.c.active,
                _ACCOUNT.c.active,
            )
        )
        async with self._db.read() as session:
            found = (await session.execute(asked)).first()
        stored = found.password if found else None
        right, renewed = await self._passwords.verified(password[: LONGEST_PASSWORD + 1], stored)
        if found is None or not right:
            return Refused(self._waits.left(f"client:{typed}", address))
        self._waits.succeeded(f"client:{typed}", address)
        async with self._db.write() as session:
            await self.take_turn(session, found.id)
            still = select(_ACCESS.c.password).where(_ACCESS.c.customer_id == found.id)
            if (await session.execute(still)).scalar_one_or_none() != stored:
                return Refused(0)
            if renewed:
                changed = update(_ACCESS).where(_ACCESS.c.customer_id == found.id).values(password=renewed)
                await session.execute(changed)
            secret = await self.begin(session, found.id, "password", browser)
        self._letters.wake()
        return secret

    async def set_password(self, login: Login, current: str, new: str, browser: str) -> str | Refused:
        """Ends all other sign-ins, and links that were not used yet; the secret of a new login session. Without a fresh
        sign-in the current password is asked for. The owner is told by mail. Raises PasswordTooShort, SignedOut."""
        require_length(new)
        customer_id = login.reader.customer_id
        if not login.is_fresh:
            async with self._db.read() as session:
                held = select(_ACCESS.c.password).where(_ACCESS.c.customer_id == customer_id)
                stored = (await session.execute(held)).scalar_one_or_none()
            if wait := self._waits.take(f"client:{customer_id}", ""):
                return Refused(wait)
            right, _ = await self._passwords.verified(current[: LONGEST_PASSWORD + 1], stored)
            if not right:
                return Refused(self._waits.left(f"client:{customer_id}", ""))
            self._waits.succeeded(f"client:{customer_id}", "")
        stored = await self._passwords.hashed(new)
        async with self._db.write() as session:
            await self.take_turn(session, customer_id)
            await choose(session, customer_id, password=stored)
            # Whoever was put out by another browser a moment ago sets no password any more.
            mine = update(_LOGIN).where(_LOGIN.c.id == login.id, _LOGIN.c.ended_at.is_(None))
            if rows_changed(await session.execute(mine.values(ended_at=self._clock.now()))) != 1:
                raise SignedOut
            await self._end_all(session, customer_id)
            news = PasswordNews(
                login.reader, browser, not login.has_password, f"password:{login.id}", self._clock.now()
            )  # fmt: skip
            await self._letters.password(session, news)
            secret = await self.begin(session, customer_id, "password", browser)
        self._letters.wake()
        return secret

    async def sign_out(self, request: HTTPConnection, answer: Response) -> None:
        """This browser."""
        secret = request.cookies.get(self.cookie, "")
        if secret:
            async with self._db.write() as session:
                await session.execute(
                    update(_LOGIN)
                    .where(_LOGIN.c.secret_hash == hashed(secret), _LOGIN.c.ended_at.is_(None))
                    .values(ended_at=self._clock.now())
                )
        take_cookie(answer, self.cookie, is_secure=self._is_secure)

    async def sign_out_elsewhere(self, login: Login) -> None:
        """All other browsers of this customer."""
        async with self._db.write() as session:
            await self.take_turn(session, login.reader.customer_id)
            await self._end_all(session, login.reader.customer_id, but=login.id)

    async def open_logins(self, login: Login) -> list[Any]:
        """Rows with method, browser, created_at, seen_at and id; the newest first."""
        now = self._clock.now()
        asked = (
            select(_LOGIN.c.id, _LOGIN.c.method, _LOGIN.c.browser, _LOGIN.c.created_at, _LOGIN.c.seen_at)
            .where(
                _LOGIN.c.customer_id == login.reader.customer_id,
                _LOGIN.c.ended_at.is_(None),
                _LOGIN.c.expires_at > now,
                _LOGIN.c.seen_at > now - IDLE,
            )
            .order_by(_LOGIN.c.seen_at.desc())
            .limit(20)
        )
        async with self._db.read() as session:
            return list(await session.execute(asked))

    async def _end_all(self, session: AsyncSession, customer_id: UUID, but: UUID | None = None) -> None:
        now = self._clock.now()
        ended = update(_LOGIN).where(_LOGIN.c.customer_id == customer_id, _LOGIN.c.ended_at.is_(None))
        if but is not None:
            ended = ended.where(_LOGIN.c.id != but)
        await session.execute(ended.values(ended_at=now))
        await session.execute(
            update(_LINK).where(_LINK.c.customer_id == customer_id, _LINK.c.used_at.is_(None)).values(used_at=now)
        )


_READER = (
    _CUSTOMER.c.id.label("customer_id"),
    _CUSTOMER.c.name,
    _CUSTOMER.c.account_id,
    _ACCOUNT.c.account_no,
    _ACCOUNT.c.name.label("account_name"),
    _CUSTOMER.c.can_see_tickets,
    _CUSTOMER.c.can_see_billing,
    func.coalesce(func.nullif(_ACCESS.c.locale, ""), _ACCOUNT.c.language).label("locale"),
    func.coalesce(func.nullif(_ACCESS.c.time_zone, ""), _ACCOUNT.c.zone).label("time_zone"),
)


def _reader_by(customer_id: UUID) -> Any:
    return (
        select(*_READER)
        .join_from(_CUSTOMER, _ACCOUNT, _ACCOUNT.c.id == _CUSTOMER.c.account_id)
        .outerjoin(_ACCESS, _ACCESS.c.customer_id == _CUSTOMER.c.id)
        .where(_CUSTOMER.c.id == customer_id)
    )


def reader_of(row: Any) -> CustomerReader:
    return CustomerReader(
        row.customer_id,
        row.name,
        row.account_id,
        row.account_no,
        row.account_name,
        bool(row.can_see_tickets),
        bool(row.can_see_billing),
        row.locale,
        row.time_zone,
    )


async def choose(session: AsyncSession, customer_id: UUID, **values: Any) -> None:
    """Keeps what the customer chose: password, locale, time_zone."""
    row = insert_for(session)(_ACCESS).values(**({"customer_id": customer_id, "locale": "", "time_zone": ""} | values))
    await session.execute(row.on_conflict_do_update(index_elements=["customer_id"], set_=values))
