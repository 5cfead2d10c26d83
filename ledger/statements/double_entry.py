"""Double-entry exports: the side of the categories is what was spent; the side of the accounts repeats it."""

from collections.abc import Callable

from ledger.statements import dates
from ledger.statements.columns import Table
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


class Reader:
    """Reads rows, of which those without a day belong to the booking above them."""

    def __init__(self, read_row: Callable[[Record], StatementLine], table: Table) -> None:
        self._read_row = read_row
        self._date = table.roles["date"]
        self._account = [name.strip().casefold() for name in table.header].index("full account name")
        self._day_cell = ""
        self._text = ""

    def read(self, row: Record) -> StatementLine:
        """Return the line of one split: booked if its account is a category, with the sign turned around."""
        fields = list(row.fields)
        if self._date < len(fields) and dates.read_cell(fields[self._date]):
            self._day_cell = fields[self._date]
        elif self._date < len(fields) and not fields[self._date]:
            fields[self._date] = self._day_cell
        line = self._read_row(row._replace(fields=tuple(fields)))
        self._text = line.text or self._text
        amount = line.amount
        if line.state is not State.BOOKED or amount is None:
            return line
        top, _, rest = row.cell(self._account).partition(":")
        line = line._replace(text=self._text, raw=row.raw, account="", category=rest or top)
        if fold(top) not in _CATEGORIES:
            return line._replace(state=State.LEFT_OUT, reason="double")
        return line._replace(amount=-amount)
