"""Reports of a month and a year, with what is left of the budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

import sqlalchemy as sa

from ledger import spending
from ledger.budgets import AvailableBudget, History, available_budgets, get_history
from ledger.categories import CategoryData
from ledger.money import currency_digits
from ledger.periods import FIRST_YEAR, LAST_YEAR, Period
from ledger.spending import CategoryTotal, ExpenseFilter, Summary
from models import User

TOP_COUNT = 10
# How many previous months a month is compared with.
COMPARISON_MONTHS = 12
# How many months the average on the page of categories covers.
AVERAGE_MONTHS = 3


@dataclass(frozen=True)
class Budget:
    """Monthly budget, what is left of it, and how much that is for each remaining day, today included.

    The amount includes what was `carried` over from the months before.
    """

    amount: Decimal
    carried: Decimal
    left: Decimal
    per_day: Decimal | None


@dataclass(frozen=True)
class CategoryLine:
    """Spending in one category, its share of all spending and its budget, if any."""

    category: str
    count: int
    total: Decimal
    share: Decimal | None
    budget: Budget | None


@dataclass(frozen=True)
class Bar:
    """Spending on one day of a month, in one month of a year, or from the first day of a month to another one."""

    period: Period
    count: int
    total: Decimal


@dataclass(frozen=True)
class PreviousMonths:
    """Spending in up to twelve previous months, as far back as there are expenses in the whole of a month."""

    period: Period
    months: int
    total: Decimal

    @property
    def average(self) -> Decimal:
        """The average per month."""
        return self.total / self.months


@dataclass(frozen=True)
class MonthReport:
    """A month: in total, by category (largest first), by day (all of them), and its largest expenses.

    It is `current` if today is in it; then `so_far` ends today, and so do the running totals, one for each day.
    `same_days_before` are as many days of the month before. A neighbour that is out of range is None.
    """

    month: Period
    current: bool
    before: Period | None
    after: Period | None
    count: int
    total: Decimal
    so_far: Bar
    same_days_before: Bar
    running_totals: tuple[Bar, ...]
    running_totals_before: tuple[Bar, ...]
    previous_months: PreviousMonths | None
    budget: Budget | None
    lines: tuple[CategoryLine, ...]
    days: tuple[Bar, ...]
    largest: list[sa.Row[str, date, str, str, Decimal]]


@dataclass(frozen=True)
class YearRow:
    """Spending in one category in a year and in each of its months."""

    category: str
    total: Decimal
    months: tuple[Bar, ...]


@dataclass(frozen=True)
class YearReport:
    """A year: in total, by month, and by month and category (largest first).

    `so_far` ends today in the current year; `same_days_before` are the same days of the year before.
    """

    year: Period
    before: Period | None
    after: Period | None
    count: int
    total: Decimal
    so_far: Bar
    same_days_before: Bar
    months: tuple[Bar, ...]
    lines: tuple[YearRow, ...]


@dataclass(frozen=True)
class CategoryOverview:
    """Spending of a month in one category, or in all, its average per month before, and its budget, if any.

    The average is of up to AVERAGE_MONTHS, as far back as there are expenses in the whole of a month.
    """

    count: int
    total: Decimal
    average: Decimal | None
    average_months: int
    budget: Budget | None


def category_overview(
    user: User, month: Period, known: Sequence[CategoryData], history: History
) -> dict[str | None, CategoryOverview]:
    """Return an overview of each of the user's categories by name, and of all of them together by None."""
    months = [*month.months_before(COMPARISON_MONTHS), month]
    summaries, since = spending.summarise_periods(user, months)
    *previous, spent = summaries
    whole = [
        summary for earlier, summary in zip(months, previous, strict=False) if since and earlier.begin >= since
    ]
    recent = whole[-AVERAGE_MONTHS:]
    available = available_budgets(history, months, summaries)
    overview = {}
    for name in (None, *(category.name for category in known)):
        now, *before = (_in_category(summary, name) for summary in (spent, *recent))
        average = sum((entry.total for entry in before), Decimal(0)) / len(before) if before else None
        budget = _budget(user, available.get(name), now.total, None)
        overview[name] = CategoryOverview(now.count, now.total, average, len(recent) or AVERAGE_MONTHS, budget)
    return overview


def _in_category(summary: Summary, name: str | None) -> CategoryTotal:
    """Return what was spent in one category, or in all."""
    if name is None:
        return CategoryTotal("", summary.count, summary.total)
    found = (entry for entry in summary.breakdown if entry.category == name)
    return next(found, CategoryTotal(name, 0, Decimal(0)))


def month_report(user: User, month: Period, today: date) -> MonthReport:
    """Return the report of a month, in a fixed number of statements."""
    months = [*month.months_before(COMPARISON_MONTHS), month]
    summaries, since = spending.summarise_periods(user, months)
    *previous, spent = summaries
    budgets = available_budgets(get_history(user), months, summaries)
    filters = ExpenseFilter(period=month, min_amount=Decimal(0), sort="-amount")
    current = month.begin <= today <= month.end
    days_left = (month.end - today).days + 1 if current else None
    days_before, days = _days(user, [month.months_before(1)[0], month])
    running, running_before = _running_totals(days), _running_totals(days_before)
    so_far = running[(today - month.begin).days] if current else running[-1]
    return MonthReport(
        month=month,
        current=current,
        before=_within_years(user, month.months_before(1)[0]),
        after=_within_years(user, Period.month(month.end + timedelta(days=1), month.begin.day)),
        count=spent.count,
        total=spent.total,
        so_far=so_far,
        same_days_before=running_before[-1] if so_far is running[-1] else _same_day(so_far, running_before),
        running_totals=running[: running.index(so_far) + 1],
        running_totals_before=running_before,
        previous_months=_previous_months(month, previous, since),
        budget=_budget(user, budgets.get(None), spent.total, days_left),
        lines=tuple(_lines(user, spent, budgets, days_left)),
        days=days,
        largest=spending.read_page(user, filters, size=TOP_COUNT).rows,
    )


def year_report(user: User, year: Period, today: date) -> YearReport:
    """Return the report of a year, in a fixed number of statements."""
    months = year.months()
    so_far = Period(year.begin, min(today, year.end)) if year.begin <= today else year
    before = _year_earlier(user, so_far)
    summaries, _since = spending.summarise_periods(user, months)
    totals = [{entry.category: entry for entry in summary.breakdown} for summary in summaries]
    lines = []
    for category in sorted({name for month_totals in totals for name in month_totals}):
        nothing = CategoryTotal(category, 0, Decimal(0))
        cells = [month_totals.get(category, nothing) for month_totals in totals]
        bars = tuple(Bar(month, cell.count, cell.total) for month, cell in zip(months, cells, strict=True))
        lines.append(YearRow(category, sum((cell.total for cell in cells), Decimal(0)), bars))
    lines.sort(key=lambda line: line.total, reverse=True)
    return YearReport(
        year=year,
        before=_within_years(user, _year_of(user, year.begin - timedelta(days=1))),
        after=_within_years(user, _year_of(user, year.end + timedelta(days=1))),
        count=sum(summary.count for summary in summaries),
        total=sum((summary.total for summary in summaries), Decimal(0)),
        so_far=Bar(so_far, *spending.count_and_total(user, so_far)),
        same_days_before=Bar(before, *spending.count_and_total(user, before)),
        months=tuple(
            Bar(month, summary.count, summary.total) for month, summary in zip(months, summaries, strict=True)
        ),
        lines=tuple(lines),
    )


def _year_of(user: User, day: date) -> Period:
    """Return the user's year that a day is in."""
    return Period.year(day, user.first_day_of_month, user.named_after_end)


def _year_earlier(user: User, period: Period) -> Period:
    """Return the same days of the year before; there are none before the first year."""
    year = _year_of(user, period.begin - timedelta(days=1))
    last = period.end
    # The year before a leap year has no February 29.
    is_leap_day = (last.month, last.day) == (2, 29)
    return Period(year.begin, last.replace(year=last.year - 1, day=28 if is_leap_day else last.day))


def _previous_months(month: Period, summaries: list[Summary], since: date | None) -> PreviousMonths | None:
    """Return the spending of the months before `month`, without the one in which the first expense is."""
    if since is None:
        return None
    months = [earlier for earlier in month.months_before(COMPARISON_MONTHS) if earlier.begin >= since]
    if not months:
        return None
    total = sum((summary.total for summary in summaries[-len(months) :]), Decimal(0))
    return PreviousMonths(Period(months[0].begin, months[-1].end), len(months), total)


def _within_years(user: User, period: Period) -> Period | None:
    """Return a month or a year if it has a page, or None."""
    return period if FIRST_YEAR <= period.named_day(user.named_after_end).year <= LAST_YEAR else None


def _lines(
    user: User, spent: Summary, budgets: dict[str | None, AvailableBudget], days_left: int | None
) -> list[CategoryLine]:
    """Return the categories with expenses or a budget, the largest first."""
    known = {entry.category for entry in spent.breakdown}
    empty = [CategoryTotal(name, 0, Decimal(0)) for name in budgets if name and name not in known]
    all_spent = sum((entry.total for entry in spent.breakdown if entry.total > 0), Decimal(0))
    return [
        CategoryLine(
            entry.category,
            entry.count,
            entry.total,
            # A category with a net refund has no share.
            share=entry.total / all_spent if entry.total > 0 else None,
            budget=_budget(user, budgets.get(entry.category), entry.total, days_left),
        )
        for entry in sorted((*spent.breakdown, *empty), key=lambda entry: entry.total, reverse=True)
    ]


def budget_left(user: User, name: str | None, spent: Decimal, month: Period, today: date) -> Budget | None:
    """Return what is left of the budget of a month, if there is one, of a category or of all.

    `spent` is what was spent in the month.
    """
    history, months, summaries = get_history(user), [month], [spending.Summary(0, spent)]
    if any(budget.rollover for budgets in history.values() for budget in budgets):
        months = [*month.months_before(COMPARISON_MONTHS), month]
        summaries, _since = spending.summarise_periods(user, months)
    available = available_budgets(history, months, summaries)
    days_left = (month.end - today).days + 1 if month.begin <= today <= month.end else None
    return _budget(user, available.get(name), spent, days_left)


def _budget(user: User, available: AvailableBudget | None, spent: Decimal, days_left: int | None) -> Budget | None:
    """Return what is left of a budget, if there is one."""
    if available is None:
        return None
    amount = available.amount + available.carried
    left = amount - spent
    if days_left is None or left < 0:
        return Budget(amount, available.carried, left, None)
    # Rounded down, so that spending this much every day stays within the budget.
    unit = Decimal(1).scaleb(-currency_digits(user.currency))
    return Budget(amount, available.carried, left, (left / days_left).quantize(unit, ROUND_DOWN))


def _days(user: User, months: list[Period]) -> list[tuple[Bar, ...]]:
    """Return all days of each of some consecutive months, even those without an expense."""
    spent = spending.summarise_days(user, Period(months[0].begin, months[-1].end))
    return [
        tuple(Bar(Period(day, day), *spent.get(day, (0, Decimal(0)))) for day in month.days()) for month in months
    ]


def _running_totals(days: tuple[Bar, ...]) -> tuple[Bar, ...]:
    """Return the running totals of some days, each from the first day on."""
    totals: list[Bar] = []
    count, total = 0, Decimal(0)
    for day in days:
        count, total = count + day.count, total + day.total
        totals.append(Bar(Period(days[0].period.begin, day.period.end), count, total))
    return tuple(totals)


def _same_day(bar: Bar, others: tuple[Bar, ...]) -> Bar:
    """Return the running total of another month after the same number of days, or after its last one."""
    return others[min((bar.period.end - bar.period.begin).days, len(others) - 1)]
