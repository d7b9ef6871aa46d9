"""Logs: a constant message, data in fields, JSON or a terminal's lines. Never a secret, never the text of a message."""

import logging
import sys
from functools import partial
from typing import Any

import structlog

from chat.settings import Settings


def configure(settings: Settings, process: int | None = None) -> None:
    """`process`: the place of this one among several of a host; it stands in each line."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if process is not None:
        processors.insert(0, partial(_with_process, process))
    if as_json:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    mark = "" if process is None else f"process {process}: "
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format=f"{mark}%(message)s", force=process is not None
    )


def _with_process(
    process: int, _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["process"] = process
    return event
