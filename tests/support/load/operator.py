"""An operator's console: signs in by link, takes what is offered, keeps all of it open."""

from time import monotonic
from typing import Any

import httpx2

from tests.support.histories import Closed, History, Invoke
from tests.support.load import wire
from tests.support.load.client import Client, Socket, View, World


class Operator(Client):
    path = "/console/socket"

    def __init__(self, world: World, history: History, email: str, link: str, holders: dict[str, "Operator"]) -> None:
        super().__init__(world, history)
        self.email = email
        self.id = ""
        self.open: set[str] = set()
        self._holders = holders
        self._secret = link.rpartition("/")[2]
        self._browser = httpx2.AsyncClient(headers={"Sec-Fetch-Site": "same-origin"}, timeout=10)
        history.who(email)

    async def introduction(self, address: str) -> bytes:
        try:
            if self._secret:
                answer = await self._browser.post(f"{address}/console/sign-in/{self._secret}")
                if answer.status_code != 303:
                    raise OSError(f"sign-in answered {answer.status_code}")
                self._secret = ""
            answer = await self._browser.post(f"{address}/console/socket-pass")
        except httpx2.ConnectError as error:
            raise ConnectionRefusedError from error
        except httpx2.HTTPError as error:
            raise OSError(str(error)) from error
        if answer.status_code in (401, 403):
            self._error("signed out")
            self.leave()
        if answer.status_code != 200:
            raise OSError(f"socket-pass answered {answer.status_code}")
        return wire.encode("attend", socket_pass=answer.json()["socket_pass"])

    def greeted(self, socket: Socket, frame: wire.Attended) -> None:
        self.id = frame.operator.id
        for conversation in self.open:
            self._open(conversation)
        self.resend()

    def _open(self, conversation: str) -> None:
        public = self.views.setdefault((conversation, "public"), View())
        notes = self.views.setdefault((conversation, "internal"), View())
        self.send(wire.encode("open", conversation=conversation, last_seen=public.cursor, last_note=notes.cursor))

    def take(self, kind: str, frame: Any) -> None:
        match kind:
            case "offered":
                self.open.add(frame.conversation)
                self._open(frame.conversation)
            case "withdrawn" if frame.because == "moved":
                self.open.discard(frame.conversation)
                self.history.add(Closed(frame.conversation, monotonic()))
            case "done":
                self.unsent.pop(frame.ref, None)
            case _:
                pass

    def saw(self, conversation: str, entry: wire.Entry) -> None:
        if entry.event == "assigned" and entry.data.get("operator", {}).get("id") == self.id:
            self._holders[conversation] = self
        elif entry.event in ("assigned", "returned", "transferred", "ended") and self._holds(conversation):
            del self._holders[conversation]

    def _holds(self, conversation: str) -> bool:
        return self._holders.get(conversation) is self

    def say(self, conversation: str, ref: str, text: str, due: float, *, note: bool = False) -> None:
        self.history.add(Invoke(ref, conversation, due))
        kind = "note" if note else "say"
        self.post(ref, wire.encode(kind, ref=ref, conversation=conversation, text=f"{ref} {text}"))

    async def sign_out(self, address: str) -> int:
        answer = await self._browser.post(f"{address}/console/sign-out")
        return answer.status_code

    async def close(self) -> None:
        await self._browser.aclose()
