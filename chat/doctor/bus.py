"""The bus both ways, on the connections and with the rights that the program itself uses."""

import asyncio
from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError

from chat.doctor.finding import Finding
from chat.hub.redis_line import RedisLine
from chat.settings import Settings

WITHIN_SECONDS = 5.0
MEND = "Check NIGHTDESK_REDIS_URL and that the server runs. Chat goes on meanwhile, up to 1 s slower."


async def ask_bus(settings: Settings) -> Finding:
    if settings.redis_url is None:
        return Finding("bus", True, "in memory: one process. For more set NIGHTDESK_REDIS_URL.")
    lines: list[RedisLine] = []
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            return await _both_ways(settings.redis_url, lines)
    except (RedisError, OSError, TimeoutError) as error:
        return Finding("bus", False, f"Redis does not answer ({type(error).__name__})", MEND)
    finally:
        for line in lines:
            await line.close()


async def _both_ways(url: str, lines: list[RedisLine]) -> Finding:
    channel, word = f"nightdesk:doctor:{uuid4().hex}".encode(), b"both ways"
    heard: asyncio.Queue[Any] = asyncio.Queue()
    for command in ((b"SUBSCRIBE", channel), (b"PUBLISH", channel, word)):
        lines.append(await RedisLine.open(url, heard.put_nowait, lambda: heard.put_nowait(ConnectionError())))
        lines[-1].write([command])
        if command[0] == b"SUBSCRIBE" and (refused := _refusal(await heard.get())):
            return refused
    while True:
        reply = await heard.get()
        if refused := _refusal(reply):
            return refused
        if isinstance(reply, list) and reply[:3] == [b"message", channel, word]:
            return Finding("bus", True, "Redis, heard both ways")


def _refusal(reply: Any) -> Finding | None:
    if not isinstance(reply, Exception):
        return None
    if isinstance(reply, ConnectionError):
        raise reply
    code = str(reply).partition(" ")[0]
    mend = "The user needs PUBLISH, SUBSCRIBE, UNSUBSCRIBE and PING on the channels nightdesk:* (chat/hub/README.md)."
    return Finding("bus", False, f"Redis refuses ({code})", mend)
