"""A clock that jumps by days locks no user out permanently, extends no session forever, and breaks no page."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import LoginSession
from tests.browsing import PASSWORD, REDIRECTS
from tests.reliability.writers import Person

DAY = 24 * 60 * 60


@pytest.fixture
def clock(tmp_path):
    """Set the clock of the server ahead by this many days, or back."""
    file = tmp_path / "shift"

    def jump(days):
        # At once: the server may read it at any moment.
        unfinished = file.with_suffix(".new")
        unfinished.write_text(str(days * DAY))
        unfinished.rename(file)

    jump(0)
    return jump


@pytest.fixture
def server(clock, serve, tmp_path):
    python_path = str(Path(__file__).parent / "clock")
    settings = {"PYTHONPATH": python_path, "TEST_CLOCK_SHIFT": str(tmp_path / "shift")}
    return serve(THROTTLE_ACCOUNT="2", THROTTLE_ADDRESS="50", **settings)


def use(person):
    """Add, change and delete, and undo that."""
    number = person.count()
    assert person.add("5").status_code in REDIRECTS
    row = person.page("/expenses").all("input", name="ids")[0]["value"]
    assert person.fill(f"/expenses/{row}/edit", amount="6").status_code in REDIRECTS
    assert person.undo().status_code in REDIRECTS
    assert person.post(f"/expenses/{row}/delete").status_code in REDIRECTS
    assert person.undo().status_code in REDIRECTS
    assert person.count() == number + 1
    assert person.page("/history")


@pytest.mark.parametrize("days", [[2, -2], [-400, 400]])
def test_a_clock_that_jumps(server, clock, days):
    ana = Person(server).register("ana")
    use(ana)
    for shift in days:
        clock(shift)
        if ana.get("/expenses").status_code in REDIRECTS:
            assert ana.log_in(remember_me="y").location == "/expenses"
        use(ana)

    clock(0)
    assert Person(server).fill("/login", email="ana@example.com", password=PASSWORD).location == "/expenses"


def test_a_session_expires_although_the_clock_was_ahead_when_it_started(server, clock):
    ana = Person(server).register("ana")
    clock(400)
    assert ana.log_in(remember_me="y").location == "/expenses"
    clock(0)
    use(ana)

    with Session(server.engine) as session:
        begun = session.scalars(select(LoginSession.created_at).order_by(LoginSession.created_at)).all()
    assert max(begun) < datetime.now(UTC) + timedelta(minutes=1)
    clock(31)
    assert ana.get("/expenses").location == "/login?next=/expenses"


@pytest.mark.parametrize("shift", [-3, 3])
def test_a_throttled_user_can_log_in_after_a_jump(server, clock, shift):
    ana = Person(server).register("ana")
    other = Person(server)
    answers = [other.log_in("ana@example.com", "a wrong one").status_code for _ in range(3)]
    assert answers == [422, 422, 429]
    assert other.log_in("ana@example.com").status_code == 429

    clock(shift)

    assert other.log_in("ana@example.com").location == "/expenses"
    # A session of the day before yesterday is over, and one of the day after tomorrow is not believed.
    assert ana.get("/expenses").location == "/login?next=/expenses"
    assert ana.log_in().location == "/expenses"
