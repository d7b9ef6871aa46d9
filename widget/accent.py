"""A site's accent made readable: ink, text and soft tones by contrast. Pure."""

import re
from dataclasses import dataclass

WHITE, NEAR_BLACK = "#FFFFFF", "#141A28"
LIGHT_SURFACE, DARK_SURFACE = "#FFFFFF", "#121722"
# WCAG 1.4.3.
TEXT_CONTRAST = 4.5
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Accent:
    """Colours as `#RRGGBB`; `text_light` and `text_dark` are for words on the light and on the dark surface."""

    fill: str
    ink: str
    text_light: str
    text_dark: str

    @property
    def css(self) -> str:
        """Declarations that override those of `tokens.css`. Only digits of our own making reach the page."""
        mix = "color-mix(in oklab, {} {}%, {})".format
        return (
            ":root, [data-theme] {"
            f" --nd-accent: {self.fill}; --nd-accent-ink: {self.ink};"
            f" --nd-accent-hover: {mix(self.fill, 86, '#000' if self.ink == WHITE else '#fff')};"
            f" --nd-accent-text: light-dark({self.text_light}, {self.text_dark});"
            f" --nd-accent-soft: light-dark({mix(self.fill, 9, '#fff')}, {mix(self.fill, 24, DARK_SURFACE)});"
            f" --nd-accent-soft-ink: light-dark({mix(self.text_light, 85, '#000')}, {mix(self.text_dark, 60, '#fff')});"
            f" --nd-focus: light-dark({self.text_light}, {self.text_dark}) }}"
        )


def accent_of(colour: object) -> Accent | None:
    """None for anything that is no `#RRGGBB`: then the colours of `tokens.css` hold."""
    if not isinstance(colour, str) or not _HEX.fullmatch(colour):
        return None
    fill = colour
    ink = max((WHITE, NEAR_BLACK), key=lambda candidate: contrast(fill, candidate))
    if contrast(fill, ink) < TEXT_CONTRAST:
        fill, ink = _moved(fill, toward=0, against=WHITE, wanted=TEXT_CONTRAST), WHITE
    return Accent(
        fill=fill,
        ink=ink,
        text_light=_moved(fill, toward=0, against=LIGHT_SURFACE, wanted=TEXT_CONTRAST),
        text_dark=_moved(fill, toward=255, against=DARK_SURFACE, wanted=TEXT_CONTRAST),
    )


def contrast(one: str, other: str) -> float:
    """Ratio of WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted((_luminance(_rgb(one)), _luminance(_rgb(other))), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _moved(colour: str, *, toward: int, against: str, wanted: float) -> str:
    red, green, blue = _rgb(colour)
    for step in range(101):
        moved = _hex(tuple(round(part + (toward - part) * step / 100) for part in (red, green, blue)))
        if contrast(moved, against) >= wanted:
            return moved
    return _hex((toward, toward, toward))


def _rgb(colour: str) -> RGB:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _hex(parts: tuple[int, ...]) -> str:
    return "#" + "".join(f"{part:02X}" for part in parts)


def _luminance(colour: RGB) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
