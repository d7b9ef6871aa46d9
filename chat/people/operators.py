"""Operators: creating them, and their passwords."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database, rows_changed, table_of
from chat.ids import new_id
from chat.people.audit import audit
from chat.people.models import Department, LoginSession, OneTimeSecret, Operator, OperatorDepartment

ADMINISTRATOR = "administrator"
ROLES = ("operator", "supervisor", ADMINISTRATOR)
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
MEMORY_KIB = 64 * 1024
ROUNDS = 3
AT_ONCE = 2
"""64 MiB each: more at once would let a flood of sign-ins take the machine's memory."""


class OperatorExists(ValueError):
    """There is an operator with this address already."""


class PasswordTooShort(ValueError):
    """A password has at least 10 characters."""


class NoSuchDepartment(ValueError):
    """There is no department with this slug."""


class NoSuchOperator(LookupError):
    """There is no operator with this address."""


class NoSuchRole(ValueError):
    """A role is operator, supervisor or administrator."""


class LastAdministrator(ValueError):
    """Nobody else could come in who may change this back."""


class SignedOut(Exception):
    """This sign-in was ended meanwhile."""


Along = Callable[[AsyncSession], Awaitable[None]]
"""Writes what belongs to a change, such as its audit, in the transaction of the change."""


class Passwords:
    """argon2id, in threads, at most two at once in this process."""

    def __init__(self) -> None:
        self._hash = PasswordHash((Argon2Hasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=1),))
        self._room = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hashed(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(self._hash.hash, password)

    async def verified(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a new hash when the stored one has older parameters.

        Without a stored hash the same work is done for nothing, so that time tells nobody who exists.
        """
        if stored is None:
            if self._nobody is None:
                self._nobody = await self.hashed("nobody has this password")
            await self._verify(password, self._nobody)
            return False, None
        return await self._verify(password, stored)

    async def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        async with self._room:
            try:
                return await asyncio.to_thread(self._hash.verify_and_update, password, stored)
            except PwdlibError:
                return False, None


def normalised(email: str) -> str:
    return email.strip().lower()


class Operators:
    def __init__(self, db: Database, clock: Clock, passwords: Passwords) -> None:
        self._db = db
        self._clock = clock
        self.passwords = passwords

    async def create(
        self,
        *,
        email: str,
        name: str,
        password: str | None = None,
        role: str = "operator",
        locale: str = "en",
        capacity: int = 5,
        departments: Sequence[str] | None = None,
    ) -> Operator:
        """A new operator in these departments (slugs), or in all. Without a password only links sign in.

        Raises OperatorExists, PasswordTooShort, NoSuchDepartment.
        """
        if password is not None:
            require_length(password)
        stored = await self.passwords.hashed(password) if password is not None else None
        operator = Operator(
            id=new_id(),
            email=normalised(email),
            name=name.strip(),
            password=stored,
            role=role,
            locale=locale,
            capacity=capacity,
            settings={},
            created_at=self._clock.now(),
        )
        async with self._db.write() as session:
            taken = select(Operator).where(col(Operator.email) == operator.email)
            if (await session.execute(taken)).first() is not None:
                raise OperatorExists(operator.email)
            known = {row.slug: row.id for row in (await session.execute(select(Department))).scalars()}
            missing = [slug for slug in departments or () if slug not in known]
            if missing:
                raise NoSuchDepartment(", ".join(missing))
            session.add(operator)
            await session.flush()
            for slug in known if departments is None else departments:
                session.add(OperatorDepartment(operator_id=operator.id, department_id=known[slug]))
        return operator

    async def by_id(self, operator_id: UUID) -> Operator | None:
        async with self._db.read() as session:
            return await session.get(Operator, operator_id)

    async def by_email(self, email: str) -> Operator:
        """Raises NoSuchOperator."""
        async with self._db.read() as session:
            statement = select(Operator).where(col(Operator.email) == normalised(email))
            found: Operator | None = (await session.execute(statement)).scalars().first()
        if found is None:
            raise NoSuchOperator(email)
        return found

    async def change_password(self, operator_id: UUID, password: str, *, login_id: UUID | None = None) -> str:
        """Ends all sign-ins of this operator, since one of them may be why it is changed; the caller begins a new one.
        What is stored. `login_id`: their own sign-in by which it is done; without one it is the command line. Raises
        PasswordTooShort, and SignedOut for a sign-in that was ended meanwhile."""
        require_length(password)
        stored = await self.passwords.hashed(password)

        async def along(session: AsyncSession) -> None:
            # Whoever was put out by another browser a moment ago sets no password any more.
            if login_id is not None and not await _ended(session, login_id, self._clock.now()):
                raise SignedOut
            operator = await session.get_one(Operator, operator_id)
            action = "operator.password-changed" if operator.password is not None else "operator.password-set"
            by = operator if login_id is not None else None
            audit(session, action, by, self._clock.now(), subject=operator_id, about=operator.email)

        await self._change(operator_id, along, password=stored)
        return stored

    async def set_role(self, operator_id: UUID, role: str, *, along: Along | None = None) -> None:
        """Ends all sign-ins: nobody goes on with the rights of another role. Raises NoSuchRole, LastAdministrator."""
        require_role(role)
        await self._change(operator_id, along, role=role)

    async def set_active(self, operator_id: UUID, *, active: bool, along: Along | None = None) -> None:
        """Who is not active is signed out everywhere and cannot come in; what they had goes back to its queue. Raises
        LastAdministrator."""
        await self._change(operator_id, along, active=active)

    async def sign_out(self, operator_id: UUID, *, along: Along | None = None) -> None:
        """Everywhere: of a lost machine, say."""
        await self._change(operator_id, along)

    async def _change(self, operator_id: UUID, along: Along | None = None, **values: Any) -> None:
        """With `along` an administrator stays; the command line, which has none, may do without."""
        operators, logins = table_of(Operator), table_of(LoginSession)
        secrets = table_of(OneTimeSecret)
        now = self._clock.now()
        async with self._db.write() as session:
            if along is not None and values:
                await _require_administrator(session, operator_id, values)
            # Whoever signs in at this moment waits for the lock, or has committed what is ended here.
            await session.execute(
                select(operators.c.id).where(operators.c.id == operator_id).with_for_update(key_share=True)
            )
            if along is not None:
                await along(session)
            if values:
                await session.execute(update(operators).where(operators.c.id == operator_id).values(**values))
            await session.execute(
                update(logins)
                .where(logins.c.operator_id == operator_id, logins.c.ended_at.is_(None))
                .values(ended_at=now)
            )
            # Links and passes that were not used yet were given to whoever had access before.
            await session.execute(
                update(secrets)
                .where(secrets.c.operator_id == operator_id, secrets.c.used_at.is_(None))
                .values(used_at=now)
            )


async def _ended(session: AsyncSession, login_id: UUID, now: datetime) -> bool:
    """Whether it held until now."""
    logins = table_of(LoginSession)
    ended = update(logins).where(logins.c.id == login_id, logins.c.ended_at.is_(None), logins.c.expires_at > now)
    return rows_changed(await session.execute(ended.values(ended_at=now))) == 1


async def _require_administrator(session: AsyncSession, operator_id: UUID, values: dict[str, Any]) -> None:
    """Two who take the rights of each other wait for each other here: the later one is the last. Raises
    LastAdministrator."""
    if values.get("role", ADMINISTRATOR) == ADMINISTRATOR and values.get("active", True):
        return
    held = (
        select(col(Operator.id))
        .where(col(Operator.role) == ADMINISTRATOR, col(Operator.active))
        .order_by(col(Operator.id))
        .with_for_update(key_share=True)
    )
    if list((await session.execute(held)).scalars()) == [operator_id]:
        raise LastAdministrator


def require_length(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise PasswordTooShort


def require_role(role: str) -> None:
    if role not in ROLES:
        raise NoSuchRole(role)
