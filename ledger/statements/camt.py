"""CAMT.052, 053 and 054 of any version: elements are known by their local names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from ledger.statements import amounts
from ledger.statements.dates import make_day
from ledger.statements.lines import judged
from ledger.statements.model import (
    ID_MAX,
    PAYEE_MAX,
    RAW_MAX,
    TEXT_MAX,
    Hints,
    State,
    Statement,
    StatementError,
    StatementLine,
)
from ledger.statements.text import tidy

MAX_DEPTH = 60
# A whole entry; real ones have about a hundred elements, and batches of thousands of payments far more.
MAX_ENTRY_ELEMENTS = 200_000
VALUE_MAX = 2000
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,10})?")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[TZ+-].*)?", re.DOTALL)
_STATEMENTS = {"Stmt", "Rpt", "Ntfctn"}
_KEPT = {"Ntry", "Bal", "Acct"}
_BEFORE = re.compile(rb"\A(?:\xef\xbb\xbf|[ \t\r\n])+(?=<)")
_FEED = 64 * 1024


@dataclass(slots=True)
class _Account:
    """The account and the balances of one statement of the file."""

    name: str = ""
    currency: str = ""
    opening: Decimal | None = None
    closing: Decimal | None = None
    total: Decimal = Decimal(0)

    @property
    def agrees(self) -> bool | None:
        """Whether the bookings lead from one balance to the other."""
        if self.opening is None or self.closing is None:
            return None
        return self.opening + self.total == self.closing


@dataclass(slots=True)
class _Target:
    """Receives the parser's events and keeps one entry at a time, so that memory does not grow with the file."""

    hints: Hints
    lines: list[StatementLine] = field(default_factory=list)
    accounts: list[_Account] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    stack: list[Element] = field(default_factory=list)
    count: int = 0
    parser: "XMLParser | None" = None
    line_number: int = 1

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        name = tag.rpartition("}")[2]
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise StatementError("broken_xml", line=self.line_number)
        if name in _STATEMENTS:
            self.accounts.append(_Account())
        if self.stack or (name in _KEPT and self.accounts):
            element = Element(name, {key: value[:VALUE_MAX] for key, value in attributes.items()})
            if self.stack:
                self.stack[-1].append(element)
            else:
                self.count = 0
                self.line_number = self._current_line()
            self.count += 1
            if self.count > MAX_ENTRY_ELEMENTS:
                raise StatementError("field_too_long", line=self.line_number)
            self.stack.append(element)

    def _current_line(self) -> int:
        return int(self.parser.parser.CurrentLineNumber) if self.parser is not None else 0

    def data(self, text: str) -> None:
        """Add text to the open element."""
        if self.stack:
            element = self.stack[-1]
            # Layout between elements is not kept.
            if len(element) == 0 and len(element.text or "") < VALUE_MAX:
                element.text = (element.text or "") + text[:VALUE_MAX]

    def end(self, _tag: str) -> None:
        """Close an element; an entry becomes a line."""
        self.path.pop()
        if not self.stack:
            return
        element = self.stack.pop()
        if not self.stack:
            self._keep(element)

    def close(self) -> None:
        """Do nothing: everything is read already."""

    def _keep(self, element: Element) -> None:
        account = self.accounts[-1]
        if element.tag == "Acct":
            account.name = account.name or _text(element, "Id/IBAN") or _text(element, "Id/Othr/Id")
            account.currency = account.currency or _text(element, "Ccy")
        elif element.tag == "Bal":
            _note_balance(element, account)
        else:
            line = _read_entry(element, self.line_number, account, self.hints)
            self.lines.append(line)
            if line.state is State.BOOKED:
                account.total += line.amount or 0
            self.hints.limits.check_lines(len(self.lines))


def read_camt(content: bytes, hints: Hints) -> Statement:
    """Read CAMT. Raises StatementError if it is not well-formed, has a DTD, or holds no entries."""
    target = _Target(hints)
    parser = XMLParser(target=target, forbid_dtd=True)
    target.parser = parser
    # A declaration has to stand at the very beginning, which not all banks obey.
    content = _BEFORE.sub(b"", content, count=1)
    try:
        for start in range(0, len(content), _FEED):
            parser.feed(content[start : start + _FEED])
        parser.close()
    except StatementError:
        raise
    except DefusedXmlException:
        raise StatementError("forbidden_xml") from None
    except ParseError as error:
        raise StatementError("broken_xml", line=error.position[0]) from None
    except (ValueError, LookupError):
        # An encoding that the parser doesn't know.
        raise StatementError("broken_xml", line=1) from None
    if not target.lines:
        raise StatementError("no_lines" if target.accounts else "unknown_xml")
    agree = [account.agrees for account in target.accounts if account.agrees is not None]
    return Statement(
        format="camt",
        lines=tuple(target.lines),
        currency=target.lines[0].currency,
        signature="camt",
        balances_agree=all(agree) if agree else None,
    )


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return (found.text or "").strip() if found is not None else ""


def _note_balance(element: Element, account: _Account) -> None:
    kind = _text(element, "Tp/CdOrPrtry/Cd")
    value = _signed(element)
    if value is None:
        return
    if kind in {"OPBD", "PRCD"} and account.opening is None:
        account.opening = value
    elif kind == "CLBD":
        account.closing = value


def _signed(element: Element) -> Decimal | None:
    """Return an amount, negative if it is a debit; the entry's indicator says so for reversals as well."""
    text, side = _text(element, "Amt"), _text(element, "CdtDbtInd")
    if not _AMOUNT.fullmatch(text) or side not in {"DBIT", "CRDT"}:
        return None
    return -Decimal(text) if side == "DBIT" else Decimal(text)


def _read_entry(element: Element, line_number: int, account: _Account, hints: Hints) -> StatementLine:
    money = element.find("Amt")
    named = money.get("Ccy", "") if money is not None else ""
    currency = next((code for code in (named, account.currency) if amounts.is_currency(code)), hints.currency)
    amount = _signed(element)
    payees = list(_payees(element, is_out=amount is not None and amount < 0))
    texts = [*payees, *_remittance(element), _text(element, "AddtlNtryInf")]
    line = StatementLine(
        line_number,
        State.BOOKED,
        tostring(element, "unicode")[:RAW_MAX],
        date=_booking_day(element),
        amount=amount,
        currency=currency,
        text=tidy(" ".join(dict.fromkeys(filter(None, texts))), TEXT_MAX),
        payee=tidy(payees[0] if len(set(payees)) == 1 else "", PAYEE_MAX),
        bank_id=tidy(_text(element, "AcctSvcrRef"), ID_MAX),
        account=tidy(account.name, ID_MAX),
    )
    status = _text(element, "Sts/Cd") or _text(element, "Sts") or "BOOK"
    line = judged(line)
    if line.state is State.BOOKED and status != "BOOK":
        return line._replace(state=State.PENDING, reason="pending")
    return line


def _booking_day(element: Element) -> date | None:
    """Return the day as it is printed: of the booking, or otherwise of the value date."""
    for path in ("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"):
        match = _DAY.fullmatch(_text(element, path)[:40])
        if match:
            return make_day(*map(int, match.groups()))
    return None


def _payees(element: Element, *, is_out: bool) -> Iterator[str]:
    """Yield the other side of every payment in an entry."""
    names = ("Cdtr", "UltmtCdtr") if is_out else ("Dbtr", "UltmtDbtr")
    for parties in element.iter("RltdPties"):
        for name in names:
            found = _text(parties, f"{name}/Nm") or _text(parties, f"{name}/Pty/Nm")
            if found:
                yield found
                break


def _remittance(element: Element) -> Iterator[str]:
    for name in ("Ustrd", "AddtlRmtInf", "AddtlTxInf"):
        for found in element.iter(name):
            yield (found.text or "").strip()
