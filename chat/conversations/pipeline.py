"""Statements that go to PostgreSQL together, with one wait for all their answers.

The driver's own pipeline takes some 350 µs for three statements, most of it in Python around libpq; this takes a tenth.
Only what runs for every group of messages is worth it.
"""

import select
from collections.abc import Mapping
from itertools import count
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

_numbers = count()


class Pipeline:
    """Of one connection. `prepared`: name -> statement with $1 for its parameter, a text."""

    def __init__(self, connection: "psycopg.Connection[Any]", prepared: Mapping[str, str]) -> None:
        self.connection = connection
        self._pgconn = connection.pgconn
        self._readable, self._both = select.poll(), select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        self._both.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)
        # Others may have prepared the same on this connection.
        number = next(_numbers)
        self._names = {name: f"{name}_{number}".encode() for name in prepared}
        for name, statement in prepared.items():
            connection.execute(b"PREPARE " + self._names[name] + f" (text) AS {statement}".encode())

    def ask(self, *asked: str | tuple[str, bytes]) -> list[PGresult]:
        """A result for each, which is a plain statement, or the name of a prepared one and its parameter. Raises the
        first error; what stood behind it was not carried out."""
        pgconn = self._pgconn
        pgconn.enter_pipeline_mode()
        for one in asked:
            if isinstance(one, str):
                pgconn.send_query_params(one.encode(), None)
            else:
                pgconn.send_query_prepared(self._names[one[0]], [one[1]])
        pgconn.pipeline_sync()
        results = self._answers()
        pgconn.exit_pipeline_mode()
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        return results

    def _answers(self) -> list[PGresult]:
        pgconn = self._pgconn
        results: list[PGresult] = []
        while pgconn.flush():
            # What is large must be taken while it is sent, or both sides wait for each other.
            self._both.poll()
            pgconn.consume_input()
        while True:
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    if pgconn.status != ConnStatus.OK:
                        raise psycopg.OperationalError("the connection is lost")
                elif result.status == ExecStatus.PIPELINE_SYNC:
                    return results
                else:
                    results.append(result)
            self._readable.poll()
            pgconn.consume_input()
