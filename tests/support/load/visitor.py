"""A visitor's tab: idle, or with a conversation that it shares with the other tabs of the same person."""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.support.histories import History, Invoke
from tests.support.load import wire
from tests.support.load.client import Client, Socket, World


@dataclass
class Person:
    """One visitor; tabs share it as they share the frame's storage."""

    start: str
    """The ref of the start: who the history says this is."""
    department: str = ""
    token: str = ""
    conversation: str = ""


class Visitor(Client):
    def __init__(self, world: World, history: History, person: Person | None, *, begins: bool) -> None:
        super().__init__(world, history)
        self.person = person
        self.path = f"/w/{world.site}/socket"
        self._begins = begins
        history.who(person.start if person else "")

    async def introduction(self, address: str) -> bytes:
        person = self.person
        known: dict[str, Any] = {}
        if person is not None and person.token:
            known = {"token": person.token}
            if person.conversation:
                view = self.views.get((person.conversation, "public"))
                known |= {"conversation": person.conversation, "last_seen": view.cursor if view else 0}
        return wire.encode("hello", site=self.world.site, **known)

    def greeted(self, socket: Socket, frame: wire.Welcomed) -> None:
        person = self.person
        if person is None:
            return
        if person.token and not frame.known:
            self._error("the token is not known any more")
        if not person.token and self._begins:
            self.send(wire.encode("enroll"))
        else:
            self.resend()

    def begin(self) -> None:
        """The first words."""
        assert self.person is not None
        person = self.person
        self.history.add(Invoke(person.start, "", monotonic()))
        text = f"{person.start} good evening"
        first = wire.encode("start", ref=person.start, text=text, department=person.department)
        self.unsent[person.start] = first
        if person.token:
            self.send(first)
        else:
            self.send(wire.encode("enroll"))

    def take(self, kind: str, frame: Any) -> None:
        person = self.person
        if person is None:
            return
        if kind == "enrolled":
            person.token = frame.token
            self.resend()
        elif kind == "started":
            person.conversation = frame.conversation.id

    def say(self, ref: str, text: str, due: float) -> None:
        assert self.person is not None
        conversation = self.person.conversation
        self.history.add(Invoke(ref, conversation, due))
        self.post(ref, wire.encode("say", ref=ref, conversation=conversation, text=f"{ref} {text}"))

    def frame(self, ref: str) -> bytes:
        """What waits under this `ref`."""
        return self.unsent[ref]

    def end(self) -> None:
        if self.person is not None and self.person.conversation:
            self.send(wire.encode("end", conversation=self.person.conversation))
