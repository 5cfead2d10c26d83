"""Days: which one it is where a person lives, and how one is read from text."""

import re
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

FIRST_YEAR, LAST_YEAR = 1900, 2100


class DayError(ValueError):
    """A text that is not a day; its message tells the person what to write instead."""


def day_in(time_zone: str, moment: datetime) -> date:
    """Return the day that `moment` (with a zone) falls on for someone who lives in `time_zone` (IANA name)."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def is_time_zone(name: str) -> bool:
    """Tell whether `name` is an IANA time zone; the list is asked, because ZoneInfo would open any file."""
    return name in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def parse_day(text: str) -> date:
    """Read a day written as `YYYY-MM-DD`, in ASCII, from 1900 to 2100. Raises DayError."""
    text = text.strip()
    if not text:
        raise DayError("Enter a date.")
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise DayError("Write the date as year-month-day, for example 2026-03-31.") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DayError(f"Enter a date between {FIRST_YEAR} and {LAST_YEAR}.")
    return day
