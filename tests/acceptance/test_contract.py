"""The delivery contract, a test for each sentence: on SQLite with one process, on PostgreSQL with three and Redis.
Those of presence and access (9 and 12) are in `test_contract_presence.py` and `test_contract_access.py`; the one of
mail and webhooks (11) comes with them.

What a sentence needs to be true is broken under load by a cell of the fault matrix; a judge reads what every client saw
and what is stored.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.matrix import clients, postgresql_faults, processes, redis_faults, sqlite_faults
from tests.acceptance.matrix.scene import Fault
from tests.acceptance.matrix.stage import SITE
from tests.acceptance.matrix.stages import Stages
from tests.support.bad_clients import Place, away_from_much
from tests.support.clock import FakeClock
from tests.support.judge import VERDICTS
from tests.support.program import Client, program

both = pytest.mark.parametrize("store", ["sqlite", "postgresql"])


def require(stages: Stages, store: str, *faults: Fault, verdicts: tuple[str, ...] = VERDICTS) -> None:
    for fault in faults:
        result = stages.of(fault, store)
        assert result.messages > 0, f"nobody said anything: {result.why}"
        assert {verdict: getattr(result, verdict) for verdict in verdicts} == dict.fromkeys(verdicts, 0), result.why
        assert result.passed, result.why


@both
def test_1_acknowledged_is_durable(stages: Stages, store: str) -> None:
    power = sqlite_faults.lose_power if store == "sqlite" else postgresql_faults.lose_power
    require(stages, store, processes.kill_all, power, verdicts=("lost",))


@both
def test_2_once_on_screen(stages: Stages, store: str) -> None:
    """In the visitor's tabs and the operators' consoles, while all of them lose their lines and come back."""
    require(stages, store, processes.return_at_once, verdicts=("lost", "doubled", "misdelivered"))


@both
def test_3_one_order(stages: Stages, store: str) -> None:
    fault = sqlite_faults.write_beside if store == "sqlite" else processes.kill_a_hub
    require(stages, store, fault, verdicts=("reordered", "holes"))


@both
def test_4_resending_is_safe(stages: Stages, store: str) -> None:
    require(stages, store, clients.say_it_again, verdicts=("lost", "doubled"))


@both
def test_5_no_window_of_loss(stages: Stages, store: str) -> None:
    """Who was away while more was said than fits a page gets all of it, in pages, from any hub."""
    stage = stages.stage(store)
    places = [Place(hub.base_url, stage.desk.base_url, SITE) for hub in stage.hubs]
    seen, stored = asyncio.run(away_from_much(places))
    assert seen == list(range(1, stored + 1))
    assert stored > 300


async def test_5_no_window_of_loss_after_thirty_days(tmp_path: Path, clock: FakeClock) -> None:
    async with program(tmp_path, clock=clock) as running:
        ann = await running.visitor_who_said("before the journey")
        tab = await running.visitor(token=ann.token)
        for number in range(5):
            await tab.say(f"while away {number}", conversation=ann.conversation)
        last = max(entry["seq"] for entry in ann.entries())
        await ann.leave()
        for number in range(5):
            await tab.say(f"still away {number}", conversation=ann.conversation)
        clock.advance(timedelta(days=30).total_seconds())
        again = await running.visitor(token=ann.token, conversation=ann.conversation, last_seen=last)
        await again.until("paged")
        assert again.welcomed["known"]
        assert texts_of(again) == [text for text in texts_of(tab) if text not in texts_of(ann)]


def texts_of(client: Client) -> list[str]:
    return [entry["text"] for entry in client.entries() if entry["kind"] == "message"]


@pytest.mark.parametrize(
    "fault",
    [
        *(redis_faults.kill_redis, redis_faults.flush_redis, redis_faults.hang_redis),
        *(redis_faults.orphan_the_link, redis_faults.cut_from_redis),
    ],
)
def test_6_the_bus_is_optional_for_truth(stages: Stages, fault: Fault) -> None:
    require(stages, "postgresql", fault)


def test_7_a_dead_hub_is_a_hiccup(stages: Stages) -> None:
    require(stages, "postgresql", processes.kill_a_hub)


@both
def test_8_deploys_are_invisible(stages: Stages, store: str) -> None:
    """With one process there is a pause; nothing else."""
    require(stages, store, processes.restart_alone if store == "sqlite" else processes.restart_in_turn)


@both
def test_10_one_bad_client_hurts_nobody(stages: Stages, store: str) -> None:
    require(stages, store, clients.behave_badly)


@both
def test_13_when_it_cannot_it_says_so(stages: Stages, store: str) -> None:
    if store == "sqlite":
        require(stages, store, sqlite_faults.fill_the_disk)
    else:
        require(stages, store, postgresql_faults.become_read_only, postgresql_faults.restart_at_once)
