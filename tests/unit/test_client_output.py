"""What was printed in columns is shown in letters of one width, prose is not."""

import pytest

from escalation.client_area.output import is_output

MTR = "HOST: vps2              Loss%   Snt\n  1.|-- 185.203.118.1    0.0%    50\n  2.|-- ???            100.0    50\n"


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("", False),
        ("No ping and no SSH since noon.\nThe shop is down.", False),
        ("   Indented\n   by three\n   spaces", False),
        ("One line    with a gap\nand one without", False),
        (MTR, True),
        ("Filesystem\tSize\n/dev/sda1\t80G", True),
        (" " * 200_000 + "x", False),
    ],
)
def test_columns_are_known_by_their_gaps(text: str, is_so: bool) -> None:
    assert is_output(text) is is_so
