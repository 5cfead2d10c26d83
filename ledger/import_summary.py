"""The summary of a draft that its preview shows: figures, and pages of payees with their first lines."""

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from ledger.import_knowledge import LINE
from ledger.import_lines import ADDED_REASONS
from models import StatementLine

# How many payees, or lines in a section without payees, a page has; and how many lines of each payee.
ROWS_ON_PAGE, LINES_OF_PAYEE = 25, 20
# The lists of the preview: to add, to check, already here, left out, not bookings, and unreadable.
SECTIONS = ("add", "check", "here", "left", "none", "bad")
# Their lines belong to no payee.
PLAIN_SECTIONS = frozenset({"none", "bad"})
_IS_ADDED = LINE.reason.in_(ADDED_REASONS)
SECTION: sa.Case[Any] = sa.case(
    (LINE.state == "bad", "bad"),
    (LINE.state.in_(("pending", "left_out")), "none"),
    (LINE.duplicate.in_(("reworded", "typed")), "check"),
    (LINE.duplicate.in_(("same", "same_id", "deleted")), "here"),
    (sa.and_(LINE.duplicate == "seen", _IS_ADDED), "here"),
    (sa.or_(_IS_ADDED, LINE.reason == "payee_left_out"), "add"),
    else_="left",
)
# The columns that the summary is made from: the payee, and what is shown of each line.
COLUMNS = (
    *("payee", "payee_key", "category"),
    *("line_number", "date", "amount", "currency", "text", "state", "reason", "duplicate", "expense_id"),
)
# The version of a stored summary. One of another version, as in a draft from before an update, is made again.
VERSION = 4


class Figure(NamedTuple):
    """Number and sum of some lines; money that came in is above zero."""

    number: int = 0
    total: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a draft: what would be added, and how many lines are in each section, by their reason.

    `currency` is that of what would be added: the one that the account had when the file was uploaded.
    """

    currency: str = ""
    spending: Figure = field(default_factory=Figure)
    refunds: Figure = field(default_factory=Figure)
    sections: Mapping[str, int] = field(default_factory=dict)
    left_reasons: Sequence[str] = ()
    money_in: int = 0

    @property
    def to_add(self) -> int:
        """The number of expenses and refunds that would be added."""
        return self.spending.number + self.refunds.number


class ShownLine(NamedTuple):
    """A booking, and the expense that it is compared with, if there is one."""

    number: int
    day: date
    amount: Decimal
    currency: str
    text: str
    state: str
    reason: str
    duplicate: str
    expense_id: uuid.UUID | None
    expense: tuple[date, str, Decimal] | None = None

    @property
    def can_be_added(self) -> bool:
        """Whether the user can decide: amounts in another currency cannot be added."""
        return self.reason != "currency"


@dataclass(slots=True)
class PayeeSummary:
    """The lines of a payee in one section, added up, and the latest ones."""

    key: str
    name: str
    number: int
    count: int = 0
    total: Decimal = Decimal(0)
    to_add: int = 0
    categories: list[str] = field(default_factory=list)
    currencies: list[str] = field(default_factory=list)
    lines: list[ShownLine] = field(default_factory=list)

    def add(self, category: str, line: Sequence[Any]) -> None:
        """Add one more line, given as the values of a ShownLine."""
        number, _day, amount, currency, _text, state, *_rest = line
        self.number = min(self.number, number)
        self.count += 1
        self.total += amount
        self.to_add += state == "add"
        if len(self.lines) < LINES_OF_PAYEE:
            self.lines.append(ShownLine(*line))
        if category not in self.categories:
            self.categories.append(category)
        if currency not in self.currencies:
            self.currencies.append(currency)


@dataclass(frozen=True, slots=True)
class DraftSummary:
    """Everything that the preview of a draft shows, except for the expenses that lines are compared with.

    `categories` are the names that lines have. `pages` has the pages of each section, as text until they are
    asked for: a file can have as many payees as lines.
    """

    figures: Figures
    categories: Sequence[str]
    pages: Mapping[str, Sequence[str]]

    def payees(self, section: str, page: int) -> list[PayeeSummary]:
        """Return a page of the payees of a section, the largest sums first."""
        pages = self.pages.get(section, ())
        return [_payee_from(values) for values in json.loads(pages[page - 1])] if page <= len(pages) else []

    def page_count(self, section: str) -> int:
        """Return how many pages a section has."""
        if section in PLAIN_SECTIONS:
            return -(-self.figures.sections.get(section, 0) // ROWS_ON_PAGE)
        return len(self.pages.get(section, ()))

    def to_text(self) -> str:
        """Return the summary as text: a line for the figures and the lengths of the pages, and the pages."""
        figures = self.figures
        head = {
            "version": VERSION,
            "currency": figures.currency,
            "spending": [figures.spending.number, str(figures.spending.total)],
            "refunds": [figures.refunds.number, str(figures.refunds.total)],
            "sections": figures.sections,
            "left_reasons": figures.left_reasons,
            "money_in": figures.money_in,
            "categories": self.categories,
            "pages": {section: [*map(len, pages)] for section, pages in self.pages.items()},
        }
        return "".join((json.dumps(head), "\n", *(page for pages in self.pages.values() for page in pages)))

    @classmethod
    def from_text(cls, text: str) -> "DraftSummary | None":
        """Read what `to_text` wrote, or return None for the text of another version."""
        first, _end, rest = text.partition("\n")
        head = json.loads(first)
        if head.get("version") != VERSION:
            return None
        pages: dict[str, list[str]] = {}
        at = 0
        for section, lengths in head["pages"].items():
            pages[section] = []
            for length in lengths:
                pages[section].append(rest[at : at + length])
                at += length
        figures = (head["spending"], head["refunds"])
        spending, refunds = (Figure(number, Decimal(total)) for number, total in figures)
        others = (head[name] for name in ("sections", "left_reasons", "money_in"))
        return cls(Figures(head["currency"], spending, refunds, *others), head["categories"], pages)


def section_of(state: str, reason: str, duplicate: str) -> str:
    """Return the section of a line, as the SQL expression SECTION does."""
    if state not in StatementLine.BOOKED:
        return "bad" if state == "bad" else "none"
    is_added = reason in ADDED_REASONS
    if duplicate in {"reworded", "typed"}:
        return "check"
    if duplicate and (duplicate != "seen" or is_added):
        return "here"
    return "add" if is_added or reason == "payee_left_out" else "left"


def summarise_lines(rows: Iterable[Sequence[Any]]) -> DraftSummary:
    """Add up the lines of a draft, given as rows of COLUMNS, the latest days first."""
    sections: dict[str, dict[str, PayeeSummary]] = defaultdict(dict)
    counts, reasons = dict.fromkeys(SECTIONS, 0), Counter[str]()
    spending: list[Decimal] = []
    refunds: list[Decimal] = []
    money_in = 0
    currency = ""
    for name, key, category, *line in rows:
        number, _day, amount, written, _text, state, reason, duplicate, _expense_id = line
        section = section_of(state, reason, duplicate)
        counts[section] += 1
        if section in PLAIN_SECTIONS:
            continue
        payee = sections[section].get(key)
        if payee is None:
            payee = sections[section][key] = PayeeSummary(key, name, number)
        payee.add(category, line)
        if state == "add":
            (refunds if amount > 0 else spending).append(amount)
            currency = written
        if section == "left":
            reasons[reason] += 1
        money_in += reason == "money_in"
    left_reasons = [reason for reason, _count in reasons.most_common()]
    figures = Figures(currency, _figure(spending), _figure(refunds), counts, left_reasons, money_in)
    names = {name for payees in sections.values() for payee in payees.values() for name in payee.categories}
    pages = {section: _pages(payees.values()) for section, payees in sections.items()}
    return DraftSummary(figures, sorted(names - {""}), pages)


def _figure(amounts: Sequence[Decimal]) -> Figure:
    return Figure(len(amounts), sum(amounts, Decimal(0)))


def _pages(payees: Iterable[PayeeSummary]) -> list[str]:
    ordered = sorted(payees, key=lambda payee: (-abs(payee.total), payee.key))
    starts = range(0, len(ordered), ROWS_ON_PAGE)
    return [json.dumps([*map(_values_of, ordered[start : start + ROWS_ON_PAGE])]) for start in starts]


def _values_of(payee: PayeeSummary) -> list[Any]:
    lines = [_line_values(line) for line in payee.lines]
    # More than two are shown like two.
    several = payee.categories[:2], payee.currencies[:2]
    return [payee.key, payee.name, payee.number, payee.count, str(payee.total), payee.to_add, *several, lines]


def _line_values(line: ShownLine) -> list[Any]:
    """Return the values that `_line_from` reads; most lines have nothing after their state."""
    values = [line.number, line.day.isoformat(), str(line.amount), line.currency, line.text, line.state]
    if line.reason or line.duplicate or line.expense_id:
        values += [line.reason, line.duplicate, line.expense_id.hex if line.expense_id else ""]
    return values


def _payee_from(values: Sequence[Any]) -> PayeeSummary:
    key, name, number, count, total, to_add, categories, currencies, lines = values
    shown = [_line_from(*line) for line in lines]
    return PayeeSummary(key, name, number, count, Decimal(total), to_add, categories, currencies, shown)


def _line_from(
    number: int,
    day: str,
    amount: str,
    currency: str,
    text: str,
    state: str,
    reason: str = "",
    duplicate: str = "",
    expense: str = "",
) -> ShownLine:
    expense_id = uuid.UUID(expense) if expense else None
    values = (date.fromisoformat(day), Decimal(amount), currency, text, state, reason, duplicate, expense_id)
    return ShownLine(number, *values)
