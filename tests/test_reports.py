"""Months and years, against an oracle in plain Python; every link of their pages, against its rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from uuid_utils.compat import uuid7

from database import db
from ledger.axis import CUT_OFF_FACTOR, MAX_CUT_OFF, TICKS, axis_for, axis_without_outliers
from ledger.periods import Period, day_in
from ledger.reports import COMPARISON_MONTHS, TOP_COUNT, month_report, year_report
from models import DEFAULT_CATEGORIES, Budget, Category, Expense, User
from tests.browsing import Visitor

amounts = st.decimals("-999.99", "9999.99", places=2).filter(bool) | st.sampled_from([1, 2]).map(Decimal)
# Three years, and most often the days around the ends of a month and a leap day.
days = st.dates(date(2024, 1, 1), date(2026, 12, 31)) | st.sampled_from(
    [date(2026, 2, 1) + timedelta(n) for n in (-32, -8, -7, -1, 0, 1, 24, 27, 28)]
    + [date(2024, 2, 28), date(2024, 2, 29), date(2025, 2, 28)]
)
expenses = st.lists(
    st.fixed_dictionaries(
        {
            "amount": amounts,
            "category": st.sampled_from(DEFAULT_CATEGORIES[:4]),
            "date": days,
            "owner": st.integers(0, 1),
        }
    ),
    max_size=40,
)
first_days = st.sampled_from([1, 1, 1, 2, 15, 25, 28])
budgets = st.none() | st.decimals(0, "5000", places=2)
TRIED = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def people(app):
    """Two users, inside a request's context."""
    with app.app_context():
        people = [User(username=name, email=f"{name}@example.com", password_hash="x") for name in ("ana", "bob")]
        db.session.add_all(people)
        db.session.commit()
        yield people


def keep(people, made):
    """Make these all the expenses there are, and return those of the first person."""
    db.session.execute(delete(Expense))
    rows = [
        {name: values[name] for name in ("amount", "category", "date")}
        | {"author_id": people[values["owner"]].id, "description": "", "description_key": ""}
        for values in made
    ]
    if rows:
        db.session.execute(insert(Expense), rows)
    db.session.commit()
    return [values for values in made if values["owner"] == 0]


def set_budgets(user, budgets):
    """Give the user budgets in every month, by the ids of their categories."""
    for category_id, amount in budgets.items():
        row = Budget(author_id=user.id, category_id=category_id, start_date=date(1900, 1, 1), amount=amount)
        db.session.add(row)


def total(values):
    return sum((expense["amount"] for expense in values), Decimal(0))


def within(values, period):
    return [expense for expense in values if period.start_date <= expense["date"] <= period.end_date]


def of(values, category):
    return [expense for expense in values if expense["category"] == category]


def assert_bar(bar, period, made):
    """Assert that a bar is of this period and has its count and total."""
    spent = within(made, period)
    assert (bar.period, bar.count, bar.total) == (period, len(spent), total(spent))


@TRIED
@given(expenses, days, days, first_days, budgets, budgets)
def test_a_month_is_what_an_oracle_says(people, made, day, today, start_date, all_budget, food_budget):
    mine = keep(people, made)
    user = people[0]
    db.session.execute(delete(Category))
    db.session.execute(delete(Budget))
    ids = [uuid7(), uuid7()]
    db.session.add(Category(author_id=user.id, id=ids[0], name="Food", position=1))
    db.session.add(Category(author_id=people[1].id, id=ids[1], name="Housing", position=1))
    db.session.flush()
    set_budgets(user, {None: all_budget, ids[0]: food_budget})
    set_budgets(people[1], {ids[1]: 1})
    db.session.commit()
    month = Period.month(day, start_date)
    spent = within(mine, month)

    report = month_report(user, month, today)

    assert (report.count, report.total) == (len(spent), total(spent))
    budgeted = {"Food"} if food_budget is not None else set()
    assert {line.category for line in report.lines} == {expense["category"] for expense in spent} | budgeted
    for line in report.lines:
        chosen = of(spent, line.category)
        assert (line.count, line.total) == (len(chosen), total(chosen))
        assert (line.share is not None) == (line.total > 0)
        assert (line.budget is not None) == (line.category in budgeted)
    assert [line.total for line in report.lines] == sorted((line.total for line in report.lines), reverse=True)
    shares = [line.share for line in report.lines if line.share]
    assert not shares or abs(sum(shares) - 1) < Decimal("1e-20")
    assert [item.period.start_date for item in report.days] == [
        month.start_date + timedelta(n) for n in range((month.end_date - month.start_date).days + 1)
    ]
    for period in report.days:
        assert period.period.start_date == period.period.end_date
        chosen = within(spent, period.period)
        assert (period.count, period.total) == (len(chosen), total(chosen))
    largest = sorted((expense["amount"] for expense in spent if expense["amount"] > 0), reverse=True)[:TOP_COUNT]
    assert [row.amount for row in report.largest] == largest

    months = month.months_before(COMPARISON_MONTHS)
    so_far = Period(month.start_date, today) if report.current else month
    assert_bar(report.so_far, so_far, mine)
    days_passed = (so_far.end_date - so_far.start_date).days
    same_day = min(months[-1].start_date + timedelta(days_passed), months[-1].end_date)
    end_before = months[-1].end_date if so_far == month else same_day
    assert_bar(report.same_days_before, Period(months[-1].start_date, end_before), mine)
    for bars, whole, last in (
        (report.running_totals, month, so_far.end_date),
        (report.running_totals_before, months[-1], months[-1].end_date),
    ):
        assert [bar.period.end_date for bar in bars] == Period(whole.start_date, last).days()
        for bar in bars:
            assert_bar(bar, Period(whole.start_date, bar.period.end_date), mine)

    # A month in which expenses began after its start would make the average too small.
    begun = [each for each in months if any(one["date"] <= each.start_date for one in mine)]
    assert (report.previous_months is not None) == bool(begun)
    if report.previous_months:
        sum_of_all = sum(total(within(mine, period)) for period in begun)
        assert (report.previous_months.months, report.previous_months.total) == (len(begun), sum_of_all)
        assert abs(report.previous_months.average * len(begun) - sum_of_all) < Decimal("1e-20")
        assert total(within(mine, report.previous_months.period)) == sum_of_all

    assert report.current == (month.start_date <= today <= month.end_date)
    assert (report.budget is not None) == (all_budget is not None)
    for budget, amount, used in (
        (report.budget, all_budget, spent),
        *((line.budget, food_budget, of(spent, "Food")) for line in report.lines if line.budget),
    ):
        if budget is not None:
            assert (budget.amount, budget.left) == (amount, amount - total(used))
            assert (budget.per_day is not None) == (report.current and budget.left >= 0)
            if budget.per_day is not None:
                days_left = (month.end_date - today).days + 1
                assert 0 <= budget.left - budget.per_day * days_left < Decimal("0.01") * days_left


@TRIED
@given(expenses, days, days, first_days, st.booleans())
def test_a_year_is_what_an_oracle_says(people, made, day, today, start_date, named_after_end):
    mine = keep(people, made)
    people[0].first_day_of_month, people[0].named_after_end = start_date, named_after_end
    db.session.commit()
    year = Period.year(day, start_date, named_after_end)
    spent = within(mine, year)

    report = year_report(people[0], year, today)

    assert (report.count, report.total) == (len(spent), total(spent))
    current = year.start_date <= today < year.end_date
    assert_bar(report.so_far, Period(year.start_date, today) if current else year, mine)
    before = report.same_days_before.period
    assert_bar(report.same_days_before, before, mine)
    year_before = Period.year(year.start_date - timedelta(1), start_date, named_after_end)
    assert before.start_date == year_before.start_date
    assert before.end_date < year.start_date
    same_day = 28 if (today.month, today.day) == (2, 29) else today.day
    assert before.end_date == (
        today.replace(year=today.year - 1, day=same_day) if current else year_before.end_date
    )
    assert [column.period for column in report.months] == year.months()
    for column in report.months:
        chosen = within(spent, column.period)
        assert (column.count, column.total) == (len(chosen), total(chosen))
    assert {line.category for line in report.lines} == {expense["category"] for expense in spent}
    assert sum((line.total for line in report.lines), Decimal(0)) == report.total
    for line in report.lines:
        assert line.total == total(of(spent, line.category))
        for month, cell in zip(year.months(), line.months, strict=True):
            chosen = of(within(spent, month), line.category)
            assert (cell.period, cell.count, cell.total) == (month, len(chosen), total(chosen))


@pytest.mark.parametrize(
    ("today", "same_day"),
    [
        ("2024-02-28", "2023-02-28"),
        ("2024-02-29", "2023-02-28"),
        ("2024-03-01", "2023-03-01"),
        ("2025-02-28", "2024-02-28"),
        ("2025-03-01", "2024-03-01"),
        ("2025-12-31", "2024-12-31"),
    ],
)
def test_a_year_in_progress_is_compared_with_the_same_days_of_the_year_before(people, today, same_day):
    today, same_day = date.fromisoformat(today), date.fromisoformat(same_day)

    report = year_report(people[0], Period.year(today), today)

    assert report.so_far.period == Period(date(today.year, 1, 1), today)
    assert report.same_days_before.period == Period(date(same_day.year, 1, 1), same_day)


@given(st.lists(st.decimals("-1e9", "1e12", places=3), max_size=30))
def test_a_scale_holds_every_figure_in_few_even_steps(figures):
    scale = axis_for(figures)

    steps = {after - before for before, after in zip(scale.ticks, scale.ticks[1:], strict=False)}
    assert len(steps) == 1
    assert next(iter(steps)).normalize().as_tuple().digits in {(1,), (2,), (5,)}
    assert 2 <= len(scale.ticks) <= TICKS
    assert 0 in scale.ticks
    assert scale.ticks[0] <= min([0, *figures])
    assert max([0, *figures]) <= scale.ticks[-1]
    assert all(0 <= scale.position(figure) <= 100 for figure in figures)


@given(st.lists(st.decimals("-1e6", "1e9", places=2), max_size=31))
def test_an_axis_without_outliers_leaves_out_a_few_much_larger_figures(figures):
    axis = axis_without_outliers(figures)

    beyond = sorted(figure for figure in figures if figure > axis.ticks[-1])
    held = [figure for figure in figures if figure <= axis.ticks[-1]]
    assert len(beyond) <= MAX_CUT_OFF
    assert not beyond or beyond[0] > CUT_OFF_FACTOR * max(held)
    assert axis.ticks[0] <= min([0, *figures])
    assert all(0 <= axis.position(figure) <= 100 for figure in figures)


def test_one_rent_payment_does_not_dominate_the_days():
    assert list(map(int, axis_without_outliers([Decimal(n) for n in (1180, 80, 49, 0, 12)]).ticks)) == [
        0,
        20,
        40,
        60,
        80,
    ]


def test_a_scale_has_no_smaller_steps_that_would_do():
    assert list(map(int, axis_for([Decimal(950)]).ticks)) == [0, 500, 1000]
    assert list(map(int, axis_for([Decimal(-30), Decimal(100)]).ticks)) == [-50, 0, 50, 100]


# --- The pages


@pytest.fixture
def spender(app):
    """Ana, logged in, and what puts expenses and budgets into her ledger."""
    visitor = Visitor(app).with_account("ana")

    def spend(made, start_date=1, named_after_end=False):
        with app.app_context():
            user = visitor.user()
            user.first_day_of_month = start_date
            user.named_after_end = named_after_end
            mine = keep([user, user], made)
            db.session.execute(delete(Budget))
            food = select(Category.id).where(Category.author_id == user.id, Category.name == "Food")
            set_budgets(user, {None: 100, db.session.scalar(food): 50})
            db.session.commit()
            return mine

    visitor.spend = spend
    return visitor


def links(page):
    """The figure of every link to rows, and its URL."""
    for link in page.one("main").all("a"):
        shown = link.get("aria-label") or link.text
        if link["href"].startswith("/expenses"):
            yield shown, link["href"]


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=expenses,
    day=st.sampled_from([date(2026, 1, 31), date(2026, 2, 10)]),
    start_date=first_days,
    after_end=st.booleans(),
)
def test_every_link_opens_the_rows_that_make_its_figure(spender, made, day, start_date, after_end):
    spender.spend(made, start_date, after_end)
    opened = {}
    month = Period.month(day, start_date).text(after_end)

    for address in (f"/months/{month}", f"/years/{month[:4]}"):
        figures = list(links(spender.page(address)))
        assert figures
        for shown, target in figures:
            if target not in opened:
                opened[target] = spender.page(target)
            page = opened[target]
            if target.startswith("/expenses/add") or target.endswith("sort=-amount"):
                continue
            if "/edit" in target:
                assert f"${Decimal(page.one(id='amount')['value']):,}" == shown.rpartition(" ")[2]
            elif "expense" in shown:
                assert shown.partition(" ")[0] == page.one(id="count").text
            else:
                assert shown.rpartition(" ")[2] == page.one(id="total").text, (shown, target)


def test_figures_of_the_first_and_the_last_month_can_be_opened(spender):
    # These months begin before the first day, or end after the last one, that an expense can have.
    for month, day, after_end in (("1900-01", date(1900, 1, 2), True), ("2100-12", date(2100, 12, 30), False)):
        made = [{"amount": Decimal(7), "category": "Food", "date": day, "owner": 0}]
        spender.spend(made, 25, after_end)

        targets = {target for shown, target in links(spender.page(f"/months/{month}")) if "$7.00" in shown}

        assert len(targets) > 5
        assert {spender.total(target) for target in targets if "/edit" not in target} == {"$7.00"}


@pytest.mark.parametrize("start_date", [1, 25])
def test_a_month_of_ones_own_is_the_same_on_every_page(spender, start_date):
    made = [
        {"amount": Decimal(n), "category": "Food", "date": date(2026, 11, 20) + timedelta(n), "owner": 0}
        for n in range(1, 40)
    ]
    mine = spender.spend(made, start_date)
    expected = f"${total(within(mine, Period.month(date(2026, 11, 26), start_date))):,}.00"

    assert spender.total("/months/2026-11") == spender.total("/expenses?period=2026-11") == expected
    assert spender.page("/expenses?period=2026-11").one("h1").text.startswith("November 2026 ·")


def test_a_month_and_a_year_named_after_their_end_are_the_same_on_every_page(spender):
    made = [
        {"amount": Decimal(n), "category": "Food", "date": date(2025, 12, 20) + timedelta(n), "owner": 0}
        for n in range(1, 40)
    ]
    mine = spender.spend(made, 25, named_after_end=True)
    month, year = (
        f"${total(within(mine, Period(date(2025, 12, 25), end))):,}.00" for end in (date(2026, 1, 24), date.max)
    )

    assert spender.total("/months/2026-01") == spender.total("/expenses?period=2026-01") == month
    assert spender.total("/years/2026") == spender.total("/expenses?period=2026") == year
    assert spender.page("/expenses?period=2026-01").one("h1").text.startswith("January 2026 ·")
    page = spender.page("/months/2026-01")
    assert page.one("h1").text == "January 2026"
    assert "Dec 25, 2025 to Jan 24, 2026" in page.text
    assert [link["href"] for link in page.one(class_="neighbours").all("a")] == [
        "/months/2025-12",
        "/months/2026-02",
    ]
    assert spender.page("/years/2026").one("h1").text == "2026"


def test_the_month_page_without_a_month_shows_the_users_current_month(spender):
    for zone in ("Etc/GMT+12", "Etc/GMT-14"):
        for start_date in (1, 14, 28):
            spender.spend([], start_date)
            with spender.app.app_context():
                spender.user().time_zone = zone
                db.session.commit()
            today = day_in(zone, datetime.now(UTC))

            page = spender.page("/months")

            assert page.one("h1").text == f"{Period.month(today, start_date).start_date:%B %Y}"
            assert "0 expenses so far" in page.one("main").text


def test_a_budget_is_described_in_words(spender):
    today = day_in("UTC", datetime.now(UTC))
    spender.spend([{"amount": Decimal("62.30"), "category": "Food", "date": today, "owner": 0}])
    days_left = (Period.month(today).end_date - today).days + 1

    page = spender.page("/months")

    per_day = (Decimal("37.70") / days_left).quantize(Decimal("0.01"), ROUND_DOWN)
    assert f"1 expense so far · $37.70 of $100.00 left – ${per_day} a day" in page.one("main").text
    assert page.all("table")[0].all("td")[-1].text == "$12.30 over"


def test_a_month_and_a_year_without_expenses_say_so_and_show_no_picture(spender):
    spender.spend([])

    for address, words in (("/months/2020-02", "February 2020"), ("/years/2020", "2020")):
        page = spender.page(address)

        assert f"There are no expenses in {words}." in page.text
        assert page.all("svg") == []
        assert page.one(id="total").text == "$0.00"


def test_an_invalid_month_or_year_is_not_found(spender):
    for start_date in (1, 28):
        spender.spend([], start_date)
        for address in (
            *("/months/2026-13", "/months/2026-1", "/months/1899-12", "/months/2101-01", "/months/this-month"),
            *("/months/", "/months/２０２６-01", "/years/1899", "/years/2101", "/years/99999999999999999999"),
            *("/years/-1", "/years/２０２６", "/years/2026-01", "/years/", "/months/2026-01%0A", "/years/2026%00"),
        ):
            assert spender.get(address).status_code == 404, address


NEIGHBOURS = {
    "/months/1900-01": ([], ["/months/1900-02"]),
    "/months/2100-12": (["/months/2100-11"], []),
    "/months/2026-01": (["/months/2025-12"], ["/months/2026-02"]),
    "/years/1900": ([], ["/years/1901"]),
    "/years/2100": (["/years/2099"], []),
}


def test_neighbours_are_linked_as_far_as_there_are_any(spender):
    for start_date in (1, 28):
        first = {"amount": Decimal(1), "category": "Food", "date": date(1900, 1, 1), "owner": 0}
        spender.spend([first], start_date)
        for address, (before, after) in NEIGHBOURS.items():
            page = spender.page(address)

            assert [link["href"] for link in page.all("a", rel="prev")] == before
            assert [link["href"] for link in page.all("a", rel="next")] == after


def test_a_month_in_progress_is_compared_with_the_same_days_of_the_month_before(app, spender):
    today = day_in("UTC", datetime.now(UTC))
    month = Period.month(today)
    before = month.months_before(1)[0]
    one = {"category": "Food", "owner": 0}
    spender.spend(
        [
            {"amount": Decimal(5), "date": before.start_date, **one},
            {"amount": Decimal(100), "date": before.end_date, **one},
            {"amount": Decimal(7), "date": today, **one},
            {"amount": Decimal(1000), "date": month.end_date, **one},
        ]
    )
    if today.day >= before.end_date.day or today == month.end_date:
        pytest.skip("the last days of a month have no other same days")

    page = spender.page("/months")

    assert page.one(id="total").text == "$1,007.00"
    assert "2 expenses · $7.00 so far" in page.one("main").text
    assert page.one("dl").text == f"By {before.start_date + (today - month.start_date):%b %-d} $5.00 up $2.00"


def test_a_week_starts_as_the_reader_expects(spender):
    today = day_in("UTC", datetime.now(UTC))
    for locale, first in (("en_US", 6), ("de_DE", 0), ("ar_EG", 5)):
        with spender.app.app_context():
            spender.user().locale = locale
            db.session.commit()
        start_date = today - timedelta((today.weekday() - first) % 7)
        spender.spend(
            [
                {
                    "amount": Decimal(10**place),
                    "category": "Food",
                    "date": start_date + timedelta(days),
                    "owner": 0,
                }
                for place, days in enumerate((-1, 0, 6, 7))
            ]
        )

        assert spender.page("/expenses?period=this-week").one(id="count").text == "2"


def test_a_year_shows_whole_amounts_and_says_the_exact_ones(spender):
    spender.spend([{"amount": Decimal("12.50"), "category": "Food", "date": date(2026, 2, 1), "owner": 0}])

    cells = [cell.one("a") for cell in spender.page("/years/2026").one("table").all("td", class_="amount")]

    assert [cell.text for cell in cells] == ["13"] * 4
    assert [cell["aria-label"] for cell in cells] == [
        "Food, February 2026, $12.50",
        "Food, $12.50",
        "Total, February 2026, $12.50",
        "Total, $12.50",
    ]


def test_a_refund_of_less_than_half_is_shown_as_zero_without_a_minus(spender):
    spender.spend([{"amount": Decimal("-0.39"), "category": "Food", "date": date(2026, 2, 1), "owner": 0}])

    cells = [cell.one("a") for cell in spender.page("/years/2026").one("table").all("td", class_="amount")]

    assert [cell.text for cell in cells] == ["0"] * 4
    assert cells[0]["aria-label"] == "Food, February 2026, −$0.39"
