"""The widget in pages that make life hard: it opens, it talks, and it leaves the page alone."""

import pytest
from playwright.async_api import ConsoleMessage, Error, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.hosts import HostServer
from tests.browser.visiting import bubble, open_panel, panel, say, start

pytestmark = pytest.mark.usefixtures("colleague")

REFUSE_STORAGE = """
for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches']) {
  Object.defineProperty(window, name, { get() { throw new DOMException('It is insecure.', 'SecurityError') } })
}
Object.defineProperty(document, 'cookie', { get() { throw new DOMException('no', 'SecurityError') }, set() {} })
"""


class Complaints:
    """What the page's console had to say: errors of ours are faults."""

    def __init__(self, page: Page) -> None:
        self.heard: list[str] = []
        page.on("pageerror", self._on_error)
        page.on("console", self._on_console)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.heard.append(f"{message.text} {message.location}")

    def _on_error(self, error: Error) -> None:
        self.heard.append(f"{error.message} {error.stack}")


@pytest.mark.parametrize("name", ["plain", "strict-csp", "unset", "polluted", "rtl", "two-loaders"])
async def test_a_visitor_talks_on_a_difficult_page(visitor: Page, host: HostServer, name: str) -> None:
    complaints = Complaints(visitor)
    await visitor.goto(host.url(name))
    await open_panel(visitor)
    await start(visitor, f"Hello from {name}")
    await say(visitor, "One more thing")
    await panel(visitor).get_by_role("button", name="Close").click()
    await expect(visitor.locator("#nightdesk iframe")).to_be_hidden()
    await expect(bubble(visitor)).to_be_focused()
    assert complaints.heard == []


async def test_the_bubble_is_where_and_as_large_as_it_should_be(visitor: Page, host: HostServer) -> None:
    for name in ("plain", "unset"):
        await visitor.goto(host.url(name))
        await expect(bubble(visitor)).to_be_visible()
        box = await bubble(visitor).bounding_box()
        size = visitor.viewport_size
        assert box is not None
        assert size is not None
        assert (box["width"], box["height"]) == (56, 56)
        assert size["width"] - box["x"] - box["width"] <= 24
        assert size["height"] - box["y"] - box["height"] <= 24


async def test_on_a_page_from_right_to_left_the_bubble_is_at_the_left(visitor: Page, host: HostServer) -> None:
    await visitor.goto(host.url("rtl"))
    await expect(bubble(visitor)).to_be_visible()
    box = await bubble(visitor).bounding_box()
    assert box is not None
    assert box["x"] <= 24
    frame = await open_panel(visitor)
    await expect(frame.locator("html")).to_have_attribute("dir", "rtl")


async def test_a_second_loader_does_nothing(visitor: Page, host: HostServer) -> None:
    async with visitor.expect_console_message(lambda message: "already on this page" in message.text):
        await visitor.goto(host.url("two-loaders"))
    await expect(bubble(visitor)).to_have_count(1)


async def test_a_swapped_body_keeps_bubble_and_conversation(visitor: Page, host: HostServer) -> None:
    await visitor.goto(host.url("swapped-body", same_site=True))
    await open_panel(visitor)
    await start(visitor, "Before the swap")
    await visitor.evaluate("swap()")
    await expect(visitor.get_by_role("heading", name="After")).to_be_visible()
    await expect(bubble(visitor)).to_have_count(1)
    await expect(panel(visitor).get_by_role("log").get_by_text("Before the swap")).to_be_visible()
    await say(visitor, "After the swap")


async def test_refused_storage_costs_only_memory(new_context: NewContext, host: HostServer) -> None:
    context = await new_context()
    await context.add_init_script(REFUSE_STORAGE)
    page = await context.new_page()
    complaints = Complaints(page)
    await page.goto(host.url("plain", same_site=True))
    await open_panel(page)
    await start(page, "Nothing is kept here")
    await say(page, "And still it works")
    assert complaints.heard == []


async def test_a_call_before_the_loader_is_kept_and_a_wrong_one_never_throws(visitor: Page, host: HostServer) -> None:
    complaints = Complaints(visitor)
    await visitor.add_init_script(
        "window.nightdesk = (...call) => (nightdesk.q = nightdesk.q || []).push(call); nightdesk('open')"
    )
    await visitor.goto(host.url("plain"))
    await expect(panel(visitor).get_by_role("button", name="Open a ticket").first).to_be_visible()
    assert await visitor.evaluate("nightdesk('isOpen')") is True
    await visitor.evaluate("nightdesk('no such call')")
    await visitor.evaluate("nightdesk('on', 'open', 'no function')")
    assert complaints.heard == []


async def test_a_foreign_site_gets_neither_frame_nor_socket(visitor: Page, host: HostServer) -> None:
    """W2: the page asks under a name that is not of the site."""
    foreign = host.url("frame-only").replace("//localhost:", "//mallory.localhost:")
    await visitor.goto(foreign)
    address = f"{host.loader_origin}/w/{host.site_key}"
    await visitor.evaluate("(url) => { document.getElementById('framed').src = url }", address)
    frame = visitor.frame_locator("#framed")
    await expect(visitor.locator("#framed")).to_be_visible()
    await expect(frame.locator("#panel")).to_have_count(0)


async def test_a_strangers_messages_have_no_effect(visitor: Page, host: HostServer) -> None:
    """W9: fifty messages from the page itself, none through the private port."""
    await visitor.goto(host.url("plain"))
    frame = await open_panel(visitor)
    await visitor.evaluate(
        """() => {
          const target = document.querySelector('#nightdesk').shadowRoot.querySelector('iframe').contentWindow
          for (let i = 0; i < 50; i++) {
            const t = ['close', 'logout', 'prefill', 'nightdesk:init', 'ticket'][i % 5]
            target.postMessage({ t, text: 'stolen', subject: 'stolen' }, '*', [new MessageChannel().port1])
            window.postMessage({ t: 'nightdesk:hello' }, '*')
          }
        }"""
    )
    await expect(frame.get_by_role("button", name="Ask a quick question")).to_be_visible()
    await expect(frame.get_by_text("stolen")).to_have_count(0)
    await start(visitor, "Still mine")
