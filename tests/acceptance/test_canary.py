"""The canary in the real program: it begins by itself, its figures are scraped, and it leaves no row behind."""

import re
import sqlite3
import time
from urllib.request import Request, urlopen

from tests.support.demo import DemoProgram

TOKEN = "a token of more than sixteen characters"
WITHIN = 60.0


def sung(program: DemoProgram) -> dict[str, float]:
    asked = Request(f"{program.origin}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 — ours
    with urlopen(asked, timeout=10) as answer:  # noqa: S310
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(nightdesk_canary_\w+) (\S+)$", text, re.MULTILINE)}


def test_it_sings_from_the_start_and_goes_without_a_trace() -> None:
    program = DemoProgram(NIGHTDESK_CANARY="true", NIGHTDESK_METRICS_TOKEN=TOKEN, NIGHTDESK_LOG_FORMAT="json")
    try:
        program.start()
        until = time.monotonic() + WITHIN
        while (found := sung(program))["nightdesk_canary_seconds_count"] < 2:
            assert time.monotonic() < until, program.log.read_text()
            time.sleep(0.2)  # a figure has no event to wait for
        assert found["nightdesk_canary_lost_total"] == 0
        program.stop()
        assert "canary was lost" not in program.log.read_text()
        with sqlite3.connect(program.folder / "demo" / "nightdesk.sqlite3") as connection:
            left = connection.execute("SELECT count(*) FROM conversation WHERE state = 'canary'").fetchone()
            logins = connection.execute("SELECT count(*) FROM login_session").fetchone()
        connection.close()
        assert (left, logins) == ((0,), (0,))
    finally:
        program.remove()
