"""Before somebody wants to talk the widget costs its loader and nothing else."""

from collections.abc import Callable

from playwright.async_api import Page, Request, expect

from tests.browser.hosts import HostServer
from tests.browser.visiting import bubble, open_panel

SHIFT = """() => new Promise((done) => {
  let shift = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) shift += entry.value
  }).observe({ type: 'layout-shift', buffered: true })
  requestAnimationFrame(() => requestAnimationFrame(() => done(shift)))
})"""
GLOBALS = "() => Object.getOwnPropertyNames(window).filter((name) => isNaN(name)).sort()"
# The greeting comes after five seconds; anything that loads by itself would have begun by then.
GREETING_SECONDS = 6


def kept_requests() -> tuple[list[Request], Callable[[Request], None]]:
    """Requests as they come, and the listener that keeps them."""
    kept: list[Request] = []

    def keep(request: Request) -> None:
        kept.append(request)

    return kept, keep


async def test_nothing_but_the_loader_is_asked_for(visitor: Page, host: HostServer) -> None:
    asked, keep = kept_requests()
    visitor.on("request", keep)
    await visitor.clock.install()
    await visitor.goto(host.url("plain"))
    await expect(bubble(visitor)).to_be_visible()
    await visitor.clock.run_for(GREETING_SECONDS * 1000)
    await bubble(visitor).hover()
    await bubble(visitor).focus()
    assert [request.url for request in asked if request.url.startswith(host.loader_origin)] == [host.loader]

    await visitor.clock.resume()
    await open_panel(visitor)
    after = [request.url for request in asked if request.url.startswith(host.loader_origin)]
    assert f"/w/{host.site_key}?" in after[1]


async def test_no_byte_goes_to_anybody_else(visitor: Page, host: HostServer) -> None:
    asked, keep = kept_requests()
    visitor.on("request", keep)
    await visitor.goto(host.url("plain"))
    await open_panel(visitor)
    origins = {"/".join(request.url.split("/")[:3]) for request in asked}
    assert origins <= {host.origin, host.loader_origin}


async def test_the_page_does_not_move(visitor: Page, host: HostServer) -> None:
    await visitor.goto(host.url("plain"))
    await expect(bubble(visitor)).to_be_visible()
    assert await visitor.evaluate(SHIFT) == 0


async def test_the_host_page_gets_one_global_name(visitor: Page, host: HostServer) -> None:
    await visitor.route(f"{host.loader_origin}/**", lambda route: route.abort())
    await visitor.goto(host.url("plain"))
    without = await visitor.evaluate(GLOBALS)
    await visitor.unroute_all()
    await visitor.goto(host.url("plain"))
    await expect(bubble(visitor)).to_be_visible()
    assert set(await visitor.evaluate(GLOBALS)) - set(without) == {"nightdesk"}
