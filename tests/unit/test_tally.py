"""What is counted is what the text format says."""

from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from chat.metrics import names
from chat.metrics.families import counter, gauge, histogram
from chat.metrics.http import HttpTally
from chat.tally import Counts, Spread
from tests.support.figures import Figures, figures


def samples(*families: object) -> Figures:
    class Given(Collector):
        def collect(self):  # type: ignore[no-untyped-def]
            return families

    return figures(generate_latest(Given()).decode())


def test_a_value_on_a_bound_belongs_to_it_and_the_last_place_takes_the_rest() -> None:
    spread = Spread((1.0, 5.0))
    for value in (0.5, 1.0, 1.1, 5.0, 700.0):
        spread.add(value)
    assert spread.counts == [2, 2, 1]
    assert spread.number == 5
    found = samples(histogram(names.COMMIT_SECONDS, {(): spread}))
    assert found["nightdesk_commit_seconds_bucket", (("le", "1.0"),)] == 2
    assert found["nightdesk_commit_seconds_bucket", (("le", "5.0"),)] == 4
    assert found["nightdesk_commit_seconds_bucket", (("le", "+Inf"),)] == 5
    assert found["nightdesk_commit_seconds_count", ()] == 5
    assert found["nightdesk_commit_seconds_sum", ()] == 707.6


def test_counts_and_gauges_carry_their_labels() -> None:
    closed = Counts()
    closed["visitor", "4008"] += 1
    closed["visitor", "4008"] += 1
    found = samples(counter(names.CONNECTIONS_CLOSED, closed), gauge(names.BUS_UP, {(): 1}))
    assert found["nightdesk_connections_closed_total", (("code", "4008"), ("role", "visitor"))] == 2
    assert found["nightdesk_bus_up", ()] == 1


def test_methods_that_nobody_has_heard_of_are_one_label() -> None:
    tally = HttpTally()
    for method in ("GET", "BREW", "PROPFIND"):
        tally.add(method, "/console", 200, 0.01)
    assert tally.requests == {("GET", "/console", "200"): 1, ("other", "/console", "200"): 2}
    assert tally.seconds["/console",].number == 3


def test_all_names_keep_the_rules() -> None:
    assert len({one.name for one in names.ALL}) == len(names.ALL)
    for one in names.ALL:
        assert one.name.startswith("nightdesk_")
        assert (one.kind == "counter") == one.name.endswith("_total")
        assert not {"id", "address", "name", "email", "visitor", "conversation"} & set(one.labels)
