"""The last hints of the last seconds, for processes that begin to follow just now: they may have read the rows before
our commit while their announcement reached us after it. Does no I/O."""

MOST = 4096
"""In each of two halves. Beyond, older ones are forgotten early, and the sweep of the newcomer finds what they said."""


class Recent:
    """Two halves: `turn` forgets the older one, so a hint is remembered for one to two turns."""

    def __init__(self) -> None:
        self._new: dict[int, dict[str, tuple[str, bytes]]] = {}
        self._old: dict[int, dict[str, tuple[str, bytes]]] = {}

    def remember(self, topic_hash: int, topic: str, name: str, payload: bytes) -> None:
        known = self._new.get(topic_hash)
        if known is None:
            if len(self._new) >= MOST:
                self.turn()
            known = self._new[topic_hash] = dict(self._old.get(topic_hash, ()))
        known[name] = (topic, payload)

    def of(self, topic_hash: int) -> list[tuple[str, bytes]]:
        """Topic and payload of the last one of each name."""
        known = self._new.get(topic_hash) or self._old.get(topic_hash)
        return list(known.values()) if known else []

    def turn(self) -> None:
        self._old, self._new = self._new, {}
