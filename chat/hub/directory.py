"""Who follows what: the topics of this process, and which other processes follow a topic. Pure.

Topics are known by a hash of 64 bits. Two topics with one hash would cost a hint that nobody here asked for, no more.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

HASH_BYTES = 8


def hash_of(topic: str) -> int:
    return int.from_bytes(hashlib.blake2b(topic.encode(), digest_size=HASH_BYTES).digest())


def packed(hashes: Iterable[int]) -> bytes:
    return b"".join(one.to_bytes(HASH_BYTES) for one in hashes)


def unpacked(data: bytes) -> list[int]:
    whole = len(data) - len(data) % HASH_BYTES
    return [int.from_bytes(data[at : at + HASH_BYTES]) for at in range(0, whole, HASH_BYTES)]


class Followed:
    """The topics that this process follows, and what two processes compare to know whether they agree on them."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {}
        self.digest = 0
        """Exclusive or of all hashes: independent of their order, kept up in one step."""

    def __contains__(self, topic: str) -> bool:
        return topic in self._hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def hash_of(self, topic: str) -> int:
        return self._hashes.get(topic) or hash_of(topic)

    def hashes(self) -> Iterable[int]:
        return self._hashes.values()

    def add(self, topic: str) -> int:
        """Its hash; 0 when it was followed already."""
        if topic in self._hashes:
            return 0
        one = self._hashes[topic] = hash_of(topic)
        self.digest ^= one
        return one

    def discard(self, topic: str) -> int:
        """Its hash; 0 when it was not followed."""
        one = self._hashes.pop(topic, 0)
        self.digest ^= one
        return one


@dataclass(eq=False, slots=True)
class Peer:
    """Another process, as far as it is known here."""

    id: bytes
    channel: bytes
    heard: float
    """When, in monotonic time."""
    count: int = 0
    digest: int = 0
    can_store: bool = False
    """As it says itself."""
    asked: float = float("-inf")
    listed: list[bytes] = field(default_factory=list)
    """The pieces of its full list so far."""
    alone: tuple["Peer", ...] = ()
    """Most topics have one follower: they share this."""

    def __post_init__(self) -> None:
        self.alone = (self,)

    def agrees(self, count: int, digest: int) -> bool:
        return (self.count, self.digest) == (count, digest)


class Directory:
    """Topic -> peers, so that the cost of a hint depends on who follows it, not on how many processes there are."""

    def __init__(self) -> None:
        self._peers: dict[int, tuple[Peer, ...]] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def of(self, topic_hash: int) -> tuple[Peer, ...]:
        return self._peers.get(topic_hash, ())

    def add(self, peer: Peer, topic_hash: int) -> bool:
        """Whether that is new."""
        known = self._peers.get(topic_hash)
        if known is None:
            self._peers[topic_hash] = peer.alone
        elif peer in known:
            return False
        else:
            self._peers[topic_hash] = (*known, peer)
        peer.count += 1
        peer.digest ^= topic_hash
        return True

    def discard(self, peer: Peer, topic_hash: int) -> None:
        known = self._peers.get(topic_hash, ())
        if peer not in known:
            return
        left = tuple(one for one in known if one is not peer)
        if left:
            self._peers[topic_hash] = left if len(left) > 1 else left[0].alone
        else:
            del self._peers[topic_hash]
        peer.count -= 1
        peer.digest ^= topic_hash

    def replace(self, peer: Peer, topic_hashes: Iterable[int]) -> list[int]:
        """The peer follows these and no others; which of them are new."""
        wanted = set(topic_hashes)
        for gone in [one for one, known in self._peers.items() if peer in known and one not in wanted]:
            self.discard(peer, gone)
        return [one for one in wanted if self.add(peer, one)]
