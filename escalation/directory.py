"""Departments and operators as tickets need them: a name to show, an id to point at. Reads only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import col, select

from chat import public
from chat.db import Database
from chat.public import Duty, duty_of

ROLES = ("operator", "supervisor", "administrator")
"""Of people; what tests the way of a message is an operator, too."""


def named(names: Mapping[str, str], locale: str) -> str:
    return names.get(locale) or names.get("en") or ""


@dataclass(frozen=True, slots=True)
class Department:
    id: UUID
    slug: str
    names: Mapping[str, str]

    def name(self, locale: str) -> str:
        return named(self.names, locale) or self.slug


@dataclass(frozen=True, slots=True)
class Colleague:
    id: UUID
    name: str
    duty: Duty = field(default_factory=Duty)


def named_in(note: str, people: Sequence[Colleague]) -> list[Colleague]:
    """Whom a note names, as "@Ana Kovač" or, where no other has that first name, "@Ana"."""
    text = note.casefold()
    firsts = [one.name.casefold().split(" ")[0] for one in people]
    found = []
    for one, first in zip(people, firsts, strict=True):
        names = [one.name.casefold()] + ([first] if firsts.count(first) == 1 else [])
        if any(re.search(rf"(?<!\w)@{re.escape(name)}(?!\w)", text) for name in names):
            found.append(one)
    return found


class Directory:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def departments(self) -> Sequence[Department]:
        ordered = select(public.Department).order_by(col(public.Department.position), col(public.Department.slug))
        async with self._db.read() as session:
            return [Department(row.id, row.slug, row.names) for row in await session.exec(ordered)]

    async def operators(self) -> Sequence[Colleague]:
        active = select(public.Operator).where(
            col(public.Operator.active).is_(True), col(public.Operator.role).in_(ROLES)
        )
        async with self._db.read() as session:
            found = await session.exec(active.order_by(col(public.Operator.name), col(public.Operator.id)))
            return [Colleague(row.id, row.name, duty_of(row)) for row in found]
