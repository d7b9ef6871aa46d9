"""One address cannot use up the sockets of all, nor hammer at the door."""

import time

from hypothesis import given
from hypothesis import strategies as st

from chat.hub.admission import FORGET_AT, Admission, neighbourhood


def test_the_limit_of_sockets_holds_per_address_and_a_free_place_is_given_again() -> None:
    door = Admission(sockets=2, attempts_per_minute=100)
    assert door.enter("192.0.2.1", 0) == 0
    assert door.enter("192.0.2.1", 0) == 0
    assert door.enter("192.0.2.1", 0) > 0
    assert door.enter("192.0.2.2", 0) == 0
    door.leave("192.0.2.1")
    assert door.enter("192.0.2.1", 0) == 0


def test_attempts_are_paced_and_the_wait_is_true() -> None:
    door = Admission(sockets=1000, attempts_per_minute=60)
    assert [door.enter("192.0.2.1", 0) for _ in range(60)] == [0] * 60
    wait = door.enter("192.0.2.1", 0)
    assert 0 < wait <= 1
    assert door.enter("192.0.2.1", wait) == 0


def test_a_household_of_ipv6_is_one_address_and_a_mapped_one_is_its_ipv4() -> None:
    assert neighbourhood("2001:db8:1:2::a") == neighbourhood("2001:db8:1:2:ffff::1")
    assert neighbourhood("2001:db8:1:2::a") != neighbourhood("2001:db8:1:3::a")
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"
    assert neighbourhood("fe80::1%eth0") == neighbourhood("fe80::2")


@given(st.text(max_size=50))
def test_whatever_a_proxy_says_is_an_address_of_its_own(address: str) -> None:
    door = Admission(sockets=1, attempts_per_minute=10)
    assert door.enter(address, 0) == 0
    assert door.enter(address, 0) > 0
    door.leave(address)
    assert door.enter(address, 0) == 0


def test_quiet_addresses_are_forgotten() -> None:
    door = Admission(sockets=10, attempts_per_minute=60)
    for n in range(FORGET_AT + 5):
        address = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        assert door.enter(address, 0) == 0
        door.leave(address)
    door.enter("192.0.2.1", 120)
    assert len(door._attempts._paces) < 10
    assert not door._held.get("10.0.0.1")


def test_a_crowd_of_addresses_costs_each_of_them_a_moment_and_is_forgotten() -> None:
    door = Admission(sockets=1, attempts_per_minute=10)
    began = time.process_time()
    for n in range(3 * FORGET_AT):
        assert door.enter(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", n / 1000) == 0
    assert time.process_time() - began < 5
    for n in range(2 * FORGET_AT):
        door.enter(f"11.{n >> 16}.{n >> 8 & 255}.{n & 255}", 1000 + n / 100)
    assert len(door._attempts._paces) <= 2 * FORGET_AT
