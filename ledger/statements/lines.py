"""Lines of every format: whether their day and amount can be stored."""

from ledger.statements import amounts
from ledger.statements.model import State, StatementLine


def judged(line: StatementLine) -> StatementLine:
    """Return the line, marked as bad if its day or amount cannot be stored."""
    if line.amount is None:
        return line._replace(state=State.BAD, reason="amount")
    if line.date is None:
        return line._replace(state=State.BAD, reason="date")
    problem = amounts.problem(line.amount, line.currency)
    return line._replace(state=State.BAD, reason=problem) if problem else line
