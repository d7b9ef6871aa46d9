"""`python -m tests.support.load`: a crowd that obeys lines of JSON on its input and answers each with one.

The first line is the plan. Then `{"do": "talk", "per_second": 20}` and the like, see `COMMANDS`. It ends with its
input.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any

from tests.support.load.crowd import Crowd, Plan

Answer = dict[str, Any]


async def begin(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.begin(asked["seconds"])
    return {"sockets": sum(one.live for one in crowd)}


async def talk(crowd: Crowd, asked: Answer) -> Answer:
    crowd.talk(asked["per_second"])
    return {}


async def settle(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.settle(asked["seconds"])
    return {}


async def caught_up(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.caught_up(asked["heads"], asked["seconds"])
    return {}


async def state(crowd: Crowd, asked: Answer) -> Answer:
    crowd.flush()
    return {
        "sockets": sum(one.live for one in crowd),
        "away": sum(not one.live and not one.gone for one in crowd),
        "unsent": sum(len(one.unsent) for one in crowd),
        "said": crowd.said,
        "counts": crowd.world.counts,
        "processor_seconds": process_time(),
    }


async def all_live(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.until_each(lambda one: one.live, asked["seconds"], "everybody is back")
    return {}


async def drop(crowd: Crowd, asked: Answer) -> Answer:
    return {"dropped": crowd.drop(asked["share"], asked["within"])}


async def spread(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.spread(asked["seconds"])
    return {}


async def revoked(crowd: Crowd, asked: Answer) -> Answer:
    crowd.revoked(asked["number"])
    return {}


async def gone(crowd: Crowd, asked: Answer) -> Answer:
    leaving = [crowd.operators[number] for number in asked["numbers"]]
    await crowd.until(lambda: all(one.gone for one in leaving), asked["seconds"], "their sockets are closed")
    return {}


async def by_proxy(crowd: Crowd, asked: Answer) -> Answer:
    """All sockets go by this address, whatever stands behind it."""
    crowd.links.by_proxy(list(crowd), asked["url"])
    await crowd.on_their_way(asked["seconds"])
    return {}


async def links(crowd: Crowd, asked: Answer) -> Answer:
    crowd.links.breaks_per_minute = asked.get("breaks_per_minute", 0.0)
    led = await crowd.links.lead(list(crowd), asked["share"], asked["conduct"])
    await crowd.on_their_way(asked["seconds"])
    return {"led": led}


async def behave(crowd: Crowd, asked: Answer) -> Answer:
    crowd.links.behave(asked["conduct"])
    return {}


async def strike(crowd: Crowd, asked: Answer) -> Answer:
    return {"struck": crowd.links.strike(asked["what"])}


async def replay(crowd: Crowd, asked: Answer) -> Answer:
    crowd.replay(asked["count"])
    return {}


async def wake(crowd: Crowd, asked: Answer) -> Answer:
    for client in crowd:
        client.wake()
    return {}


async def churn(crowd: Crowd, asked: Answer) -> Answer:
    crowd.churn(asked["count"])
    return {}


async def sign_out(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.sign_out(asked["number"])
    return {}


async def end(crowd: Crowd, asked: Answer) -> Answer:
    await crowd.end()
    return {}


COMMANDS: dict[str, Callable[[Crowd, Answer], Awaitable[Answer]]] = {
    command.__name__: command
    for command in (
        *(begin, talk, settle, caught_up, state, all_live, end),
        *(drop, spread, wake, churn, replay, sign_out, revoked, gone, links, by_proxy, behave, strike),
    )
}


async def obey() -> None:
    reader = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    crowd = Crowd(Plan(**json.loads(await reader.readline())))
    while line := await reader.readline():
        asked = json.loads(line)
        try:
            answer = await COMMANDS[asked["do"]](crowd, asked)
        except Exception as error:
            # The one who asked decides what it means; the crowd goes on.
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
        if asked["do"] == "end":
            return


if __name__ == "__main__":
    asyncio.run(obey())
