"""Initials and the quiet ground behind them, chosen by the id so that a face keeps its colour."""

from uuid import UUID

GROUNDS = 6


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return ""
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return letters.upper()


def ground(of: UUID | str | None) -> int:
    """1 to 6."""
    return sum(str(of).encode()) % GROUNDS + 1
