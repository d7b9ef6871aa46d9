"""What an operator chose for their own console, kept in `Operator.settings`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class Preferences:
    theme: str = "auto"
    sound: bool = True
    letters: bool = True
    """Single letters work as shortcuts (WCAG 2.1.4)."""
    enter_sends: bool = True

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Preferences":
        """What is missing or makes no sense is as at the beginning."""
        theme = settings.get("theme")
        return cls(
            theme=theme if theme in THEMES else "auto",
            sound=settings.get("sound") is not False,
            letters=settings.get("letters") is not False,
            enter_sends=settings.get("enter_sends") is not False,
        )

    def stored_in(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        return {**settings, **asdict(self)}
