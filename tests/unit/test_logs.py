"""Secrets, texts and addresses are planted where they could slip into a log line, and looked for."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chat.logs import configure, described, shortened
from chat.settings import load_settings

PLANTED = "zasajena-beseda"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    before, handlers, level = structlog.get_config(), list(logging.getLogger().handlers), logging.getLogger().level
    configure(load_settings({}, log_format="json", log_level="debug"), stream)
    yield stream
    structlog.configure(**before)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("field", ["token", "password", "text", "email", "secret", "socket_pass", "url", "query"])
def test_a_field_that_holds_secrets_is_masked(written: io.StringIO, field: str) -> None:
    structlog.get_logger("x").warning("it was said", **{field: PLANTED}, conversation_id="7")
    assert PLANTED not in written.getvalue()
    assert lines(written)[0][field] == "***"
    assert lines(written)[0]["conversation_id"] == "7"


def test_of_an_exception_only_what_is_harmless_is_written(written: io.StringIO) -> None:
    try:
        try:
            int(PLANTED)
        except ValueError as error:
            raise KeyError(PLANTED) from error
    except KeyError:
        structlog.get_logger("x").exception("it failed")
    line = lines(written)[0]
    assert PLANTED not in written.getvalue()
    assert line["exception"].startswith("KeyError\n  tests/unit/test_logs.py:")
    assert "because of\n  ValueError" in line["exception"]


def test_an_error_of_a_database_keeps_its_state_and_loses_its_values() -> None:
    class UniqueViolation(Exception):
        sqlstate = "23505"

    group = ExceptionGroup(PLANTED, [UniqueViolation(f"Key (email)=({PLANTED}) already exists."), TypeError("x is y")])
    text = described(group)
    assert PLANTED not in text
    assert "UniqueViolation (23505)" in text
    assert "TypeError: x is y" in text


def test_causes_that_have_no_end_end() -> None:
    first, second = ValueError(PLANTED), ValueError(PLANTED)
    first.__cause__, second.__cause__ = second, first
    assert described(first).count("because of") < 20


def test_what_libraries_say_is_json_too_and_loses_what_follows_the_first_line(written: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=%r>", PLANTED)
    try:
        int(PLANTED)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    found = lines(written)
    assert [line["event"] for line in found] == ["Task exception was never retrieved", "Exception in ASGI application"]
    assert PLANTED not in written.getvalue()
    assert found[1]["level"] == "error"


async def test_a_task_that_failed_unseen_tells_no_values(written: io.StringIO) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": ValueError(PLANTED), "task": PLANTED}
    )
    assert lines(written)[0]["event"] == "Task exception was never retrieved"
    assert PLANTED not in written.getvalue()


@pytest.mark.parametrize(
    ("address", "short"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:aaaa:bbbb::1", "2001:db8:aaaa::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", "***"),
        (f"{PLANTED}", "***"),
    ],
)
def test_of_an_address_only_its_network_is_written(written: io.StringIO, address: str, short: str) -> None:
    assert shortened(address) == short
    structlog.get_logger("x").info("a socket was refused", address=address)
    assert lines(written)[0]["address"] == short


def test_what_a_request_bound_stands_in_all_its_lines(written: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("x").warning("something was refused")
        logging.getLogger("library").warning("slow")
    structlog.get_logger("x").warning("something else was refused")
    assert [line.get("request_id") for line in lines(written)] == ["abc", "abc", None]


class Full(io.StringIO):
    """A file on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_is_full_stops_nobody(written: io.StringIO) -> None:
    configure(load_settings({}, log_format="json"), Full())
    structlog.get_logger("x").warning("it was said")
    logging.getLogger("library").warning("it was said, too")
