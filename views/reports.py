"""Months and years."""

from flask import abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ledger import reports
from ledger.periods import DateError, Period, parse_month, parse_year
from views.common import today


def show_month(month: str | None = None) -> ResponseReturnValue:
    """Show where the money of a month went, by default of the current one."""
    start_date = current_user.first_day_of_month
    try:
        period = parse_month(month, start_date) if month is not None else Period.month(today(), start_date)
    except DateError:
        abort(404)
    return render_template("reports/month.html", report=reports.month_report(current_user, period, today()))


def show_year(year: str) -> ResponseReturnValue:
    """Show where the money of a year went, month by month."""
    try:
        period = parse_year(year, current_user.first_day_of_month)
    except DateError:
        abort(404)
    return render_template("reports/year.html", report=reports.year_report(current_user, period, today()))
