"""Sign-in of operators: passwords, links that work once, login sessions, socket passes.

A cookie or link holds the secret, the row its hash. Rows decide: what is ended or expired there is out everywhere.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection
from starlette.responses import Response

from chat.clock import Clock
from chat.cookies import give_cookie, take_cookie
from chat.csrf import require_ours
from chat.db import Database, rows_changed, table_of
from chat.ids import hashed, new_id, new_secret
from chat.people.models import LoginSession, OneTimeSecret, Operator
from chat.people.operators import LONGEST_PASSWORD, Passwords, normalised
from chat.people.sign_in_waits import SignInWaits
from chat.settings import Settings

IDLE = timedelta(hours=12)
LIFE = timedelta(days=7)
FRESH = timedelta(minutes=15)
LINK_LIFE = timedelta(minutes=15)
PASS_LIFE = timedelta(seconds=30)
TOUCHED_EVERY = timedelta(minutes=1)
"""`seen_at` is written at most so often: a page view must not always be a write."""


@dataclass(frozen=True)
class Login:
    """Who is signed in, and by which login session."""

    operator: Operator
    session: LoginSession


@dataclass(frozen=True)
class PasswordRefused:
    """The same for a wrong password and an unknown address; `wait` seconds until the next try counts."""

    wait: float


class SignIn:
    def __init__(self, db: Database, clock: Clock, settings: Settings, passwords: Passwords | None = None) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self.passwords = passwords or Passwords()
        self._waits = SignInWaits(clock)
        self.cookie = "__Host-nd_session" if settings.is_secure else "nd_session"

    def check_csrf(self, request: HTTPConnection) -> None:
        """Raises 403 for an unsafe request that no page of ours has sent."""
        require_ours(request, self._settings.base_url)

    # ── who is there ─────────────────────────────────────────────────────────────────────────────────────────────

    async def operator(self, request: HTTPConnection) -> Operator | None:
        login = await self.login(request)
        return login.operator if login else None

    async def login(self, request: HTTPConnection) -> Login | None:
        """By the cookie, asked from the rows each time."""
        secret = request.cookies.get(self.cookie, "")
        if not secret:
            return None
        async with self._db.read() as session:
            found = (
                await session.execute(
                    select(LoginSession, Operator)
                    .join(Operator, col(Operator.id) == col(LoginSession.operator_id))
                    .where(col(LoginSession.secret_hash) == hashed(secret))
                )
            ).first()
        if found is None:
            return None
        login = Login(found[1], found[0])
        if not self._is_alive(login.session) or not login.operator.active:
            return None
        await self._touch(login.session)
        return login

    def is_fresh(self, login: Login) -> bool:
        """So soon after a sign-in it is believed who sits there."""
        return self._clock.now() - login.session.created_at < FRESH

    async def is_signed_in(self, login_session_id: UUID) -> bool:
        """Whether this login session still holds, for sockets that live longer than a request."""
        async with self._db.read() as session:
            found = await session.get(LoginSession, login_session_id)
            operator = await session.get(Operator, found.operator_id) if found else None
        return found is not None and operator is not None and operator.active and self._is_alive(found)

    async def touch(self, login_sessions: Collection[UUID]) -> None:
        """Of consoles that were open just now. Who is being touched by another process is touched enough."""
        rows = table_of(LoginSession)
        alive = select(rows.c.id).where(rows.c.id.in_(login_sessions), rows.c.ended_at.is_(None))
        async with self._db.write() as session:
            await session.execute(
                update(rows)
                .where(rows.c.id.in_(alive.with_for_update(skip_locked=True)))
                .values(seen_at=self._clock.now())
            )

    # ── signing in and out ───────────────────────────────────────────────────────────────────────────────────────

    async def own_password(self, operator: Operator, password: str, address: str) -> PasswordRefused | None:
        """Of somebody who is signed in already: whoever sits at their browser guesses no faster than at the door. None:
        it is right."""
        account = normalised(operator.email)
        if wait := self._waits.take(account, address):
            return PasswordRefused(wait)
        right, _ = await self.passwords.verified(password[: LONGEST_PASSWORD + 1], operator.password)
        if not right:
            return PasswordRefused(self._waits.left(account, address))
        self._waits.succeeded(account, address)
        return None

    async def by_password(self, email: str, password: str, address: str) -> Operator | PasswordRefused:
        account = normalised(email)
        if wait := self._waits.take(account, address):
            return PasswordRefused(wait)
        async with self._db.read() as session:
            statement = select(Operator).where(col(Operator.email) == account, col(Operator.active))
            operator: Operator | None = (await session.execute(statement)).scalars().first()
        stored = operator.password if operator else None
        right, renewed = await self.passwords.verified(password[: LONGEST_PASSWORD + 1], stored)
        if operator is None or not right:
            return PasswordRefused(self._waits.left(account, address))
        self._waits.succeeded(account, address)
        if renewed:
            operators = table_of(Operator)
            async with self._db.write() as session:
                await session.execute(
                    update(operators)
                    .where(operators.c.id == operator.id, operators.c.password == stored)
                    .values(password=renewed)
                )
            operator.password = renewed
        return operator

    async def begin(self, operator: Operator, response: Response, *, link: str | None = None) -> LoginSession | None:
        """A new login session with a new secret, whatever cookie there was: nobody signs in with one that was put there
        before. Uses `link` up. None where what they came with was ended in this moment."""
        secret = new_secret()
        now = self._clock.now()
        login = LoginSession(
            id=new_id(),
            secret_hash=hashed(secret),
            operator_id=operator.id,
            created_at=now,
            seen_at=now,
            expires_at=now + LIFE,
        )
        rows = table_of(Operator)
        async with self._db.write() as session:
            # With the row locked, whoever ends all sign-ins has done so before, and is obeyed, or finds this one too.
            lock = select(rows.c.active, rows.c.password).where(rows.c.id == operator.id)
            known = (await session.execute(lock.with_for_update(key_share=True))).first()
            if known is None or not known.active or known.password != operator.password:
                return None
            if link is not None and not await self._claim(session, hashed(link)):
                return None
            session.add(login)
        give_cookie(response, self.cookie, secret, LIFE, is_secure=self._settings.is_secure)
        return login

    async def end(self, request: HTTPConnection, response: Response) -> UUID | None:
        """Ends this sign-in; the id of its login session, so that its sockets can be closed."""
        login = await self.login(request)
        if login is not None:
            rows = table_of(LoginSession)
            async with self._db.write() as session:
                await session.execute(
                    update(rows).where(rows.c.id == login.session.id).values(ended_at=self._clock.now())
                )
        take_cookie(response, self.cookie, is_secure=self._settings.is_secure)
        return login.session.id if login else None

    # ── secrets that work once ───────────────────────────────────────────────────────────────────────────────────

    async def make_link(self, operator_id: UUID) -> str:
        """A URL that signs this operator in once, within 15 minutes. Its host comes from the settings."""
        secret = await self._make("sign-in", operator_id, LINK_LIFE)
        return f"{self._settings.base_url}/console/sign-in/{secret}"

    async def link_works(self, secret: str) -> bool:
        return await self._unused("sign-in", secret) is not None

    async def by_link(self, secret: str) -> Operator | None:
        """Whose link it is; `begin` uses it up."""
        found = await self._unused("sign-in", secret)
        if found is None:
            return None
        async with self._db.read() as session:
            operator = await session.get(Operator, found.operator_id)
        return operator if operator is not None and operator.active else None

    async def make_socket_pass(self, login: Login) -> str:
        return await self._make("socket", login.operator.id, PASS_LIFE, login.session.id)

    async def use_socket_pass(self, socket_pass: str) -> tuple[Operator, LoginSession] | None:
        """Good once, within 30 s, as long as the sign-in that asked for it holds."""
        found = await self._use("socket", socket_pass)
        if found is None or found.login_session_id is None:
            return None
        async with self._db.read() as session:
            login = await session.get(LoginSession, found.login_session_id)
            operator = await session.get(Operator, found.operator_id)
        if login is None or operator is None or not operator.active or not self._is_alive(login):
            return None
        return operator, login

    async def _make(
        self, purpose: str, operator_id: UUID, life: timedelta, login_session_id: UUID | None = None
    ) -> str:
        secret = new_secret()
        now = self._clock.now()
        rows = table_of(OneTimeSecret)
        async with self._db.write() as session:
            # Each connection of a console takes one: what has run out goes with the next.
            await session.execute(delete(rows).where(rows.c.operator_id == operator_id, rows.c.expires_at < now))
            session.add(
                OneTimeSecret(
                    secret_hash=hashed(secret),
                    purpose=purpose,
                    operator_id=operator_id,
                    login_session_id=login_session_id,
                    expires_at=now + life,
                )
            )
        return secret

    async def _unused(self, purpose: str, secret: str) -> OneTimeSecret | None:
        statement = select(OneTimeSecret).where(
            col(OneTimeSecret.secret_hash) == hashed(secret),
            col(OneTimeSecret.purpose) == purpose,
            col(OneTimeSecret.used_at).is_(None),
            col(OneTimeSecret.expires_at) > self._clock.now(),
        )
        async with self._db.read() as session:
            found: OneTimeSecret | None = (await session.execute(statement)).scalars().first()
        return found

    async def _use(self, purpose: str, secret: str) -> OneTimeSecret | None:
        found = await self._unused(purpose, secret)
        if found is None:
            return None
        async with self._db.write() as session:
            return found if await self._claim(session, found.secret_hash) else None

    async def _claim(self, session: AsyncSession, secret_hash: str) -> bool:
        rows = table_of(OneTimeSecret)
        claimed = await session.execute(
            update(rows)
            .where(rows.c.secret_hash == secret_hash, rows.c.used_at.is_(None))
            .values(used_at=self._clock.now())
        )
        return rows_changed(claimed) == 1

    def _is_alive(self, login: LoginSession) -> bool:
        now = self._clock.now()
        return login.ended_at is None and login.expires_at > now and login.seen_at > now - IDLE

    async def _touch(self, login: LoginSession) -> None:
        now = self._clock.now()
        if now - login.seen_at < TOUCHED_EVERY:
            return
        rows = table_of(LoginSession)
        async with self._db.write() as session:
            await session.execute(update(rows).where(rows.c.id == login.id).values(seen_at=now))
