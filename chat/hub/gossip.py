"""How processes come to agree on who follows what, over a channel that loses messages. Does no I/O.

Each process says what it began and ceased to follow, and every 2 s how many topics it follows and a digest of them. Who
does not get the same sum, or has never heard of that process, asks it for the whole list. A process that was not heard
for 8 s is gone.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from chat.hub.directory import Directory, Followed, Peer, packed, unpacked

CHUNK_BYTES = 48 * 1024
ASK_SECONDS = 1.0
"""One question to one process is on its way at most so often."""


class Beat(Struct, array_like=True, tag=2, frozen=True):
    """I am here, and follow so many topics with this digest; I serve clients, and the database takes what they say."""

    count: int
    digest: int
    can_store: bool = True


class Changed(Struct, array_like=True, tag=3, frozen=True):
    """What I began and ceased to follow (hashes, 8 bytes each), and the sum afterwards."""

    added: bytes
    removed: bytes
    count: int
    digest: int


class Ask(Struct, array_like=True, tag=4, frozen=True):
    """Tell me all you follow."""


class Listed(Struct, array_like=True, tag=5, frozen=True):
    """A piece of all I follow; the last one says so."""

    place: int
    last: bool
    hashes: bytes


class Bye(Struct, array_like=True, tag=6, frozen=True):
    """I end now."""


Said = Beat | Changed | Ask | Listed | Bye


class Outlet(Protocol):
    def __call__(self, to: Peer | None, said: Said) -> None:
        """To one process, or to all of them."""
        ...


class Gossip:
    """Call `take` with what the others say; `directory` is what came of it."""

    def __init__(
        self,
        channel_of: Callable[[bytes], bytes],
        outlet: Outlet,
        on_followed: Callable[[Peer, list[int]], None],
        can_store: Callable[[], bool] = lambda: True,
    ) -> None:
        self.followed = Followed()
        self.directory = Directory()
        self.peers: dict[bytes, Peer] = {}
        self._channel_of = channel_of
        self._outlet = outlet
        self._on_followed = on_followed
        self._can_store = can_store
        self._changes: dict[int, bool] = {}

    # ── what this process says ───────────────────────────────────────────────────────────────────────────────────

    def follow(self, topic: str) -> bool:
        """Whether there is something to announce."""
        return self._change(self.followed.add(topic), followed=True)

    def unfollow(self, topic: str) -> bool:
        return self._change(self.followed.discard(topic), followed=False)

    def _change(self, topic_hash: int, *, followed: bool) -> bool:
        if not topic_hash:
            return False
        # Followed and left within one turn: nobody needs to hear of it.
        if self._changes.pop(topic_hash, followed) is followed:
            self._changes[topic_hash] = followed
        return True

    def announce(self) -> None:
        """Everything that changed since the last time, in as few messages as fit."""
        changes, self._changes = list(self._changes.items()), {}
        size = CHUNK_BYTES // 8
        for start in range(0, len(changes), size):
            piece = changes[start : start + size]
            added = packed(one for one, followed in piece if followed)
            removed = packed(one for one, followed in piece if not followed)
            # Before the last piece the sums cannot agree; with none given nobody asks for a list meanwhile.
            is_last = start + size >= len(changes)
            count, digest = (len(self.followed), self.followed.digest) if is_last else (-1, 0)
            self._outlet(None, Changed(added, removed, count, digest))

    def beat(self, to: Peer | None = None) -> None:
        self.announce()  # the sum counts what is not announced yet
        self._outlet(to, Beat(len(self.followed), self.followed.digest, self._can_store()))

    def bye(self) -> None:
        self._outlet(None, Bye())

    def back(self, now: float) -> None:
        """This process was deaf or has just begun: the others are as good as just heard, and hear of us."""
        for peer in self.peers.values():
            peer.heard = now
        self.beat()

    # ── what others say ──────────────────────────────────────────────────────────────────────────────────────────

    def heard(self, sender: bytes, now: float) -> Peer:
        peer = self.peers.get(sender)
        if peer is None:
            peer = self.peers[sender] = Peer(sender, self._channel_of(sender), now)
            self.beat(peer)  # so that it knows us, too, before the next beat to all
        peer.heard = now
        return peer

    def take(self, peer: Peer, said: Said, now: float) -> None:
        match said:
            case Beat(count=count, digest=digest, can_store=can_store):
                peer.can_store = can_store
                self._compare(peer, count, digest, now)
            case Changed(added=added, removed=removed, count=count, digest=digest):
                for one in unpacked(removed):
                    self.directory.discard(peer, one)
                self._tell(peer, [one for one in unpacked(added) if self.directory.add(peer, one)])
                if count >= 0:
                    self._compare(peer, count, digest, now)
            case Ask():
                self._list(peer)
            case Listed(place=place, last=last, hashes=hashes):
                self._learn(peer, place, hashes, is_last=last)
            case Bye():
                self.forget(peer)

    def _compare(self, peer: Peer, count: int, digest: int, now: float) -> None:
        if not peer.agrees(count, digest) and now - peer.asked >= ASK_SECONDS:
            peer.asked = now
            self._outlet(peer, Ask())

    def _list(self, peer: Peer) -> None:
        hashes = packed(self.followed.hashes())
        for place, start in enumerate(range(0, max(1, len(hashes)), CHUNK_BYTES)):
            piece = hashes[start : start + CHUNK_BYTES]
            self._outlet(peer, Listed(place, start + CHUNK_BYTES >= len(hashes), piece))

    def _learn(self, peer: Peer, place: int, hashes: bytes, *, is_last: bool) -> None:
        if place == 0:
            peer.listed = []
        if place != len(peer.listed):
            peer.listed = []  # a piece was lost: the next beat asks again
            return
        peer.listed.append(hashes)
        if is_last:
            whole, peer.listed = b"".join(peer.listed), []
            self._tell(peer, self.directory.replace(peer, unpacked(whole)))

    def _tell(self, peer: Peer, new: list[int]) -> None:
        if new:
            self._on_followed(peer, new)

    # ── who is gone ──────────────────────────────────────────────────────────────────────────────────────────────

    def forget(self, peer: Peer) -> None:
        self.directory.replace(peer, ())
        self.peers.pop(peer.id, None)

    def forget_silent(self, now: float, seconds: float) -> Iterable[Peer]:
        """Those that were not heard for so long; their topics have no followers there any more."""
        silent = [peer for peer in self.peers.values() if now - peer.heard > seconds]
        for peer in silent:
            self.forget(peer)
        return silent
