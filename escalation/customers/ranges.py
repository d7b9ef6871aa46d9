"""Addresses and ranges of them: read, written canonically (RFC 5952), and found by an index. Pure.

Ranges may overlap, so "the last one that begins before the address" may be the wrong one, and "all that begin before
it" are too many. Each range therefore carries a class of size, in steps of 16: a range of class `width` spans at most
2**width addresses, so one that holds an address begins at most that far before it. One short span of the index for each
class (7 for IPv4, 29 for IPv6) holds all candidates, however the ranges lie.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range

STEP = 4
"""Bits between two classes."""
WIDEST = {4: 24, 6: 112}
"""Bits. Nobody's service is larger than a /8 or an IPv6 /16: such a range is a slip of the pen."""
_MAPPED = 0xFFFF << 32
_DASH = re.compile(r"\s*[-–—]\s*")


class RangeRefused(ValueError):
    """The text is no address and no range; the message says why, for people."""


@dataclass(frozen=True, slots=True, order=True)
class IpRange:
    """Both ends included, as 16 bytes. IPv4 stands in the mapped block ::ffff:0:0/96."""

    ip_from: bytes
    ip_to: bytes
    version: int

    @property
    def width(self) -> int:
        """The class of size: the bits of the distance between the ends, rounded up to a whole step."""
        distance = int.from_bytes(self.ip_to) - int.from_bytes(self.ip_from)
        return -(-distance.bit_length() // STEP) * STEP

    def __str__(self) -> str:
        """`192.0.2.7`, `192.0.2.0/29`, or `192.0.2.3-192.0.2.9` where it is no network."""
        first, last = address_of(self.ip_from), address_of(self.ip_to)
        if first == last:
            return str(first)
        networks = list(summarize_address_range(first, last))
        return str(networks[0]) if len(networks) == 1 else f"{first}-{last}"


def packed(address: IPv4Address | IPv6Address) -> bytes:
    value = int(address)
    return (value + _MAPPED if address.version == 4 else value).to_bytes(16)


def address_of(raw: bytes) -> IPv4Address | IPv6Address:
    value = int.from_bytes(raw)
    return IPv4Address(value - _MAPPED) if value >> 32 == 0xFFFF else IPv6Address(value)


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """Raises RangeRefused. An IPv4 address written as IPv6 is an IPv4 address."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise RangeRefused(f"{text.strip()} is no IP address") from None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise RangeRefused(f"{text.strip()} has a zone id, which no other computer knows")
        return address.ipv4_mapped or address
    return address


def parse_range(text: str) -> IpRange:
    """`192.0.2.7`, `192.0.2.0/29`, `192.0.2.3-192.0.2.9`. Raises RangeRefused."""
    ends = _DASH.split(text.strip())
    if len(ends) == 2:
        first, last = (parse_address(end) for end in ends)
    elif "/" in text:
        first, last = _network(text.strip())
    else:
        first = last = parse_address(text)
    if first.version != last.version:
        raise RangeRefused(f"{text.strip()} begins as IPv{first.version} and ends as IPv{last.version}")
    if int(last) < int(first):
        raise RangeRefused(f"{text.strip()} ends before it begins")
    if (int(last) - int(first)).bit_length() > WIDEST[first.version]:
        raise RangeRefused(f"{text.strip()} is wider than any service: check the length of the prefix")
    return IpRange(packed(first), packed(last), first.version)


def _network(text: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    try:
        network = ip_network(text)
    except ValueError:
        try:
            wider = ip_network(text, strict=False)
        except ValueError:
            raise RangeRefused(f"{text} is no network") from None
        raise RangeRefused(f"{text} is no network: write {wider}, or the address without a prefix") from None
    first, last = network.network_address, network.broadcast_address
    if isinstance(first, IPv6Address) and isinstance(last, IPv6Address) and first.ipv4_mapped and last.ipv4_mapped:
        return first.ipv4_mapped, last.ipv4_mapped
    return first, last


def split_ranges(text: str) -> list[str]:
    """The ranges of one cell: apart by spaces, commas, semicolons or bars."""
    return [part for part in re.split(r"[\s,;|]+", _DASH.sub("-", text)) if part]


def spans(address: IPv4Address | IPv6Address) -> Iterator[tuple[int, bytes]]:
    """(class, first possible beginning) for each class of the address's version, narrow ones first."""
    value = int.from_bytes(packed(address))
    for width in range(0, WIDEST[address.version] + 1, STEP):
        yield width, max(0, value - (1 << width) + 1).to_bytes(16)
