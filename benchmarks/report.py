"""The table of results: what was measured against what, and whether the target is met."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

HEADER = ("what", "ratio", "quartiles", "measured", "against", "target", "")


@dataclass(frozen=True)
class Row:
    """One figure. If it has a target, the figure must not be above it, or with `at_least`, not below it.

    `unit` is "x" for a ratio of the medians `measured` and `against`, which are in the unit `sides`; its quartiles
    are those of the single pairs. For a size or a wait, `ratio` is the figure itself.
    """

    name: str
    ratio: float
    target: float | None = None
    unit: str = "x"
    at_least: bool = False
    quartiles: tuple[float, float] | None = None
    measured: float | None = None
    against: float | None = None
    sides: str = "ms"

    @property
    def holds(self) -> bool:
        """Tell whether the target is met, or there is none."""
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def compare(
    name: str,
    measured: list[float],
    against: list[float],
    target: float | None = None,
    *,
    at_least: bool = False,
    sides: str = "ms",
) -> Row:
    """Return the ratio of the medians of two sides measured in turn, with the quartiles of all pairs.

    Seconds are shown in milliseconds.
    """
    pairs = [one / other for one, other in zip(measured, against, strict=True)]
    lower, _middle, upper = quantiles(pairs, n=4, method="inclusive")
    scale = 1000 if sides == "ms" else 1
    medians = median(measured) * scale, median(against) * scale
    return Row(name, medians[0] / medians[1], target, "x", at_least, (lower, upper), *medians, sides)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table for people."""
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(_justified(line, widths)).rstrip() for line in lines)


def write_json(path: Path, rows: Iterable[Row]) -> None:
    """Write the rows as a list for programs."""
    path.write_text(json.dumps([asdict(row) | {"holds": row.holds} for row in rows], indent=1) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    target = "" if row.target is None else f"{'>=' if row.at_least else '<='} {row.target:g}"
    return (
        row.name,
        f"{row.ratio:.2f} {row.unit}",
        f"{row.quartiles[0]:.2f}-{row.quartiles[1]:.2f}" if row.quartiles else "",
        _side(row.measured, row),
        _side(row.against, row),
        target,
        "" if row.target is None else "holds" if row.holds else "MISSED",
    )


def _side(value: float | None, row: Row) -> str:
    return "" if value is None else f"{value:.2f} {row.sides}"


def _justified(line: tuple[str, ...], widths: list[int]) -> list[str]:
    """Align words to the left, and figures to the right so that they can be compared."""
    first, *figures, last = (
        cell.ljust(width) if index in {0, len(widths) - 1} else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return [first, *figures, last]
