"""Chart axes: even steps of 1, 2 or 5 times a power of ten that enclose all figures and zero."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

# More labels than these would touch each other on a phone.
TICKS = 5
# At most this many figures, and a quarter of them, may be cut off, if they are this many times the next largest.
MAX_CUT_OFF, CUT_OFF_FACTOR = 3, Decimal("2.5")


@dataclass(frozen=True)
class Axis:
    """An axis from the first to the last of its `ticks`, with zero among them."""

    ticks: tuple[Decimal, ...]

    def position(self, figure: Decimal) -> float:
        """Return the position of a figure on the axis, in percent of its length; beyond it, that of its end."""
        low, high = self.ticks[0], self.ticks[-1]
        return round(float(100 * (min(max(figure, low), high) - low) / (high - low)), 2)


def axis_for(figures: Iterable[Decimal]) -> Axis:
    """Return the axis with the smallest steps that holds all figures and zero."""
    known = [Decimal(0), *figures]
    low, high = min(known), max(known)
    if low == high:
        high = Decimal(1)
    # A power of ten that is below the smallest possible step.
    power = Decimal(1).scaleb((high - low).adjusted() - 1)
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if last - first < TICKS:
            break
    return Axis(tuple(step * multiple for multiple in range(int(first), int(last) + 1)))


def axis_without_outliers(figures: Iterable[Decimal]) -> Axis:
    """Return an axis that is not dominated by a few very large figures, which are beyond its end."""
    falling = sorted(figures, reverse=True)
    spent = [figure for figure in falling if figure > 0]
    for count in range(min(MAX_CUT_OFF, len(spent) // 4), 0, -1):
        if spent[count - 1] > CUT_OFF_FACTOR * spent[count]:
            return axis_for(falling[count:])
    return axis_for(falling)


def axis_to(figures: Iterable[Decimal]) -> Axis:
    """Return an axis without steps, from zero to the largest figure."""
    return Axis((Decimal(0), max((figure for figure in figures if figure > 0), default=Decimal(1))))
