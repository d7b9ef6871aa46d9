"""Redis and PostgreSQL with the files of tests/engines, which the README shows: only addresses and folders replaced."""

import socket
import subprocess

import psycopg
from redis import Redis

from tests.support.certificates import certificate
from tests.support.needs import program
from tests.support.servers import PostgresServer, RedisServer, Server, ServerFailed, free_port
from tests.support.shown import filled

USER, PASSWORD = "nightdesk", "a-long-password"
SLOTS = 16384
HIGHEST = 55_535
"""The nodes of a cluster talk to each other on the port 10,000 above."""


class SecureRedis(Server):
    """TLS alone, and one user who may do no more than Nightdesk does."""

    name = "secure-redis"

    def __init__(self) -> None:
        super().__init__()
        self.authority, key = certificate(self.folder)
        places = {
            "bind 0.0.0.0": "bind 127.0.0.1",
            "tls-port 6379": f"tls-port {self.port}",
            "/etc/redis/redis.pem": str(self.authority),
            "/etc/redis/redis.key": str(key),
            "/etc/redis/authority.pem": str(self.authority),
            "/etc/redis/users.acl": str(self.folder / "users.acl"),
        }
        (self.folder / "redis.conf").write_text(filled("engines/redis.conf", places), encoding="utf-8")
        (self.folder / "users.acl").write_text(filled("engines/users.acl", {}), encoding="utf-8")

    def url(self, password: str = PASSWORD) -> str:
        return f"rediss://{USER}:{password}@localhost:{self.port}/0?ssl_ca_certs={self.authority}"

    def command(self) -> list[str]:
        return [program("redis-server"), str(self.folder / "redis.conf")]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


class ClusterNode(RedisServer):
    name = "redis-cluster"

    def __init__(self) -> None:
        super().__init__()
        while self.port > HIGHEST:
            self.port = free_port()

    def command(self) -> list[str]:
        return [*super().command(), "--cluster-enabled", "yes"]


class RedisCluster:
    """Three masters that share the slots."""

    def __init__(self) -> None:
        self.nodes = [ClusterNode() for _ in range(3)]

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        first, *others = (Redis.from_url(node.url) for node in self.nodes)
        share = -(-SLOTS // len(self.nodes))
        for number, client in enumerate((first, *others)):
            slots = range(number * share, min((number + 1) * share, SLOTS))
            client.execute_command("CLUSTER", "ADDSLOTS", *slots)  # type: ignore[no-untyped-call]
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)  # type: ignore[no-untyped-call]
        for client in (first, *others):
            client.close()

    def knows_all(self) -> bool:
        """Whether each node has met the others and the cluster answers for all slots."""
        for node in self.nodes:
            with Redis.from_url(node.url, decode_responses=True) as client:
                said = str(client.execute_command("CLUSTER", "INFO"))
            if "cluster_state:ok" not in said or f"cluster_known_nodes:{len(self.nodes)}" not in said:
                return False
        return True

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()


class ShownPostgres(PostgresServer):
    """With the settings that the README shows, and those of a primary when it is one of a pair."""

    name = "shown-postgresql"

    def __init__(self, *, is_primary: bool = False) -> None:
        super().__init__()
        text = filled("engines/postgresql.conf", {"shared_buffers = 1GB": "shared_buffers = 64MB"})
        self._settings = self.folder / "nightdesk.conf"
        self._settings.write_text(text, encoding="utf-8")
        self._pair = filled("engines/postgresql-pair.conf", {}) if is_primary else ""

    def command(self) -> list[str]:
        return [*super().command(), "-c", f"config_file={self._settings}"]

    def wait_for_standby(self) -> None:
        """From now on a commit waits for the standby."""
        with self._settings.open("a", encoding="utf-8") as settings:
            settings.write(self._pair)
        self.tell("SELECT pg_reload_conf()")

    def tell(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


class Standby(ShownPostgres):
    """Follows a primary from a copy of it."""

    name = "standby-postgresql"

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary

    def start(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            copied = subprocess.run(
                [
                    *(str(self._programs / "bin" / "pg_basebackup"), "--write-recovery-conf", "--checkpoint=fast"),
                    *("--host=127.0.0.1", f"--port={self._primary.port}", "--username=postgres", "--no-sync"),
                    f"--pgdata={self._data}",
                ],
                cwd=self.folder,
                capture_output=True,
                text=True,
                user=self.user,
                group=self.group,
            )
            if copied.returncode:
                raise ServerFailed(f"pg_basebackup failed: {copied.stderr[-2000:]}")
        Server.start(self)

    def promote(self) -> None:
        self.tell("SELECT pg_promote()")
