"""One poll: a socket that lives for one request. What the client sent goes in, and what it gets is kept until the
answer is due: all has been acted upon, and there is something that the client does not know of yet."""

import asyncio
import hashlib
from collections.abc import Sequence

import msgspec

from chat.hub.transport import Receiver
from chat.protocol import frames
from chat.protocol.closing import Closing

ANSWER_BYTES = 256 * 1024
LINGER_SECONDS = 5.0
LONGEST_LINGER_SECONDS = 15.0
UNHEARD_SECONDS = 30.0
STATES = frozenset({"welcomed", "attended", "staffed", "queued", "seen", "offered", "appeared", "counted"})
"""Say how things stand, with each introduction anew: no news to who was told the same before."""
QUIET = frozenset({"beat", "viewed"})
"""Never worth an answer. Each poll of a colleague tells who looks on, and one poll must not call for another."""
LAST = frames.encode(frames.Beat(ask=True))
"""Put behind what the client sent. Frames are acted upon in order, so its answer says that all of them were."""
ANSWER = frames.encode(frames.Beat())


class _Kind(msgspec.Struct):
    type: str = ""
    entries: list[msgspec.Raw] = []


_kind = msgspec.json.Decoder(_Kind).decode


class Poll:
    """A `Transport` that lives for one request."""

    keeps_order = True

    def __init__(self, texts: Sequence[str], known: str = "") -> None:
        self._texts = texts
        self._known = known
        """The `state` that the client was told last."""
        self._receiver: Receiver | None = None
        self._states: list[str] = []
        self._size = 0
        self._began = asyncio.get_running_loop().time()
        self.is_full = False
        self.is_answered = False
        self.state = ""
        self.frames: list[str] = []
        self.closed: int | None = None
        self.acted = asyncio.Event()
        """All that the client sent was acted upon, or never will be."""
        self.due = asyncio.Event()
        """There is no reason to wait any longer."""

    @property
    def farewell(self) -> str:
        if self.closed is not None:
            return str(self.closed)
        return "poll" if self.is_answered else ""

    @property
    def lingers(self) -> float:
        """Who polled is expected back, but nobody counts as present who was not heard for half a minute."""
        unheard = asyncio.get_running_loop().time() - self._began
        return max(LINGER_SECONDS, min(LONGEST_LINGER_SECONDS, UNHEARD_SECONDS - unheard))

    def begin(self) -> None:
        """Hands on what the client sent. Whoever listens was told of this transport before."""
        if self._receiver is None:
            raise RuntimeError("nobody listens to this poll")
        for text in [*self._texts, LAST]:
            self._receiver.received(text)

    def leave(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.ended()

    # ── what the socket asks for ─────────────────────────────────────────────────────────────────────────────────

    def start(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def pause(self) -> None:
        """All that will come is here."""

    def resume(self) -> None: ...

    def close(self, code: int, _reason: str) -> None:
        self.closed = code
        self.abort()

    def abort(self) -> None:
        self.acted.set()
        self.due.set()

    def write(self, text: str) -> None:
        frame = _kind(text)
        if frame.type == "beat":
            self._beaten()
            return
        self._size += len(text)
        if self._size > ANSWER_BYTES:
            self.close(Closing.TOO_SLOW.code, "")
            return
        self.frames.append(text)
        if frame.type in QUIET or (frame.type == "paged" and not frame.entries):
            return
        if frame.type in STATES and not self.acted.is_set():
            self._states.append(text)
        elif text not in self._states:
            self.due.set()

    def _beaten(self) -> None:
        if self.acted.is_set():
            # Whoever asks whether this side lives is told so: the request is open.
            asyncio.get_running_loop().call_soon(self._answer)
            return
        self.state = digest_of(self._states)
        if self._known and self._known != self.state:
            self.due.set()
        self.acted.set()

    def _answer(self) -> None:
        if self._receiver is not None:
            self._receiver.received(ANSWER)


def digest_of(states: Sequence[str]) -> str:
    """The head of a conversation is left out: who is behind it gets its entries, which is news enough."""
    digest = hashlib.blake2b(digest_size=12)
    for text in sorted(states):
        frame = msgspec.json.decode(text)
        if isinstance(frame.get("conversation"), dict):
            frame["conversation"].pop("seq", None)
        digest.update(msgspec.json.encode(frame, order="sorted"))
    return digest.hexdigest()
