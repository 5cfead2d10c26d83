"""The figures of a statement, which the command prints."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ledger.money import currency_digits
from ledger.statements.model import State, Statement


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """Counts of lines by their state; every good one is `to_add`, `already_here` or `left_out`."""

    lines: int
    sum: Decimal
    start_date: date | None
    end_date: date | None
    bad_lines: int
    left_out: int
    to_add: int
    already_here: int

    def as_dict(self, statement: Statement) -> dict[str, object]:
        """Return the summary as JSON holds it, with the format and the questions of its statement."""
        return {
            "format": statement.format,
            "lines": self.lines,
            "sum": f"{self.sum:f}",
            "start_date": self.start_date.isoformat() if self.start_date else None,
            "end_date": self.end_date.isoformat() if self.end_date else None,
            "currency": statement.currency,
            "questions": [question.name for question in statement.questions],
            "bad_lines": self.bad_lines,
            "left_out": self.left_out,
            "to_add": self.to_add,
            "already_here": self.already_here,
        }


def summarise_statement(statement: Statement, to_add: int, already_here: int) -> StatementSummary:
    """Count the lines of a statement, given how many are added and how many are here already."""
    booked = statement.in_state(State.BOOKED)
    total = sum((line.amount for line in booked if line.amount is not None), Decimal(0))
    digits = currency_digits(statement.currency)
    if total == round(total, digits):
        total = round(total, digits)
    days = [line.date for line in booked if line.date]
    bad = len(statement.in_state(State.BAD))
    return StatementSummary(
        lines=len(booked),
        sum=total,
        start_date=min(days, default=None),
        end_date=max(days, default=None),
        bad_lines=bad,
        left_out=len(statement.lines) - bad - to_add - already_here,
        to_add=to_add,
        already_here=already_here,
    )
