"""Records of a table, read into lines by what was decided about the whole table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import dropwhile

from ledger.csv_export import unescape_formula
from ledger.statements import amounts, dates, double_entry, trackers, vocabulary
from ledger.statements.columns import Table
from ledger.statements.dates import DayCell
from ledger.statements.locale_hints import is_dollar
from ledger.statements.model import (
    CATEGORY_MAX,
    ID_MAX,
    PAYEE_MAX,
    TEXT_MAX,
    Hints,
    Question,
    State,
    StatementLine,
)
from ledger.statements.money_plan import MoneyPlan, UnreadableError, direction_of
from ledger.statements.table import Record
from ledger.statements.text import fold, tidy

# Columns of banks, which a list that a person keeps does not have.
_OF_BANKS = {"balance", "status", "id", "check", "direction"}


@dataclass(slots=True)
class Plan:
    """Everything that was decided about a table before its records are read."""

    table: Table
    preset: trackers.Preset | None
    money: MoneyPlan
    date_order: str
    currency: str
    account: str
    is_local_day: bool = True
    scale: int = 0
    questions: list[Question] = field(default_factory=list)


def read_rows(plan: Plan, hints: Hints) -> tuple[list[StatementLine], list[str]]:
    """Return a line for every record, and the records at the end that do not look like one."""
    date_index = plan.table.roles["date"]
    rows = plan.table.rows
    last = next(
        (number for number in reversed(range(len(rows))) if _has_amount(plan, rows[number])), len(rows) - 1
    )
    end = last + 1
    while end < len(rows) and (rows[end].is_broken or day_cell(rows[end], date_index)):
        end += 1
    read: Callable[[Record], StatementLine] = _RowReader(plan, hints).read
    if plan.preset and plan.preset.is_double_entry:
        end = len(rows)
        read = double_entry.Reader(read, plan.table).read
    lines = [read(row) for row in rows[:end]]
    if not plan.preset:
        _leave_out_ends(lines, rows)
    return lines, [row.raw for row in rows[end:]]


def _leave_out_ends(lines: list[StatementLine], rows: list[Record]) -> None:
    """Leave out a first or last line that is not a booking: their sum, or a balance."""
    booked = [number for number, line in enumerate(lines) if line.state is State.BOOKED]
    for at, others in ((-1, booked[:-1]), (0, booked[1:])):
        if others and (reason := _reason_of_end(booked[at], others, lines, rows)):
            lines[booked[at]] = lines[booked[at]]._replace(state=State.LEFT_OUT, reason=reason)


def _reason_of_end(number: int, others: list[int], lines: list[StatementLine], rows: list[Record]) -> str:
    line, fields = lines[number], rows[number].fields
    if any(map(vocabulary.is_total, fields)):
        total = sum(lines[other].amount or 0 for other in others)
        is_sum = line.amount is not None and abs(line.amount) == abs(total)
        return "total" if is_sum else "balance" if vocabulary.ENDS & set(map(fold, fields)) else ""
    if len(others) < 2 or line.amount is None or line.amount <= 0:
        return ""
    # What has less than any booking, and no text or not even an empty field for it, is about the account.
    is_less = sum(map(bool, fields)) < min(sum(map(bool, rows[other].fields)) for other in others)
    is_bare = not line.text or len(fields) < min(len(rows[other].fields) for other in others)
    return "balance" if is_less and is_bare else ""


def day_cell(row: Record, index: int) -> DayCell | None:
    """Return the day in a field, or None if there is none."""
    return dates.read_cell(row.cell(index))


def _dollars_beside_others(plan: Plan) -> dict[str, str]:
    """Return what a dollar sign means where other currencies stand beside it, and the account has no dollars."""
    index = plan.table.roles.get("currency", plan.money.amount)
    values = plan.table.columns[index].values if index >= 0 else set()
    signs = {cell.currency if (cell := amounts.read_cell(value)) else value for value in values}
    is_foreign = bool(signs - {"", "$"}) and not is_dollar(plan.currency)
    return {"$": "USD"} if is_foreign else {}


def _writes_day_once(plan: Plan) -> bool:
    """Tell whether a list that a person keeps has a day once for several rows. Banks write it in each.

    Rows without a day below all others can also be about the account.
    """
    if _OF_BANKS & plan.table.roles.keys():
        return False
    index = plan.table.roles["date"]
    rows = dropwhile(lambda row: not row.cell(index), reversed(plan.table.rows))
    return any(not row.cell(index) and _has_amount(plan, row) for row in rows)


def _has_amount(plan: Plan, row: Record) -> bool:
    return any(amounts.read_cell(row.cell(index)) for index in plan.money.indexes)


class _RowReader:
    """Reads records into lines: booked, pending, left out or bad. The same text is read only once."""

    def __init__(self, plan: Plan, hints: Hints) -> None:
        self._plan, self._hints, self._preset = plan, hints, plan.preset
        self._roles, self._texts = plan.table.roles, plan.table.texts
        # Texts of our own export are read unchanged.
        self._is_exact = plan.preset is not None and plan.preset.is_guarded
        self._clean: Callable[[str], str] = unescape_formula if self._is_exact else str
        named = (("payee", PAYEE_MAX), ("id", ID_MAX), ("category", CATEGORY_MAX))
        self._named = [(self._roles.get(role, -1), limit) for role, limit in named]
        self._payer = self._roles.get("payer", -1)
        self._has_account = "account" in self._roles and not plan.account
        names = [fold(name) for name in plan.table.header]
        self._pending, self._transfer = (
            next((at for at, name in enumerate(names) if name in columns), -1)
            for columns in (vocabulary.PENDING_COLUMNS, vocabulary.TRANSFER_COLUMNS)
        )
        self._repeats_day = self._preset is None and _writes_day_once(plan)
        self._day_above = ""
        self._days: dict[str, date | None] = {}
        self._currencies = _dollars_beside_others(plan)

    def read(self, row: Record) -> StatementLine:
        """Return the line of one record."""
        if row.is_broken:
            return self._line(row, State.BAD, "quote", None, None)
        date_text = self._date_text(row)
        day = self._day(date_text)
        # In our own export, these are words that the user chose.
        marks = set() if self._is_exact else vocabulary.marks_of(row.fields)
        reason = self._no_booking(row, date_text, day, marks)
        try:
            amount = self._plan.money.value(row.fields)
        except UnreadableError as error:
            if str(error) == "two_amounts" and not dates.read_cell(date_text):
                # The sums of both sides.
                reason = reason or "total"
            return self._line(row, State.LEFT_OUT if reason else State.BAD, reason or str(error), day, None)
        if amount is not None and self._plan.scale:
            amount = amount.scaleb(self._plan.scale)
        if reason:
            return self._line(row, State.LEFT_OUT, reason, day, amount)
        is_pending = "pending" in marks or (day is None and fold(date_text) in vocabulary.PENDING)
        if is_pending or fold(row.cell(self._pending)) in vocabulary.TRUE:
            return self._line(row, State.PENDING, "pending", day, amount)
        return self._judged(row, day, amount)

    def _cell(self, row: Record, role: str) -> str:
        return row.cell(self._roles.get(role, -1))

    def _date_text(self, row: Record) -> str:
        """Return the text of the day, or that of the row above if the row has only a text and an amount."""
        text = self._cell(row, "date")
        if text or not self._repeats_day:
            self._day_above = text
            return text
        is_booking = any(map(row.cell, self._texts)) and _has_amount(self._plan, row)
        return self._day_above if is_booking and not any(map(vocabulary.is_total, row.fields)) else ""

    def _day(self, text: str) -> date | None:
        if text not in self._days:
            cell = dates.read_cell(text)
            if cell and cell.instant and self._plan.is_local_day:
                self._days[text] = self._hints.local_day(cell.instant)
            else:
                self._days[text] = cell.read(self._plan.date_order, self._hints.today) if cell else None
        return self._days[text]

    def _no_booking(self, row: Record, date_text: str, day: date | None, marks: set[str]) -> str:
        """Return why a record is not a booking: a balance, a total, a text alone; nothing if it is one."""
        if "balance" in marks:
            return "balance"
        is_day_missing = day is None and not self._is_exact
        if is_day_missing and any(map(vocabulary.is_total, [date_text] if date_text else row.fields)):
            return "total"
        if not date_text and not _has_amount(self._plan, row):
            return "no_booking"
        direction = self._cell(row, "direction") if self._plan.money.by_direction else ""
        return "neutral" if direction and not direction_of(direction) else ""

    def _judged(self, row: Record, day: date | None, amount: Decimal | None) -> StatementLine:
        """Return the line in the state that its status, its day and its amount give it."""
        if "status" in self._roles:
            status = fold(self._cell(row, "status"))
            if status in vocabulary.PENDING:
                return self._line(row, State.PENDING, "pending", day, amount)
            if status in vocabulary.CANCELLED:
                return self._line(row, State.LEFT_OUT, "cancelled", day, amount)
        if amount is None:
            return self._line(row, State.LEFT_OUT, "no_amount", day, amount)
        problem = "date" if day is None else amounts.problem(amount, self._currency(row))
        if problem:
            return self._line(row, State.BAD, problem, day, amount)
        return self._by_kind(row, day, amount)

    def _by_kind(self, row: Record, day: date | None, amount: Decimal) -> StatementLine:
        """Apply what the export's kind of the row says."""
        if self._preset is None:
            return self._line(row, State.BOOKED, "transfer" if self._is_transfer(row) else "", day, amount)
        kind = self._preset.kind_of(self._cell(row, "kind"))
        if kind in {trackers.OUT, trackers.IN}:
            return self._line(row, State.BOOKED, "", day, abs(amount) if kind == trackers.IN else -abs(amount))
        state = State.LEFT_OUT if kind and not kind.startswith("?") else State.BOOKED
        return self._line(row, state, kind.removeprefix("?"), day, amount)

    def _is_transfer(self, row: Record) -> bool:
        """Tell whether the direction, or a column for it, says that the money stays with the user."""
        direction, answer = fold(self._cell(row, "direction")), fold(row.cell(self._transfer))
        return direction in vocabulary.TRANSFERS or answer in vocabulary.TRUE

    def _currency(self, row: Record) -> str:
        if "currency" in self._roles:
            text = self._cell(row, "currency")
        elif self._plan.money.amount >= 0:
            text = self._sign_in(row.cell(self._plan.money.amount))
        else:
            return self._plan.currency
        if text not in self._currencies:
            written = text.strip().rpartition("::")[2]
            known = amounts.currency_of(written) or amounts.currency_of(written.upper())
            self._currencies[text] = known or self._plan.currency
        return self._currencies[text]

    @staticmethod
    def _sign_in(text: str) -> str:
        if text[-1:].isdigit() and text.lstrip("-+")[:1].isdigit():
            return ""
        cell = amounts.read_cell(text)
        return cell.currency if cell else ""

    def _line(
        self, row: Record, state: State, reason: str, day: date | None, amount: Decimal | None
    ) -> StatementLine:
        clean, fields, width = self._clean, row.fields, len(row.fields)
        texts = [clean(fields[index]) for index in self._texts if index < width and fields[index]]
        text = texts[0] if len(texts) == 1 else " ".join(dict.fromkeys(texts))
        payee, bank_id, category = [
            tidy(clean(fields[index]), limit) if 0 <= index < width else "" for index, limit in self._named
        ]
        if amount and amount > 0:
            payee = tidy(row.cell(self._payer), PAYEE_MAX) or payee
        return StatementLine(
            row.line_number,
            state,
            row.raw,
            day,
            amount,
            self._currency(row),
            text[:TEXT_MAX] if self._is_exact else tidy(text, TEXT_MAX),
            payee,
            bank_id,
            category,
            tidy(self._cell(row, "account"), ID_MAX) if self._has_account else self._plan.account,
            reason,
        )
