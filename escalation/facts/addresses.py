"""IPv4 and IPv6 addresses. A generous candidate is found by pattern, `ipaddress` is the judge."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

from escalation.facts.fact import Fact, Kind

_FOUR = re.compile(r"(?<![\w.])(?<![A-Za-z][/-])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])")
_VERSION_BEFORE = re.compile(
    r"(?<!\w)(?:version|ver\.?|verzij\w{0,3}|razli[čc]ic\w{0,3}|v\.?)[\s:]{0,3}$", re.IGNORECASE
)
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})(?:%\w{1,15})?\]")
_SIX = re.compile(r"(?<![\w:.%])[0-9A-Fa-f:]{2,39}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![\w:])(?!\.[0-9])")
_LOOK_BACK = 16


def find_addresses(text: str) -> Iterator[Fact]:
    """In order of appearance within a family, each address once."""
    seen: set[str] = set()
    taken: list[tuple[int, int]] = []
    for match in _BRACKETED.finditer(text):
        yield from _six(match.group(1), match.span(1), text, seen, taken, bracketed=True)
    for match in _SIX.finditer(text):
        if match.group().count(":") >= 2:
            yield from _six(match.group(), match.span(), text, seen, taken, bracketed=False)
    covered = bytearray(len(text))
    for start, end in taken:
        covered[start:end] = b"\x01" * (end - start)
    for match in _FOUR.finditer(text):
        before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
        address = _parsed(match.group())
        if covered[match.start()] or address is None or _VERSION_BEFORE.search(before):
            continue
        if str(address) not in seen:
            seen.add(str(address))
            yield Fact(Kind.IPV4, str(address), *match.span(), match.group(), public=address.is_global)


def _six(
    raw: str, span: tuple[int, int], text: str, seen: set[str], taken: list[tuple[int, int]], *, bracketed: bool
) -> Iterator[Fact]:
    start, end = span
    if raw.endswith(":") and not raw.endswith("::"):  # "address 2a02:e48::1:" at the head of a list
        raw, end = raw[:-1], end - 1
    address = _parsed(raw)
    if not isinstance(address, IPv6Address) or any(begin <= start < stop for begin, stop in taken[-1:]):
        return
    # `a::b` and `cafe::babe` are names in program text far more often than addresses.
    groups = [group for group in raw.split(":") if group]
    if not (bracketed or len(groups) >= 3 or any(char.isdigit() for char in raw)):
        return
    taken.append((start, end))
    if address.compressed not in seen:
        seen.add(address.compressed)
        yield Fact(Kind.IPV6, address.compressed, start, end, text[start:end], public=address.is_global)


def _parsed(raw: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(raw)
    except ValueError:
        return None
