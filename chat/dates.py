"""Times as people read them: template filters in one language, always in a named zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_timedelta, get_datetime_format
from jinja2 import pass_context
from jinja2.runtime import Context

from chat.clock import Clock
from chat.strings import Catalogue


def date_filters(catalogue: Catalogue, time_zone: str, clock: Clock) -> dict[str, Callable[..., str]]:
    """`at|time`, `at|date`, `at|datetime`, `at|ago`, `at|iso`.

    The zone is the filter's argument, else the page's `time_zone`, else the one of the settings.
    """

    locale = catalogue.locale

    def zone_of(context: Context, zone: str | None) -> ZoneInfo:
        return ZoneInfo(zone or _text(context.get("time_zone")) or time_zone)

    @pass_context
    def time(context: Context, at: datetime, zone: str | None = None) -> str:
        # The same in all our languages; Babel's own takes ten times as long, for every entry that is shown.
        return f"{at.astimezone(zone_of(context, zone)):%H:%M}"

    @pass_context
    def date(context: Context, at: datetime, zone: str | None = None) -> str:
        return format_date(at.astimezone(zone_of(context, zone)), "medium", locale=locale)

    @pass_context
    def date_and_time(context: Context, at: datetime, zone: str | None = None) -> str:
        # Babel's own "medium" tells seconds, and in English twelve hours.
        both = str(get_datetime_format("medium", locale=locale))
        return both.replace("{1}", date(context, at, zone)).replace("{0}", time(context, at, zone))

    def ago(at: datetime) -> str:
        """`3 minutes ago`, `in 5 minutes`; within a minute is now, so that nobody sees seconds run."""
        passed = at - clock.now()
        if abs(passed) < timedelta(minutes=1):
            return catalogue.gettext("now")
        return format_timedelta(passed, granularity="minute", add_direction=True, locale=locale)

    def iso(at: datetime) -> str:
        """For the `datetime` attribute of `<time>`."""
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return {"time": time, "date": date, "datetime": date_and_time, "ago": ago, "iso": iso}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
