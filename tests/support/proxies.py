"""nginx and Caddy with the files of tests/proxies, which the README shows: only addresses and folders are replaced."""

import os
import signal
import socket
import ssl
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.needs import program
from tests.support.servers import Server, free_port
from tests.support.shown import filled


class Proxy(Server):
    """`configure` with the ports of the servers behind it, then `start`. It writes its file anew each time."""

    base_url: str

    @abstractmethod
    def configure(self, upstreams: Sequence[int]) -> None: ...

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


class Nginx(Proxy):
    """With `certificate` and its key it speaks TLS, else plain HTTP. `websockets=False` is a proxy whose owner forgot
    the upgrade. `changes` replaces more of the file.
    """

    name = "nginx"

    def __init__(
        self,
        *,
        certificate: tuple[Path, Path] | None = None,
        websockets: bool = True,
        changes: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.plain_port = free_port()
        self._certificate = certificate
        self._websockets = websockets
        self._changes = dict(changes or {})
        self.base_url = f"https://localhost:{self.port}" if certificate else f"http://127.0.0.1:{self.port}"

    def configure(self, upstreams: Sequence[int]) -> None:
        self._file.write_text(filled("proxies/nginx.conf", self._places(upstreams) | self._changes), encoding="utf-8")

    def reload(self) -> None:
        """It reads its file again."""
        self._signal(signal.SIGHUP)

    def command(self) -> list[str]:
        return [program("nginx"), "-c", str(self._file), "-p", str(self.folder), "-e", "stderr", "-g", "daemon off;"]

    @property
    def _file(self) -> Path:
        return self.folder / "nginx.conf"

    def _places(self, upstreams: Sequence[int]) -> dict[str, str]:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"    {kind}_temp_path {self.folder}/{kind};\n" for kind in kinds)
        servers = {
            f"        server 127.0.0.1:{shown} {options};\n": "".join(
                f"        server 127.0.0.1:{port} {options};\n" for port in ports
            )
            for options in ("max_fails=1 fail_timeout=2s", "max_fails=0 backup")
            for shown, ports in ((8000, upstreams), (8001, ()))
        }
        places = {
            "user www-data;": "user root;" if os.geteuid() == 0 else "",
            "/run/nginx.pid": f"{self.folder}/pid",
            "/var/log/nginx/error.log": "stderr",
            "http {\n": "http {\n" + folders,
            **servers,
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            # One machine plays all the visitors.
            "limit_conn addresses 200;": "limit_conn addresses 30000;",
        }
        if self._certificate is None:
            places |= {
                "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port};",
                "        ssl_certificate /etc/ssl/chat.example.com.pem;\n": "",
                "        ssl_certificate_key /etc/ssl/chat.example.com.key;\n": "",
            }
        else:
            certificate, key = self._certificate
            places |= {
                "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port} ssl http2;",
                "/etc/ssl/chat.example.com.pem": str(certificate),
                "/etc/ssl/chat.example.com.key": str(key),
            }
        if not self._websockets:
            places["        proxy_set_header Upgrade $http_upgrade;\n"] = ""
            places["default upgrade;"] = "default close;"
        return places


class Caddy(Proxy):
    """Ends TLS with a certificate of its own authority, whose root is `authority`."""

    name = "caddy"

    def __init__(self) -> None:
        super().__init__()
        self.base_url = f"https://localhost:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "pki" / "authorities" / "local" / "root.crt"

    def is_ready(self) -> bool:
        """It accepts before it has its certificate, and then ends each handshake."""
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), 1) as line,
                anybody.wrap_socket(line, server_hostname="localhost"),
            ):
                return True
        except OSError:
            return False

    def configure(self, upstreams: Sequence[int]) -> None:
        ours = f"admin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tstorage file_system {self.folder}\n"
        places = {
            "\tgrace_period 20s\n": f"\tgrace_period 20s\n\t{ours}",
            "chat.example.com {\n": f"{self.base_url} {{\n\ttls internal\n",
            "127.0.0.1:8000 127.0.0.1:8001": " ".join(f"127.0.0.1:{port}" for port in upstreams),
        }
        self._file.write_text(filled("proxies/Caddyfile", places), encoding="utf-8")

    def command(self) -> list[str]:
        return [program("caddy"), "run", "--config", str(self._file), "--adapter", "caddyfile"]

    @property
    def _file(self) -> Path:
        return self.folder / "Caddyfile"
