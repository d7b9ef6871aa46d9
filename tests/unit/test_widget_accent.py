"""A site's colour is made readable, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget.accent import DARK_SURFACE, LIGHT_SURFACE, NEAR_BLACK, WHITE, accent_of, contrast


def test_black_on_white_has_the_highest_contrast() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize(("colour", "ink"), [("#1E6B57", WHITE), ("#17181C", WHITE), ("#F4C430", NEAR_BLACK)])
def test_ink_is_white_or_near_black(colour: str, ink: str) -> None:
    accent = accent_of(colour)
    assert accent is not None
    assert (accent.fill, accent.ink) == (colour, ink)


@given(st.integers(0, 0xFFFFFF))
def test_every_accent_is_readable(number: int) -> None:
    accent = accent_of(f"#{number:06X}")
    assert accent is not None
    assert contrast(accent.fill, accent.ink) >= 4.5
    assert contrast(accent.text_light, LIGHT_SURFACE) >= 4.5
    assert contrast(accent.text_dark, DARK_SURFACE) >= 4.5


@pytest.mark.parametrize(
    "nonsense", [None, "", "red", "#FFF", "#12345G", "#123456; } body { display: none", 7, "#123456\n"]
)
def test_anything_else_is_no_accent(nonsense: object) -> None:
    assert accent_of(nonsense) is None
