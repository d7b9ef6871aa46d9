"""The way of a visitor: by the public address, through what stands before the program, and in; over HTTP and with an
upgrade. The same is asked at the program's own address, to tell a fault of the way from one of the program."""

import asyncio
import json
import socket
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import msgspec
from websockets import InvalidHandshake, InvalidStatus, Origin, WebSocketException
from websockets.asyncio.client import connect

from chat.clock import SystemClock
from chat.doctor.finding import Finding
from chat.keys import KeyCutShort, known_secret_key
from chat.operations.mirror import HEADER, NOTHING, PATH, Seen, doctor_pass
from chat.settings import Settings

WITHIN_SECONDS = 5.0
APART_SECONDS = 5.0
FORGED = "192.0.2.99"
"""From a network that is nobody's (RFC 5737): who believes it believes anybody."""
UPGRADES = (
    'nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`. '
    "Until then consoles and widgets fall back to asking again and again."
)


@dataclass(frozen=True)
class Arrived:
    """How a request arrived, or why it did not."""

    fault: str = ""
    mend: str = ""
    seen: Seen = NOTHING
    apart: float = 0.0
    """Seconds between our clock and the Date of the answer."""
    mine: str = ""
    """The address that this machine used."""
    is_direct: bool = False
    """Nobody stood between."""


async def ask_way(settings: Settings, site: str | None) -> list[Finding]:
    own = f"http://{_own_host(settings)}:{settings.listen_port}"
    key = await asyncio.to_thread(_key, settings)
    public, direct = await asyncio.gather(
        asyncio.to_thread(_ask, settings.base_url, key), asyncio.to_thread(_ask, own, key)
    )
    if public.fault:
        if direct.fault:
            says = f"{settings.base_url}: {public.fault}; {own}: {direct.fault}"
            mend = "Start `nightdesk serve` and ask again: the way through the proxy could not be tested."
            return [Finding("server", False, says, public.mend or mend)]
        mend = public.mend or f"The server answers at {own}: let the proxy pass {settings.base_url} to it."
        return [Finding("server", False, f"{settings.base_url}: {public.fault}", mend)]
    return [
        Finding("server", True, f"answers at {settings.base_url}", _hint(settings, public)),
        _clock(public),
        _client(settings, public),
        await _upgrade(settings, site, own if not direct.fault else ""),
    ]


def _key(settings: Settings) -> str:
    """Where there is none no server has started yet, and a question must not be what makes it."""
    try:
        return known_secret_key(settings) or ""
    except (KeyCutShort, OSError):
        return ""  # told as a finding of its own


def _own_host(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen_host, settings.listen_host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _ask(base: str, key: str) -> Arrived:
    parts = urlsplit(base)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    line = kind(parts.hostname or "", parts.port, timeout=WITHIN_SECONDS)
    try:
        line.connect()
        mine = line.sock.getsockname()
        line.request("GET", PATH, headers={HEADER: doctor_pass(key), "X-Forwarded-For": FORGED})
        answer = line.getresponse()
        body = answer.read(10_000)
    except (HTTPException, OSError, ValueError) as error:
        return _unreachable(error)
    finally:
        line.close()
    if answer.status == 404:
        mend = "Is it this Nightdesk, of this version, and does it have the same NIGHTDESK_SECRET_KEY?"
        return Arrived("somebody answers who does not hold our secret key", mend)
    if answer.status != 200:
        return Arrived(f"answers {answer.status}")
    try:
        seen = msgspec.json.decode(body, type=Seen)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (msgspec.DecodeError, TypeError, ValueError):
        return Arrived("answers something else", "Does NIGHTDESK_BASE_URL lead to this Nightdesk?")
    apart = abs((SystemClock().now() - theirs).total_seconds())
    return Arrived(seen=seen, apart=apart, is_direct=(seen.client, seen.port) == mine[:2], mine=mine[0])


def _unreachable(reason: BaseException) -> Arrived:
    match reason:
        case ssl.SSLCertVerificationError():
            return Arrived(f"its certificate is not good ({reason.verify_message})", "Renew the proxy's certificate.")
        case ssl.SSLError():
            return Arrived("does not speak TLS there", "Does the proxy listen with TLS on that port?")
        case socket.gaierror():
            return Arrived("the name is not known", "Add it to the DNS, or set NIGHTDESK_BASE_URL.")
        case TimeoutError():
            return Arrived(f"does not answer within {WITHIN_SECONDS:.0f} s", "Is it held back by a firewall?")
        case ConnectionRefusedError():
            return Arrived("connection refused")
        case _:
            return Arrived(f"cannot be reached ({type(reason).__name__})")


def _hint(settings: Settings, arrived: Arrived) -> str:
    """Nothing of ours depends on these: links and cookies come from the settings. Others behind the proxy might."""
    parts = urlsplit(settings.base_url)
    hints = []
    if arrived.seen.host != parts.netloc:
        hints.append(f"The Host header arrives as {arrived.seen.host}: `proxy_set_header Host $host;`.")
    if arrived.seen.scheme != parts.scheme:
        hints.append(f"It arrives as {arrived.seen.scheme}: let the proxy send X-Forwarded-Proto.")
    return " ".join(hints)


def _clock(arrived: Arrived) -> Finding:
    ok = arrived.apart <= APART_SECONDS
    mend = "" if ok else "Let both machines follow a time server (NTP)."
    return Finding("clock of the server", ok, f"{arrived.apart:.0f} s apart by its Date", mend)


def _client(settings: Settings, arrived: Arrived) -> Finding:
    """Rate limits count by the address that arrives: all visitors under one, or anybody under any, is wrong."""
    name, seen = "client address", arrived.seen
    if seen.believed and seen.client == FORGED:
        if any(_is_in(arrived.mine, network) for network in settings.trusted_proxies):
            says = "cannot be judged from here: this machine is itself a trusted proxy"
            return Finding(name, True, says, "Ask from another machine to be sure.")
        mend = "Name only your proxies in NIGHTDESK_TRUSTED_PROXIES, and let them replace X-Forwarded-For."
        return Finding(name, False, "a forged X-Forwarded-For is believed", mend)
    if seen.believed or arrived.is_direct:
        return Finding(name, True, "visitors are told apart by their own addresses")
    if seen.forwarded_for not in ("", FORGED):
        mend = f"Add it: NIGHTDESK_TRUSTED_PROXIES={','.join([*settings.trusted_proxies, seen.client])}."
        return Finding(name, False, f"the proxy at {seen.client} is not trusted, so all visitors seem to be it", mend)
    mend = "Let the proxy send it: `proxy_set_header X-Forwarded-For $remote_addr;`."
    return Finding(name, False, f"all visitors arrive as {seen.client}: what stands between names nobody", mend)


def _is_in(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network)
    except ValueError:
        return False


async def _upgrade(settings: Settings, site: str | None, own: str) -> Finding:
    if site is None:
        return Finding("upgrade", True, "could not be tested without a site")
    fault = await _greeted(settings.base_url, site, settings.base_url)
    if not fault:
        return Finding("upgrade", True, "a WebSocket comes through")
    if own and await _greeted(own, site, settings.base_url) == "":
        return Finding("upgrade", False, f"a WebSocket does not come through: {fault}", UPGRADES)
    return Finding("upgrade", False, f"the server takes no WebSocket: {fault}", "See its log for the reason.")


async def _greeted(base: str, site: str, origin: str) -> str:
    """Empty when a visitor was welcomed, else what came instead."""
    address = base.replace("http", "ws", 1) + f"/w/{site}/socket"
    try:
        async with (
            asyncio.timeout(WITHIN_SECONDS),
            connect(address, origin=Origin(origin), proxy=None, close_timeout=1) as line,
        ):
            await line.send(json.dumps({"type": "hello", "site": site}))
            async for text in line:
                if json.loads(text).get("type") == "welcomed":
                    return ""
    except InvalidStatus as error:
        return f"it is answered with {error.response.status_code}"
    except TimeoutError:
        return f"nothing comes within {WITHIN_SECONDS:.0f} s"
    except (InvalidHandshake, WebSocketException, OSError, ValueError) as error:
        return type(error).__name__
    return f"closed with {line.close_code}"
