"""Sockets to listen on, made by ourselves: what the server would set is not enough."""

import socket

TCP_USER_TIMEOUT_MS = 20_000
NOT_SENT_BYTES = 64 * 1024
"""The kernel alone would keep up to 4 MB for a client that does not read, ours is not even full by then."""
BACKLOG = 2048
PORTS = 64
"""So many processes of one machine share the setting of an address for figures: each takes the next free port."""


class CannotListen(Exception):
    """The address is in use or not ours."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Raises CannotListen."""
    made = bound_socket(host, port)
    try:
        made.listen(BACKLOG)
    except OSError as error:  # two may be bound until one listens
        made.close()
        raise CannotListen(f"{host}:{port}: {error.strerror}") from error
    return made


def next_free_socket(host: str, port: int) -> socket.socket:
    """On the first port that nobody listens on, from this one; 0 takes any. Raises CannotListen."""
    last = min(port + (PORTS if port else 1), 65_536)
    for one in range(port, last):
        try:
            return listening_socket(host, one)
        except CannotListen:
            if one == last - 1:
                raise
    raise CannotListen(f"{host}:{port}: no such port")


def bound_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket whose connections die when the other side acknowledges nothing for 20 s: the server alone would keep
    a client that stopped reading for ever, and all that it might read. Accepted sockets inherit it.

    `shared`: several may be bound to the address, and the kernel spreads connections over those that listen.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOT_SENT_BYTES)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise CannotListen(f"{host}:{port}: {error.strerror}") from error
    made.set_inheritable(True)
    return made
