"""Two servers behind nginx and Caddy as the README shows them: the same conversation as without, over TLS too."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.databases import PostgresMaker
from tests.support.proxies import Nginx
from tests.support.servers import RedisServer
from tests.support.serving import Desk
from tests.support.views import View, begin

TRUST = {"NIGHTDESK_TRUSTED_PROXIES": "127.0.0.0/8"}


@pytest.fixture
async def nginx() -> AsyncIterator[Nginx]:
    proxy = Nginx()
    yield proxy
    await asyncio.to_thread(proxy.remove)


@pytest.fixture
async def desk(postgres_maker: PostgresMaker, redis_server: RedisServer, nginx: Nginx) -> AsyncIterator[Desk]:
    desk = Desk(postgres_maker.make(empty=True), redis_server.url, nginx.base_url, **TRUST)
    try:
        await asyncio.to_thread(desk.prepare)
        yield desk
    finally:
        await asyncio.to_thread(desk.remove)


async def test_people_talk_through_nginx(desk: Desk, nginx: Nginx) -> None:
    servers = [await asyncio.to_thread(desk.serve) for _ in range(2)]
    nginx.configure([server.port for server in servers])
    await asyncio.to_thread(nginx.start)
    ann = View(desk.base_url, [nginx.base_url])
    omar = View(desk.base_url, [nginx.base_url], link=await asyncio.to_thread(desk.sign_in_link, "Omar"))
    living = [asyncio.create_task(view.live()) for view in (ann, omar)]
    try:
        await omar.until(lambda: omar.attended, "Omar attends")
        await begin(ann, [omar], "hello")
        await omar.say("good evening")
        await ann.until(lambda: ann.texts() == ["hello", "good evening"], "the answer")
    finally:
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
        if omar.browser is not None:
            await omar.browser.aclose()
