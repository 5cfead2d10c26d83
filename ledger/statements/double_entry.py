"""Double-entry exports: the side of the categories is what was spent; the side of the accounts repeats it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledger.statements import dates
from ledger.statements.model import State, StatementLine
from ledger.statements.table import Record
from ledger.statements.text import fold

_CATEGORIES = frozenset(
    (
        "expenses",
        "expense",
        "income",
        "aufwendungen",
        "aufwand",
        "ertrage",
        "ertrag",
        "depenses",
        "revenus",
        "gastos",
        "ingresos",
        "uscite",
        "entrate",
    )
)
ReadRow = Callable[[Any, Record, Any], StatementLine]


class Reader:
    """Reads rows, of which those without a day belong to the booking above them."""

    def __init__(self, read_row: ReadRow) -> None:
        self._read_row = read_row
        self._day_cell = ""
        self._text = ""
        self._bank_id = ""

    def read(self, plan: Any, row: Record, hints: Any) -> StatementLine:
        """Return the line of one split: booked if its account is a category, with the sign turned around."""
        index = plan.table.roles["date"]
        fields = list(row.fields)
        if index < len(fields) and dates.read_cell(fields[index]):
            self._day_cell = fields[index]
        elif index < len(fields) and not fields[index]:
            fields[index] = self._day_cell
        line = self._read_row(plan, replace(row, fields=tuple(fields)), hints)
        self._text = line.text or self._text
        amount = line.amount
        if line.state is not State.BOOKED or amount is None:
            return line
        names = [name.strip().casefold() for name in plan.table.header]
        account = row.fields[names.index("full account name")]
        top, _, rest = account.partition(":")
        line = replace(line, text=self._text, raw=row.raw, account="", category=rest or top)
        if fold(top) not in _CATEGORIES:
            return replace(line, state=State.LEFT_OUT, reason="double")
        return replace(line, amount=-amount)
