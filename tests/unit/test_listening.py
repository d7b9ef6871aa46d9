"""Sockets to listen on: a port that somebody else was faster with is passed over."""

import pytest

from chat import listening
from chat.listening import CannotListen, bound_socket, listening_socket, next_free_socket

HOST = "127.0.0.1"


def test_of_two_who_are_bound_to_a_port_one_listens_and_the_other_takes_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bound_socket(HOST, 0) as faster:
        port = faster.getsockname()[1]
        slower = [bound_socket(HOST, port), bound_socket(HOST, port)]
        faster.listen()
        monkeypatch.setattr(
            listening, "bound_socket", lambda host, one: slower.pop() if slower else bound_socket(host, one)
        )
        with pytest.raises(CannotListen, match=f"{HOST}:{port}"):
            listening_socket(HOST, port)
        with next_free_socket(HOST, port) as made:
            assert made.getsockname()[1] > port
