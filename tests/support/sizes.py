"""The `sizes` step: what strangers load, measured as the running program serves it."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import brotli

from tests.support.demo import DemoProgram
from tests.support.steps import Verdict

LOADER_LIMIT = 4_000
PANEL_LIMIT = 25_000
LOCALES = ("en", "sl")
IMPORTED = re.compile(rb"""(?:\bfrom|\bimport|@import(?:\s+url\()?)\s*["']([^"']+\.(?:js|css))["']""")
IMPORTED_LATE = re.compile(rb"""\bimport\(["'`]([^"'`?]+\.js)""")


class _Linked(HTMLParser):
    """Addresses of what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        url = values.get("href") if tag in ("link", "use") else values.get("src")
        if url and not url.startswith(("#", "data:")):
            self.urls.append(url.split("#")[0])


def measure_sizes() -> Verdict:
    program = DemoProgram()
    try:
        program.start()
        page = _get(program.site)[0].decode()
        found = re.search(r'src="([^"]+/w/[^"]+/loader\.js)"', page)
        if found is None:
            return Verdict(0, 1, "the demo page has no script tag of the loader")
        loader_url = urljoin(program.site, found[1])
        loader = _get(loader_url)[1]
        late: dict[str, int] = {}
        panels = {locale: panel_parts(loader_url.removesuffix("/loader.js"), locale, late) for locale in LOCALES}
    finally:
        program.remove()
    figures = [("loader", loader, LOADER_LIMIT)]
    figures += [(f"panel {locale}", sum(parts.values()), PANEL_LIMIT) for locale, parts in panels.items()]
    lines = ["brotli:", *(f"  {name:<8} {size:>6} B of {limit}" for name, size, limit in figures)]
    names = sorted(panels[LOCALES[0]], key=lambda name: -panels[LOCALES[0]][name])
    for name in names:
        sizes = dict.fromkeys(parts[name] for parts in panels.values())
        lines.append(f"  {' / '.join(map(str, sizes)):>13} B  {name}")
    failed = sum(size > limit for _, size, limit in figures)
    lines += [f"  {size:>13} B  {name}, not before it is needed: not counted" for name, size in late.items()]
    return Verdict(len(figures) - failed, failed, "\n".join(lines), is_figure=True)


def panel_parts(frame_url: str, locale: str, late: dict[str, int]) -> dict[str, int]:
    """Everything the frame loads, modules and style sheets that others import included: name -> bytes. `late` is told
    of modules that are imported only when something calls for them."""
    text, size = _get(f"{frame_url}?lang={locale}")
    if f'<html lang="{locale}"' not in text.decode():
        raise ValueError(f"the frame does not speak {locale}")
    parts = {"frame.html": size}
    linked = _Linked()
    linked.feed(text.decode())
    waiting = [urljoin(frame_url, url) for url in linked.urls]
    while waiting:
        url = waiting.pop()
        name = _name(url)
        if name in parts:
            continue
        body, parts[name] = _get(url)
        if url.endswith((".js", ".css")):
            waiting += [urljoin(url, found.decode()) for found in IMPORTED.findall(body)]
            for found in IMPORTED_LATE.findall(body):
                address = urljoin(url, found.decode())
                late[_name(address)] = _get(address)[1]
    return parts


def _name(url: str) -> str:
    return url.split("/", 5)[-1]


def _get(url: str) -> tuple[bytes, int]:
    """Body, and its size on the wire; what goes out uncompressed counts as brotli 11 would make it."""
    request = Request(url, headers={"Accept-Encoding": "br"})  # noqa: S310 — our own program on loopback
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        body: bytes = answer.read()
        if answer.headers.get("Content-Encoding") == "br":
            return brotli.decompress(body), len(body)
    return body, len(brotli.compress(body, quality=11))
