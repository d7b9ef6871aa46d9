"""What the commands do: short programs on the database, and the checks before a process starts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from chat import garbage
from chat.app import Nightdesk
from chat.clock import SystemClock
from chat.conversations.actions import checked_address
from chat.conversations.models import Conversation
from chat.db import Database
from chat.ending import Ending
from chat.ids import new_id, parse_id
from chat.keys import secret_key_of
from chat.migrations import schema
from chat.people.audit import audit
from chat.people.models import CANARY, Department, Operator, Site
from chat.people.operators import (
    ROLES,
    SHORTEST_PASSWORD,
    NoSuchDepartment,
    NoSuchOperator,
    NoSuchRole,
    OperatorExists,
    Operators,
    Passwords,
    PasswordTooShort,
    require_role,
)
from chat.people.sign_in import SignIn
from chat.people.visitors import Visitors
from chat.protocol.errors import AddressInvalid
from chat.settings import Settings
from chat.shared_clock import clock_of
from escalation.client_area.tokens import SiteSecrets

DEPARTMENTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("technical", {"en": "Technical", "sl": "Tehnični"}),
    ("financial", {"en": "Financial", "sl": "Finančni"}),
)
"""Shipped; more are rows."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The database at head, with the shipped departments in it. Raises Behind: PostgreSQL comes to head by `migrate`
    alone."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(settings.effective_database_url)
    try:
        if not settings.is_postgresql:
            await schema.migrate(db, copy_to=settings.data_dir)
        elif schema.is_behind((await schema.standing(db))[0]):
            raise schema.Behind("The database is behind this program. Run `nightdesk migrate`, then start again.")
        await ensure_departments(db)
        yield db
    finally:
        await db.close()


async def ensure_departments(db: Database) -> None:
    with contextlib.suppress(IntegrityError):  # another program put them there in this moment
        async with db.write() as session:
            if (await session.execute(select(col(Department.id)).limit(1))).first() is None:
                for position, (slug, names) in enumerate(DEPARTMENTS):
                    session.add(Department(id=new_id(), slug=slug, names=names, position=position))


async def standing(settings: Settings) -> tuple[str | None, str | None]:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(settings.effective_database_url)
    try:
        return await schema.standing(db)
    finally:
        await db.close()


def is_behind(current: str | None) -> bool:
    return schema.is_behind(current)


async def migrate_now(settings: Settings) -> bool:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    db = Database(settings.effective_database_url)
    try:
        changed = await schema.migrate(db, copy_to=settings.data_dir)
        await ensure_departments(db)
        return changed
    finally:
        await db.close()


def ready_desk(settings: Settings) -> Nightdesk:
    """The program, once the schema is at head: SQLite goes there by itself, PostgreSQL only by `migrate`."""
    _require_head(settings)
    return Nightdesk(settings)


def run_worker(settings: Settings) -> None:
    _require_head(settings)
    desk = Nightdesk(settings, works=True)

    async def work() -> None:
        ending = Ending()
        with ending.heard():
            await desk.start_worker()
            garbage.settle()
            await ending.told.wait()
            await ending.finish(desk.stop())

    asyncio.run(work())


def _require_head(settings: Settings) -> None:
    """Raises Behind."""

    async def look() -> None:
        async with opened(settings):
            pass

    asyncio.run(look())


# ── people and sites ─────────────────────────────────────────────────────────────────────────────────────────────────


async def add_operator(
    settings: Settings, email: str, name: str, departments: Sequence[str], role: str, language: str, capacity: int
) -> str:
    """The sign-in link. Raises ValueError in words for people."""
    try:
        require_role(role)
    except NoSuchRole:
        raise ValueError(_no_role(role)) from None
    if language not in settings.locales:
        raise ValueError(f"{language} is not offered: use {' or '.join(settings.locales)}.")
    async with opened(settings) as db:
        clock = await clock_of(db)
        sign_in = SignIn(db, clock, settings)
        try:
            made = await Operators(db, clock, sign_in.passwords).create(
                email=checked_address(email),
                name=name,
                departments=departments or None,
                role=role,
                locale=language,
                capacity=capacity,
            )
        except AddressInvalid:
            raise ValueError(f"{email} is no e-mail address.") from None
        except OperatorExists:
            raise ValueError(f"There is an operator {email} already.") from None
        except NoSuchDepartment as error:
            raise ValueError(f"There is no department {error}.") from None
        return await sign_in.make_link(made.id)


async def list_operators(settings: Settings) -> list[dict[str, Any]]:
    async with opened(settings) as db, db.read() as session:
        people = select(Operator).where(col(Operator.role) != CANARY).order_by(col(Operator.email))
        found = (await session.execute(people)).scalars()
        names = ("email", "name", "role", "locale", "present", "status", "load", "capacity", "active")
        return [{name: getattr(operator, name) for name in names} for operator in found]


async def set_password(settings: Settings, email: str, password: str) -> None:
    try:
        async with _operator(settings, email) as (operators, operator):
            await operators.change_password(operator.id, password)
    except PasswordTooShort:
        raise ValueError(f"The password needs at least {SHORTEST_PASSWORD} characters; nothing was changed.") from None


async def set_role(settings: Settings, email: str, role: str) -> None:
    try:
        async with _operator(settings, email) as (operators, operator):
            await operators.set_role(operator.id, role)
    except NoSuchRole:
        raise ValueError(_no_role(role)) from None


async def set_active(settings: Settings, email: str, *, active: bool) -> None:
    async with _operator(settings, email) as (operators, operator):
        await operators.set_active(operator.id, active=active)


async def sign_out(settings: Settings, email: str) -> None:
    async with _operator(settings, email) as (operators, operator):
        await operators.sign_out(operator.id)


@asynccontextmanager
async def _operator(settings: Settings, email: str) -> AsyncIterator[tuple[Operators, Operator]]:
    """Raises LookupError in words for people."""
    async with opened(settings) as db:
        operators = Operators(db, SystemClock(), Passwords())
        try:
            found = await operators.by_email(email)
        except NoSuchOperator:
            raise LookupError(f"There is no operator {email}. `nightdesk operator list` shows all.") from None
        yield operators, found


def _no_role(role: str) -> str:
    return f"{role} is no role: use {', '.join(ROLES[:-1])} or {ROLES[-1]}."


async def end_visitor(settings: Settings, conversation: str) -> None:
    """Raises LookupError in words for people."""
    conversation_id = parse_id(conversation)
    async with opened(settings) as db:
        found = None
        if conversation_id is not None:
            async with db.read() as session:
                found = await session.get(Conversation, conversation_id)
        if found is None:
            raise LookupError(f"There is no conversation {conversation}. Its id ends its address in the console.")
        await Visitors(db, SystemClock()).end_access(found.visitor_id)


async def add_site(
    settings: Settings, key: str, name: str, origins: Sequence[str], language: str, more: dict[str, Any] | None = None
) -> None:
    if not key or not key.replace("-", "").replace("_", "").isalnum() or len(key) > 40:
        raise ValueError(f"{key!r} is no key: use up to 40 letters, digits and dashes.")
    async with opened(settings) as db:
        site = Site(
            id=new_id(),
            key=key,
            name=name,
            origins=list(origins),
            locale=language,
            settings=more or {},
            created_at=SystemClock().now(),
        )
        try:
            async with db.write() as session:
                session.add(site)
        except IntegrityError:
            raise ValueError(f"There is a site {key} already.") from None


async def list_sites(settings: Settings) -> list[dict[str, Any]]:
    async with opened(settings) as db, db.read() as session:
        found = (await session.execute(select(Site).order_by(col(Site.key)))).scalars()
        return [{"key": site.key, "name": site.name, "origins": site.origins} for site in found]


async def site_secret(settings: Settings, key: str, *, renew: bool, at_once: bool = False) -> str:
    """Made with the first call. `at_once`: what the one before it signs is worth nothing from now on, for one that has
    leaked. Raises LookupError in words for people."""
    now = SystemClock().now()
    async with opened(settings) as db, db.write() as session:
        site = (await session.execute(select(Site).where(col(Site.key) == key))).scalars().first()
        if site is None:
            raise LookupError(f"There is no site {key}. `nightdesk site list` shows all.")
        secrets = SiteSecrets(secret_key_of(settings))
        if renew or at_once or not secrets.current(site, now):
            n = int(site.settings.get("identity", {}).get("n", 0)) + 1
            site.settings = site.settings | {"identity": {"n": n, "since": None if at_once else now.isoformat()}}
            action = f"site.secret_{'leaked' if at_once else 'renewed' if renew else 'made'}"
            audit(session, action, None, now, subject=site.id, about=site.name)
        return secrets.current(site, now)[0]


def snippet(settings: Settings, key: str) -> str:
    return f'<script async src="{settings.base_url}/w/{key}/loader.js"></script>'
