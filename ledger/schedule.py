"""Schedules: the days on which something repeats, counted from a start date."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count

from ledger.periods import month_end

_DAYS = {"week": 7, "two-weeks": 14}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def due_days(start_date: date, every: str, since: date, until: date = date.max) -> Iterator[date]:
    """Yield the days of a schedule, from `since` to `until`, counted from `start_date`.

    Each month is counted from the start date, so that a short one does not move the rest: 31 January, 28 February,
    31 March.
    """
    for number in count(occurrence_number(start_date, every, max(since, start_date))):
        day = nth_day(start_date, every, number)
        if day > until:
            return
        if day >= since:
            yield day


def has_day(start_date: date, every: str, day: date) -> bool:
    """Tell whether a schedule has this day, which is not before its start date."""
    return nth_day(start_date, every, occurrence_number(start_date, every, day)) == day


def last_day(start_date: date, every: str, occurrences: int) -> date:
    """Return the day of the last of this many occurrences."""
    return nth_day(start_date, every, occurrences - 1)


def occurrence_number(start_date: date, every: str, day: date) -> int:
    """Return the number, counted from zero, of the occurrence on `day`, or of one close to it."""
    if every in _DAYS:
        return (day - start_date).days // _DAYS[every]
    return ((day.year - start_date.year) * 12 + day.month - start_date.month) // _MONTHS[every]


def nth_day(start_date: date, every: str, number: int) -> date:
    """Return the day of an occurrence, counted from zero."""
    if every in _DAYS:
        return start_date + timedelta(days=number * _DAYS[every])
    months = start_date.year * 12 + start_date.month - 1 + number * _MONTHS[every]
    last_day = month_end(date(months // 12, months % 12 + 1, 1))
    return last_day.replace(day=min(start_date.day, last_day.day))
