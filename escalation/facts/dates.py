"""Dates beside a clock time, and days or parts of days that stand alone."""

import re
from datetime import date, timedelta

_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "maj": 5, "jun": 6, "jul": 7, "aug": 8, "avg": 8, "sep": 9,
    "oct": 10, "okt": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_MONTH = r"(?:jan|feb|mar|apr|may|maj|jun|jul|aug|avg|sep|oct|okt|nov|dec)[a-z]{0,7}\.?"
_DATE = (
    r"(?:(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    rf"|(?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?\.?\s?(?P<month>[01]?[0-9](?=\.)|{_MONTH})\.?(?:,?\s?(?P<year>20[0-9]{{2}}))?"
    rf"|(?P<month_first>{_MONTH})\s(?P<day_second>[0-3]?[0-9])(?:st|nd|rd|th)?(?:,?\s(?P<year_last>20[0-9]{{2}}))?"
    r"|(?P<word>today|yesterday|danes|v[čc]eraj|predv[čc]eraj[šs]njim|last night|sino[čc]i))"
)
_LINK = r"[\s,]{0,2}(?:(?:at|ob|od|from|since|around|about|okoli|okrog)\s{1,2}){0,2}"
DATE_BEFORE = re.compile(rf"(?<![\w.:-]){_DATE}{_LINK}$", re.IGNORECASE)
DATE_AFTER = re.compile(rf"[\s,]{{0,2}}(?:(?:on|dne|z dne)\s)?{_DATE}(?!\w)", re.IGNORECASE)
_PART = r"morning|afternoon|evening|night|noon|zjutraj|dopoldne|popoldne|zve[čc]er|pono[čc]i|opoldne"
DAY_ALONE = re.compile(
    rf"(?<!\w)(?:(?:this|yesterday|last|since|danes|v[čc]eraj|od|davi)\s(?:{_PART})|davi|sino[čc]i|last night"
    r"|yesterday|v[čc]eraj(?:šnjega dne)?|od danes|since today|(?:since|od|from)\s"
    rf"(?:[0-3]?[0-9]\.?\s?(?:{_MONTH}|[01]?[0-9]\.)(?:\s?20[0-9]{{2}})?|20[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}))(?!\w)",
    re.IGNORECASE,
)
_BACK = {"today": 0, "danes": 0, "yesterday": 1, "včeraj": 1, "vceraj": 1}


def date_of(match: re.Match[str], today: date) -> date | None:
    """The date of a match of DATE_BEFORE or DATE_AFTER; without a year the latest one not after `today`."""
    if word := match.group("word"):
        word = word.lower()
        if word.startswith("predv"):
            return today - timedelta(days=2)
        # "last night at 23:30" and "at 01:30" are different days: nobody may guess.
        return today - timedelta(days=_BACK[word]) if word in _BACK else None
    try:
        if iso := match.group("iso"):
            return date.fromisoformat(iso)
        day = int(match.group("day") or match.group("day_second"))
        raw = (match.group("month") or match.group("month_first")).rstrip(".").lower()
        month = int(raw) if raw.isdigit() else _MONTHS[raw[:3]]
        year = match.group("year") or match.group("year_last")
        if year:
            return date(int(year), month, day)
        this_year = date(today.year, month, day)
        return this_year if this_year <= today else date(today.year - 1, month, day)
    except (ValueError, KeyError):
        return None
