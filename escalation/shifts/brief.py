"""What the next one has to know: written at a hand-over, in the language of who reads it first."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from chat.dates import moment_text
from chat.public import Operator, Transcript
from chat.strings import Catalogue, Strings
from escalation.models import Ticket, TicketMessage
from escalation.sla.clocks import running_clocks
from escalation.sla.crew import Pick
from escalation.sla.policies import UPDATE_BY
from escalation.states import HIGH, operators_word

LONGEST = 300
"""Of what is quoted: the thread stands beside it."""


class Briefs:
    def __init__(self, strings: Strings, zone: ZoneInfo) -> None:
        self._strings = strings
        self._zone = zone

    async def of_ticket(
        self, session: AsyncSession, ticket: Ticket, left: Operator, pick: Pick | None, now: datetime
    ) -> str:
        c = self._strings.catalogue(pick.operator.locale if pick else left.locale)
        lines = [self._ended(left, c, now)]
        if pick is None:
            lines.append(c.gettext("Nobody else on shift has room: it waits for the department."))
        else:
            words = {"name": pick.operator.name, "number": pick.of}
            lines.append(c.gettext("Now with %(name)s, the least loaded of %(number)s on shift.") % words)
        lines.append(self._standing(ticket, c))
        for clock in await running_clocks(session, ticket.id):
            if clock.due_at is not None:
                words = {"time": self._time(clock.due_at, c, now)}
                promised = c.gettext("Promised: next update by %(time)s.") % words
                lines.append(promised if clock.metric == UPDATE_BY else c.gettext("Reply due %(time)s.") % words)
        lines += self._quotes(await _newest(session, ticket.id), c, now)
        return "\n".join(lines)

    def of_conversation(self, transcript: Transcript, left: Operator, now: datetime) -> str:
        c = self._strings.catalogue(left.locale)
        lines = [self._ended(left, c, now), c.gettext("It waits at the head of the queue for who is on shift.")]
        if transcript.waiting_since is not None:
            words = {"time": self._time(transcript.waiting_since, c, now)}
            lines.append(c.gettext("The visitor has waited for us since %(time)s.") % words)
        else:
            lines.append(c.gettext("The visitor was answered last."))
        newest: list[tuple[str, str, datetime, str]] = []
        for kind in ("visitor", "operator"):
            said = next((one for one in reversed(transcript.messages) if one.author_kind == kind), None)
            newest += [(kind, said.author_name, said.at, said.text)] if said else []
        if transcript.notes:
            note = transcript.notes[-1]
            newest.append(("note", note.author_name, note.at, note.text))
        return "\n".join([*lines, *self._quotes(newest, c, now)])

    def _ended(self, left: Operator, c: Catalogue, now: datetime) -> str:
        at = self._time(left.off_since or now, c, now)
        return c.gettext("Hand-over: %(name)s is off duty since %(time)s.") % {"name": left.name, "time": at}

    def _standing(self, ticket: Ticket, c: Catalogue) -> str:
        words = {"state": operators_word(ticket.state, c)}
        if ticket.priority == HIGH:
            return c.gettext("High priority. State: %(state)s.") % words
        return c.gettext("Normal priority. State: %(state)s.") % words

    def _quotes(self, said: Sequence[tuple[str, str, datetime, str]], c: Catalogue, now: datetime) -> list[str]:
        lines = []
        for kind, name, at, text in said:
            words = {"name": name, "time": self._time(at, c, now), "text": _short(text)}
            match kind:
                case "note":
                    lines.append(c.gettext("Last note, %(name)s at %(time)s: “%(text)s”") % words)
                case "operator":
                    lines.append(c.gettext("Last reply, %(name)s at %(time)s: “%(text)s”") % words)
                case _:
                    lines.append(c.gettext("Last words of the other side at %(time)s: “%(text)s”") % words)
        return lines

    def _time(self, at: datetime, c: Catalogue, now: datetime) -> str:
        return moment_text(at, now, self._zone, c.locale)


async def _newest(session: AsyncSession, ticket_id: UUID) -> list[tuple[str, str, datetime, str]]:
    """The last words of each side, and the last note."""
    found = []
    for kind, author in (("message", "requester"), ("message", "operator"), ("note", "operator")):
        query = (
            select(TicketMessage)
            .where(
                TicketMessage.ticket_id == ticket_id, TicketMessage.kind == kind, TicketMessage.author_kind == author
            )
            .order_by(col(TicketMessage.seq).desc())
            .limit(1)
        )
        message = (await session.exec(query)).first()
        if message is not None:
            found.append(("note" if kind == "note" else author, message.author_name, message.at, message.text))
    return found


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
