"""Days and periods of days: the current day in a time zone, and reading both from text.

Both ends of a period, `start_date` and `end_date`, are always included.
"""

import re
from calendar import monthrange
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from ledger.errors import LedgerError

FIRST_YEAR, LAST_YEAR = 1900, 2100


class DateError(LedgerError):
    """A text that is not a date or a period."""


@dataclass(frozen=True)
class Period:
    """Days from `start_date` to `end_date`, both included; None leaves an end open."""

    start_date: date | None = None
    end_date: date | None = None

    @classmethod
    def month(cls, day: date, first_day_of_month: int = 1) -> "Period":
        """Return the month that `day` is in."""
        start_date = day.replace(day=first_day_of_month)
        if start_date > day:
            start_date = (day.replace(day=1) - timedelta(days=1)).replace(day=first_day_of_month)
        return cls(start_date, _month_after(start_date) - timedelta(days=1))

    @classmethod
    def year(cls, day: date, first_day_of_month: int = 1, named_after_end: bool = False) -> "Period":
        """Return the year that `day` is in: the twelve months that are named after months of a calendar year."""
        year = cls.month(day, first_day_of_month).named_day(named_after_end).year
        start_date = _first_day(date(year, 1, 1), first_day_of_month, named_after_end)
        return cls(start_date, start_date.replace(year=start_date.year + 1) - timedelta(days=1))

    def named_day(self, named_after_end: bool = False) -> date:
        """Return a day of the calendar month that a month is named after, or of the calendar year of a year."""
        return self.end if named_after_end else self.begin

    def name(self, first_day_of_month: int = 1, named_after_end: bool = False) -> str | None:
        """Return `month` or `year` if the period is exactly one, or None."""
        if self.start_date is None or self.start_date.day != first_day_of_month:
            return None
        if self == Period.month(self.start_date, first_day_of_month):
            return "month"
        return "year" if self == Period.year(self.start_date, first_day_of_month, named_after_end) else None

    def neighbours(
        self, first_day_of_month: int = 1, named_after_end: bool = False
    ) -> tuple[str | None, str | None]:
        """Return the months before and after a month, or the years of a year, as `parse_period` reads them.

        None stands for one that is out of range.
        """
        days = self.begin - timedelta(days=1), self.end + timedelta(days=1)
        if self.name(first_day_of_month, named_after_end) == "month":
            names = [Period.month(day, first_day_of_month).text(named_after_end) for day in days]
        else:
            years = [Period.year(day, first_day_of_month, named_after_end) for day in days]
            names = [f"{year.named_day(named_after_end).year}" for year in years]
        before, after = (name if FIRST_YEAR <= int(name[:4]) <= LAST_YEAR else None for name in names)
        return before, after

    def months_before(self, count: int) -> list["Period"]:
        """Return the `count` months before this one, the earliest first."""
        months: list[Period] = []
        start_date = self.begin
        for _ in range(count):
            month = Period.month(start_date - timedelta(days=1), start_date.day)
            months.insert(0, month)
            start_date = month.begin
        return months

    def months(self) -> list["Period"]:
        """Return the twelve months of this year."""
        months = [Period.month(self.begin, self.begin.day)]
        while len(months) < 12:
            months.append(Period.month(months[-1].end + timedelta(days=1), self.begin.day))
        return months

    def days(self) -> list[date]:
        """Return all days of a period that has both ends."""
        return [self.begin + timedelta(days=offset) for offset in range((self.end - self.begin).days + 1)]

    def text(self, named_after_end: bool = False) -> str:
        """Return a month as `parse_month` reads it: `2026-03`."""
        return self.named_day(named_after_end).isoformat()[:7]

    @property
    def begin(self) -> date:
        """The first day of a period that has one, as every month and year has."""
        assert self.start_date is not None
        return self.start_date

    @property
    def end(self) -> date:
        """The last day of a period that has one, as every month and year has."""
        assert self.end_date is not None
        return self.end_date

    def is_within(self, days: int) -> bool:
        """Tell whether a period has both ends and no more than this many days."""
        return bool(self.start_date and self.end_date and (self.end_date - self.start_date).days < days)

    def within(self, other: "Period") -> "Period":
        """Return the days that are in both periods. If there are none, the result ends before it begins."""
        first_days = [day for day in (self.start_date, other.start_date) if day is not None]
        last_days = [day for day in (self.end_date, other.end_date) if day is not None]
        return Period(max(first_days, default=None), min(last_days, default=None))

    def by_months(self, first_day_of_month: int = 1) -> tuple["Period | None", list["Period"]]:
        """Return the whole months in this period, if there are any, and the days before and after them."""
        first, last, edges = self.start_date, self.end_date, []
        if first is not None and (month := Period.month(first, first_day_of_month)).begin != first:
            edges.append(Period(first, month.end))
            first = month.end + timedelta(days=1)
        if last is not None and (month := Period.month(last, first_day_of_month)).end != last:
            edges.append(Period(month.begin, last))
            last = month.begin - timedelta(days=1)
        if first is not None and last is not None and first > last:
            return None, [self]
        return Period(first, last), edges


def month_end(day: date) -> date:
    """Return the last day of the month that `day` is in."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _month_after(day: date) -> date:
    """Return the same day of the next month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, day.day)


def _first_day(named: date, first_day_of_month: int, named_after_end: bool) -> date:
    """Return the first day of the month that is named after the calendar month with `named` as its first day."""
    if named_after_end and first_day_of_month > 1:
        named = (named - timedelta(days=1)).replace(day=1)
    return named.replace(day=first_day_of_month)


def parse_month(text: str, first_day_of_month: int = 1, named_after_end: bool = False) -> Period:
    """Read a month, written as `2026-03`, from 1900 to 2100. Raises DateError."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}", text):
        raise DateError("not_a_month")
    start_date = _first_day(parse_date(f"{text}-01"), first_day_of_month, named_after_end)
    return Period.month(start_date, first_day_of_month)


def parse_year(text: str, first_day_of_month: int = 1, named_after_end: bool = False) -> Period:
    """Read a year, written as `2026`, from 1900 to 2100. Raises DateError."""
    start_date = _first_day(parse_date(f"{text}-01-01"), first_day_of_month, named_after_end)
    return Period.year(start_date, first_day_of_month, named_after_end)


@lru_cache(maxsize=256)
def parse_period(
    text: str, today: date, first_day_of_month: int = 1, first_weekday: int = 0, named_after_end: bool = False
) -> Period:
    """Read `this-week`, `this-month`, `last-month`, `this-year`, a month (`2026-03`) or a year (`2026`).

    Weeks start on `first_weekday`, counted from Monday. Raises DateError.
    """
    if text == "this-week":
        start_date = today - timedelta(days=(today.weekday() - first_weekday) % 7)
        return Period(start_date, start_date + timedelta(days=6))
    this_month = Period.month(today, first_day_of_month)
    if text == "this-month":
        return this_month
    if text == "last-month":
        return this_month.months_before(1)[0]
    if text == "this-year":
        return Period.year(today, first_day_of_month, named_after_end)
    for parse in (parse_month, parse_year):
        with suppress(DateError):
            return parse(text, first_day_of_month, named_after_end)
    raise DateError("not_a_period")


@lru_cache(maxsize=64)
def recent_months(
    today: date, count: int, first_day_of_month: int = 1, named_after_end: bool = False
) -> tuple[str, ...]:
    """Return the names of `count` months (`2026-03`), from the one of `today` backwards."""
    this_month = Period.month(today, first_day_of_month)
    months = (this_month, *reversed(this_month.months_before(count - 1)))
    return tuple(month.text(named_after_end) for month in months)


def day_in(time_zone: str, moment: datetime) -> date:
    """Return the day of `moment`, which has a zone, in `time_zone` (IANA name)."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def is_time_zone(name: str) -> bool:
    """Tell whether `name` is an IANA time zone, by the list of all, because ZoneInfo would open any file."""
    return name in time_zones()


@cache
def time_zones() -> dict[str, None]:
    """Return the names of all IANA time zones, in alphabetical order."""
    return dict.fromkeys(sorted(available_timezones()))


def parse_date(text: str) -> date:
    """Read a day written as `YYYY-MM-DD`, in ASCII, from 1900 to 2100. Raises DateError."""
    text = text.strip()
    if not text:
        raise DateError("date_missing")
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise DateError("not_a_date") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DateError("date_out_of_range", first_year=FIRST_YEAR, last_year=LAST_YEAR)
    return day
