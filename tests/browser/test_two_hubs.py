"""Two browsers on two servers behind nginx: they talk while one server after the other is killed, over WebSockets, and
over long polls where the proxy lets no WebSocket pass."""

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.browser.hosts import HostServer
from tests.browser.scenes import answer, attend, log, take, texts_in, thread
from tests.browser.visiting import open_panel, panel, say, start
from tests.support.databases import PostgresMaker
from tests.support.needs import need_servers
from tests.support.proxies import Nginx
from tests.support.servers import RedisServer
from tests.support.serving import Desk, Process

METRICS_TOKEN = "a token for tests only"
ROLE = re.compile(r'nightdesk_connections\{role="(\w+)"\} (\d+)')
LATE = 30_000
AWAY = """() => {
  window.wasAway = false
  const look = () => { window.wasAway ||= document.documentElement.dataset.line !== 'live' }
  new MutationObserver(look).observe(document.documentElement, { attributeFilter: ['data-line'] })
}"""
"""Notes that the console told of a lost line."""


class Place:
    """A desk behind nginx, and a page of a stranger with its widget."""

    def __init__(self, desk: Desk, nginx: Nginx, page: str) -> None:
        self.desk = desk
        self.nginx = nginx
        self.page = page

    async def holders(self) -> dict[str, list[Process]]:
        """Who holds the sockets of each role."""
        found: dict[str, list[Process]] = {"visitor": [], "operator": []}
        for server in self.desk.processes:
            for role, count in ROLE.findall(await asyncio.to_thread(metrics_of, server)):
                found.setdefault(role, []).extend([server] * int(count))
        return found

    async def kill(self, server: Process) -> None:
        await asyncio.to_thread(server.end, signal.SIGKILL)


def metrics_of(server: Process) -> str:
    request = Request(  # noqa: S310 — ours
        f"{server.base_url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}
    )
    with urlopen(request, timeout=10) as answer:  # noqa: S310 — ours
        return str(answer.read().decode())


@contextmanager
def opened(maker: PostgresMaker, redis: RedisServer, *, websockets: bool) -> Iterator[Place]:
    need_servers()
    nginx = Nginx(websockets=websockets)
    host = HostServer()
    host.loader_origin = nginx.base_url
    desk = Desk(maker.make(), redis.url, nginx.base_url, NIGHTDESK_METRICS_TOKEN=METRICS_TOKEN)
    try:
        host.start()
        desk.command("site", "add", "--key", host.site_key, "--name", "P", "--origin", host.same_site_origin)
        for _ in range(2):
            desk.serve()
        nginx.configure([server.port for server in desk.processes])
        nginx.start()
        yield Place(desk, nginx, host.url("plain", same_site=True))
    finally:
        nginx.remove()
        desk.remove()
        host.stop()


@pytest.fixture
def open_road(postgres_maker: PostgresMaker, redis_server: RedisServer) -> Iterator[Place]:
    with opened(postgres_maker, redis_server, websockets=True) as place:
        yield place


@pytest.fixture
def narrow_road(postgres_maker: PostgresMaker, redis_server: RedisServer) -> Iterator[Place]:
    with opened(postgres_maker, redis_server, websockets=False) as place:
        yield place


def texts(numbers: int) -> list[str]:
    return [f"message {number}" for number in range(numbers)]


async def expect_same(visitor: Page, operator: Page, expected: list[str]) -> None:
    """Both show these messages of the visitor, each once and in this order, and nobody was told of trouble."""
    for text in expected:
        await expect(thread(operator).get_by_text(text, exact=True)).to_be_visible(timeout=LATE)
        await expect(log(visitor).get_by_text(text, exact=True)).to_be_visible(timeout=LATE)
    assert await texts_in(thread(operator), ".message--visitor .message__bubble") == expected
    shown = await texts_in(log(visitor), ".message")
    assert [text for text in shown if text.startswith("message ")] == expected
    await expect(panel(visitor).locator("[data-state=pending], [data-state=failed], .failure")).to_have_count(0)


async def write(visitor: Page, text: str) -> None:
    """Sends without waiting for the acknowledgement."""
    box = panel(visitor).get_by_role("textbox", name="Message")
    await box.fill(text)
    await box.press("Enter")


async def test_scene_5_on_two_hubs_while_one_is_killed_and_the_other_retires(
    open_road: Place, visitor: Page, operator: Page
) -> None:
    await attend(operator, await asyncio.to_thread(open_road.desk.sign_in_link, "Omar"))
    at = (await open_road.holders())["operator"][0]
    await visitor.goto(open_road.page)
    await open_panel(visitor)
    while (await open_road.holders())["visitor"] in ([], [at]):
        await visitor.reload()
        await open_panel(visitor)
    await start(visitor, "message 0")
    await take(operator, "message 0")
    await say(visitor, "message 1")
    other = next(server for server in open_road.desk.processes if server is not at)

    await open_road.kill(other)
    for text in texts(4)[2:]:
        await write(visitor, text)
    await expect_same(visitor, operator, texts(4))
    await asyncio.to_thread(other.start)

    # It says so before it goes: nobody notices.
    await operator.evaluate(AWAY)
    retiring = asyncio.create_task(asyncio.to_thread(at.end, signal.SIGTERM))
    await write(visitor, "message 4")
    await answer(operator, "All here.")
    await retiring
    await write(visitor, "message 5")
    await expect(log(visitor).get_by_text("All here.", exact=True)).to_be_visible(timeout=LATE)
    await expect_same(visitor, operator, texts(6))
    assert await operator.evaluate("window.wasAway") is False
    assert await texts_in(thread(operator), ".message--operator .message__bubble") == ["All here."]


async def test_scene_5_over_long_polls_while_a_hub_is_killed(narrow_road: Place, visitor: Page, operator: Page) -> None:
    heard: list[str] = []
    polls: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda _frame: heard.append(socket.url))

    for page in (visitor, operator):
        page.on("websocket", listen)
        page.on("request", lambda request: polls.append(request.url) if "/poll?" in request.url else None)
    await attend(operator, await asyncio.to_thread(narrow_road.desk.sign_in_link, "Omar"))
    await visitor.goto(narrow_road.page)
    await open_panel(visitor)
    await start(visitor, "message 0")
    await take(operator, "message 0")
    await answer(operator, "Good evening.")
    await expect(log(visitor).get_by_text("Good evening.", exact=True)).to_be_visible()
    # Short-lived news are missed between two polls, and told again while somebody types.
    typing = panel(visitor).locator(".typing")
    for _ in range(11):
        await operator.locator("#composer-text").press_sequentially("So …", delay=120)
        if await typing.is_visible():
            break
    await expect(typing).to_be_visible()
    await operator.locator("#composer-text").fill("")
    await say(visitor, "message 1")

    await narrow_road.kill(narrow_road.desk.processes[0])
    for text in texts(4)[2:]:
        await write(visitor, text)
    await expect_same(visitor, operator, texts(4))
    await answer(operator, "All here.")
    await expect(log(visitor).get_by_text("All here.", exact=True)).to_be_visible(timeout=LATE)
    assert await texts_in(thread(operator), ".message--operator .message__bubble") == ["Good evening.", "All here."]
    assert await texts_in(log(visitor), '[data-from="operator"] .message') == ["Good evening.", "All here."]

    # What was found out once is known on the next page: nobody waits for a WebSocket again.
    lines: list[str] = []
    for page in (visitor, operator):
        page.on("websocket", lambda socket: lines.append(socket.url))
        page.on("request", lambda request: lines.append(request.url) if "/poll?" in request.url else None)
        lines.clear()
        await page.reload()
        await expect(page.locator("#nightdesk, .strip")).to_be_attached()
        while not lines:
            await page.wait_for_event("request", lambda request: "/poll?" in request.url)
        assert "/poll?" in lines[0]
    await expect(operator.locator(".strip").get_by_text("Connected")).to_be_visible()
    await expect_same(visitor, operator, texts(4))
    assert heard == []
    assert {url.split("/poll?")[0].split("/")[-1] for url in polls} == {"hosts", "console"}
