"""Real Chromium against the real program.

`demo` is one program for all tests; a test that kills it makes its own with `DemoProgram`. `visitor` and `operator` are
pages in browser contexts of their own, as two people at two computers.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.browser.axe import Axe
from tests.browser.hosts import HostServer
from tests.support.demo import DemoProgram
from tests.support.duty import Duty, on_duty
from tests.support.needs import browser_path, need_browser, need_npm_packages

ARTIFACTS = Path(__file__).parent / "artifacts"
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
POLICY_BROKEN = re.compile("Content Security Policy|Trusted(?:HTML|Script)")
FAILED = pytest.StashKey[bool]()
expect.set_options(timeout=30_000)
NewContext = Callable[..., Awaitable[BrowserContext]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop, and so one Chromium, for all tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def demo() -> Iterator[DemoProgram]:
    program = DemoProgram()
    try:
        program.start()
        yield program
    finally:
        program.remove()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def colleague(demo: DemoProgram) -> AsyncIterator[Duty]:
    """Somebody is on duty in the shared program as long as a test asked for it once."""
    async with on_duty(demo) as duty:
        yield duty


@pytest.fixture
def own_demo() -> Iterator[DemoProgram]:
    """A program of this test alone: nobody else is on duty, and it may be killed."""
    program = DemoProgram()
    try:
        program.start()
        yield program
    finally:
        program.remove()


@pytest.fixture(scope="session")
def host(demo: DemoProgram) -> Iterator[HostServer]:
    """Pages of other web sites, on an origin that is a site of the demo."""
    server = HostServer()
    server.loader_origin = demo.origin
    server.start()
    origins = [part for origin in (server.origin, server.same_site_origin) for part in ("--origin", origin)]
    demo.run("site", "add", "--key", server.site_key, "--name", "Host pages", *origins)
    try:
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    need_npm_packages()
    need_browser()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=CHROMIUM)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_context(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[NewContext]:
    """Makes browser contexts; pictures of their pages are kept when the test fails.

    No test may end with a page that broke its own policy, whatever else it proves.
    """
    contexts: list[BrowserContext] = []
    broken: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if POLICY_BROKEN.search(message.text) and "frame-ancestors" not in message.text:
            broken.append(f"{message.text} ({message.location['url']})")

    async def make(**options: Any) -> BrowserContext:
        context = await browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Ljubljana"} | options)
        context.set_default_timeout(30_000)
        context.on("console", listen)
        contexts.append(context)
        return context

    yield make
    if request.node.stash.get(FAILED, False):
        await _keep_pictures(request.node.name, contexts)
    for context in contexts:
        await context.close()
    assert broken == []


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(new_context: NewContext) -> Page:
    return await (await new_context()).new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def operator(new_context: NewContext) -> Page:
    return await (await new_context()).new_page()


@pytest.fixture
def open_visitor(demo: DemoProgram) -> Callable[[Page], Awaitable[None]]:
    """The demo page, loaded."""

    async def open_page(page: Page) -> None:
        await page.goto(demo.site)

    return open_page


@pytest.fixture
def open_console(demo: DemoProgram) -> Callable[[Page], Awaitable[None]]:
    """The console, signed in as a new operator by a link that works once."""

    async def open_page(page: Page) -> None:
        await sign_in(page, demo.sign_in_link())

    return open_page


@pytest.fixture
def axe() -> Axe:
    return Axe()


async def sign_in(page: Page, link: str) -> None:
    """Follow a link that works once; the console is open when this returns."""
    await page.goto(link)
    await page.locator("main form button").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
    return report


async def _keep_pictures(test: str, contexts: list[BrowserContext]) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", test)[:80]
    for context in contexts:
        for page in context.pages:
            await page.screenshot(path=ARTIFACTS / f"{name}-{uuid4().hex[:6]}.png", timeout=5000)
