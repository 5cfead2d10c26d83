"""Tables of any bank or tracker: the layout is decided step by step, and then every record is read by it."""

import re
from collections import Counter, deque
from dataclasses import replace
from itertools import groupby

from ledger.money import currency_digits
from ledger.statements import amounts, dates, trackers, vocabulary
from ledger.statements.columns import SAMPLE, Table, assign_roles, divide, numeric_cells, profile
from ledger.statements.csv_rows import Plan, day_cell, read_rows
from ledger.statements.encodings import CHOICES, DecodedText
from ledger.statements.headers import roles_of
from ledger.statements.listing import COLON, read_listing
from ledger.statements.locale_hints import decimal_of, is_dollar
from ledger.statements.model import (
    ID_MAX,
    Hints,
    Layout,
    Question,
    State,
    Statement,
    StatementError,
)
from ledger.statements.money_plan import MoneyPlan
from ledger.statements.signs import plan_money
from ledger.statements.table import (
    Record,
    all_records,
    choose_delimiter,
    is_booking,
    join_days,
    narrow_numbers,
    unwrap,
)
from ledger.statements.text import fold, tidy

EVIDENCE_ROWS = 20_000
_CODE = re.compile(r"\b[A-Z]{3}\b")
# The name of the only currency whose name is nearly the same in every language.
_EURO = re.compile(r"\beuro[as]?\b", re.IGNORECASE)
# Codes of currencies that are words in capitals, or hidden digits, more often than not.
_WORDS = frozenset({"ALL", "TOP", "XXX"})
_ACCOUNT = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")


def read_csv(decoded: DecodedText, hints: Hints) -> Statement:
    """Read delimited text. Raises StatementError if it holds no bookings and no records that look like some."""
    layout = hints.layout
    text = unwrap(decoded.text)
    records = read_listing(text, hints.limits)
    delimiter = COLON if records else layout.delimiter or choose_delimiter(text)
    records = records or join_days(narrow_numbers(all_records(text, delimiter, hints.limits)))
    table = divide(records, delimiter)
    if not table.rows:
        raise StatementError("no_lines")
    hints.limits.check_lines(len(table.rows))
    plan = _plan(table, hints)
    if not decoded.is_certain and not layout.encoding:
        plan.questions.append(Question("encoding", CHOICES, decoded.encoding))
    lines, footer = read_rows(plan, hints)
    if not any(line.state is not State.LEFT_OUT for line in lines):
        raise StatementError("no_lines")
    currencies = Counter(line.currency for line in lines if line.currency)
    return Statement(
        format=plan.preset.format if plan.preset else "csv",
        lines=tuple(lines),
        currency=currencies.most_common(1)[0][0] if currencies else plan.currency,
        signature=_signature(table, delimiter),
        layout=_layout(plan, decoded, delimiter, hints),
        questions=tuple(plan.questions),
        columns=table.header or table.rows[0].fields,
        preamble=tuple(record.raw for record in table.preamble),
        footer=tuple(footer),
    )


def _signature(table: Table, delimiter: str) -> str:
    """Return what stands for the bank: the names of the columns, or what they hold where there is no header."""
    if table.header:
        return "\n".join((delimiter, *(fold(name) for name in table.header)))
    kinds = (
        "day" if c.is_days else "number" if c.is_numbers else "text" if c.filled else "" for c in table.columns
    )
    return "\n".join((delimiter, "", *kinds))


def _layout(plan: Plan, decoded: DecodedText, delimiter: str, hints: Hints) -> Layout:
    money = plan.money
    roles = {**plan.table.roles}
    for role, index in (("amount", money.amount), ("out", money.out), ("in", money.into)):
        if index >= 0:
            roles[role] = index
    return replace(
        hints.layout,
        encoding=decoded.choice,
        delimiter=delimiter,
        date=plan.date_order,
        decimal=money.decimal,
        sign="plus" if money.sign < 0 else "minus",
        currency=plan.currency,
        columns={} if plan.preset else roles,
    )


# --- Decisions


def _plan(table: Table, hints: Hints) -> Plan:
    preset = trackers.find_preset(table.header)
    if preset:
        trackers.apply_preset(preset, table)
    else:
        assign_roles(table, hints.layout.columns)
        if _drop_title(table):
            table.columns = profile(table.bookings, table.header)
            table.roles, table.texts = {}, []
            assign_roles(table, hints.layout.columns)
    rows = _without_balances(table.bookings[:EVIDENCE_ROWS])
    currency, currency_question = _currency(table, rows, hints)
    decimal, decimal_question = _decimal(table, rows, preset, hints, currency)
    order, date_question = _date_order(table, rows, hints)
    # What is pending has no balance, and can stand at either end.
    balanced = [row for row in rows if row.cell(table.roles["balance"])] if "balance" in table.roles else rows
    is_rising = _is_rising(table, balanced, order, hints)
    money, questions = _money(table, rows, preset, decimal, hints, is_rising)
    named = {_currency_in(table.columns[index].name) for index in money.indexes} - {""}
    if len(named) == 1 and not hints.layout.currency:
        currency, currency_question = named.pop(), None
    plan = Plan(table, preset, money, order, currency, _account(table, rows))
    asked = (date_question, decimal_question, *questions, currency_question)
    plan.questions = [question for question in asked if question]
    _plan_day(plan, rows, hints)
    _plan_minor(plan, rows, hints)
    if preset and preset.is_double_entry:
        plan.questions.append(Question("double", ("expenses", "accounts"), "expenses"))
    return plan


def _drop_title(table: Table) -> bool:
    """Move a first row above the table if it is about the account, and tell whether it is.

    Then its day is in a column where other rows have none, or is written differently.
    """
    first = table.rows[0]
    columns = {column.index for column in table.columns if column.is_days} | {table.roles.get("date", -1)}
    if len(table.rows) < 2 or not is_booking(first.fields):
        return False
    shapes = {_shape_of(row, columns) for row in table.bookings[:SAMPLE] if row is not first}
    shape = _shape_of(first, columns)
    if shape is not None and (not shapes or shape in shapes):
        return False
    table.preamble.append(table.rows.pop(0))
    table.bookings = [row for row in table.bookings if row is not first]
    return True


def _shape_of(row: Record, columns: set[int]) -> tuple[bool, str] | None:
    """Return how the first day of a row in these columns is written."""
    cell = next((cell for index in columns if (cell := day_cell(row, index))), None)
    return (cell.numbers is None, cell.separator) if cell else None


def _without_balances(rows: list[Record]) -> list[Record]:
    """Return the rows without those at both ends that are named as balances, which prove nothing of the others."""
    kept = deque(rows)
    while kept and "balance" in vocabulary.marks_of(kept[0].fields):
        kept.popleft()
    while kept and "balance" in vocabulary.marks_of(kept[-1].fields):
        kept.pop()
    return list(kept) or rows


def _date_order(table: Table, rows: list[Record], hints: Hints) -> tuple[str, Question | None]:
    """Decide the order of day and month by all columns of days that are written like the one that counts."""
    index = table.roles.get("date", -1)
    main = _days_in(rows, index)
    shape = next(((cell.separator, cell.short_year) for cell in main if cell.numbers), None)
    others = [column.index for column in table.columns if column.is_days and column.index != index]
    beside = [
        cell
        for other in others
        for cell in _days_in(rows, other)
        if cell.numbers and (cell.separator, cell.short_year) == shape
    ]
    order = dates.decide_order(main, hints.locale, hints.today, hints.layout.date)
    if not order.is_certain and beside:
        wider = dates.decide_order([*main, *beside], hints.locale, hints.today, hints.layout.date)
        order = wider if wider.is_certain else order
    question = None if order.is_certain else Question("date", dates.ORDERS, order.order)
    return order.order, question


def _days_in(rows: list[Record], index: int) -> list[dates.DayCell]:
    """Return the days of a column; of equal ones that follow each other, one."""
    texts = [row.cell(index) for row in rows]
    return [cell for text, _ in groupby(texts) if (cell := dates.read_cell(text))]


def _is_rising(table: Table, rows: list[Record], order: str, hints: Hints) -> bool | None:
    """Tell whether the rows go on in time, or back; None if neither."""
    index = table.roles.get("date", -1)
    days = [day for cell in _days_in(rows, index) if (day := cell.read(order, hints.today))]
    if not days or days[0] == days[-1]:
        return None
    ordered = sorted(days)
    return True if days == ordered else False if days == ordered[::-1] else None


def _decimal(
    table: Table, rows: list[Record], preset: trackers.Preset | None, hints: Hints, currency: str
) -> tuple[str, Question | None]:
    """Decide the decimal separator by all columns of money; the other numbers of the file only hint at it."""
    used = {table.roles[role] for role in ("amount", "out", "in") if role in table.roles}
    used = used or {column.index for column in table.columns if column.is_money}
    cells = _amounts_in(rows, used)
    if "balance" in table.roles and not any(amounts.evidence(cell.number) in {".", ","} for cell in cells):
        cells += _amounts_in(rows, {table.roles["balance"]})
    hint = decimal_of(hints.locale)
    has_decimals = currency_digits(currency) > 0 and currency not in amounts.WRITTEN_WHOLE
    chosen = hints.layout.decimal or (preset.decimal if preset else "")
    separator = amounts.decide_decimal(cells, numeric_cells(table, used), hint, chosen, has_decimals)
    question = None if separator.is_certain else Question("decimal", (".", ","), separator.character)
    return separator.character, question


def _amounts_in(rows: list[Record], indexes: set[int]) -> list[amounts.AmountCell]:
    texts = [row.cell(index) for row in rows for index in indexes]
    # Most amounts of a file are there more than once.
    cells = {text: amounts.read_cell(text) for text in set(texts)}
    return [cell for text in texts if (cell := cells[text])]


def _money(
    table: Table,
    rows: list[Record],
    preset: trackers.Preset | None,
    decimal: str,
    hints: Hints,
    is_rising: bool | None,
) -> tuple[MoneyPlan, list[Question | None]]:
    chosen = hints.layout.sign or (preset.sign if preset else "")
    if preset and preset.kinds and not chosen:
        # The kinds of the rows decide, not the signs.
        chosen = "minus"
    guess = plan_money(table, decimal, rows, chosen, is_rising)
    if not guess.plan.indexes or "date" not in table.roles:
        raise StatementError("unknown_columns")
    questions: list[Question | None] = []
    if "sign" in guess.questions and not hints.layout.sign:
        questions.append(Question("sign", ("minus", "plus"), "plus" if guess.plan.sign < 0 else "minus"))
    unread = sum(not any(map(row.cell, guess.plan.indexes)) for row in rows)
    # Half of the rows have an amount somewhere else.
    is_doubtful = "columns" in guess.questions or (unread > 0 and 2 * unread >= len(rows))
    if is_doubtful and not hints.layout.columns:
        choices = tuple(str(column.index) for column in table.columns)
        questions.append(Question("columns", choices, ",".join(map(str, guess.plan.indexes))))
    return guess.plan, questions


def _currency(table: Table, rows: list[Record], hints: Hints) -> tuple[str, Question | None]:
    """Return the currency of lines that name none: from a column's name, a sign or the preamble, or the user's."""
    if hints.layout.currency:
        return hints.layout.currency, None
    for role in ("amount", "out", "in", "balance"):
        index = table.roles.get(role, -1)
        found = _currency_in(table.header[index]) if 0 <= index < len(table.header) else ""
        if found:
            # A column of currencies then says in which one was paid abroad.
            table.roles.pop("currency", None)
            return found, None
    money = {table.roles[role] for role in ("amount", "out", "in", "balance") if role in table.roles}
    signs = Counter(sign for row in rows[:500] for sign in _signs_in(row, money))
    for sign, _ in signs.most_common(1):
        if currency := amounts.currency_of(sign):
            return currency, None
        if sign == "$" and not is_dollar(hints.currency):
            return "USD", Question("currency", ("USD", hints.currency), "USD")
        return hints.currency, None
    codes = {
        code
        for record in table.preamble[:20]
        for text in record.fields
        if (code := _currency_in(text[:80], besides=frozenset() if _names_currency(record) else _WORDS))
    }
    return (codes.pop() if len(codes) == 1 else hints.currency), None


def _signs_in(row: Record, money: set[int]) -> list[str]:
    """Return the currencies beside amounts of a row, but not that of an amount abroad, which is another number."""
    cells = [cell for text in row.fields if (cell := amounts.read_cell(text))]
    own = {cell.number for cell in _amounts_in([row], money)}
    return [cell.currency for cell in cells if cell.currency and (cell.number in own if own else cell.is_money)]


def _names_currency(record: Record) -> bool:
    """Tell whether a record above the table says what its fields are, as in "Currency: ALL"."""
    return any("currency" in roles_of(text.partition(":")[0]) for text in record.fields)


def _currency_in(text: str, besides: frozenset[str] = frozenset()) -> str:
    """Return the currency that a text names by its code or sign, other than those `besides`."""
    for code in _CODE.findall(text):
        if (currency := amounts.currency_of(code)) and code not in besides:
            return currency
    if _EURO.search(text):
        return "EUR"
    signs = (sign for sign in amounts.SIGNS if (not sign.isascii() or "$" in sign) and sign in text)
    return next((amounts.SIGNS[sign] for sign in signs), "")


def _account(table: Table, rows: list[Record]) -> str:
    """Return the account that the preamble names, or that is the same in every row of a column."""
    for record in table.preamble[:40]:
        for text in record.fields:
            if match := _ACCOUNT.search(text[:200]):
                return match[0].replace(" ", "")
    index = table.roles.get("account", -1)
    values = {row.fields[index] for row in rows if 0 <= index < len(row.fields)}
    return tidy(values.pop(), ID_MAX) if len(values) == 1 else ""


def _plan_day(plan: Plan, rows: list[Record], hints: Hints) -> None:
    """Ask which day is meant if timestamps in UTC belong to another day where the person lives."""
    index = plan.table.roles["date"]
    cells = _days_in(rows, index)
    differs = any(cell.instant and hints.local_day(cell.instant) != cell.fixed for cell in cells)
    # Banks print the day that they mean; other programs print the moment.
    plan.is_local_day = hints.layout.day != "printed" and (plan.preset is not None or hints.layout.day == "local")
    if differs and plan.is_local_day and not hints.layout.day:
        plan.questions.append(Question("day", ("local", "printed"), "local"))


def _plan_minor(plan: Plan, rows: list[Record], hints: Hints) -> None:
    """Ask whether amounts are in cents where a known export of whole numbers has been seen with both."""
    if plan.preset is None or not plan.preset.may_be_minor:
        return
    if hints.layout.minor:
        plan.scale = -2 if hints.layout.minor == "yes" else 0
        return
    index = plan.money.amount
    if all("." not in row.cell(index) for row in rows):
        plan.questions.append(Question("minor", ("no", "yes"), "no"))
