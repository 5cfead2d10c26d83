"""The columns of a table: the header, and which column holds what."""

import re
from dataclasses import dataclass, field

from ledger.statements import amounts, dates, vocabulary
from ledger.statements.amounts import AmountCell
from ledger.statements.headers import (
    AMOUNT_ROLES,
    DATE_ROLES,
    NAME_MAX,
    ends_period,
    find_header,
    kinds_of,
    roles_of,
)
from ledger.statements.table import Record, bookings_of, is_booking
from ledger.statements.text import fold
from ledger.statements.widths import kinds_of_nameless, narrowed

SAMPLE = 1000
# The share of a column's cells that decides what it holds.
MOST = 0.6
# In this many rows, a day that never changes is that of the file.
MANY = 5
_MAY_BE_EMPTY = {
    *("date", "amount", "out", "in", "balance", "other_amount"),
    *("status", "payee", "payer", "text", "check"),
}
_LONGEST_WHOLE_AMOUNT = 10
_LONG_NUMBER = re.compile("[0-9]{5}")
_IBAN = re.compile("[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}")
_WIDER = {"group", "parent", "type"}


@dataclass(slots=True)
class Column:
    """The cells of one column among the bookings, counted by what they look like."""

    index: int
    name: str = ""
    filled: int = 0
    dashes: int = 0
    days: int = 0
    numbers: int = 0
    money: int = 0
    codes: int = 0
    letters: int = 0
    values: set[str] = field(default_factory=set)

    def add(self, cell: str) -> None:
        """Count one cell."""
        if not cell:
            return
        self.filled += 1
        self.dashes += cell in amounts.NOTHING
        amount = amounts.read_cell(cell)
        day = dates.read_cell(cell)
        self.days += day is not None
        self.numbers += amount is not None
        self.money += amount is not None and amount.is_money and day is None
        self.codes += amounts.is_currency(cell.upper()) or bool(amounts.currency_of(cell)) or cell == "$"
        self.letters += any(map(str.isalpha, cell[:50])) and not _IBAN.fullmatch(cell)
        if len(self.values) <= SAMPLE:
            self.values.add(cell[:NAME_MAX])

    @property
    def is_days(self) -> bool:
        """True if most cells are days."""
        return self.filled > 0 and self.days >= MOST * self.filled

    @property
    def is_numbers(self) -> bool:
        """True if most cells can be amounts and are not days."""
        return self.numbers > 0 and self.numbers >= MOST * (self.filled - self.dashes) and not self.is_days

    @property
    def is_money(self) -> bool:
        """True if the cells are amounts that can hardly be numbers of another kind."""
        padded = any(len(value) > 1 and value[0] == "0" and value[1] in "0123456789" for value in self.values)
        return self.is_numbers and not padded and self.money > 0

    @property
    def is_zero(self) -> bool:
        """True if no cell has a digit but zeros."""
        return not any(digit in value for value in self.values for digit in "123456789")

    @property
    def has_both_signs(self) -> bool:
        """True if some amounts have a minus, and others have none."""
        cells = [cell for value in self.values if (cell := amounts.read_cell(value))]
        return {cell.sign < 0 for cell in cells} == {True, False}

    @property
    def is_identifiers(self) -> bool:
        """True if the cells are longer whole numbers than amounts are."""
        return all(value.isdigit() and len(value) > _LONGEST_WHOLE_AMOUNT for value in self.values)

    @property
    def is_answers(self) -> bool:
        """True if every cell is yes or no, which describes nothing without the name of the column."""
        return bool(self.values) and {fold(value) for value in self.values} <= vocabulary.ANSWERS

    @property
    def directions(self) -> tuple[set[str], set[str], set[str]]:
        """The values that mean money out, money in, and anything else."""
        out = {value for value in self.values if value == "-" or fold(value) in vocabulary.OUT}
        into = {value for value in self.values if value == "+" or fold(value) in vocabulary.IN}
        return out, into, self.values - out - into

    @property
    def is_direction(self) -> bool:
        """True if every cell says whether money went out or came in, or neither."""
        out, into, others = self.directions
        return bool(out or into) and all(fold(value) in vocabulary.NEUTRAL for value in others)


@dataclass(slots=True)
class Table:
    """The records of a file, divided into preamble, header and the rest, with the column of each role.

    `bookings` are the rows with a day and an amount in fields of their own.
    """

    preamble: list[Record]
    header: tuple[str, ...]
    rows: list[Record]
    bookings: list[Record]
    columns: list[Column]
    roles: dict[str, int] = field(default_factory=dict)
    # Columns whose text describes the booking, in the order of the file.
    texts: list[int] = field(default_factory=list)


def divide(records: list[Record], delimiter: str) -> Table:
    """Find the header and the first booking, and look at every column."""
    bookings_at = (number for number, record in enumerate(records) if is_booking(record.fields))
    first = next(bookings_at, len(records))
    header_at = find_header(records, first)
    if header_at is not None:
        preamble, header, rows = records[:header_at], records[header_at].fields, records[header_at + 1 :]
    else:
        preamble, header, rows = records[:first], (), records[first:]
    kinds = kinds_of(header)
    if not header and delimiter == ",":
        kinds = kinds_of_nameless(bookings_of(rows[:SAMPLE]))
    if kinds:
        rows = narrowed(rows, kinds, delimiter)
    bookings = bookings_of(rows)
    return Table(preamble, header, rows, bookings, profile(bookings, header))


def profile(bookings: list[Record], header: tuple[str, ...]) -> list[Column]:
    """Look at the cells of every column of the bookings."""
    width = max((len(row.fields) for row in bookings), default=len(header))
    columns = [Column(index, header[index] if index < len(header) else "") for index in range(width)]
    for row in bookings[:SAMPLE]:
        for column, cell in zip(columns, row.fields, strict=False):
            column.add(cell)
    return columns


def assign_roles(table: Table, chosen: dict[str, int]) -> None:
    """Decide which column holds what: as chosen, by the header if the cells agree, or by the cells."""
    if chosen and all(index < max(len(table.columns), 1) for index in chosen.values()):
        table.roles = dict(chosen)
    else:
        _assign_by_name(table)
        _take_payer(table)
        _prefer_account_currency(table)
        _drop_empty_amount(table)
        _drop_original_amount(table)
        _drop_original_currency(table)
        _join_pair(table)
        _take_only_amount(table)
        _assign_dates(table)
        _drop_other_accounts(table)
    _assign_direction(table)
    _assign_texts(table)


def _prefer_account_currency(table: Table) -> None:
    """Of two amounts with currencies, take the one whose currency is always the same: that of the account."""
    if not {"amount", "currency"} <= table.roles.keys():
        return
    amount, currency = table.roles["amount"], table.roles["currency"]
    if len(table.columns[currency].values) < 2:
        return
    for column in table.columns:
        beside = column.index + amount - currency
        is_constant = "currency" in roles_of(column.name) and len(column.values) == 1 and _fits(column, "currency")
        if is_constant and 0 <= beside < len(table.columns):
            other = table.columns[beside]
            if beside != amount and "amount" in roles_of(other.name) and _fits(other, "amount"):
                table.roles |= {"amount": beside, "currency": column.index}
                return


def _drop_empty_amount(table: Table) -> None:
    """Prefer a pair of columns to a single one that is always empty."""
    index = table.roles.get("amount")
    is_pair = "out" in table.roles or "in" in table.roles
    if index is not None and is_pair and not table.columns[index].filled:
        del table.roles["amount"]


def _drop_original_amount(table: Table) -> None:
    """Prefer a pair, of which always one is filled, to a column without signs: that is the amount abroad."""
    if not {"amount", "out", "in"} <= table.roles.keys() or "direction" in table.roles:
        return
    out, into = (table.columns[table.roles[role]] for role in ("out", "in"))
    amount = table.columns[table.roles["amount"]]
    is_signed = any(cell.sign for value in amount.values if (cell := amounts.read_cell(value)))
    filled = [sum(_holds_amount(row, column.index) for column in (out, into)) for row in table.bookings]
    if not is_signed and out.filled and into.filled and all(number == 1 for number in filled):
        del table.roles["amount"]


def _drop_original_currency(table: Table) -> None:
    """Drop the currency of an amount abroad: it differs where that amount is not the one of the account."""
    amount, other, currency = (table.roles.get(role, -1) for role in ("amount", "other_amount", "currency"))
    if not 0 <= other < currency < amount:
        return
    home = {row.cell(currency) for row in table.bookings if row.cell(amount) == row.cell(other)}
    abroad = {row.cell(currency) for row in table.bookings if row.cell(amount) != row.cell(other)}
    if len(home) == 1 and abroad and home.isdisjoint(abroad):
        del table.roles["currency"]


def _drop_other_accounts(table: Table) -> None:
    """Drop a column of numbers of accounts if some rows have none, or most their own: those of the other side."""
    number = min(len(table.bookings), SAMPLE)
    index = table.roles.get("account")
    if index is None or not any(map(_LONG_NUMBER.search, table.columns[index].values)):
        return
    column = table.columns[index]
    if column.filled < number or 2 * len(column.values) > max(number, 2):
        del table.roles["account"]


def _join_pair(table: Table) -> None:
    """Correct a column for money out that has none for money in beside it, or the other way round.

    It has both if its amounts have two signs. A column of amounts that is filled where it is empty is the other.
    """
    sides = {"out", "in"} & table.roles.keys()
    if len(sides) != 1:
        return
    side = sides.pop()
    if "amount" in table.roles:
        indexes = table.roles[side], table.roles["amount"]
        filled = [tuple(_holds_amount(row, index) for index in indexes) for row in table.bookings]
        if {(True, False), (False, True)} <= set(filled) and (True, True) not in filled:
            table.roles[({"out", "in"} - {side}).pop()] = table.roles.pop("amount")
        return
    if table.columns[table.roles[side]].has_both_signs:
        table.roles["amount"] = table.roles.pop(side)


def _take_only_amount(table: Table) -> None:
    """Take the amount of another kind, such as a price, if there is no other column of money."""
    index = table.roles.get("other_amount")
    if index is not None and not {"amount", "out", "in"} & table.roles.keys() and not money_columns(table):
        table.roles["amount"] = table.roles.pop("other_amount")


def _holds_amount(row: Record, index: int) -> bool:
    return row.cell(index) not in amounts.NOTHING


def _assign_by_name(table: Table) -> None:
    for column in table.columns:
        for role in roles_of(column.name) if column.name else []:
            if _fits(column, role):
                if role not in table.roles or _is_better(column, table.columns[table.roles[role]], role):
                    table.roles[role] = column.index
                break


def _take_payer(table: Table) -> None:
    """Take the column of who paid for the one of the other side, unless there is one of who was paid."""
    if "payer" in table.roles and "payee" not in table.roles:
        table.roles["payee"] = table.roles.pop("payer")


def _fits(column: Column, role: str) -> bool:
    """Return whether the cells of a column can be what its name says."""
    if column.filled == 0:
        return role in _MAY_BE_EMPTY
    if role in DATE_ROLES:
        return column.is_days
    if role in AMOUNT_ROLES:
        return column.is_numbers and not column.is_identifiers
    if role == "currency":
        return column.codes >= MOST * column.filled
    if role == "direction":
        return column.is_direction
    if role == "payer":
        # Not the number of the payer's account.
        return column.letters > 0
    return True


def _is_better(column: Column, present: Column, role: str) -> bool:
    """Return whether a later column with the same role should have it."""
    if present.filled == 0 and column.filled > 0:
        return True
    if role == "date":
        # A day that is the same in many rows is the one of the file.
        return len(present.values) == 1 < len(column.values) and present.filled >= MANY
    if role in {"payee", "payer", "text"}:
        is_named = not vocabulary.OTHER_SIDE.isdisjoint(fold(column.name).split())
        is_bare = fold(present.name) in vocabulary.BARE_NAMES
        return column.letters > 0 and (present.letters == 0 or (is_named and is_bare))
    if role in {"amount", "currency"} and "account" in roles_of(column.name):
        # The currency of the account, not that of a purchase abroad.
        return "account" not in roles_of(present.name)
    if role in {"category", "account"}:
        # The category, not the group of categories; the account, not its type.
        return bool(_WIDER & set(fold(present.name).split())) and not _WIDER & set(fold(column.name).split())
    if role == "amount":
        if column.is_money and present.is_zero and not column.is_zero:
            return True
        # The net amount is what changes the balance.
        return fold(column.name).split()[:1] in (["net"], ["netto"]) and column.is_money
    return False


def _assign_dates(table: Table) -> None:
    """Take the first column of days if no name tells; a value date or a period only if there is nothing else."""
    if "date" not in table.roles or not table.columns[table.roles["date"]].filled:
        days = [column.index for column in table.columns if column.is_days]
        of_lines = [index for index in days if not ends_period(table.columns[index].name)]
        others = [index for index in of_lines if index != table.roles.get("value_date")]
        if days:
            table.roles["date"] = (others or of_lines or days)[0]


def _assign_direction(table: Table) -> None:
    if "direction" in table.roles:
        return
    taken = {index for role, index in table.roles.items() if role not in {"kind", "text", "category"}}
    candidates = [
        column
        for column in table.columns
        # A category can have the name of a direction.
        if column.is_direction and column.index not in taken and "category" not in roles_of(column.name)
    ]
    both = [column for column in candidates if all(column.directions[:2])]
    # A single letter in every row can be anything; a whole word cannot.
    words = [column for column in candidates if all(len(value) > 2 for value in column.values)]
    for column in [*both, *words][:1]:
        others = {role: index for role, index in table.roles.items() if index != column.index}
        table.roles = others | {"direction": column.index}


def _assign_texts(table: Table) -> None:
    """Collect the columns of text; without names, those that no other role has."""
    silent = {"text", "payee", "payer"}
    used = {index for role, index in table.roles.items() if role not in silent}
    for column in table.columns:
        named = roles_of(column.name) if column.name else []
        role = next((role for role in named if _fits(column, role)), "")
        has_words = column.letters > 0 and column.codes < column.filled and not column.is_answers
        is_free = column.index not in used and has_words
        is_text = role in silent or (not named and is_free and not column.is_days)
        if is_text and column.index not in used and not column.is_money and column.filled:
            table.texts.append(column.index)
    if not table.texts:
        rest = [column for column in table.columns if column.index not in used and column.letters]
        table.texts = [column.index for column in rest[:2]]


def money_columns(table: Table) -> list[Column]:
    """Return the columns of money that no role has yet, or failing these the ones of whole numbers."""
    taken = {index for role, index in table.roles.items() if role not in {"kind", "text", "check"}}
    free = [column for column in table.columns if column.index not in taken]
    money = [column for column in free if column.is_money]
    if money:
        # Columns beside these that hold zeros or whole amounts belong to them: a pair of which one is empty.
        partial = [
            column for column in free if column.is_numbers and not column.is_money and column.values <= {"0"}
        ]
        return sorted([*money, *partial], key=lambda column: column.index)
    return [column for column in free if column.is_numbers and _is_plain(column)]


def _is_plain(column: Column) -> bool:
    return not any(len(value) > 9 or (len(value) > 1 and value.startswith("0")) for value in column.values)


def numeric_cells(table: Table, used: set[int]) -> list[AmountCell]:
    """Return the numbers of the other columns, which hint at the decimal separator."""
    cells = (
        amounts.read_cell(value)
        for column in table.columns
        if column.index not in used and column.is_numbers
        for value in list(column.values)[:200]
    )
    return [cell for cell in cells if cell is not None]
