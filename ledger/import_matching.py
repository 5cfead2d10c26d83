"""Duplicates: which lines of a statement are here already, by what the bank wrote and never by later edits."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from ledger.statements.text import fold

Row = TypeVar("Row")
# How many days may be between an expense that was typed and its line of a statement.
TYPED_DAYS = 3
# How many known lines of the same day and amount the text of a line is compared with.
MAX_COMPARED = 100
# A line that is left out for one of these reasons is another form of the line that it repeats.
ALIASES = frozenset({"same", "same_id", "reworded", "deleted", "seen"})


def bare_text(text: str) -> str:
    """Return the letters and digits of a text, which a bank keeps when it changes spaces, case or punctuation."""
    return fold(text).replace(" ", "")


class Line(NamedTuple):
    """A booking as the bank wrote it."""

    id: uuid.UUID
    source: str
    date: date
    amount: Decimal
    currency: str
    bank_id: str
    text: str

    @property
    def content(self) -> Hashable:
        """The values that are the same for lines that cannot be told apart."""
        return self.source, self.date, self.amount, self.currency, bare_text(self.text)


@dataclass(slots=True)
class KnownLine:
    """A booking that is here already. `fate` is the code of a line that repeats it: same, deleted or seen."""

    line: Line
    fate: str
    # Later lines with another text or bank id that counted as this one.
    aliases: list[Line] = field(default_factory=list)

    @property
    def forms(self) -> list[Line]:
        """The lines as the bank wrote them, the first time and later."""
        return [self.line, *self.aliases]


class TypedExpense(NamedTuple):
    """An expense that was typed, or, for an export of this application, any other one."""

    id: uuid.UUID
    date: date
    amount: Decimal


class Duplicate(NamedTuple):
    """The reason why a line counts as one that is here, the row that it repeats, and whether it is left out."""

    code: str
    row_id: uuid.UUID
    is_left_out: bool = True


def find_duplicates(
    lines: Sequence[Line],
    known: Sequence[KnownLine],
    typed: Sequence[TypedExpense],
    wanted: Iterable[Line],
) -> dict[uuid.UUID, Duplicate]:
    """Return the lines that are here already, by their ids.

    Every known line is paired with one line at most: of equal lines, as many are duplicates as are known. Only the
    lines that are `wanted` as expenses are compared with typed expenses.
    """
    found = _match_known(lines, known) if known else {}
    paired = {duplicate.row_id for duplicate in found.values()}
    typed = [expense for expense in typed if expense.id not in paired]
    amounts = {-expense.amount for expense in typed}
    # Most lines have an amount that was never typed.
    possible = [line for line in wanted if line.amount in amounts and line.id not in found]
    return found | _match_typed(possible, typed)


def _match_known(lines: Sequence[Line], known: Sequence[KnownLine]) -> dict[uuid.UUID, Duplicate]:
    """Pair lines with known ones, the most similar first."""
    forms = chain.from_iterable(line.forms for line in known)
    contents = {line.id: line.content for line in chain(lines, forms)}
    matching = _Matching(lines, known)
    matching.pair("", lambda line: (contents[line.id], line.bank_id) if line.bank_id else None)
    matching.pair("", lambda line: contents[line.id], first_form_only=True)
    matching.pair("", lambda line: contents[line.id])
    matching.pair("same_id", lambda line: (*_place(line), line.bank_id) if line.bank_id else None)
    matching.pair_reworded()
    return matching.found


def _place(line: Line) -> tuple[str, date, Decimal]:
    return line.source, line.date, line.amount


class _Matching:
    """Lines and known lines that are being paired, each at most once."""

    def __init__(self, lines: Sequence[Line], known: Sequence[KnownLine]) -> None:
        self.lines, self.known = list(lines), list(known)
        self.found: dict[uuid.UUID, Duplicate] = {}

    def pair(self, code: str, key: Callable[[Line], Hashable], first_form_only: bool = False) -> None:
        """Pair lines with known ones that have the same key; None is not a key."""
        if not self.known:
            return
        available: dict[Hashable, list[KnownLine]] = defaultdict(list)
        for known in reversed(self.known):
            forms = known.forms[:1] if first_form_only else known.forms
            for form in {key(form) for form in forms} - {None}:
                available[form].append(known)
        used: set[uuid.UUID] = set()
        for line in self.lines:
            candidates = available.get(key(line)) or []
            while candidates and candidates[-1].line.id in used:
                candidates.pop()
            if candidates:
                known = candidates.pop()
                used.add(known.line.id)
                self._note(line, known, code)
        self._drop_paired(used)

    def pair_reworded(self) -> None:
        """Pair the remaining lines with the same day and amount, first those where one text contains the other."""
        if not self.known:
            return
        lines, known = _by_place(self.lines, lambda line: line), _by_place(self.known, lambda known: known.line)
        for place in lines.keys() & known.keys():
            for line in list(lines[place]):
                compared = islice(known[place], MAX_COMPARED)
                same = next((other for other in compared if _contains(line, other)), None)
                if same is not None:
                    known[place].remove(same)
                    lines[place].remove(line)
                    self._note(line, same, "reworded")
            for line, other in zip(lines[place], known[place], strict=False):
                self._note(line, other, "reworded", is_left_out=False)

    def _note(self, line: Line, known: KnownLine, code: str, is_left_out: bool = True) -> None:
        if known.fate != "same" and is_left_out:
            code = known.fate
        self.found[line.id] = Duplicate(code or known.fate, known.line.id, is_left_out)

    def _drop_paired(self, used: set[uuid.UUID]) -> None:
        self.lines = [line for line in self.lines if line.id not in self.found]
        self.known = [known for known in self.known if known.line.id not in used]


def _by_place(rows: Iterable[Row], line_of: Callable[[Row], Line]) -> dict[Hashable, list[Row]]:
    places: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        places[_place(line_of(row))].append(row)
    return places


def _contains(line: Line, known: KnownLine) -> bool:
    text = bare_text(line.text)
    return any(text in form or form in text for form in (bare_text(form.text) for form in known.forms))


def _match_typed(lines: Sequence[Line], typed: Sequence[TypedExpense]) -> dict[uuid.UUID, Duplicate]:
    """Pair lines with typed expenses of the same amount, the closest days first."""
    available: dict[tuple[Decimal, date], list[uuid.UUID]] = defaultdict(list)
    for expense in typed:
        available[expense.amount, expense.date].append(expense.id)
    found: dict[uuid.UUID, Duplicate] = {}
    for distance in map(timedelta, range(TYPED_DAYS + 1)):
        for line in lines:
            places = ((-line.amount, day) for day in (line.date - distance, line.date + distance))
            ids = next((available[place] for place in places if available.get(place)), None)
            if ids and line.id not in found:
                found[line.id] = Duplicate("typed", ids.pop())
    return found
