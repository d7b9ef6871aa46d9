"""Faults of PostgreSQL and of the way to it: nothing is acknowledged without a row, and no restart is needed."""

import contextlib
from time import monotonic, sleep

import psycopg

from tests.acceptance.matrix.scene import Scene, cells
from tests.support.servers import PostgresServer
from tests.support.stored import read_stored

RECOVERED = 10.0
UNREADY = 5.0
MOST_CONNECTIONS = 200


def server_of(scene: Scene) -> PostgresServer:
    assert scene.stage.postgres is not None
    return scene.stage.postgres


def connect(scene: Scene) -> psycopg.Connection:
    return psycopg.connect(server_of(scene).url(), autocommit=True, connect_timeout=5)


def unready_after(scene: Scene) -> float:
    """Seconds until every hub says that traffic should go elsewhere."""
    started = monotonic()
    until = started + scene.limit(UNREADY)
    while monotonic() < until and any(hub.is_ready() for hub in scene.stage.hubs):
        sleep(0.05)  # asked as a proxy asks
    return monotonic() - started


def lose_power(scene: Scene) -> None:
    """The directory of the cluster as it is at a random moment, started elsewhere: what was acknowledged before is in
    it."""
    missing: list[str] = []
    for _ in range(scene.times(10)):
        scene.random_moment()
        scene.strike()
        server = server_of(scene)
        server.pause()
        try:
            at = monotonic()
            copy = server.copied()
        finally:
            server.resume()
        try:
            copy.start()
            refs = read_stored(copy.url()).refs
        finally:
            copy.remove()
        missing += sorted(scene.acknowledged_before(at) - refs)
    scene.over()
    says = f"{scene.times(10)} copies, {len(missing)} missing"
    scene.demand_now("what was acknowledged is in the copy", not missing, says)
    scene.everybody_is_back()
    scene.demand_no_errors()


def demands(scene: Scene) -> None:
    scene.everybody_is_back()
    scene.demand_normal_within(RECOVERED)
    scene.demand_no_errors()


def restart_at_once(scene: Scene) -> None:
    """As `pg_ctl restart -m immediate`: every connection is cut, the log is replayed."""
    scene.demand_felt()
    for _ in range(scene.times(5)):
        scene.strike()
        server_of(scene).quit()
        took = unready_after(scene)
        scene.demand_now("readiness fails within 5 s", took <= scene.limit(UNREADY), f"not ready after {took:.1f} s")
        scene.wait(3, 0.2)
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
    *cells(9, "link to the database half-open", orphan_the_database, ("L1",), CLUSTER, in_short=False),
    *cells(10, "PostgreSQL restarted at once", restart_at_once, ("L1", "L2"), CLUSTER),
    *cells(10, "PostgreSQL read-only", become_read_only, ("L1", "L2"), CLUSTER),
    *cells(10, "a lock held for 5 s", hold_a_lock, ("L1",), CLUSTER, in_short=False),
    *cells(10, "connections exhausted", exhaust_connections, ("L1",), CLUSTER, in_short=False),
    *cells(13, "power loss", lose_power, ("L1",), CLUSTER),
]
