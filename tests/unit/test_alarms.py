"""The example alarms name metrics, labels and codes that exist."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

import chat.metrics
from chat.metrics import names
from chat.protocol.closing import Closing

RULES = yaml.safe_load((Path(chat.metrics.__file__).parent / "alarms.yml").read_text(encoding="utf-8"))
ENDS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SERIES = {one.name + end: one for one in names.ALL for end in ENDS[one.kind]}


def alarms() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def test_every_metric_that_an_alarm_names_exists() -> None:
    for alarm in alarms():
        found = set(re.findall(r"nightdesk_\w+", alarm["expr"]))
        assert found <= set(SERIES), alarm["alert"]
        assert found or "up{" in alarm["expr"]


def test_every_label_and_code_that_an_alarm_names_exists() -> None:
    codes = {str(closing.code) for closing in Closing}
    for alarm in alarms():
        for series, selectors in re.findall(r"(nightdesk_\w+)\{([^}]*)\}", alarm["expr"]):
            for label, value in re.findall(r'(\w+)(?:!~|=~|!=|=)"([^"]*)"', selectors):
                assert label in SERIES[series].labels
                assert label != "code" or value in codes


def test_every_alarm_says_what_happened_and_how_urgent_it_is() -> None:
    seen = [alarm["alert"] for alarm in alarms()]
    assert len(set(seen)) == len(seen) >= 15
    for alarm in alarms():
        assert alarm["labels"]["severity"] in ("page", "warn")
        assert alarm["annotations"]["summary"].endswith((".", "?"))
