"""Faults of PostgreSQL and of the way to it: nothing is acknowledged without a row, and no restart is needed."""

import contextlib

import psycopg

from tests.acceptance.matrix.scene import Scene, cells
from tests.support.servers import PostgresServer

RECOVERED = 10.0
MOST_CONNECTIONS = 200


def server_of(scene: Scene) -> PostgresServer:
    assert scene.stage.postgres is not None
    return scene.stage.postgres


def connect(scene: Scene) -> psycopg.Connection:
    return psycopg.connect(server_of(scene).url(), autocommit=True, connect_timeout=5)


def demands(scene: Scene) -> None:
    scene.everybody_is_back(60)
    scene.demand_normal_within(RECOVERED)
    scene.demand_no_errors()


def restart_at_once(scene: Scene) -> None:
    """As `pg_ctl restart -m immediate`: every connection is cut, the log is replayed."""
    scene.demand_felt()
    for _ in range(scene.times(5)):
        scene.strike()
        server_of(scene).quit()
        scene.wait(3, 0.5)
        server_of(scene).start()
        scene.over()
        scene.wait(15, 1)
    demands(scene)


def become_read_only(scene: Scene) -> None:
    """As after a failover that leaves us at the demoted node: every write fails with 25006."""
    scene.demand_felt()
    scene.strike()
    with connect(scene) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            scene.wait(10, 2)
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
    scene.over()
    demands(scene)


def hold_a_lock(scene: Scene) -> None:
    """A table is locked for 5 s by somebody else."""
    scene.strike()
    with connect(scene) as connection, connection.transaction():
        connection.execute("LOCK TABLE conversation IN ACCESS EXCLUSIVE MODE")
        scene.wait(5, 2)
    scene.over()
    demands(scene)


def exhaust_connections(scene: Scene) -> None:
    """Neighbours take all the connections that are left, and pooled ones are cut so that new ones are needed."""
    scene.strike()
    with contextlib.ExitStack() as stack:
        taken = 0
        with contextlib.suppress(psycopg.OperationalError):
            while taken < MOST_CONNECTIONS:
                stack.enter_context(connect(scene))
                taken += 1
        scene.wait(10, 2)
    scene.over()
    scene.notes.append(f"{taken} taken")
    demands(scene)


def cut_from_the_database(scene: Scene) -> None:
    """One hub alone cannot reach the database: it refuses, and its clients go on elsewhere."""
    scene.demand_felt()
    link = scene.stage.database_link
    assert link is not None
    scene.strike()
    link.do(lambda proxy: proxy.cut())
    try:
        scene.wait(20, 4)
    finally:
        link.reopen()
    scene.over()
    demands(scene)


def orphan_the_database(scene: Scene) -> None:
    """The way of one hub to the database is half-open: statements never end."""
    link = scene.stage.database_link
    assert link is not None
    scene.strike()
    link.do(lambda proxy: proxy.orphan())
    scene.demand_longest_delay(RECOVERED)
    scene.wait(30, 6)
    scene.over()
    demands(scene)


CLUSTER = ("postgresql",)
CELLS = [
    *cells(9, "hub cut from the database only", cut_from_the_database, ("L1",), CLUSTER),
    *cells(9, "link to the database half-open", orphan_the_database, ("L1",), CLUSTER),
    *cells(10, "PostgreSQL restarted at once", restart_at_once, ("L1", "L2"), CLUSTER),
    *cells(10, "PostgreSQL read-only", become_read_only, ("L1", "L2"), CLUSTER),
    *cells(10, "a lock held for 5 s", hold_a_lock, ("L1",), CLUSTER),
    *cells(10, "connections exhausted", exhaust_connections, ("L1",), CLUSTER),
]
