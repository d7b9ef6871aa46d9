"""Whatever is lost between processes, after one beat that arrives they agree on who follows what."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.hub.directory import Directory, Followed, Peer, hash_of, packed, unpacked
from chat.hub.gossip import ASK_SECONDS, Gossip, Said
from chat.hub.numbers import REMEMBERED, Numbers
from chat.hub.outbound import Outbound
from chat.hub.recent import MOST, Recent

NAMES = [b"ann", b"omar", b"rita"]
TOPICS = [f"conversation:{n}" for n in range(6)]


class Town:
    """Three processes and a channel that keeps order and may lose."""

    def __init__(self) -> None:
        self.now = 100.0
        self.loses = False
        self.under_way: deque[tuple[bytes, bytes | None, Said]] = deque()
        self.newly: list[tuple[bytes, bytes, list[int]]] = []
        self.gossips: dict[bytes, Gossip] = {}
        for name in NAMES:
            self.begin(name)

    def begin(self, name: bytes) -> None:
        def say(to: Peer | None, said: Said) -> None:
            if not self.loses:
                self.under_way.append((name, to.id if to else None, said))

        def followed(peer: Peer, new: list[int]) -> None:
            self.newly.append((name, peer.id, new))

        self.gossips[name] = Gossip(lambda one: one, say, followed)

    def settle(self) -> None:
        while self.under_way:
            sender, to, said = self.under_way.popleft()
            for name in [to] if to is not None else NAMES:
                if name != sender and name in self.gossips:
                    gossip = self.gossips[name]
                    gossip.take(gossip.heard(sender, self.now), said, self.now)

    def beat(self) -> None:
        self.now += ASK_SECONDS
        for gossip in self.gossips.values():
            gossip.beat()
        self.settle()

    def agree(self) -> bool:
        return all(
            (name in {peer.id for peer in other.directory.of(hash_of(topic))}) is (topic in gossip.followed)
            for name, gossip in self.gossips.items()
            for other in self.gossips.values()
            if other is not gossip
            for topic in TOPICS
        )


steps = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["follow", "unfollow", "announce", "lose", "keep", "settle", "restart"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(steps, st.sampled_from(TOPICS)), max_size=40))
def test_after_a_beat_that_arrives_all_agree(story: list[tuple[tuple[bytes, str], str]]) -> None:
    town = Town()
    for (name, deed), topic in story:
        gossip = town.gossips[name]
        match deed:
            case "follow":
                gossip.follow(topic)
            case "unfollow":
                gossip.unfollow(topic)
            case "announce":
                gossip.announce()
            case "lose" | "keep":
                town.loses = deed == "lose"
            case "settle":
                town.settle()
            case "restart":
                town.begin(name)
    town.loses = False
    town.settle()
    town.beat()  # who disagrees asks, and is answered
    town.beat()  # for those whose question was on its way already when something else was lost
    assert town.agree()
    for gossip in town.gossips.values():
        for peer in gossip.peers.values():
            assert peer.agrees(len(town.gossips[peer.id].followed), town.gossips[peer.id].followed.digest)


def test_what_is_followed_and_left_in_one_turn_is_not_announced() -> None:
    town = Town()
    ann = town.gossips[b"ann"]
    ann.follow("a")
    ann.unfollow("a")
    ann.announce()
    assert not town.under_way


def test_a_list_with_a_lost_piece_is_not_believed() -> None:
    town = Town()
    ann, omar = town.gossips[b"ann"], town.gossips[b"omar"]
    town.beat()
    town.loses = True
    for n in range(15_000):
        omar.follow(f"conversation:{n}")
    omar.announce()
    town.loses = False
    town.now += ASK_SECONDS
    omar.beat()
    sender, _, said = town.under_way.popleft()
    ann.take(ann.heard(sender, town.now), said, town.now)
    asked = town.under_way.pop()
    omar.take(omar.heard(b"ann", town.now), asked[2], town.now)
    del town.under_way[-2]
    town.settle()
    assert len(ann.directory) == 0
    town.beat()
    assert len(ann.directory) == 15_000


def test_the_silent_are_forgotten_and_nobody_follows_there() -> None:
    town = Town()
    town.gossips[b"omar"].follow("conversation:1")
    town.beat()
    ann = town.gossips[b"ann"]
    del town.gossips[b"omar"]
    for _ in range(9):
        town.now += 1
        town.gossips[b"rita"].beat()
        town.settle()
    assert [peer.id for peer in ann.forget_silent(town.now, 8.0)] == [b"omar"]
    assert ann.directory.of(hash_of("conversation:1")) == ()
    assert set(ann.peers) == {b"rita"}


def test_who_begins_to_follow_is_told_of_once() -> None:
    town = Town()
    omar = town.gossips[b"omar"]
    omar.follow("conversation:1")
    omar.announce()
    town.settle()
    town.beat()
    town.beat()
    told = [hashes for hearer, follower, hashes in town.newly if (hearer, follower) == (b"ann", b"omar")]
    assert told == [[hash_of("conversation:1")]]


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_hashes_survive_packing(hashes: list[int]) -> None:
    assert unpacked(packed(hashes)) == hashes
    assert unpacked(packed(hashes) + b"cut") == hashes


def test_the_digest_says_what_is_followed_in_whatever_order() -> None:
    here, there = Followed(), Followed()
    for topic in TOPICS:
        here.add(topic)
    for topic in reversed([*TOPICS, "more"]):
        there.add(topic)
    assert here.digest != there.digest
    there.discard("more")
    assert (len(here), here.digest) == (len(there), there.digest)


def test_most_topics_share_what_is_kept_of_their_follower() -> None:
    """Fifteen thousand conversations of another process cost little here."""
    directory = Directory()
    peer, other = Peer(b"omar", b"omar", 0.0), Peer(b"rita", b"rita", 0.0)
    for one in (1, 2):
        directory.add(peer, one)
    directory.add(other, 1)
    directory.discard(other, 1)
    assert directory.of(1) is directory.of(2)


def test_batches_keep_the_order_and_their_numbers_tell_of_a_loss() -> None:
    outbound = Outbound(b"omar", 0)
    for n in range(300):
        outbound.hint(f"conversation:{n}", b"x" * 1000)
    batches = outbound.take()
    assert [number for number, _ in batches] == list(range(1, len(batches) + 1))
    assert all(len(body) <= 64 * 1024 for _, body in batches)
    outbound.hint("a", b"never leaves")
    outbound.lose()
    outbound.hint("a", b"leaves")
    assert [number for number, _ in outbound.take()] == [len(batches) + 2]


def test_what_waits_for_a_hung_wire_is_bounded_and_the_newest_stays() -> None:
    outbound = Outbound(b"omar", 0)
    for n in range(20_000):
        outbound.hint("a", b"%d" % n + b"x" * 1000)
    batches = outbound.take()
    assert sum(len(body) for _, body in batches) < 1.2 * 1024 * 1024
    assert batches[0][0] > 1
    assert b"19999x" in batches[-1][1]


def test_the_last_hints_are_remembered_for_a_while_and_not_without_end() -> None:
    recent = Recent()
    for n in range(3 * MOST):
        recent.remember(n, f"conversation:{n}", "public", b"%d" % n)
    assert recent.of(3 * MOST - 1) == [(f"conversation:{3 * MOST - 1}", b"%d" % (3 * MOST - 1))]
    assert recent.of(0) == []
    recent.turn()
    assert recent.of(3 * MOST - 1)
    recent.turn()
    assert not recent.of(3 * MOST - 1)


def test_numbers_tell_what_comes_again_and_what_never_came() -> None:
    numbers = Numbers()
    assert [numbers.take(b"ann", b"all", number) for number in (7, 8, 8, 7, 11, 12)] == [0, 0, None, None, 2, 0]
    assert numbers.take(b"ann", b"own", 7) == 0  # another channel counts by itself


def test_the_numbers_of_the_long_departed_are_forgotten_and_no_others() -> None:
    numbers = Numbers()
    numbers.take(b"omar", b"all", 5)
    for number in range(REMEMBERED - 1):
        numbers.take(b"%d" % number, b"all", 5)
    assert numbers.take(b"omar", b"all", 5) is None  # heard of just now
    numbers.take(b"ann", b"all", 5)
    assert numbers.take(b"0", b"all", 5) == 0
    assert numbers.take(b"omar", b"all", 5) is None
