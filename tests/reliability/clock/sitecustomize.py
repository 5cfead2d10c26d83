"""Python imports this at its start: a clock that is shifted by as many seconds as a file says."""

import datetime
import os
import time
from pathlib import Path

SHIFT = Path(os.environ["TEST_CLOCK_SHIFT"])
real_time, real_datetime = time.time, datetime.datetime


def shift() -> float:
    return float(SHIFT.read_text())


class _Kind(type):
    """Accepts what C code creates as a datetime."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real_datetime)


class ShiftedDatetime(real_datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return real_datetime.fromtimestamp(time.time(), tz)


time.time = lambda: real_time() + shift()
datetime.datetime = ShiftedDatetime  # type: ignore[misc]
