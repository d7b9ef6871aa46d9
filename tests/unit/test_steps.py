"""Each test belongs to one step of `python -m tests`."""

from collections import Counter

from tests.__main__ import CLIENT_AREA, COMMANDS, DESK, FAULTS, MATRIX, OPERATIONS, OTHERS, TICKETS
from tests.support.steps import ROOT

FOLDERS = ("acceptance", "browser", "hub", "integration", "protocol", "unit")


def test_no_file_of_tests_is_run_twice_or_left_out() -> None:
    of_their_own = Counter((*COMMANDS, *OPERATIONS, *MATRIX, *FAULTS, *CLIENT_AREA, *DESK, *TICKETS))
    assert of_their_own.most_common(1)[0][1] == 1
    there = {str(file.relative_to(ROOT / "tests")) for file in (ROOT / "tests").rglob("test_*.py")}
    assert set(of_their_own) <= there
    assert {f"--ignore=tests/{file}" for file in of_their_own} == set(OTHERS)
    assert {file.split("/")[0] for file in there} == set(FOLDERS)
