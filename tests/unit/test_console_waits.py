"""Mallory guesses passwords: five tries are free, then each wrong one doubles the wait. Nobody is locked out."""

from chat.people.sign_in_waits import LONGEST, SignInWaits, network_of
from tests.support.clock import FakeClock

ANA = "ana@acme.si"
MALLORY = "203.0.113.7"


def test_five_tries_are_free_and_then_the_wait_doubles(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    assert [waits.failed(ANA, MALLORY) for _ in range(8)] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits.left(ANA, MALLORY) == 8
    clock.advance(8)
    assert waits.left(ANA, MALLORY) == 0


def test_the_wait_ends_at_fifteen_minutes(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(100):
        wait = waits.failed(ANA, MALLORY)
    assert wait == LONGEST == 900


def test_ten_thousand_tries_in_a_day_are_looked_at_less_than_a_hundred_and_ten_times(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    looked_at = 0
    for _ in range(10_000):
        if not waits.left(ANA, MALLORY):
            looked_at += 1
            waits.failed(ANA, MALLORY)
        clock.advance(8.64)
    assert looked_at < 110


def test_the_owner_signs_in_from_elsewhere_meanwhile(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(20):
        waits.failed(ANA, MALLORY)
    assert waits.left(ANA, "198.51.100.1") == 0
    assert waits.left("luka@acme.si", MALLORY) == 0


def test_a_right_password_clears_the_slate(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(6):
        waits.failed(ANA, MALLORY)
    waits.succeeded(ANA, MALLORY)
    assert waits.left(ANA, MALLORY) == 0
    assert waits.failed(ANA, MALLORY) == 0


def test_a_whole_ipv6_network_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("testclient") == "testclient"
