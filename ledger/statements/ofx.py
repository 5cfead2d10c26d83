"""OFX and QFX: tags with values, of which many are never closed. Not read as XML, which most files are not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ledger.statements import amounts
from ledger.statements.dates import make_day
from ledger.statements.encodings import CHOICES, DecodedText, decode
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

VALUE_MAX = 2000
_TAG = re.compile(r"<(/?[A-Za-z][A-Za-z0-9._]{0,40})>([^<]*)")
_CHARSET = re.compile(rb"CHARSET:\s*([A-Za-z0-9_-]{1,20})")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos|nbsp)|#([0-9]{1,7}));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_LISTS = {"STMTTRN": State.BOOKED, "STMTTRNP": State.PENDING}
_ENDS = {"BANKTRANLIST", "BANKTRANLISTP", "STMTRS", "CCSTMTRS", "OFX", "INVBANKTRAN"}
_ACCOUNTS = {"BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"}


@dataclass(slots=True)
class _Record:
    """A transaction while its tags are read."""

    kind: str
    line_number: int
    start: int
    values: dict[str, str] = field(default_factory=dict)


class _Context:
    """The account and currency that the tags before a transaction name."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.bank = ""
        self.account = ""

    def note(self, tag: str, value: str) -> None:
        """Remember what a tag outside of transactions says."""
        if tag == "CURDEF" and amounts.is_currency(value):
            self.currency = value
        elif tag in _ACCOUNTS:
            self.bank = self.account = ""
        elif tag == "BANKID":
            self.bank = value
        elif tag == "ACCTID":
            self.account = value

    @property
    def source(self) -> str:
        """The account, with its bank if there is one."""
        return tidy(" ".join(filter(None, (self.bank, self.account))), ID_MAX)


def read_ofx(content: bytes, decoded: DecodedText, hints: Hints) -> Statement:
    """Read OFX of any version. Raises StatementError if it has no transactions."""
    decoded = _by_header(content, decoded, hints)
    lines: list[StatementLine] = []
    for line in _lines(decoded.text, hints):
        lines.append(line)
        hints.limits.check_lines(len(lines))
    if not lines:
        raise StatementError("no_lines")
    return Statement(
        format="ofx",
        lines=tuple(lines),
        currency=lines[0].currency,
        signature="ofx",
        layout=Layout(encoding=decoded.choice),
    )


def _by_header(content: bytes, decoded: DecodedText, hints: Hints) -> DecodedText:
    """Decode as the header says if the content is not UTF-8; many files that claim another encoding are UTF-8."""
    match = _CHARSET.search(content[:2000])
    if (decoded.is_certain and decoded.encoding.startswith("utf")) or hints.layout.encoding or not match:
        return decoded
    name = match[1].decode("ascii").lower()
    encoding = "cp1252" if "8859-1" in name or "iso" in name else f"cp{name}" if name.isdigit() else name
    return decode(content, hints.locale, encoding) if encoding in CHOICES else decoded


def _lines(text: str, hints: Hints) -> Iterator[StatementLine]:
    """Yield the transactions; one ends where the next one begins, if it is not closed."""
    context = _Context(hints.currency)
    record: _Record | None = None
    line_number, counted = 1, 0
    for match in _TAG.finditer(text):
        tag = match[1].upper()
        value = _value(match[2])
        if tag in _LISTS or tag.lstrip("/") in _ENDS or tag.lstrip("/") in _LISTS:
            if record:
                yield _line(record, text[record.start : match.end()], context)
                record = None
            if tag in _LISTS:
                line_number += text.count("\n", counted, match.start())
                counted = match.start()
                record = _Record(tag, line_number, match.start())
        elif record is None:
            context.note(tag, value)
        elif value:
            record.values.setdefault(tag, value)
    if record:
        yield _line(record, text[record.start :], context)


def _value(text: str) -> str:
    """Return a tag's value with the entities that OFX knows resolved; any other stays as it is."""
    return _ENTITY.sub(_character, text[:VALUE_MAX].strip())


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return _ENTITIES[match[1]]
    number = int(match[2])
    return chr(number) if 32 <= number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def _line(record: _Record, raw: str, context: _Context) -> StatementLine:
    values = record.values
    name, memo = values.get("NAME") or values.get("PAYEE", ""), values.get("MEMO", "")
    line = StatementLine(
        record.line_number,
        _LISTS[record.kind],
        raw[:RAW_MAX].strip(),
        date=_day(values.get("DTPOSTED") or values.get("DTTRAN", "")),
        amount=_amount(values.get("TRNAMT", "")),
        currency=_currency(values, context),
        text=tidy(" ".join(dict.fromkeys(filter(None, (name, memo)))), TEXT_MAX),
        payee=tidy(name or memo, PAYEE_MAX),
        bank_id=tidy(values.get("FITID", ""), ID_MAX),
        account=context.source,
    )
    return judged(line)


def _currency(values: dict[str, str], context: _Context) -> str:
    """Return the currency of a transaction, which may differ from the account's."""
    symbol = values.get("CURSYM", "")
    return symbol if "CURRENCY" in values and amounts.is_currency(symbol) else context.currency


def _amount(text: str) -> Decimal | None:
    return amounts.read_alone(text)


def _day(text: str) -> date | None:
    """Return the day that the first eight digits print; the time zone after them changes nothing."""
    match = _DAY.match(text)
    return make_day(*map(int, match.groups())) if match else None
