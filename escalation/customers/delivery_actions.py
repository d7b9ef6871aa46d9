"""Changes of where mail goes: an address counts once its owner has used a link, and who received before is told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.clock import Clock
from chat.db import Database
from chat.ids import new_id
from chat.public import Refusal, checked_address
from escalation.customers.delivery import TYPES, Target, is_confirmed, registered_of, takes_mail, targets_of
from escalation.customers.models import Account, EmailAddress, EmailProof, NotificationAddress
from escalation.mail.letter import ADDRESS_CHANGED, CONFIRM_ADDRESS, Letter
from escalation.mail.mailbox import Mailbox
from escalation.mail.models import MailOut, Suppression

PROOF_LIFE = timedelta(minutes=15)
MOST_PER_TYPE = 10
ASKED_PER_DAY = 3
"""Confirmations mailed to one address, whoever asks: nobody is flooded in our name."""
ASKED_PER_HOUR = 10
"""Confirmations asked for by one account."""
PAGE = "/client/settings/delivery"


class DeliveryError(Exception):
    """Base of what can go wrong with these settings."""


class AddressRefused(DeliveryError):
    """What was written is no address."""


class AddressThere(DeliveryError):
    """It is set for this type already."""


class TooMany(DeliveryError):
    """More than MOST_PER_TYPE addresses of one type."""


class TooOften(DeliveryError):
    """So many links were mailed to this address, or for this account, that more would be a flood."""


class AddressGone(DeliveryError):
    """No such address of this account, or no such link: unknown, used, expired and foreign look the same."""


class AddressTaken(DeliveryError):
    """Somebody else confirmed it before: an address belongs to one account."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a link is about, for the page that asks whether to use it."""

    address: str
    account_name: str
    types: list[str]
    locale: str


class Delivery:
    """All methods name the account of who is signed in; what is another's is not there."""

    def __init__(self, db: Database, clock: Clock, mailbox: Mailbox, base_url: str) -> None:
        self._db = db
        self._clock = clock
        self._mailbox = mailbox
        self._page = f"{base_url}{PAGE}"

    async def add(self, account_id: UUID, kind: str, address: str, locale: str) -> bool:
        """True where the address counts at once, since it was confirmed before; else its owner gets a link."""
        if kind not in TYPES:
            raise AddressGone
        raw = address.strip()
        try:
            normal = checked_address(raw).lower()
        except Refusal:
            raise AddressRefused from None
        async with self._db.write() as session:
            account = await self._account(session, account_id)
            email = await self._email(session, account_id, normal, raw)
            to = await self._row(session, account_id, kind, email.id)
            if to is not None and to.active:
                raise AddressThere
            if await self._number(session, account_id, kind) >= MOST_PER_TYPE:
                raise TooMany
            before = await self._receivers(session, account_id, kind)
            if to is None:
                session.add(NotificationAddress(id=new_id(), account_id=account_id, kind=kind, email_id=email.id))
            else:
                to.active = True
            await session.flush()
            confirmed = is_confirmed(email)
            if confirmed:
                await self._tell_those_before(session, account, kind, before, normal, str(new_id()))
            else:
                await self._ask(session, account, email, locale)
        self._mailbox.wake()
        return confirmed

    async def ask_again(self, account_id: UUID, to_id: UUID, locale: str) -> None:
        """Another link: the first was lost or has expired, or the address takes mail again."""
        async with self._db.write() as session:
            account = await self._account(session, account_id)
            _to, email = await self._owned(session, account_id, to_id)
            if not is_confirmed(email) or not takes_mail(email, self._clock.now()):
                await self._ask(session, account, email, locale)
        self._mailbox.wake()

    async def kind_of(self, account_id: UUID, to_id: UUID) -> str:
        """The type it is set for; empty where the account has no such address."""
        async with self._db.read() as session:
            to = await session.get(NotificationAddress, to_id)
        return to.kind if to is not None and to.account_id == account_id and to.active else ""

    async def remove(self, account_id: UUID, to_id: UUID) -> None:
        """The address is told, if it has ever received."""
        async with self._db.write() as session:
            account = await self._account(session, account_id)
            to, email = await self._owned(session, account_id, to_id)
            to.active = False
            if is_confirmed(email):
                removed = Target(email.address, to.language or account.language)
                await self._tell(session, account, removed, to.kind, "removed", str(new_id()))
        self._mailbox.wake()

    async def proof(self, proof_id: UUID) -> Proof:
        """What the link is about; asking uses nothing, since mail scanners open links."""
        async with self._db.read() as session:
            proof, email = await self._open_proof(session, proof_id)
            account = await self._account(session, email.account_id, lock=False)
            return Proof(email.raw, account.name, await self._types(session, email), proof.locale)

    async def confirm(self, proof_id: UUID) -> Proof:
        """Uses the link. Raises AddressGone or AddressTaken."""
        try:
            async with self._db.write() as session:
                found = await self._confirm(session, proof_id)
        except IntegrityError:
            raise AddressTaken from None
        self._mailbox.wake()
        return found

    async def _confirm(self, session: AsyncSession, proof_id: UUID) -> Proof:
        proof, email = await self._open_proof(session, proof_id, lock=True)
        account = await self._account(session, email.account_id)
        now = self._clock.now()
        types = await self._types(session, email)
        before = {kind: await self._receivers(session, account.id, kind) for kind in types}
        proof.used_at = now
        if email.verified_at is None:
            email.verified_at, email.verified_by = now, "link"
        # Who used the link has received it: an address that was refused once takes mail again.
        email.suppressed_until, email.reason = None, ""
        suppressed = await session.get(Suppression, email.address)
        if suppressed is not None:
            await session.delete(suppressed)
        await session.flush()
        for kind in types:
            await self._tell_those_before(session, account, kind, before[kind], email.address, str(proof.id))
        return Proof(email.raw, account.name, types, proof.locale)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _account(self, session: AsyncSession, account_id: UUID | None, *, lock: bool = True) -> Account:
        """Locked: changes of one account take turns, so that limits hold."""
        statement = select(Account).where(Account.id == account_id, col(Account.active))
        account = (await session.exec(statement.with_for_update() if lock else statement)).first()
        if account is None:
            raise AddressGone
        return account

    async def _email(self, session: AsyncSession, account_id: UUID, address: str, raw: str) -> EmailAddress:
        found = await session.exec(
            select(EmailAddress)
            .where(EmailAddress.account_id == account_id, EmailAddress.address == address)
            .order_by(col(EmailAddress.verified_at).is_(None), col(EmailAddress.id))
        )
        email = found.first()
        if email is None:
            email = EmailAddress(id=new_id(), account_id=account_id, address=address, raw=raw)
            session.add(email)
            await session.flush()
        return email

    async def _row(
        self, session: AsyncSession, account_id: UUID, kind: str, email_id: UUID
    ) -> NotificationAddress | None:
        found = await session.exec(
            select(NotificationAddress).where(
                NotificationAddress.account_id == account_id,
                NotificationAddress.kind == kind,
                NotificationAddress.email_id == email_id,
            )
        )
        return found.first()

    async def _owned(
        self, session: AsyncSession, account_id: UUID, to_id: UUID
    ) -> tuple[NotificationAddress, EmailAddress]:
        to = await session.get(NotificationAddress, to_id)
        if to is None or to.account_id != account_id or not to.active:
            raise AddressGone
        return to, await session.get_one(EmailAddress, to.email_id)

    async def _number(self, session: AsyncSession, account_id: UUID, kind: str) -> int:
        found = await session.exec(
            select(func.count())
            .select_from(NotificationAddress)
            .where(
                NotificationAddress.account_id == account_id,
                NotificationAddress.kind == kind,
                col(NotificationAddress.active),
            )
        )
        return found.one()

    async def _types(self, session: AsyncSession, email: EmailAddress) -> list[str]:
        found = await session.exec(
            select(NotificationAddress.kind).where(
                NotificationAddress.email_id == email.id, col(NotificationAddress.active)
            )
        )
        set_for = set(found)
        return [kind for kind in TYPES if kind in set_for]

    async def _open_proof(
        self, session: AsyncSession, proof_id: UUID, *, lock: bool = False
    ) -> tuple[EmailProof, EmailAddress]:
        statement = select(EmailProof).where(
            EmailProof.id == proof_id, col(EmailProof.used_at).is_(None), EmailProof.expires_at > self._clock.now()
        )
        proof = (await session.exec(statement.with_for_update() if lock else statement)).first()
        if proof is None:
            raise AddressGone
        email = await session.get_one(EmailAddress, proof.email_id)
        if not await self._types(session, email):
            raise AddressGone  # taken away before its owner confirmed it
        return proof, email

    async def _ask(self, session: AsyncSession, account: Account, email: EmailAddress, locale: str) -> None:
        now = self._clock.now()
        asked = await session.exec(
            select(func.count())
            .select_from(MailOut)
            .where(
                MailOut.recipient == email.address,
                col(MailOut.created_at) > now - timedelta(days=1),
                MailOut.kind == CONFIRM_ADDRESS,
            )
        )
        if asked.one() >= ASKED_PER_DAY or await self._asked(session, account.id, now) >= ASKED_PER_HOUR:
            raise TooOften
        proof = EmailProof(id=new_id(), email_id=email.id, locale=locale, expires_at=now + PROOF_LIFE, created_at=now)
        session.add(proof)
        await session.flush()
        await self._mailbox.post(
            session,
            Letter(
                CONFIRM_ADDRESS,
                to=email.address,
                cause=str(proof.id),
                locale=locale,
                link=f"{PAGE}/confirm/{proof.id}",
                values=_data(account, await self._types(session, email)),
                expires_at=proof.expires_at,
            ),
        )

    async def _asked(self, session: AsyncSession, account_id: UUID, now: datetime) -> int:
        found = await session.exec(
            select(func.count())
            .select_from(EmailProof)
            .join(EmailAddress, col(EmailAddress.id) == col(EmailProof.email_id))
            .where(EmailAddress.account_id == account_id, EmailProof.created_at > now - timedelta(hours=1))
        )
        return found.one()

    async def _receivers(self, session: AsyncSession, account_id: UUID, kind: str) -> list[Target]:
        """Who has received mail of this type so far. Of support without an address, everybody who is registered: they
        are told even though each received only what was their own."""
        now = self._clock.now()
        found = await targets_of(session, account_id, kind, now)
        return found or await registered_of(session, account_id, now)

    async def _tell_those_before(
        self, session: AsyncSession, account: Account, kind: str, before: list[Target], new: str, cause: str
    ) -> None:
        """After the change: who receives still is told of one more, who does not of another."""
        still = {target.address for target in await self._receivers(session, account.id, kind)}
        for target in before:
            if target.address != new:
                change = "added" if target.address in still else "replaced"
                await self._tell(session, account, target, kind, change, f"{cause}:{kind}")

    async def _tell(
        self, session: AsyncSession, account: Account, target: Target, kind: str, change: str, cause: str
    ) -> None:
        known = await registered_of(session, account.id, self._clock.now())
        may_sign_in = target.address in {one.address for one in known}
        await self._mailbox.post(
            session,
            Letter(
                ADDRESS_CHANGED,
                to=target.address,
                cause=cause,
                locale=target.language or account.language,
                link=self._page if may_sign_in else "",
                values=_data(account, [kind]) | {"change": change},
            ),
        )


def _data(account: Account, types: list[str]) -> dict[str, str]:
    return {"account": account.name, "types": " ".join(types)}
