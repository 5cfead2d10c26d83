"""Chart axes: even steps of 1, 2 or 5 times a power of ten that enclose all figures and zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

# More labels than these would touch each other on a phone.
TICKS = 5


@dataclass(frozen=True)
class Axis:
    """An axis from the first to the last of its `ticks`, with zero among them."""

    ticks: tuple[Decimal, ...]

    def position(self, figure: Decimal) -> float:
        """Return the position of a figure on the axis, in percent of its length."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(float(100 * (figure - low) / (high - low)), 2)


def axis_for(figures: Iterable[Decimal]) -> Axis:
    """Return the axis with the smallest steps that holds all figures and zero."""
    known = [Decimal(0), *figures]
    low, high = min(known), max(known)
    if low == high:
        high = Decimal(1)
    # A power of ten below the smallest step that can be enough.
    power = Decimal(1).scaleb((high - low).adjusted() - 1)
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if last - first < TICKS:
            break
    return Axis(tuple(step * multiple for multiple in range(int(first), int(last) + 1)))
