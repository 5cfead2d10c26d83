"""Reports of months and years."""

from flask import abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ledger import reports
from ledger.periods import DateError, Period, parse_month, parse_year
from views.common import today


def show_month(month: str | None = None) -> ResponseReturnValue:
    """Show the report of a month, by default of the current one."""
    first_day, named_after_end = current_user.first_day_of_month, current_user.named_after_end
    try:
        period = (
            Period.month(today(), first_day) if month is None else parse_month(month, first_day, named_after_end)
        )
    except DateError:
        abort(404)
    return render_template("reports/month.html", report=reports.month_report(current_user, period, today()))


def show_year(year: str) -> ResponseReturnValue:
    """Show the report of a year, month by month."""
    try:
        period = parse_year(year, current_user.first_day_of_month, current_user.named_after_end)
    except DateError:
        abort(404)
    return render_template("reports/year.html", report=reports.year_report(current_user, period, today()))
