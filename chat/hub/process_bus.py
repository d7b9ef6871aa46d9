"""The bus, addressed by process: a hint goes to the processes that follow its topic, and to no others.

Naively there is a channel for each topic: each hint is a command of its own, and each topic a subscription. Here each
process has one channel, and one is common to all; a directory (see gossip.py) knows who follows what, and everything
for one destination leaves in one sealed batch for each turn of the loop. The cost of a hint is that of its followers,
however many processes there are; a topic that most processes follow goes over the common channel once.

What moves the batches is a `Wire`. A wire can be deaf without knowing: this bus says something on both of its channels
every 2 s and expects to hear it. Nothing heard for 4.5 s means a new wire.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, monotonic_ns

import structlog
from msgspec import DecodeError, msgpack

from chat.hub.bus import MAX_PAYLOAD, Hint
from chat.hub.directory import Peer
from chat.hub.envelope import Seal, new_sender
from chat.hub.gossip import Beat, Gossip, Said
from chat.hub.numbers import Numbers
from chat.hub.outbound import Hints, Message, Outbound
from chat.hub.recent import Recent
from chat.hub.wire import Pace, Wire

MANY = 4
"""From so many followers on, when they are half of all, a hint goes to all at once."""

log = structlog.get_logger(__name__)


_decode = msgpack.Decoder(Message).decode


def _last_number() -> int:
    """Above all numbers that this process has used: no channel carries a million batches a second. A peer that was
    forgotten and comes back still knows them."""
    return monotonic_ns() // 1000


class ProcessBus:
    def __init__(self, wire: Wire, secret_key: str, *, prefix: str, pace: Pace) -> None:
        self.published = 0
        self.received = 0
        self.dropped_bad_mac = 0
        self.gaps = 0
        self.can_store: Callable[[], bool] = lambda: True
        self._wire = wire
        self._pace = pace
        self._seal = Seal(secret_key)
        self._id = new_sender()
        self._prefix = f"{prefix}{self._seal.desk}:".encode()
        self._own = Outbound(self._channel_of(self._id), _last_number())
        self._all = Outbound(self._prefix + b"hubs", _last_number())
        self._outbounds: dict[bytes, Outbound] = {}
        self._numbers = Numbers()
        self._gossip = Gossip(self._channel_of, self._say, self._followed_by, self._can_store)
        self._recent = Recent()
        self._flushing: asyncio.Handle | None = None
        self._held = False
        self._open = False
        self._up = False
        self._opened = self._heard_both = monotonic()
        self._heard: dict[bytes, float] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._on_hint: Hint = lambda _topic, _payload: None
        self._on_gap: Callable[[], None] = lambda: None

    async def start(self, on_hint: Hint, on_gap: Callable[[], None]) -> None:
        self._on_hint, self._on_gap = on_hint, on_gap
        self._ticking = asyncio.create_task(self._tick(), name="bus beat")
        await self._wire.start((self._own.channel, self._all.channel), self)

    async def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        self._gossip.bye()
        self._flush()
        self._open = self._up = False
        await self._wire.stop()
        if self._flushing is not None:
            self._flushing.cancel()

    @property
    def is_up(self) -> bool:
        return self._up

    def _can_store(self) -> bool:
        return self.can_store()

    @property
    def others_can_store(self) -> bool:
        lately = monotonic() - self._pace.deaf
        return any(peer.can_store and peer.heard > lately for peer in self._gossip.peers.values())

    @property
    def silence_seconds(self) -> float:
        return monotonic() - self._heard_both

    # ── what this process says ───────────────────────────────────────────────────────────────────────────────────

    def publish(self, topic: str, payload: bytes, *, keep: str = "") -> None:
        if len(payload) > MAX_PAYLOAD:
            raise ValueError("a hint holds at most 4 kB")
        topic_hash = self._gossip.followed.hash_of(topic)
        if keep:
            self._recent.remember(topic_hash, topic, keep, payload)
        followers = self._gossip.directory.of(topic_hash)
        if not followers:
            return
        self.published += len(followers)
        if len(followers) >= MANY and 2 * len(followers) >= len(self._gossip.peers):
            self._all.hint(topic, payload)
        else:
            for peer in followers:
                self._outbound_of(peer).hint(topic, payload)
        self._flush_soon()

    def follow(self, topic: str) -> None:
        if self._gossip.follow(topic):
            self._flush_soon()

    def unfollow(self, topic: str) -> None:
        if self._gossip.unfollow(topic):
            self._flush_soon()

    def _say(self, to: Peer | None, said: Said) -> None:
        (self._all if to is None else self._outbound_of(to)).say(said)
        self._flush_soon()

    def _followed_by(self, peer: Peer, topic_hashes: list[int]) -> None:
        for topic_hash in topic_hashes:
            for topic, payload in self._recent.of(topic_hash):
                self.published += 1
                self._outbound_of(peer).hint(topic, payload)
                self._flush_soon()

    def _outbound_of(self, peer: Peer) -> Outbound:
        found = self._outbounds.get(peer.id)
        if found is None:
            found = self._outbounds[peer.id] = Outbound(peer.channel, _last_number())
        return found

    def _channel_of(self, sender: bytes) -> bytes:
        return self._prefix + b"hub:" + sender.hex().encode()

    def _flush_soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._gossip.announce()
        self._flushing = None
        if not self._open:
            for outbound in self._all_outbounds():
                outbound.lose()
            return
        self._held = not self._wire.is_ready
        if self._held:
            return
        batches = [
            (outbound.channel, self._seal.close(outbound.channel, self._id, number, body))
            for outbound in self._all_outbounds()
            for number, body in outbound.take()
        ]
        if batches:
            self._wire.send(batches)

    def _all_outbounds(self) -> list[Outbound]:
        # The announcements first: who asks for a list right after one gets both in their order.
        return [self._all, self._own, *self._outbounds.values()]

    # ── what comes over the wire ─────────────────────────────────────────────────────────────────────────────────

    def wire_opened(self) -> None:
        self._open = True
        self._opened = monotonic()
        self._heard = {}
        self._beat()

    def wire_closed(self) -> None:
        self._open = False
        for outbound in self._all_outbounds():
            outbound.lose()  # stale by the time somebody could hear it; the sweep finds what it said
        if self._up:
            self._up = False
            log.warning("the bus went away")

    def wire_ready(self) -> None:
        if self._held:
            self._flush_soon()

    def take(self, channel: bytes, data: bytes) -> None:
        """Whatever came on one of our channels. A neighbour on the wire can delay, never harm."""
        opened = self._seal.open(channel, data)
        if opened is None:
            self.dropped_bad_mac += 1
            if self.dropped_bad_mac in (1, 100, 10_000):
                log.warning("what came over the bus was not made with our key", count=self.dropped_bad_mac)
            return
        now = monotonic()
        if opened.sender == self._id:
            self._hear_myself(channel, now)
            return
        gap = self._numbers.take(opened.sender, channel, opened.number)
        if gap is None:
            return
        if gap:
            self._lost()
        try:
            message = _decode(opened.body)
        except DecodeError:
            return  # a newer version says what this one does not know
        peer = self._gossip.heard(opened.sender, now)
        if isinstance(message, Hints):
            self._hand_out(message)
            return
        self._gossip.take(peer, message, now)
        if peer.id not in self._gossip.peers:
            self._outbounds.pop(peer.id, None)

    def _hand_out(self, message: Hints) -> None:
        followed = self._gossip.followed
        for topic, payload in message.hints:
            if topic in followed:
                self.received += 1
                try:
                    self._on_hint(topic, payload)
                except Exception:
                    # The hearer's mistake costs this hint: the rest of the batch is for others.
                    log.exception("a hint was not understood", topic=topic)

    def _lost(self) -> None:
        self.gaps += 1
        self._on_gap()

    # ── am I deaf? ───────────────────────────────────────────────────────────────────────────────────────────────

    def _hear_myself(self, channel: bytes, now: float) -> None:
        self._heard[channel] = now
        if len(self._heard) < 2:
            return
        self._heard_both = min(self._heard.values())
        if not self._up:
            self._up = True
            log.info("the bus is up")
            self._gossip.back(now)
            self._lost()

    def _beat(self) -> None:
        self._own.say(Beat(0, 0))
        self._gossip.beat()

    async def _tick(self) -> None:
        beaten, could_store = monotonic(), True
        while True:
            await asyncio.sleep(self._pace.tick)
            now = monotonic()
            try:
                if (is_due := now - beaten >= self._pace.beat) or could_store != self.can_store():
                    could_store = self.can_store()
                    if is_due:
                        beaten = now
                        self._recent.turn()
                    if self._open:
                        self._beat()
                if self._open and now - max(self._opened, self._heard_both) > self._pace.deaf:
                    log.warning("the bus is deaf")
                    self.wire_closed()
                    self._wire.renew()
                elif self._up:
                    for peer in self._gossip.forget_silent(now, self._pace.forget):
                        self._outbounds.pop(peer.id, None)
            except Exception:
                # Whatever it was: a process that ceases to beat would be forgotten by all others.
                log.exception("the beat of the bus failed")
