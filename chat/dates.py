"""Times as people read them: template filters in one language, always in a named zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_timedelta, get_datetime_format
from jinja2 import pass_context
from jinja2.runtime import Context

from chat.clock import Clock
from chat.strings import Catalogue


def moment_text(at: datetime, now: datetime, zone: ZoneInfo, locale: str) -> str:
    """`14:31`, with the day before it where that is not today, and the year where it is another one."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    # The same in all our languages; Babel's own takes ten times as long, for every entry that is shown.
    time = f"{local:%H:%M}"
    return time if local.date() == today.date() else f"{_day(local, today, locale)} {time}"


def day_text(at: datetime, now: datetime, zone: ZoneInfo, locale: str) -> str:
    """The day as `moment_text` names it; empty for today."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    return "" if local.date() == today.date() else _day(local, today, locale)


def _day(local: datetime, today: datetime, locale: str) -> str:
    return _in_skeleton(local.toordinal(), "MMMd" if local.year == today.year else "yMMMd", locale)


def date_filters(catalogue: Catalogue, time_zone: str, clock: Clock) -> dict[str, Callable[..., str]]:
    """`at|moment`, `at|time`, `at|date`, `at|datetime`, `at|ago`, `at|iso`, `at|left`. A moment names its day unless it
    is today; `time` is for what can be of today only.

    The zone is the filter's argument, else the page's `time_zone`, else the one of the settings.
    """

    locale = catalogue.locale

    def zone_of(context: Context, zone: str | None) -> ZoneInfo:
        return ZoneInfo(zone or _text(context.get("time_zone")) or time_zone)

    @pass_context
    def time(context: Context, at: datetime, zone: str | None = None) -> str:
        return f"{at.astimezone(zone_of(context, zone)):%H:%M}"

    @pass_context
    def moment(context: Context, at: datetime, zone: str | None = None) -> str:
        return moment_text(at, clock.now(), zone_of(context, zone), locale)

    @pass_context
    def date(context: Context, at: datetime, zone: str | None = None) -> str:
        return _in_full(at.astimezone(zone_of(context, zone)).toordinal(), locale)

    @pass_context
    def date_and_time(context: Context, at: datetime, zone: str | None = None) -> str:
        # Babel's own "medium" tells seconds, and in English twelve hours.
        both = _order(locale)
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

    def left(at: datetime) -> str:
        """Seconds until then, by our clock: that of a device may be wrong."""
        return f"{(at - clock.now()).total_seconds():.0f}"

    texts = {"moment": moment, "time": time, "date": date, "datetime": date_and_time}
    return {**texts, "ago": ago, "iso": iso, "left": left}


@lru_cache(maxsize=512)
def _in_full(ordinal: int, locale: str) -> str:
    """A page shows the same few days in each of its rows."""
    return str(format_date(datetime.fromordinal(ordinal), "medium", locale=locale))


@lru_cache(maxsize=512)
def _in_skeleton(ordinal: int, skeleton: str, locale: str) -> str:
    return str(format_skeleton(skeleton, datetime.fromordinal(ordinal), locale=locale))


@lru_cache(maxsize=16)
def _order(locale: str) -> str:
    return str(get_datetime_format("medium", locale=locale))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
