"""Lengths of time as clocks show them."""


def clock_text(seconds: int) -> str:
    """58 -> 0:58, 600 -> 10:00, 4000 -> 1:06:40."""
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
