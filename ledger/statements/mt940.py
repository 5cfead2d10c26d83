"""MT940 and MT942: the messages that banks send each other, one field on each line.

The mt-940 library reads all statements it was tried on, but one bad field ends the whole file, and it knows
neither line numbers nor the text of a field. Here a bad field is one bad line.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ledger.statements import amounts
from ledger.statements.encodings import DecodedText
from ledger.statements.lines import judged
from ledger.statements.model import (
    ID_MAX,
    PAYEE_MAX,
    RAW_MAX,
    TEXT_MAX,
    Hints,
    Layout,
    State,
    Statement,
    StatementError,
    StatementLine,
)
from ledger.statements.text import tidy

FIELD_MAX = 4000
_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
# Value date, entry date, mark (R reverses it, E is expected), third letter of the currency, amount, kind, rest.
_BOOKING = re.compile(
    r"([0-9]{2})([0-9]{2})([0-9]{2})\s{0,4}(?:[0-9]{4})?\s{0,4}([RE]?[CD])([A-Z])?\s{0,2}"
    r"([0-9]{1,15}(?:[,.][0-9]{0,6})?)"
    r"(?![0-9,.])\s?([A-Z][A-Z0-9]{3})?([^\n]{0,34})(.*)",
    re.DOTALL,
)
_BALANCE = re.compile(r"([CD])[0-9]{6}([A-Z]{3})([0-9]{1,15}[,.]?[0-9]{0,6})")
_CURRENCY = re.compile(r"[0-9CD]*([A-Z]{3})")
# What divides the text of a booking differs from bank to bank.
_DIVIDED = re.compile(r"[0-9]{3}([?~<^])[0-9]{2}")
# Codes of the Netherlands, in slashes; the name of the other side is in one of its own, or after its bank.
_CODE = (
    r"/(?:TRTP|IBAN|BIC|NAME|REMI|EREF|MARF|CSID|ISDT|BENM|ORDP|CNTP|PREF|KREF|PURP|ULTB|ULTD|ID|ADDR|RTRN|SVCL)/"
)
_NAME = re.compile(rf"/NAME/(.{{1,140}}?)(?:{_CODE}|$)|/CNTP/[^/]{{0,40}}/[^/]{{0,20}}/([^/]{{1,140}})/")
_REMITTANCE = re.compile(rf"/REMI/(?:USTD//)?(.{{1,500}}?)/?(?:{_CODE}|$)")
_SEPA = re.compile(r"\b(?:EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|COAM|OAMT|BREF|RREF|RTRN)\+")


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message: its tag, its text over one or more lines, and the number of the first of them."""

    tag: str
    text: str
    line_number: int


@dataclass(slots=True)
class _Message:
    """The facts that a message states about all its bookings."""

    currency: str
    account: str = ""
    opening: Decimal | None = None
    total: Decimal = Decimal(0)
    agree: list[bool] = field(default_factory=list)


def read_mt940(decoded: DecodedText, hints: Hints) -> Statement:
    """Read the messages of a file. Raises StatementError if they hold no bookings."""
    lines: list[StatementLine] = []
    message = _Message(hints.layout.currency or hints.currency)
    tag = ""
    for part in _fields(decoded.text):
        before, tag = tag, part.tag
        if part.tag == "61":
            lines.append(_line(part, message))
            hints.limits.check_lines(len(lines))
            if lines[-1].state is State.BOOKED:
                message.total += lines[-1].amount or 0
        elif part.tag == "86" and before == "61":
            lines[-1] = _described(lines[-1], part.text)
        else:
            _note(part, message)
    if not lines:
        raise StatementError("no_lines")
    return Statement(
        format="mt940",
        lines=tuple(lines),
        currency=lines[0].currency,
        signature="mt940",
        layout=Layout(encoding=decoded.choice),
        balances_agree=all(message.agree) if message.agree else None,
    )


def _fields(text: str) -> Iterator[_Field]:
    """Yield the fields; a line without a tag goes on with the one before it."""
    tag, parts, size, start = "", [""], 0, 1
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        match = _TAG.match(line[:FIELD_MAX]) if line.startswith(":") else None
        if match or (line.startswith("-") and not line[1:].strip("}\x03 ")):
            if tag:
                yield _Field(tag, "\n".join(parts), start)
            tag, parts, size, start = (match[1], [match[2]], 0, number) if match else ("", [""], 0, number)
        elif tag and size < FIELD_MAX:
            parts.append(line[:FIELD_MAX])
            size += len(line)
    if tag:
        yield _Field(tag, "\n".join(parts), start)


def _note(part: _Field, message: _Message) -> None:
    """Remember account, currency and balances; compare the balances with what was booked between them."""
    if part.tag == "20":
        message.opening, message.total, message.account = None, Decimal(0), ""
    elif part.tag == "25" and not message.account:
        message.account = tidy(part.text, ID_MAX)
    elif part.tag in {"60F", "60M", "62F", "62M"}:
        balance = _balance(part.text, message)
        if part.tag.startswith("60"):
            message.opening, message.total = balance, Decimal(0)
        elif balance is not None and message.opening is not None:
            message.agree.append(message.opening + message.total == balance)
    elif part.tag in {"34F", "90C", "90D"}:
        match = _CURRENCY.match(part.text[:30])
        if match and amounts.is_currency(match[1]):
            message.currency = match[1]


def _balance(text: str, message: _Message) -> Decimal | None:
    match = _BALANCE.match(text)
    if not match:
        return None
    if amounts.is_currency(match[2]):
        message.currency = match[2]
    value = _decimal(match[3])
    return -value if match[1] == "D" else value


def _decimal(text: str) -> Decimal:
    whole, _, fraction = text.replace(".", ",").partition(",")
    return Decimal(f"{whole}.{fraction or 0}")


def _line(part: _Field, message: _Message) -> StatementLine:
    match = _BOOKING.match(part.text)
    line = StatementLine(
        part.line_number,
        State.BOOKED,
        f":61:{part.text}"[:RAW_MAX],
        currency=message.currency,
        account=message.account,
    )
    if not match:
        return judged(line)
    year, month, day, mark, _, number, _, references, more = match.groups()
    amount = _decimal(number)
    # RC takes back money that came in; RD brings back money that went out.
    is_out = mark in {"D", "RC", "ED"}
    reference = references.rpartition("//")[2].strip()
    line = line._replace(
        date=_day(int(year), int(month), int(day)),
        amount=-amount if is_out else amount,
        bank_id=tidy("" if reference in {"NONREF", ""} else reference, ID_MAX),
        payee=tidy(more, PAYEE_MAX),
    )
    line = judged(line)
    return line._replace(state=State.PENDING, reason="pending") if mark.startswith("E") else line


def _day(year: int, month: int, day: int) -> date | None:
    """Return a day; banks that count 30 days in every month write a 30th of February, which is its last day."""
    full = 1900 + year if year >= 80 else 2000 + year
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return None
    last = calendar.monthrange(full, month)[1]
    return date(full, month, min(day, last)) if day <= max(30, last) else None


def _described_by_codes(line: StatementLine, text: str) -> StatementLine:
    """Return the line with a text that has no subfields, or codes in slashes."""
    joined = text.replace("\n", "")
    name, remittance = _NAME.search(joined), _REMITTANCE.search(joined)
    payee = (name[1] or name[2]) if name else ""
    shown = " ".join(filter(None, (payee, remittance[1] if remittance else ""))) if payee else text
    known = "" if line.payee.startswith("/") else line.payee
    return line._replace(
        text=tidy(shown, TEXT_MAX), payee=tidy(payee, PAYEE_MAX) or known or tidy(text, PAYEE_MAX)
    )


def _described(line: StatementLine, text: str) -> StatementLine:
    """Return the line with the text of the field after it, which German banks divide into subfields."""
    bare = text[:FIELD_MAX]
    mark = _DIVIDED.match(bare)
    if not mark:
        return _described_by_codes(line, bare)
    divider = re.escape(mark[1])
    parts = re.findall(rf"{divider}([0-9]{{2}})([^{divider}]*)", bare.replace("\n", ""))
    values = dict(reversed(parts))
    purpose = "".join(value for number, value in parts if "20" <= number <= "29" or "60" <= number <= "63")
    payee = " ".join(filter(None, (values.get("32", ""), values.get("33", ""))))
    purpose = _SEPA.sub(" ", purpose)
    return line._replace(
        text=tidy(" ".join(filter(None, (payee, purpose or values.get("00", "")))), TEXT_MAX),
        payee=tidy(payee or purpose, PAYEE_MAX),
    )
