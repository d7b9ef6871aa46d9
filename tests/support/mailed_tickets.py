"""Tickets whose requester gets mail, with the server that takes it."""

from dataclasses import dataclass
from uuid import uuid4

from sqlmodel import col, select

from chat.ids import new_id
from escalation.change import Actor
from escalation.customers.models import Account, EmailAddress, NotificationAddress
from escalation.mail.models import MailOut
from escalation.models import Ticket
from tests.support.mail_server import Taken
from tests.support.post_office import PostOffice
from tests.support.tickets import Company


@dataclass
class Scene:
    acme: Company
    office: PostOffice

    async def ticket(
        self,
        email: str = "rita@example.com",
        *,
        level: int = 2,
        text: str = "The server is down",
        channel: str = "form",
    ) -> Ticket:
        """As if it came from a requester of this level; the mail of its opening is not sent yet."""
        found = (await self.acme.escalate(await self.acme.conversation(text, email=email))).ticket
        async with self.acme.db.write() as session:
            fresh = await session.get_one(Ticket, found.id)
            fresh.verify_level, fresh.contact_channel = level, channel
        return fresh

    async def reply(self, ticket: Ticket, text: str, actor: Actor | None = None) -> None:
        async with self.acme.db.read() as session:
            version = (await session.get_one(Ticket, ticket.id)).version
        await self.acme.tickets.reply(ticket.id, actor or self.acme.as_omar, text, version=version, ref=uuid4().hex)

    async def states(self) -> list[str]:
        async with self.acme.db.read() as session:
            found = await session.exec(
                select(MailOut.state).where(MailOut.kind == "ticket_reply").order_by(col(MailOut.id))
            )
            return list(found)

    async def sent(self) -> list[Taken]:
        await self.office.send_due()
        taken, self.office.server.taken = self.office.server.taken, []
        return taken

    async def account(self, ticket: Ticket, *support: str) -> None:
        """Its ticket belongs to an account with these confirmed addresses for support."""
        account_id = new_id()
        async with self.acme.db.write() as session:
            session.add(Account(id=account_id, account_no="A1", name="Acme", language="sl", tags=[]))
            await session.flush()
            for address in support:
                email_id = new_id()
                session.add(
                    EmailAddress(
                        id=email_id,
                        account_id=account_id,
                        address=address,
                        raw=address,
                        verified_at=self.acme.clock.now(),
                    )
                )
                await session.flush()
                session.add(NotificationAddress(id=new_id(), account_id=account_id, kind="support", email_id=email_id))
            (await session.get_one(Ticket, ticket.id)).account_id = account_id
