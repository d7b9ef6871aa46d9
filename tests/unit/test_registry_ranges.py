"""Addresses and ranges: how they are written, what is refused, and that an index finds all that hold an address."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.customers.names import folded
from escalation.customers.ranges import (
    STEP,
    WIDEST,
    IpRange,
    RangeRefused,
    address_of,
    packed,
    parse_range,
    spans,
    split_ranges,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.0/29", "192.0.2.0/29"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.0-192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.3 – 192.0.2.9", "192.0.2.3-192.0.2.9"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0::/48", "2001:db8::/48"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.0/125", "192.0.2.0/29"),
    ],
)
def test_a_range_is_kept_canonically(text: str, shown: str) -> None:
    assert str(parse_range(text)) == shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no IP address"),
        ("300.1.1.1", "no IP address"),
        ("192.0.2", "no IP address"),
        ("192.0.2.1/24", "write 192.0.2.0/24"),
        ("192.0.2.0/33", "no network"),
        ("192.0.2.9-192.0.2.3", "ends before it begins"),
        ("192.0.2.9-2001:db8::1", "begins as IPv4 and ends as IPv6"),
        ("0.0.0.0/0", "wider than any service"),
        ("::/0", "wider than any service"),
        ("fe80::1%eth0", "zone id"),
    ],
)
def test_a_range_that_is_none_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(RangeRefused, match=reason):
        parse_range(text)


def test_one_cell_holds_several() -> None:
    assert split_ranges("192.0.2.1, 192.0.2.3 - 192.0.2.9|2001:db8::/64;10.0.0.1") == [
        "192.0.2.1",
        "192.0.2.3-192.0.2.9",
        "2001:db8::/64",
        "10.0.0.1",
    ]
    assert split_ranges("  ") == []


@st.composite
def an_address_and_a_range(draw: st.DrawFn) -> tuple[bytes, IpRange]:
    """Both in the same neighbourhood, of any size, so that they meet about half of the time."""
    version = draw(st.sampled_from((4, 6)))
    most = (1 << 32) - 1 if version == 4 else (1 << 128) - 1
    bits = draw(st.integers(0, WIDEST[version]))
    begin = draw(st.integers(0, most))
    end = min(most, begin + draw(st.integers(0, (1 << bits) - 1)))
    near = min(most, max(0, begin + draw(st.integers(-2, 2)) + draw(st.integers(-(1 << bits), 1 << bits))))
    picked = draw(st.sampled_from((near, begin, end)))
    as_address = [ip_address(value.to_bytes(4 if version == 4 else 16)) for value in (begin, end, picked)]
    first, last, address = (packed(one) for one in as_address)
    return address, IpRange(first, last, version)


@given(an_address_and_a_range())
def test_the_span_of_its_class_holds_a_range_exactly_when_the_range_holds_the_address(
    case: tuple[bytes, IpRange],
) -> None:
    raw, one = case
    address = address_of(raw)
    if address.version != one.version:  # an IPv6 address in the block of IPv4
        return
    least = dict(spans(address))[one.width]
    found = least <= one.ip_from <= raw and one.ip_to >= raw
    assert found == (one.ip_from <= raw <= one.ip_to)
    assert one.width % STEP == 0
    assert address_of(packed(address)) == address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Čebelji STREŽNIK", "cebelji streznik"),
        ("Đuro", "duro"),
        ("Straße 5", "STRASSE 5"),
        ("VPS\u00a02", "vps 2"),
        ("Cafe\u0301", "café"),
    ],
)
def test_names_are_the_same_without_case_and_diacritics(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@given(st.text(max_size=60))
def test_a_folded_name_is_folded(name: str) -> None:
    assert folded(folded(name)) == folded(name)
