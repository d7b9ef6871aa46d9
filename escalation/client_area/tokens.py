"""Tokens by which the company's own site says who somebody is: JWT, HS256 under the secret of the site, for minutes.

The secret of a site is made from the key of this desk, so no row holds it and no copy of the database gives it away.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.bodies import storable
from chat.clock import Clock
from chat.db import Database, insert_for, table_of
from chat.public import Site
from escalation.client_area.models import TokenUse
from escalation.customers.models import Account, Customer, EmailAddress

LONGEST_LIFE = timedelta(minutes=10)
SKEW = timedelta(seconds=60)
KEPT = LONGEST_LIFE + 2 * SKEW
"""So long a use is remembered, from the use on: no token lasts longer."""
LONGEST = 4096
OVERLAP = timedelta(days=1)
"""So long after a renewal the secret before it still counts; not at all where it has leaked: then no time is noted."""
Use = Literal["enter", "panel"]
"""Any script of the host page reads what is shown in the panel: that signs nobody in."""
_HEADERS = ({"alg": "HS256", "typ": "JWT"}, {"alg": "HS256"})
_USE = table_of(TokenUse)


@dataclass(frozen=True, slots=True)
class Named:
    """What a genuine token says; not yet whether it was used before."""

    site_id: UUID
    site_key: str
    origins: tuple[str, ...]
    customer_id: UUID
    customer_name: str
    token_hash: str
    expires_at: datetime


class SiteSecrets:
    """`n` counts renewals; without one a site has no secret and signs nobody in."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha256(b"nightdesk site secrets\0" + secret_key.encode()).digest()

    def of(self, site_id: UUID, n: int) -> str:
        digest = hmac.new(self._key, f"{site_id}:{n}".encode(), hashlib.sha256).digest()
        return "nds_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def current(self, site: Site, now: datetime) -> list[str]:
        """What signs, then for a day what signed before it."""
        held = site.settings.get("identity")
        n, since = (held.get("n"), held.get("since")) if isinstance(held, dict) else (None, None)
        if not isinstance(n, int) or n < 1:
            return []
        before = n > 1 and isinstance(since, str) and now - datetime.fromisoformat(since) < OVERLAP
        return [self.of(site.id, n), *([self.of(site.id, n - 1)] if before else [])]


class Tokens:
    def __init__(self, db: Database, clock: Clock, secrets: SiteSecrets) -> None:
        self.db = db
        self._clock = clock
        self._secrets = secrets

    async def read(self, token: str, use: Use, site_key: str | None = None) -> Named | None:
        """None for all that is not signed by a site for one of its customers, for this use, now. `site_key`: only that
        site."""
        parts = _parts(token)
        if parts is None:
            return None
        signed, signature, claims = parts
        now = self._clock.now()
        asked = claims.get("aud")
        if claims.get("use") != use or not isinstance(asked, str) or (site_key is not None and asked != site_key):
            return None
        async with self.db.read() as session:
            site = (await session.execute(select(Site).where(table_of(Site).c.key == asked[:40]))).scalars().first()
            if site is None or not any(
                hmac.compare_digest(signature, hmac.new(secret.encode(), signed, hashlib.sha256).digest())
                for secret in self._secrets.current(site, now)
            ):
                return None
            expires_at, subject, jti = _claims(claims, now)
            if expires_at is None:
                return None
            customer = await _customer(session, subject, claims.get("email"))
        if customer is None:
            return None
        mark = hashlib.sha256(f"{site.id}:{jti}".encode()).hexdigest()
        return Named(site.id, site.key, tuple(site.origins), customer.id, customer.name, mark, expires_at)

    async def use(self, session: AsyncSession, named: Named) -> bool:
        """To sign in with; in the caller's transaction, once."""
        return await self._claim(session, named, None)

    async def show(self, session: AsyncSession, named: Named, visitor_id: UUID | None) -> datetime | None:
        """To show in the panel, in the caller's transaction: to the visitor it was first shown to, again and again.
        Before there is a visitor it is shown once, and belongs to the first that comes with it. When it was first
        shown; None: it is somebody else's."""
        if await self._claim(session, named, visitor_id):
            return self._clock.now()
        if visitor_id is None:
            return None
        mine = _USE.c.token_hash == named.token_hash
        await session.execute(update(_USE).where(mine, _USE.c.visitor_id.is_(None)).values(visitor_id=visitor_id))
        held = (await session.execute(select(_USE.c.visitor_id, _USE.c.expires_at).where(mine))).first()
        return held.expires_at - KEPT if held is not None and held.visitor_id == visitor_id else None

    async def _claim(self, session: AsyncSession, named: Named, visitor_id: UUID | None) -> bool:
        """The primary key is the judge."""
        now = self._clock.now()
        await session.execute(delete(_USE).where(_USE.c.expires_at < now))
        claim = insert_for(session)(_USE).values(
            token_hash=named.token_hash, visitor_id=visitor_id, expires_at=now + KEPT
        )
        won = await session.execute(claim.on_conflict_do_nothing().returning(_USE.c.token_hash))
        return won.first() is not None


def _parts(token: str) -> tuple[bytes, bytes, Mapping[str, Any]] | None:
    """What was signed, the signature, the claims; the header must be exactly ours: no other algorithm is known here."""
    pieces = token.split(".")
    if len(token) > LONGEST or len(pieces) != 3 or not token.isascii():
        return None
    try:
        header, claims = (json.loads(_decoded(piece)) for piece in pieces[:2])
        signature = _decoded(pieces[2])
    except (ValueError, binascii.Error, RecursionError):
        return None
    if header not in _HEADERS or not isinstance(claims, dict):
        return None
    if any(storable(claim) != claim for claim in claims.values() if isinstance(claim, str)):
        return None
    return f"{pieces[0]}.{pieces[1]}".encode(), signature, claims


def _decoded(piece: str) -> bytes:
    if not piece or set(piece) - _LETTERS:
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4))


_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def _claims(claims: Mapping[str, Any], now: datetime) -> tuple[datetime | None, str, str]:
    """When it ends, whom it names, its own name. None: it has ended, lasts too long, or lacks something."""
    exp, subject, jti = claims.get("exp"), claims.get("sub"), claims.get("jti")
    if isinstance(exp, bool) or not isinstance(exp, int) or not isinstance(subject, str) or not isinstance(jti, str):
        return None, "", ""
    left = exp - now.timestamp()
    if not -SKEW.total_seconds() < left <= (LONGEST_LIFE + SKEW).total_seconds():
        return None, "", ""
    if not 0 < len(subject) <= 64 or not 8 <= len(jti) <= 100:
        return None, "", ""
    return now + timedelta(seconds=left), subject, jti


async def _customer(session: AsyncSession, ref: str, email: object) -> Any:
    """By the company's own key. An address that was proven by somebody else is a clash, and a clash names nobody."""
    customer, account, address = table_of(Customer), table_of(Account), table_of(EmailAddress)
    found = await session.execute(
        select(customer.c.id, customer.c.name)
        .join(account, account.c.id == customer.c.account_id)
        .where(customer.c.ref == ref, customer.c.active, account.c.active)
    )
    row = found.first()
    if row is None or email is None:
        return row
    if not isinstance(email, str):
        return None
    held = await session.execute(
        select(address.c.customer_id).where(
            address.c.address == email.strip().lower(), address.c.verified_at.is_not(None)
        )
    )
    owner = held.scalar_one_or_none()
    return row if owner is None or owner == row.id else None


def signed(secret: str, claims: Mapping[str, Any]) -> str:
    """A token as the company's site makes it."""
    header = base64.urlsafe_b64encode(json.dumps(_HEADERS[0]).encode()).rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
    signature = hmac.new(secret.encode(), header + b"." + body, hashlib.sha256).digest()
    return b".".join([header, body, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
