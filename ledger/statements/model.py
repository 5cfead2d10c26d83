"""The parts of a statement: lines, questions, and the layout that answers them."""

import datetime
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from ledger.errors import LedgerError

# Texts are cut to these lengths before anything else is done with them.
TEXT_MAX = 500
PAYEE_MAX = 200
ID_MAX = 100
CATEGORY_MAX = 64
RAW_MAX = 1000
# A file of plain text can hold more fields than lines; these are what a wide statement of 50,000 lines has.
MAX_CELLS = 1_500_000
MAX_COLUMNS = 300


class StatementError(LedgerError):
    """A file that cannot be read as a statement."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest file that is read, in bytes, in lines and in fields."""

    max_bytes: int
    max_lines: int
    max_cells: int = MAX_CELLS

    @property
    def max_megabytes(self) -> int:
        """The limit in whole megabytes, as messages name it."""
        return self.max_bytes // 2**20

    def check_lines(self, count: int) -> None:
        """Raise StatementError if a file has too many lines."""
        if count > self.max_lines:
            raise StatementError("too_many_lines", limit=self.max_lines)

    def check_cells(self, count: int) -> None:
        """Raise StatementError if a file has too many fields."""
        if count > self.max_cells:
            raise StatementError("too_many_cells", limit=self.max_cells)


UPLOAD_LIMITS = Limits(max_bytes=8 * 2**20, max_lines=50_000)
# For the command line: a user with a shell can do worse than read a large file.
NO_LIMITS = Limits(max_bytes=2**40, max_lines=2**40, max_cells=2**40)


class State(StrEnum):
    """The state of a record of the file."""

    BOOKED = "booked"
    PENDING = "pending"
    LEFT_OUT = "left_out"
    BAD = "bad"


class StatementLine(NamedTuple):
    """One record of the file.

    `amount` is positive for money that came in. A booked line may have a `reason` as well, to propose leaving it
    out (`transfer`, `payment`). `raw` is the record as it is in the file, for people to look at.
    """

    line_number: int
    state: State
    raw: str
    date: datetime.date | None = None
    amount: Decimal | None = None
    currency: str = ""
    text: str = ""
    payee: str = ""
    bank_id: str = ""
    category: str = ""
    account: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that the file does not say: the choices, and the one that was taken for now."""

    name: str
    choices: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Answers to questions. An empty value means that the file decides.

    `date` is `dmy`, `mdy` or `ymd`; `decimal` is the character before the decimals; `sign` is how spending is
    written (`minus` or `plus`); `day` says whether timestamps in UTC are converted (`local`) or not (`printed`);
    `minor` says whether amounts are in cents (`yes` or `no`); `columns` is the index of each role's column.
    """

    encoding: str = ""
    delimiter: str = ""
    date: str = ""
    decimal: str = ""
    sign: str = ""
    currency: str = ""
    day: str = ""
    minor: str = ""
    columns: dict[str, int] = field(default_factory=dict)
    # Whether the user has to confirm it.
    is_guess: bool = False

    def to_json(self) -> str:
        """Return the layout as JSON, to be remembered."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Layout":
        """Read what `to_json` wrote; values of the wrong kind are ignored."""
        stored = json.loads(text)
        if not isinstance(stored, dict):
            return cls()
        names = {name.name for name in fields(cls)} - {"columns", "is_guess"}
        answers: dict[str, Any] = {
            name: value for name, value in stored.items() if name in names and isinstance(value, str)
        }
        answers["is_guess"] = stored.get("is_guess") is True
        columns = stored.get("columns")
        if isinstance(columns, dict):
            answers["columns"] = {
                str(role): index
                for role, index in columns.items()
                if type(index) is int and 0 <= index < MAX_COLUMNS
            }
        return cls(**answers)


@dataclass(frozen=True, slots=True)
class Person:
    """Settings of the person whose statement it is, used only where the file says nothing."""

    locale: str = ""
    currency: str = "USD"
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Hints:
    """Facts about the person and earlier answers, used where the file says nothing."""

    locale: str
    currency: str
    today: datetime.date
    local_day: Callable[[datetime.datetime], datetime.date]
    layout: Layout
    limits: Limits


@dataclass(frozen=True, slots=True)
class Statement:
    """A file that was read.

    `lines` has every record of the file but those before the first and after the last line, which are in
    `preamble` and `footer`. `signature` is the same for files of the same kind from the same bank. `layout` is how
    the file was read: passed in again, it makes the same file be read in the same way without questions.
    `balances_agree` is None if the file holds no balances to compare with.
    """

    format: str
    lines: tuple[StatementLine, ...]
    currency: str
    signature: str = ""
    layout: Layout = field(default_factory=Layout)
    questions: tuple[Question, ...] = ()
    balances_agree: bool | None = None
    # The names of the columns of a table, or what its first row has in them.
    columns: tuple[str, ...] = ()
    preamble: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that the file names, in its order."""
        return tuple(dict.fromkeys(line.account for line in self.lines if line.account))

    def in_state(self, state: State) -> list[StatementLine]:
        """Return the lines in one state."""
        return [line for line in self.lines if line.state is state]
