"""Column types: exact amounts, times in UTC, and ids as text."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa


class Money(sa.types.TypeDecorator[Decimal]):
    """An exact amount: a `Decimal` in Python, a whole number of thousandths in the database.

    Three decimals are enough for every currency. SQL may sum, compare and order such a column. Calculate averages
    and products in Python, because the database sees thousandths.
    """

    impl = sa.BigInteger
    cache_ok = True
    SCALE = 3
    # The limit of the column constraints. It keeps sums within 64 bits.
    MAX = Decimal("999999999.999")
    MAX_UNITS = int(MAX.scaleb(SCALE))

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        """Convert an int, str, Decimal or float (by its shortest representation) to thousandths.

        Raises ValueError unless the value is a finite number of at most three decimals.
        """
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal | float):
            raise ValueError(f"{value!r} is not an amount")
        try:
            amount = value if isinstance(value, Decimal) else Decimal(str(value))
            thousandths = amount.scaleb(self.SCALE)
            if thousandths == (whole := int(thousandths)):
                return whole
        except (ArithmeticError, ValueError):
            pass
        raise ValueError(f"{value!r} is not an amount of at most {self.SCALE} decimals")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        """Convert thousandths to a Decimal. PostgreSQL returns sums as Decimal, SQLite as int."""
        return None if value is None else Decimal(int(value)).scaleb(-self.SCALE)


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """A timestamp: time zone aware in Python, in UTC in the database."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a naive timestamp, whose meaning would depend on the machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Add the time zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class IdText(sa.types.TypeDecorator[str]):
    """The text of a `Uuid`, for a page that only shows it: an object takes longer than the rest of its row."""

    impl = sa.Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type of the column, which is 32 digits on SQLite."""
        return dialect.type_descriptor(sa.CHAR(32) if dialect.name == "sqlite" else sa.Uuid())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str:
        """Write an id in the usual form."""
        text = str(value)
        if len(text) == 32:
            return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return text
