"""Logs: a constant message in the past tense, data in fields, JSON or a terminal's lines. Never a secret, never the
text of a message, and of an address only the network.

Errors of libraries carry values in their messages (a key that exists already, a text that is no number), so of an
exception only its type, its place and what is known to be harmless is written.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from traceback import StackSummary, walk_tb
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from chat.settings import Settings

SECRET_FIELDS = frozenset(
    {"authorization", "body", "cookie", "email", "headers", "key", "name", "pass", "password", "query", "secret"}
    | {"socket_pass", "text", "token", "url"}
)
HARMLESS = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)
"""Their messages name code, not data."""
DEEPEST = 8
PACKAGES = Path(__file__).parents[1]


def configure(settings: Settings, stream: TextIO | None = None, process: int | None = None) -> None:
    """For this whole process, libraries included. Services write to stdout; commands, whose answer is there, to
    stderr. `process`: the place of this one among several of a host; it stands in each line."""
    stream = cast("TextIO", Unfailing(stream or sys.stderr))
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not stream.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        harmless_exceptions,
        without_secrets,
    ]
    if process is not None:
        processors.insert(0, partial(_with_process, process))
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[first_line, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))


class Unfailing:
    """A stream whose writes may fail in silence: a log that is full or whose reader is gone must never end the work
    that it tells of. There is no better place to say so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _with_process(process: int, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["process"] = process
    return event


def harmless_exceptions(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    if isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["exception"] = described(found)
    return event


def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for field in event:
        if field in SECRET_FIELDS:
            event[field] = "***"
        elif field == "address":
            event[field] = shortened(str(event[field]))
    return event


def first_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of a library's message: what follows is the representation of things that may hold anything."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def described(error: BaseException) -> str:
    """Types and places, the first cause last."""
    return "\n".join(_lines(error, 0))


def _lines(error: BaseException, depth: int) -> Iterator[str]:
    indent = "  " * depth
    yield indent + _head(error)
    for frame in StackSummary.extract(walk_tb(error.__traceback__), lookup_lines=False):
        yield f"{indent}  {_place(frame.filename)}:{frame.lineno} in {frame.name}"
    if depth == DEEPEST:
        return
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _lines(one, depth + 1)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield f"{indent}because of"
        yield from _lines(cause, depth + 1)


def _head(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    if isinstance(error, HARMLESS):
        return f"{name}: {error}"
    state = getattr(error, "sqlstate", None)
    return f"{name} ({state})" if isinstance(state, str) else name


def _place(file: str) -> str:
    path = Path(file)
    if "site-packages" in path.parts:
        return "/".join(path.parts[path.parts.index("site-packages") + 1 :])
    if path.is_relative_to(PACKAGES):
        return str(path.relative_to(PACKAGES))
    return path.name


def shortened(address: str) -> str:
    """The network of an address: 203.0.113.0/24, 2001:db8::/48. What is no address is not repeated."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "***"
    return str(ip_network((found, 24 if found.version == 4 else 48), strict=False))


def bound(**fields: Any) -> None:
    """These fields stand in every line that this task writes from now on."""
    structlog.contextvars.bind_contextvars(**fields)
