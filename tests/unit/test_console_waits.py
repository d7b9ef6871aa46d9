"""Mallory guesses passwords: five tries are free, then each wrong one doubles the wait. Nobody is locked out."""

from chat.people.sign_in_waits import LONGEST, SignInWaits, network_of
from tests.support.clock import FakeClock

ANA = "ana@acme.si"
MALLORY = "203.0.113.7"


def wrong(waits: SignInWaits, clock: FakeClock) -> float:
    """How long the next try waits after this one; then it has waited."""
    assert waits.take(ANA, MALLORY) == 0
    wait = waits.left(ANA, MALLORY)
    clock.advance(wait)
    return wait


def test_five_tries_are_free_and_then_the_wait_doubles(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    assert [wrong(waits, clock) for _ in range(8)] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert waits.take(ANA, MALLORY) == 0


def test_of_forty_tries_at_the_same_time_five_are_looked_at(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    assert [waits.take(ANA, MALLORY) for _ in range(40)] == [0] * 5 + [1] * 35


def test_few_tries_on_many_accounts_wait_as_well(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    waits.take("mallory@acme.si", MALLORY)
    waits.succeeded("mallory@acme.si", MALLORY)
    looked_at = [number for number in range(100) if not waits.take(f"{number}@acme.si", MALLORY)]
    assert len(looked_at) == 30
    waits.succeeded("29@acme.si", MALLORY)  # takes back one try, and not all
    assert [waits.take(f"{name}@acme.si", MALLORY) > 0 for name in "ab"] == [False, True]
    assert waits.take("0@acme.si", "198.51.100.1") == 0


def test_the_wait_ends_at_fifteen_minutes(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(100):
        wait = wrong(waits, clock)
    assert wait == LONGEST == 900


def test_ten_thousand_tries_in_a_day_are_looked_at_less_than_a_hundred_and_ten_times(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    looked_at = 0
    for _ in range(10_000):
        looked_at += not waits.take(ANA, MALLORY)
        clock.advance(8.64)
    assert looked_at < 110


def test_the_owner_signs_in_from_elsewhere_meanwhile(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(20):
        wrong(waits, clock)
    assert waits.take(ANA, MALLORY) == 0
    assert waits.take(ANA, MALLORY) > 0
    assert waits.take(ANA, "198.51.100.1") == 0
    assert waits.take("luka@acme.si", MALLORY) == 0


def test_a_right_password_clears_the_slate(clock: FakeClock) -> None:
    waits = SignInWaits(clock)
    for _ in range(6):
        wrong(waits, clock)
    waits.take(ANA, MALLORY)
    waits.succeeded(ANA, MALLORY)
    assert waits.left(ANA, MALLORY) == 0
    assert wrong(waits, clock) == 0


def test_a_whole_ipv6_network_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("testclient") == "testclient"
