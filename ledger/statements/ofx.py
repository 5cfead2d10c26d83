"""OFX and QFX: tags with values, of which many are never closed. Not read as XML, which most files are not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

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
_TAG = re.compile(r"<(/?[A-Za-z][A-Za-z0-9._]{0,40})(?:\s[^<>]{0,200})?>(?:<!\[CDATA\[)?([^<]*)")
_CHARSET = re.compile(rb"CHARSET:\s*([A-Za-z0-9_-]{1,20})")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos|nbsp)|#([0-9]{1,7}));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_DAY = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")
_LISTS = {"STMTTRN": State.BOOKED, "STMTTRNP": State.PENDING}
_DAYS = ("DTPOSTED", "DTTRAN", "DTUSER")
_ENDS = {"BANKTRANLIST", "BANKTRANLISTP", "STMTRS", "CCSTMTRS", "OFX", "INVBANKTRAN"}
_ACCOUNTS = {"BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"}
_KINDS_OUT = {"DEBIT", "POS", "ATM", "CHECK", "FEE", "SRVCHG", "DIRECTDEBIT"}


@dataclass(slots=True)
class _Record:
    """A transaction while its tags are read."""

    kind: str
    line_number: int
    start: int
    values: dict[str, str] = field(default_factory=dict)
    has_currency: bool = False


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
    found: list[tuple[str, StatementLine]] = []
    for line in _lines(decoded.text, hints):
        found.append(line)
        hints.limits.check_lines(len(found))
    if not found:
        raise StatementError("no_lines")
    lines = _signed_by_kind(found)
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


def _signed_by_kind(found: list[tuple[str, StatementLine]]) -> list[StatementLine]:
    """Return the lines; in a file without any minus, their kinds say which money went out."""
    if any(line.amount is not None and line.amount < 0 for _, line in found):
        return [line for _, line in found]
    return [
        line._replace(amount=-line.amount) if kind in _KINDS_OUT and line.amount is not None else line
        for kind, line in found
    ]


def _lines(text: str, hints: Hints) -> Iterator[tuple[str, StatementLine]]:
    """Yield the transactions and their kinds; one ends where the next one begins, if it is not closed."""
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
        elif tag == "CURRENCY":
            # The amount is in the currency that follows; ORIGCURRENCY is only what it was before.
            record.has_currency = True
        elif value:
            record.values.setdefault(tag, value)
    if record:
        yield _line(record, text[record.start :], context)


def _value(text: str) -> str:
    """Return a tag's value with the entities that OFX knows resolved; any other stays as it is."""
    return _ENTITY.sub(_character, text[:VALUE_MAX].strip().removesuffix("]]>"))


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return _ENTITIES[match[1]]
    number = int(match[2])
    return chr(number) if 32 <= number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def _line(record: _Record, raw: str, context: _Context) -> tuple[str, StatementLine]:
    values = record.values
    name, memo = values.get("NAME") or values.get("PAYEE", ""), values.get("MEMO", "")
    line = StatementLine(
        record.line_number,
        _LISTS[record.kind],
        raw[:RAW_MAX].strip(),
        date=next(filter(None, (_day(values.get(tag, "")) for tag in _DAYS)), None),
        amount=amounts.read_alone(values.get("TRNAMT", "")),
        currency=_currency(record, context),
        text=tidy(" ".join(dict.fromkeys(filter(None, (name, memo)))), TEXT_MAX),
        payee=tidy(name or memo, PAYEE_MAX),
        bank_id=tidy(values.get("FITID", ""), ID_MAX),
        account=context.source,
    )
    return values.get("TRNTYPE", "").upper(), judged(line)


def _currency(record: _Record, context: _Context) -> str:
    """Return the currency of a transaction, which may differ from the account's."""
    symbol = record.values.get("CURSYM", "")
    return symbol if record.has_currency and amounts.is_currency(symbol) else context.currency


def _day(text: str) -> date | None:
    """Return the day that the first eight digits print; the time zone after them changes nothing."""
    match = _DAY.match(text)
    return make_day(*map(int, match.group(1, 3, 4))) if match else None
