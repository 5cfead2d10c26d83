"""Dates and periods, and how they are parsed."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.periods import (
    DateError,
    Period,
    day_in,
    is_time_zone,
    parse_date,
    parse_month,
    parse_period,
    parse_year,
    recent_months,
)

# An IANA name says the offset with the opposite sign: Etc/GMT+12 is twelve hours behind UTC.
ZONES = [("Etc/GMT+12", -12), *((f"Etc/GMT{-hours:+d}", hours) for hours in range(-11, 15) if hours)]


@pytest.mark.parametrize(("zone", "hours"), ZONES)
def test_today_is_the_users_own_from_utc_minus_12_to_utc_plus_14(zone, hours):
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)

    assert day_in(zone, late) == (date(2027, 1, 1) if hours > 0 else date(2026, 12, 31))

    early = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
    assert day_in(zone, early) == (date(2026, 12, 31) if hours < 0 else date(2027, 1, 1))


def test_half_past_eleven_in_the_evening_is_still_today_everywhere():
    for zone, hours in ZONES:
        moment = datetime(2026, 3, 1, (23 - hours) % 24, 30, tzinfo=UTC)
        local = day_in(zone, moment)

        assert abs((local - moment.date()).days) <= 1
        assert day_in(zone, moment.replace(minute=59)) == local


@pytest.mark.parametrize("text", ["2026-02-28", " 2026-02-28 ", "2024-02-29", "1900-01-01", "2100-12-31"])
def test_a_day_is_read_in_iso_form(text):
    assert parse_date(text) == date.fromisoformat(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-02-29", "2026-13-01", "2026-1-1", "20260101", "2026-W01-1", "01.02.2026", "1899-12-31"),
        *("2101-01-01", "0001-01-01", "9999-12-31", "0000-00-00", "２０２４-01-01", "2026-01-01T00:00", "x\x00"),
    ],
)
def test_a_text_that_is_not_a_date_is_refused(text):
    with pytest.raises(DateError):
        parse_date(text)


@given(st.text(max_size=20) | st.from_regex(r"\A ?[12]\d{3}-[01]\d-[0-3]\d ?\Z"))
def test_any_text_is_a_day_or_is_refused(text):
    try:
        day = parse_date(text)
    except DateError:
        return
    assert day.isoformat() == text.strip()


def test_only_names_of_the_time_zone_database_are_time_zones():
    assert is_time_zone("Pacific/Auckland")
    assert not any(map(is_time_zone, ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "utc\x00"]))


@pytest.mark.parametrize(
    ("text", "today", "start_date", "end_date", "name"),
    [
        ("this-month", date(2026, 2, 15), date(2026, 2, 1), date(2026, 2, 28), "month"),
        ("last-month", date(2026, 1, 31), date(2025, 12, 1), date(2025, 12, 31), "month"),
        ("last-month", date(2024, 3, 31), date(2024, 2, 1), date(2024, 2, 29), "month"),
        ("this-year", date(2026, 7, 1), date(2026, 1, 1), date(2026, 12, 31), "year"),
        ("2024-02", date(2026, 7, 1), date(2024, 2, 1), date(2024, 2, 29), "month"),
        ("2100-12", date(2026, 7, 1), date(2100, 12, 1), date(2100, 12, 31), "month"),
        ("1900", date(2026, 7, 1), date(1900, 1, 1), date(1900, 12, 31), "year"),
    ],
)
def test_a_period_has_both_its_ends(text, today, start_date, end_date, name):
    period = parse_period(text, today)

    assert period == Period(start_date, end_date)
    assert period.name() == name


@pytest.mark.parametrize(
    "text", ["", "today", "2026-13", "2026-00", "1899", "2101-01", "20261", "２０２６", "2026-1"]
)
def test_a_text_that_is_not_a_period_is_refused(text):
    with pytest.raises(DateError):
        parse_period(text, date(2026, 1, 1))


days = st.none() | st.dates(date(1900, 1, 1), date(2100, 12, 31))


@given(
    st.builds(Period, days, days), st.builds(Period, days, days), st.dates(date(1900, 1, 1), date(2100, 12, 31))
)
def test_a_day_is_within_two_periods_when_it_is_in_both(one, other, day):
    def holds(period):
        return (period.start_date or day) <= day <= (period.end_date or day)

    assert holds(one.within(other)) == (holds(one) and holds(other))


@given(st.builds(Period, days, days), st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_whole_months_and_the_days_around_them_are_the_period(period, day):
    def holds(part):
        return (part.start_date or day) <= day <= (part.end_date or day)

    months, edges = period.by_months()

    assert sum(holds(part) for part in [months, *edges] if part is not None) == holds(period)
    if months is not None:
        assert months.start_date is None or months.start_date.day == 1
        assert months.end_date is None or (months.end_date + timedelta(days=1)).day == 1
    assert all((edge.end_date - edge.start_date).days <= 61 for edge in edges)


def test_recent_months_go_back_over_the_new_year():
    assert recent_months(date(2026, 2, 15), 4) == ("2026-02", "2026-01", "2025-12", "2025-11")


# A month may begin on any day that every month has.
first_days = st.integers(1, 28)
within_reach = st.dates(date(1901, 1, 1), date(2099, 12, 31))


@given(within_reach, first_days)
def test_a_month_begins_on_its_first_day_and_is_followed_by_the_next(day, start_date):
    month = Period.month(day, start_date)
    following = Period.month(month.end_date + timedelta(days=1), start_date)

    assert month.start_date <= day <= month.end_date
    assert month.start_date.day == following.start_date.day == start_date
    assert following.months_before(1) == [month]
    assert month.name(start_date) == "month"
    for named_after_end in (False, True):
        assert parse_month(month.text(named_after_end), start_date, named_after_end) == month
    assert month.start_date.month % 12 + 1 == following.start_date.month


@given(within_reach, first_days, st.booleans())
def test_a_year_is_its_twelve_months(day, start_date, named_after_end):
    year = Period.year(day, start_date, named_after_end)
    months = year.months()
    name = year.named_day(named_after_end).year

    assert year.start_date <= day <= year.end_date
    assert (months[0].start_date, months[-1].end_date) == (year.start_date, year.end_date)
    assert [month.text(named_after_end) for month in months] == [f"{name}-{n:02}" for n in range(1, 13)]
    assert year.name(start_date, named_after_end) == "year"
    assert parse_year(str(name), start_date, named_after_end) == year
    assert Period.month(months[-1].end_date + timedelta(days=1), start_date).months_before(12) == months


@pytest.mark.parametrize(
    ("text", "start_date", "end_date"),
    [
        ("this-month", date(2025, 12, 25), date(2026, 1, 24)),
        ("last-month", date(2025, 11, 25), date(2025, 12, 24)),
        ("this-year", date(2025, 1, 25), date(2026, 1, 24)),
        ("2026-11", date(2026, 11, 25), date(2026, 12, 24)),
        ("2026", date(2026, 1, 25), date(2027, 1, 24)),
    ],
)
def test_a_month_is_called_after_the_one_in_which_it_begins(text, start_date, end_date):
    today = date(2026, 1, 24)

    assert parse_period(text, today, 25) == Period(start_date, end_date)
    assert recent_months(today, 2, 25) == ("2025-12", "2025-11")


@pytest.mark.parametrize(
    ("period", "first_day", "neighbours"),
    [
        (Period(date(2026, 1, 1), date(2026, 1, 31)), 1, ("2025-12", "2026-02")),
        (Period(date(2026, 1, 25), date(2026, 2, 24)), 25, ("2025-12", "2026-02")),
        (Period(date(2026, 1, 1), date(2026, 12, 31)), 1, ("2025", "2027")),
        (Period(date(2026, 1, 25), date(2027, 1, 24)), 25, ("2025", "2027")),
        (Period(date(1900, 1, 1), date(1900, 1, 31)), 1, (None, "1900-02")),
        (Period(date(2100, 1, 1), date(2100, 12, 31)), 1, ("2099", None)),
    ],
)
def test_a_month_and_a_year_know_their_neighbours(period, first_day, neighbours):
    assert period.neighbours(first_day) == neighbours


@pytest.mark.parametrize(
    ("text", "start_date", "end_date"),
    [
        ("this-month", date(2025, 12, 25), date(2026, 1, 24)),
        ("last-month", date(2025, 11, 25), date(2025, 12, 24)),
        ("this-year", date(2025, 12, 25), date(2026, 12, 24)),
        ("2026-11", date(2026, 10, 25), date(2026, 11, 24)),
        ("2026-01", date(2025, 12, 25), date(2026, 1, 24)),
        ("2026", date(2025, 12, 25), date(2026, 12, 24)),
    ],
)
def test_a_month_can_be_named_after_the_one_in_which_it_ends(text, start_date, end_date):
    today = date(2026, 1, 24)

    assert parse_period(text, today, 25, named_after_end=True) == Period(start_date, end_date)
    assert recent_months(today, 2, 25, named_after_end=True) == ("2026-01", "2025-12")


def test_a_month_that_begins_on_the_first_has_one_name():
    for named_after_end in (False, True):
        assert parse_period("2026-11", date(2026, 1, 1), 1, 0, named_after_end) == Period(
            date(2026, 11, 1), date(2026, 11, 30)
        )
        assert parse_period("2026", date(2026, 1, 1), 1, 0, named_after_end) == Period(
            date(2026, 1, 1), date(2026, 12, 31)
        )
