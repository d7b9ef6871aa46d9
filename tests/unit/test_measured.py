"""Times are read from histories as people would feel them."""

from tests.acceptance.matrix.running import Result
from tests.acceptance.matrix.table import elsewhere, lines_of, written
from tests.support.histories import AnyEvent, Error, Gone, Invoke, Live, Lost, Shown, Who
from tests.support.measured import figures_of, percentile

ANN: list[AnyEvent] = [
    *(Who("visitor", "start", 0.0), Live(0.5)),
    *(Invoke("quick", "talk", 1.0), Shown("talk", "public", 1, "quick", 1.1)),
    *(
        Lost(1006, 2.0),
        Invoke("slow", "talk", 2.5),
        Lost(1006, 3.0),
        Live(6.0),
        Shown("talk", "public", 2, "slow", 6.1),
    ),
    *(Error("refused at-capacity", 7.0), Lost(1006, 8.0), Gone(9.0)),
]
OMAR: list[AnyEvent] = [
    *(Who("operator", "omar@desk.example", 0.0), Shown("talk", "public", 1, "quick", 1.25)),
    Shown("talk", "public", 2, "slow", 6.5),
]
FIGURES = figures_of([("ann", ANN), ("omar", OMAR)])


def test_a_delay_lasts_until_the_other_side_shows_it() -> None:
    assert FIGURES.delays == [(1.0, 0.25), (2.5, 4.0)]
    assert FIGURES.shown(2.0, 3.0) == [4.0]
    assert FIGURES.messages == 2


def test_normal_speed_is_back_when_no_later_message_was_slow() -> None:
    assert FIGURES.normal_again(2.0) == 0.5
    assert FIGURES.normal_again(3.0) == 0.0


def test_an_absence_lasts_from_the_first_loss_to_the_next_greeting() -> None:
    assert FIGURES.absences == [(2.0, 4.0, False)]
    assert FIGURES.away(2.5) == []


def test_who_was_lost_by_a_link_is_told_from_who_was_lost_by_the_server() -> None:
    lines = figures_of(
        [
            ("ann", [Lost(1006, 1.0, by_link=True), Lost(1001, 2.0), Live(4.0)]),
            ("bea", [Lost(1001, 1.0), Lost(1006, 1.5, by_link=True), Live(2.0)]),
        ]
    )
    assert (lines.away(0.0), lines.away(0.0, by_link=True), lines.away(0.0, by_link=False)) == (
        [1.0, 3.0],
        [3.0],
        [1.0],
    )


def test_errors_are_counted_from_a_moment_on() -> None:
    assert FIGURES.errors_since(0.0) == ["refused at-capacity"]
    assert FIGURES.errors_since(7.5) == []


def test_what_is_told_to_who_was_away_is_told_rightly() -> None:
    assert FIGURES.told_after_loss("refused at-capacity", 2.0) == 1
    assert FIGURES.told_after_loss("refused at-capacity", 3.5) == 0
    assert FIGURES.told_after_loss("refused not-yours", 0.0) == 0


def test_a_percentile_of_few_and_of_none() -> None:
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([], 0.5) == 0.0


def test_the_table_has_a_line_for_each_cell_and_for_what_is_not_run_here() -> None:
    cell = Result(5, "Redis | killed", "kill_redis", "L1", "postgresql", short=True, passed=True, says=["all well"])
    lines = lines_of([*elsewhere(short=True), cell.as_json()])
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert lines[2].startswith("| 5 | Redis / killed | L1 | postgresql | 0 |")
    assert lines[2].endswith("| pass: all well |")
    assert "not here: comes with mail" in lines[4]
    before = "before\n<!-- matrix: made -->\nold\n<!-- end of matrix -->\nafter\n"
    assert written(before, [cell.as_json()]).splitlines()[2:4] == lines_of([])


def test_a_cell_says_whether_it_passed() -> None:
    assert Result(5, "", "", "", "", short=True).as_json()["pass"] is False
