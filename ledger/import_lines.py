"""Lines of a statement as they are stored: account, payee, category, and whether they are added."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from uuid_utils.compat import uuid7

from database import Money
from ledger.categories import MAX_CATEGORIES, NEW_CATEGORY
from ledger.import_knowledge import (
    PayeeHistory,
    categories_of_descriptions,
    known_lines,
    payee_histories,
    typed_expenses,
)
from ledger.import_matching import Duplicate, Line, find_duplicates
from ledger.statements import Statement
from ledger.statements import StatementLine as ReadLine
from ledger.statements.payees import payee_key
from models import Category, Expense, StatementLine, category_key, description_key

# Reasons with which a line is still added unless the user decides otherwise.
ADDED_REASONS = frozenset({"", "refund"})
# The application's own export says which lines are refunds.
OWN_FORMAT = "ledger"
Row = dict[str, Any]
_values_of_line = itemgetter(*Line._fields)


@dataclass(frozen=True, slots=True)
class Owner:
    """The user's values that are needed without a session: reading a file must not keep others from writing."""

    id: int
    currency: str


def build_rows(connection: sa.Connection, owner: Owner, statement: Statement, source: str) -> list[Row]:
    """Return the lines of a statement as rows of StatementLine, in the order of their ids.

    They lack the id of their statement. `source` is the account of lines for which the file names none.
    """
    rows = [_row(owner, line, source) for line in statement.lines]
    _number(rows)
    ordered = _give_ids(rows, statement)
    booked = [row for row in rows if row["state"] == "add"]
    histories = payee_histories(connection, owner.id, {row["payee_key"] for row in booked})
    is_own = statement.format == OWN_FORMAT
    _judge(booked, histories, is_own=is_own)
    _set_categories(connection, owner, booked, histories, is_own)
    lines = list(map(line_of, booked))
    wanted = [line for line, row in zip(lines, booked, strict=True) if row["state"] == "add"]
    known, typed = known_lines(connection, owner.id, lines), typed_expenses(connection, owner.id, lines, is_own)
    duplicates = find_duplicates(lines, known, typed, wanted)
    if duplicates:
        for row in booked:
            if row["id"] in duplicates:
                set_duplicate(row, duplicates[row["id"]])
    return ordered


def line_of(row: Any) -> Line:
    """Return the values by which duplicates are found, from a row or a dictionary of its columns."""
    return Line._make(_values_of_line(row))


def _default_state(reason: str) -> str:
    """Return the state of a booking unless the user decides otherwise."""
    return "add" if reason in ADDED_REASONS else "skip"


def set_duplicate(row: Row, duplicate: Duplicate | None) -> None:
    """Note which row a line repeats, and leave the line out unless that is uncertain."""
    row["duplicate"] = duplicate.code if duplicate else ""
    row["expense_id"] = duplicate.row_id if duplicate else None
    row["state"] = "skip" if duplicate and duplicate.is_left_out else _default_state(row["reason"])


def count_to_add(rows: Iterable[Row]) -> int:
    """Return how many lines would be added."""
    return sum(row["state"] == "add" for row in rows)


def count_here(rows: Iterable[Row]) -> int:
    """Return how many lines would be added if they were not here already."""
    return sum(
        row["state"] == "skip" and bool(row["duplicate"]) and row["reason"] in ADDED_REASONS for row in rows
    )


# --- What the file says


def _row(owner: Owner, line: ReadLine, source: str) -> Row:
    state, reason = _state(owner, line)
    is_booked = state == "add"
    text = line.text if is_booked else line.raw if state == "bad" else line.text or line.raw
    text = text[: StatementLine.TEXT_MAX].replace("\0", "")
    return {
        "line_number": line.line_number,
        "source": line.account or source,
        "date": line.date,
        "amount": line.amount if is_booked or _is_storable(line.amount) else None,
        "currency": line.currency,
        "text": text,
        "text_key": description_key(text[: Expense.DESCRIPTION_MAX]) if is_booked else "",
        "bank_id": line.bank_id,
        "payee": line.payee or _shown_payee(line) if is_booked else "",
        "payee_key": payee_key(line.payee or text)[: StatementLine.PAYEE_MAX] if is_booked else "",
        "category": line.category,
        "state": state,
        "reason": reason,
        "duplicate": "",
        "expense_id": None,
    }


def _state(owner: Owner, line: ReadLine) -> tuple[str, str]:
    """Return the state of a line and the reason that the file itself gives for it."""
    if line.state != "booked":
        return str(line.state), line.reason[: StatementLine.REASON_MAX]
    if not line.amount:
        return "left_out", "zero"
    return "add", "currency" if line.currency != owner.currency else line.reason


def _is_storable(amount: Decimal | None) -> bool:
    """Tell whether an amount fits into its column."""
    return amount is not None and abs(amount) <= Money.MAX and amount == round(amount, Money.SCALE)


def _shown_payee(line: ReadLine) -> str:
    """Return the words of a text that name the payee, if the file has no field for it."""
    key = set(payee_key(line.text).split())
    words = [word for word in line.text.split() if key & set(payee_key(word).split())]
    return (" ".join(words) or line.text)[: StatementLine.PAYEE_MAX]


def _number(rows: Sequence[Row]) -> None:
    """Let no two lines have the same number, as in a file that is written without line breaks."""
    last = 0
    for row in rows:
        last = row["line_number"] = max(row["line_number"], last + 1)


def _give_ids(rows: list[Row], statement: Statement) -> list[Row]:
    """Give each line an id, and return them in the order of ids: within a day, later payments have larger ones."""
    days = [row["date"] for row in rows if row["date"] and row["state"] in StatementLine.BOOKED]
    is_own = statement.format == OWN_FORMAT
    is_newest_first = bool(days) and (days[0] > days[-1] or (is_own and days[0] == days[-1]))
    ordered = rows[::-1] if is_newest_first else rows
    for row in ordered:
        row["id"] = uuid7()
    return ordered


# --- What is known about the payee


def _judge(booked: Sequence[Row], histories: dict[str, PayeeHistory], is_own: bool) -> None:
    """Set the state of each line, and the reason why it is left out or counts as a refund."""
    paid = {key for key, history in histories.items() if history.is_paid}
    left_out = {key for key, history in histories.items() if history.is_left_out}
    came_in = [row for row in booked if row["amount"] > 0 and not row["reason"]]
    first_paid = _first_payments(booked, {row["payee_key"] for row in came_in})
    for row in came_in:
        key = row["payee_key"]
        was_paid = key in paid or (key in first_paid and first_paid[key] <= row["date"])
        row["reason"] = "refund" if is_own or was_paid else "money_in"
    for row in booked:
        if not row["reason"] and row["payee_key"] in left_out:
            row["reason"] = "payee_left_out"
        if row["reason"]:
            row["state"] = _default_state(row["reason"])


def _first_payments(booked: Sequence[Row], payees: Collection[str]) -> dict[str, date]:
    """Return the first day on which money went to each of some payees."""
    days: dict[str, date] = {}
    for row in booked:
        key = row["payee_key"]
        if key in payees and row["amount"] < 0:
            days[key] = min(days.get(key, row["date"]), row["date"])
    return days


def _set_categories(
    connection: sa.Connection,
    owner: Owner,
    booked: Sequence[Row],
    histories: dict[str, PayeeHistory],
    is_own: bool,
) -> None:
    """Propose a category: the file's, the last one of the payee, or the last one of the description."""
    query = sa.select(Category.name_key, Category.name).where(Category.author_id == owner.id)
    names = {row.name_key: row.name for row in connection.execute(query)}
    used = {row["category"] for row in booked} - {""}
    known = names | _new_names(used if is_own else filter(_is_category, used), names)
    spelled = {name: known.get(category_key(name), "") for name in used}
    for row in booked if used or histories else ():
        row["category"] = spelled.get(row["category"], "")
        if not row["category"] and row["payee_key"] in histories:
            row["category"] = histories[row["payee_key"]].category
    rest = [row for row in booked if not row["category"]]
    # The description of a typed expense is often the name of the payee.
    keys = {row["text"]: row["text_key"] for row in rest}
    payees = {row["payee"] for row in rest}
    keys |= {name: description_key(name) for name in payees - keys.keys()}
    suggested = categories_of_descriptions(connection, owner.id, set(keys.values()))
    if suggested:
        for row in rest:
            row["category"] = suggested.get(row["text_key"]) or suggested.get(keys[row["payee"]], "")


def _is_category(text: str) -> bool:
    """Tell whether a file means a category by this text, which can be a picture; some write a dash for none."""
    return any(character.isalnum() or unicodedata.category(character) == "So" for character in text)


def _new_names(used: Iterable[str], names: dict[str, str]) -> dict[str, str]:
    """Return the file's categories that the user does not have, by their keys, up to the limit of categories."""
    new: dict[str, str] = {}
    for name in sorted(used):
        key = category_key(name)
        is_free = key not in {*names, *new, category_key(NEW_CATEGORY)}
        if is_free and len(names) + len(new) < MAX_CATEGORIES:
            new[key] = name
    return new
