"""A small web server with pages of strangers that embed the widget, each difficult in a way of its own.

It says `localhost` where the program says `127.0.0.1`, so that the frame is a third party as it is in life, and this
Chromium refuses it any storage. `url(…, same_site=True)` is for tests that need the storage of the frame.
"""

from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

PAGES = Path(__file__).parent / "pages"


class HostServer:
    """`url("rtl")` is the address of `pages/rtl.html`."""

    def __init__(self) -> None:
        self.site_key = "hosts"
        self.loader_origin = ""
        self.asked: list[str] = []

    @cached_property
    def _server(self) -> ThreadingHTTPServer:
        return ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def origin(self) -> str:
        return f"http://localhost:{self._server.server_address[1]}"

    @property
    def loader(self) -> str:
        return f"{self.loader_origin}/w/{self.site_key}/loader.js"

    @property
    def same_site_origin(self) -> str:
        return self.origin.replace("localhost", "127.0.0.1")

    def url(self, page: str, *, same_site: bool = False) -> str:
        return f"{self.same_site_origin if same_site else self.origin}/{page}"

    def start(self) -> None:
        self._thread = Thread(target=self._server.serve_forever, name="host pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def headers(self, page: str) -> dict[str, str]:
        if page != "strict-csp":
            return {}
        # Two directives are all a site has to add for us; the rest of its policy forbids everything.
        policy = f"default-src 'none'; script-src {self.loader_origin}; frame-src {self.loader_origin}"
        return {"Content-Security-Policy": policy + "; require-trusted-types-for 'script'; trusted-types 'none'"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = self.path.split("?")[0].strip("/")
                file = PAGES / f"{page}.html"
                if file.parent != PAGES or not file.is_file():
                    # No icon is nothing to complain about in the console, where tests look for faults.
                    self.send_response(204 if page == "favicon.ico" else 404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = file.read_text(encoding="utf-8").replace("LOADER", host.loader).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                for name, value in host.headers(page).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                host.asked.append(self.path)

        return Handler
