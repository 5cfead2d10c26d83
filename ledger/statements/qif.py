"""QIF: one letter and a value on each line, records that end with ^, and days in any order of their parts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ledger.statements import amounts, dates
from ledger.statements.encodings import DecodedText
from ledger.statements.lines import judged
from ledger.statements.locale_hints import decimal_of
from ledger.statements.model import (
    CATEGORY_MAX,
    ID_MAX,
    PAYEE_MAX,
    RAW_MAX,
    TEXT_MAX,
    Hints,
    Layout,
    Question,
    State,
    Statement,
    StatementError,
    StatementLine,
)
from ledger.statements.text import tidy

VALUE_MAX = 1000
_SECTIONS = {"bank", "cash", "ccard", "oth a", "oth l"}
_RECORDS = re.compile(r"^(?:[DTPMNLCUA][^\r\n]{0,200}(?:\r\n|\n|\r)){2,30}\^", re.MULTILINE)
_DAY_ORDER = re.compile(r"!option:([mdy]{3})", re.IGNORECASE)


@dataclass(slots=True)
class _Record:
    """The lines of one transaction by their letter; of repeated letters the first one counts."""

    line_number: int
    account: str
    values: dict[str, str] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)


def looks_like_records(text: str) -> bool:
    """Return whether a text without a header holds records of QIF."""
    match = _RECORDS.search(text)
    return bool(match and re.search("^D", match[0], re.MULTILINE) and re.search("^[TU]", match[0], re.MULTILINE))


def read_qif(decoded: DecodedText, hints: Hints) -> Statement:
    """Read QIF. Raises StatementError if no section of an account holds a transaction."""
    records = list(_records(decoded.text, hints))
    if not records:
        raise StatementError("no_lines")
    option = _DAY_ORDER.search(decoded.text[:VALUE_MAX])
    chosen = hints.layout.date or (option[1].lower() if option else "")
    days = [day for record in records if (day := _day(record))]
    order = dates.decide_order(days, hints.locale, hints.today, chosen)
    cells = [cell for record in records if (cell := _amount(record))]
    separator = amounts.decide_decimal(cells, (), decimal_of(hints.locale), hints.layout.decimal)
    questions = []
    if not order.is_certain:
        questions.append(Question("date", ("dmy", "mdy"), order.order))
    if not separator.is_certain:
        questions.append(Question("decimal", (".", ","), separator.character))
    currency = hints.layout.currency or hints.currency
    return Statement(
        format="qif",
        lines=tuple(_line(record, order.order, separator.character, currency, hints.today) for record in records),
        currency=currency,
        signature="qif",
        layout=Layout(
            encoding=decoded.choice,
            date=order.order,
            decimal=separator.character,
            currency=currency,
        ),
        questions=tuple(questions),
    )


def _records(text: str, hints: Hints) -> Iterator[_Record]:
    """Yield the transactions of the sections that hold some."""
    section, account, count = "bank", "", 0
    record = _Record(1, account)
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = line[:VALUE_MAX].strip()
        if line.startswith("!"):
            section = _section(line, section)
            record = _Record(number + 1, account)
        elif line.startswith("^"):
            if section == "account":
                account = tidy(record.values.get("N", ""), ID_MAX)
            elif section in _SECTIONS and record.values.keys() & {"D", "T", "U"}:
                yield record
                count += 1
            hints.limits.check_lines(count)
            record = _Record(number + 1, account)
        elif line and not line.startswith("#"):
            # A split repeats letters of its own after the first S.
            is_split = "S" in record.values and line[0] not in "SE$%"
            if not is_split:
                record.values.setdefault(line[0], line[1:].strip())
            if len(record.raw) < 20:
                record.raw.append(line)
    # The last one is not always closed. Where the file breaks off, its last value may be incomplete.
    if record.raw and text[-1] not in "\r\n" and record.raw[-1][0] in "DTU$":
        record.values.pop(record.raw[-1][0], None)
    if section in _SECTIONS and record.values.keys() & {"D", "T", "U"}:
        yield record


def _section(line: str, section: str) -> str:
    """Return the section that a line with an exclamation mark begins; options change nothing."""
    name = line[1:].casefold()
    if name.startswith("type:"):
        return name.removeprefix("type:").strip()
    return "account" if name.startswith("account") else section


def _day(record: _Record) -> dates.DayCell | None:
    # Quicken pads with spaces: 1/ 1'00, and 1/ 1' 5.
    text = record.values.get("D", "")[: dates.CELL_MAX]
    bare = re.sub(r"(?<=[/'.-])\s+|\s+(?=[/'])", "", text)
    return dates.read_cell(re.sub(r"'([0-9])$", r"'0\1", bare))


def _amount(record: _Record) -> amounts.AmountCell | None:
    text = record.values.get("T") or record.values.get("U", "")
    parts = [line for line in record.raw if line.startswith("$")]
    if not text and len(parts) == 1:
        text = parts[0][1:]
    return amounts.read_cell(text)


def _line(record: _Record, order: str, decimal: str, currency: str, today: date) -> StatementLine:
    values = record.values
    payee, memo = values.get("P", ""), values.get("M", "")
    day, cell = _day(record), _amount(record)
    amount: Decimal | None = cell.value(decimal) if cell else None
    category = values.get("L") or values.get("S", "")
    is_transfer = category.startswith("[")
    line = StatementLine(
        record.line_number,
        State.BOOKED,
        "\n".join(record.raw)[:RAW_MAX],
        date=day.read(order, today) if day else None,
        amount=amount,
        currency=currency,
        text=tidy(" ".join(dict.fromkeys(filter(None, (payee, memo)))), TEXT_MAX),
        payee=tidy(payee or memo, PAYEE_MAX),
        category="" if is_transfer else tidy(category.partition("/")[0], CATEGORY_MAX),
        account=record.account,
        reason="transfer" if is_transfer else "",
    )
    return judged(line)
