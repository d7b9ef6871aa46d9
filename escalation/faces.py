"""Initials and the quiet ground behind them, as in the console: a face keeps its colour in every window."""

from uuid import UUID


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalnum()]
    if not words:
        return ""
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def ground(of: UUID | str | None) -> int:
    """1 to 6."""
    return sum(str(of).encode()) % 6 + 1
