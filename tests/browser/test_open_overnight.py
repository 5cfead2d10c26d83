"""A list that stays open overnight: the script proposes the new day, and leaves a chosen date alone."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def ana(server, visit):
    """Ana, in UTC, whose browser's clock can be moved."""
    ana = visit("ana", timezone_id="UTC")
    ana.page.clock.install(time=datetime.now(UTC))
    ana.register("ana")
    return ana


def pass_the_night(person):
    person.page.clock.fast_forward(24 * 60 * 60 * 1000)


def test_an_untouched_date_becomes_the_new_day(ana):
    today = datetime.now(UTC).date()
    assert ana.page.locator("#date").input_value() == str(today)

    pass_the_night(ana)

    tomorrow = str(today + timedelta(days=1))
    assert ana.page.locator("#date").input_value() == tomorrow
    assert ana.page.locator("[name=date_proposed]").input_value() == tomorrow


def test_a_chosen_date_stays(ana):
    chosen = str(datetime.now(UTC).date() - timedelta(days=3))
    ana.page.locator("#date").fill(chosen)

    pass_the_night(ana)

    assert ana.page.locator("#date").input_value() == chosen


def test_a_clock_that_is_wrong_changes_nothing(server, visit):
    ana = visit("ana", timezone_id="UTC")
    ana.page.clock.install(time=datetime.now(UTC) - timedelta(days=300))
    ana.register("ana")

    pass_the_night(ana)

    assert ana.page.locator("#date").input_value() == str(datetime.now(UTC).date())
