"""Days: which one it is, and how one is read."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.periods import DayError, day_in, is_time_zone, parse_day

# An IANA name says the offset with the opposite sign: Etc/GMT+12 is twelve hours behind UTC.
ZONES = [("Etc/GMT+12", -12), *((f"Etc/GMT{-hours:+d}", hours) for hours in range(-11, 15) if hours)]


@pytest.mark.parametrize(("zone", "hours"), ZONES)
def test_a_day_is_the_persons_own_from_utc_minus_12_to_utc_plus_14(zone, hours):
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
    assert parse_day(text) == date.fromisoformat(text.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-02-29", "2026-13-01", "2026-1-1", "20260101", "2026-W01-1", "01.02.2026", "1899-12-31"),
        *("2101-01-01", "0001-01-01", "9999-12-31", "0000-00-00", "２０２４-01-01", "2026-01-01T00:00", "x\x00"),
    ],
)
def test_what_is_no_day_of_ours_is_refused(text):
    with pytest.raises(DayError, match=r"\.$"):
        parse_day(text)


@given(st.text(max_size=20))
def test_any_text_is_a_day_or_is_refused(text):
    try:
        day = parse_day(text)
    except DayError:
        return
    assert day.isoformat() == text.strip()


def test_only_names_of_the_time_zone_database_are_time_zones():
    assert is_time_zone("Pacific/Auckland")
    assert not any(map(is_time_zone, ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "utc\x00"]))
