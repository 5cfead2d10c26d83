"""The money of a record, whose columns and signs are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ledger.statements import amounts, vocabulary
from ledger.statements.text import fold


class UnreadableError(Exception):
    """A text that is not an amount; the message is the code of the reason."""


@dataclass(frozen=True, slots=True)
class MoneyPlan:
    """Rules for reading the money of a record: from one column, or from one for money out and one for money in.

    A sign of -1 reverses what is written. A fee is subtracted. With `by_direction`, the direction column decides
    and written signs don't count.
    """

    decimal: str
    amount: int = -1
    out: int = -1
    into: int = -1
    direction: int = -1
    fee: int = -1
    sign: int = 1
    out_sign: int = -1
    in_sign: int = 1
    by_direction: bool = False
    # Which way the money went where the direction column is empty, because only the other one is written.
    unwritten: int = 0
    # Only money that came in is marked, by a plus or CR.
    is_unmarked_out: bool = False
    # The amounts that were read: most of a file are there more than once.
    _read: dict[str, Decimal | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def indexes(self) -> list[int]:
        """The columns of the money."""
        return [index for index in (self.amount, self.out, self.into) if index >= 0]

    def value(self, fields: Sequence[str]) -> Decimal | None:
        """Return the amount, positive for money in; None if there is none. Raises UnreadableError."""
        if self.amount < 0:
            return self._less_fee(self._of_pair(fields), fields)
        value = self._cell(fields, self.amount)
        if value is None:
            return None
        if self.is_unmarked_out:
            cell = amounts.read_cell(fields[self.amount])
            return value if cell is None or cell.sign else -value
        if self.by_direction:
            return self._directed(abs(value), fields[self.direction] if self.direction < len(fields) else "")
        return self._less_fee(value if self.sign > 0 else -value, fields)

    def _of_pair(self, fields: Sequence[str]) -> Decimal | None:
        out, into = self._cell(fields, self.out), self._cell(fields, self.into)
        if out and into:
            raise UnreadableError("two_amounts")
        if out:
            return self.out_sign * out
        return self.in_sign * into if into else out if into is None else into

    def _less_fee(self, value: Decimal | None, fields: Sequence[str]) -> Decimal | None:
        if value is None or self.fee < 0:
            return value
        return value - abs(self._cell(fields, self.fee) or Decimal(0))

    def _cell(self, fields: Sequence[str], index: int) -> Decimal | None:
        text = fields[index] if 0 <= index < len(fields) else ""
        if text in self._read:
            return self._read[text]
        value = None
        if text not in amounts.NOTHING:
            cell = amounts.read_cell(text)
            value = cell.value(self.decimal) if cell else None
            if value is None:
                raise UnreadableError("amount")
        self._read[text] = value
        return value

    def _directed(self, value: Decimal, direction: str) -> Decimal:
        side = direction_of(direction) if direction else self.unwritten
        if not side and value:
            raise UnreadableError("direction")
        return value if side > 0 else -value


def direction_of(text: str) -> int:
    """Return 1 for a word that means money in, -1 for money out, 0 for any other."""
    folded = fold(text)
    if text == "+" or folded in vocabulary.IN:
        return 1
    return -1 if text == "-" or folded in vocabulary.OUT else 0
