"""One contract for both buses: a hint reaches every other process that follows the topic, and no other. What is lost on
the way heals by itself, and whoever has not our key can delay, never harm."""

import asyncio
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chat.hub.bus import MAX_PAYLOAD
from chat.hub.directory import Peer
from chat.hub.envelope import Seal
from tests.support.buses import (
    PROBE,
    Ear,
    LosingWire,
    MemoryStreet,
    RedisStreet,
    Street,
    bus_of,
    follow,
    followed,
    killed,
    losing,
    until,
)
from tests.support.servers import RedisServer


@pytest.fixture(params=["memory", "redis"])
def street(request: pytest.FixtureRequest) -> Street:
    if request.param == "memory":
        return MemoryStreet()
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisStreet(server.url, f"{uuid4().hex}:")


class People:
    """Three processes that run, and more on demand."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.ears: list[Ear] = []
        self.wires: list[LosingWire] = []

    async def another(self) -> Ear:
        bus = self.street.bus()
        self.wires.append(losing(bus))
        ear = Ear(bus)
        self.ears.append(ear)
        await ear.start()
        await ear.until_up()
        return ear


@pytest.fixture
async def people(street: Street) -> AsyncIterator[People]:
    people = People(street)
    for _ in range(3):
        await people.another()
    yield people
    for ear in people.ears:
        await ear.bus.stop()


async def test_followers_hear_in_order_and_others_do_not(people: People) -> None:
    ann, omar, mallory = people.ears
    await follow(omar, ann, "conversation:1")
    for n in range(200):
        ann.bus.publish("conversation:1", str(n).encode())
    await omar.until(200)
    assert [payload for _, payload in omar.heard] == [str(n).encode() for n in range(200)]
    assert mallory.heard == []
    assert ann.heard == []
    assert omar.bus.received >= 200
    assert ann.bus.published >= 200


async def test_who_stops_following_hears_no_more(people: People) -> None:
    ann, omar, other = people.ears
    await follow(omar, ann, "a")
    await follow(omar, ann, "b")
    omar.bus.unfollow("a")
    await follow(other, ann, "a")
    ann.bus.publish("a", b"gone")
    ann.bus.publish("b", b"still")
    await omar.until(1)
    assert ("a", b"gone") not in omar.heard


async def test_a_hint_goes_to_followers_only_and_with_none_nowhere(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    before = ann.bus.published
    ann.bus.publish("a", b"one follower")
    ann.bus.publish("nobody's", b"none")
    assert ann.bus.published == before + 1


async def test_what_many_follow_reaches_each_of_them_once_and_in_order(people: People) -> None:
    ann = people.ears[0]
    while len(people.ears) < 7:
        await people.another()
    others = people.ears[1:]
    for ear in others:
        await follow(ear, ann, "desk")
    for n in range(50):
        ann.bus.publish("desk", b"n%d" % n)
    for ear in others:
        await ear.until(50)
        assert [payload for _, payload in ear.heard] == [b"n%d" % n for n in range(50)]


async def test_all_agree_on_many_topics_and_a_newcomer_learns_them(people: People) -> None:
    """Fifteen thousand conversations open in a process, ten turns over: its list does not fit in one payload."""
    ann, omar, _ = people.ears
    topics = [f"conversation:{n}" for n in range(15_000)]
    for topic in topics:
        omar.bus.follow(topic)
    await followed(omar, ann, topics[-1])
    rita = await people.another()
    await followed(omar, rita, topics[0])
    await until(lambda: all(peer.count == 15_000 for peer in peers_of(rita) if peer.count))
    for topic in topics:
        rita.bus.publish(topic, b"all")
    await omar.until(len(topics))
    assert omar.heard == [(topic, b"all") for topic in topics]


async def test_a_lost_announcement_heals(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "before")
    people.wires[1].loses = True
    omar.bus.follow("lost")
    omar.bus.unfollow("before")
    await asyncio.sleep(0)  # the turn in which it is announced
    await asyncio.sleep(0)
    people.wires[1].loses = False
    await followed(omar, ann, "lost")
    count = ann.bus.published
    ann.bus.publish("before", b"nobody follows it any more")
    assert ann.bus.published == count


async def test_a_lost_hint_is_a_gap_that_the_hearer_knows_of(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    gaps = omar.gaps
    people.wires[0].loses = True
    ann.bus.publish("a", b"lost")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    people.wires[0].loses = False
    await followed(omar, ann, "a")
    assert omar.gaps > gaps
    assert omar.bus.gaps == omar.gaps


async def test_who_follows_a_moment_after_the_commit_hears_of_it(people: People) -> None:
    """Rita's process read the rows before the commit, and its announcement arrived after it."""
    ann, _, rita = people.ears
    ann.bus.publish("conversation:1", b"public 6", keep="public")
    ann.bus.publish("conversation:1", b"public 7", keep="public")
    ann.bus.publish("conversation:1", b"note 2", keep="internal")
    ann.bus.publish("conversation:1", b"typing")
    rita.bus.follow("conversation:1")
    await rita.until(2)
    assert sorted(rita.heard) == [("conversation:1", b"note 2"), ("conversation:1", b"public 7")]


async def test_a_process_that_was_killed_is_no_follower_any_more(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    await killed(bus_of(omar))
    await until(lambda: len(peers_of(ann)) == 1)
    before = ann.bus.published
    ann.bus.publish("a", b"to nobody")
    assert ann.bus.published == before


async def test_a_process_that_was_taken_for_dead_is_heard_again_and_hears(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    await follow(ann, omar, "b")
    for _ in range(500):
        ann.bus.publish("a", b"a batch of its own")
        await asyncio.sleep(0)
    people.wires[1].loses = True
    await until(lambda: len(peers_of(ann)) == 1)
    people.wires[1].loses = False
    await followed(omar, ann, "a")
    await followed(ann, omar, "b")


async def test_a_process_that_stops_says_so(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    await omar.bus.stop()
    await until(lambda: len(peers_of(ann)) == 1, seconds=5)


async def test_a_neighbour_who_has_not_our_key_can_say_nothing(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    channels = bus_of(omar)._own.channel, bus_of(omar)._all.channel
    forged = Seal("another key").close(channels[0], b"mallory!", 1, b"\x92\x01\x91\x92\xa1a\xc4\x06forged")
    before = omar.bus.dropped_bad_mac
    garbage = [b"", b"\0", os.urandom(40), os.urandom(70_000), b"x" * 2_000_000, forged, b"\x01" + forged]
    for channel in channels:
        for data in garbage:
            await people.street.publish(channel, data)
    await until(lambda: omar.bus.dropped_bad_mac == before + 2 * len(garbage))
    assert omar.heard == []
    ann.bus.publish("a", b"said by Ann")
    await omar.until(1)
    assert omar.heard == [("a", b"said by Ann")]


async def test_what_was_recorded_says_nothing_when_it_is_repeated(people: People) -> None:
    ann, omar, rita = people.ears
    await follow(omar, ann, "a")
    await follow(rita, ann, "a")
    people.wires[0].carried.clear()
    ann.bus.publish("a", b"once")
    await omar.until(1)
    for _, data in list(people.wires[0].carried):
        for channel in (bus_of(omar)._own.channel, bus_of(omar)._all.channel, bus_of(rita)._own.channel):
            await people.street.publish(channel, data)
    ann.bus.publish("a", b"last")
    for ear in (omar, rita):
        await ear.until(2)
        assert [payload for _, payload in ear.heard] == [b"once", b"last"]
        assert ear.gaps == 1  # of its start


async def test_a_flood_of_garbage_delays_and_no_more(people: People) -> None:
    ann, omar, _ = people.ears
    await follow(omar, ann, "a")
    channel = bus_of(omar)._own.channel
    await asyncio.gather(*(people.street.publish(channel, os.urandom(64)) for _ in range(200)))
    ann.bus.publish("a", b"heard")
    await until(lambda: ("a", b"heard") in omar.heard)
    assert omar.bus.is_up


async def test_a_hint_is_small(people: People) -> None:
    people.ears[0].bus.publish("a", b"x" * MAX_PAYLOAD)
    with pytest.raises(ValueError, match="4 kB"):
        people.ears[0].bus.publish("a", b"x" * (MAX_PAYLOAD + 1))


async def test_publishing_never_waits_even_before_the_bus_is_up(street: Street) -> None:
    ann = Ear(street.bus())
    ann.bus.follow("a")
    ann.bus.publish("a", b"not even started")
    await ann.start()
    for _ in range(20_000):
        ann.bus.publish("nobody", b"x")
    await ann.bus.stop()


async def test_a_hearer_that_fails_does_not_deafen_the_process(street: Street) -> None:
    ann, omar = Ear(street.bus()), Ear(street.bus())
    await ann.start()
    heard = asyncio.Event()

    def fails_once(topic: str, payload: bytes) -> None:
        if payload == PROBE and not heard.is_set():
            heard.set()
            raise AttributeError("a mistake of ours")
        omar.hint(topic, payload)

    await omar.bus.start(fails_once, omar._gap)
    for ear in (ann, omar):
        await ear.until_up()
    await follow(omar, ann, "a")
    assert heard.is_set()
    for ear in (ann, omar):
        await ear.bus.stop()


def peers_of(ear: Ear) -> list[Peer]:
    return list(bus_of(ear)._gossip.peers.values())
