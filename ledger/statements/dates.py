"""Days as statements write them. The order of day and month is decided by a whole column, never by one cell."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from ledger.periods import FIRST_YEAR, LAST_YEAR
from ledger.statements.text import fold

CELL_MAX = 40
# Many lines of a file have the same days. Its amounts are looked at as well.
CACHE_SIZE = 16_384
ORDERS = ("dmy", "mdy", "ymd")
_DAY_MONTH_YEAR = {order: itemgetter(*map(order.index, "dmy")) for order in ORDERS}
# The beginnings of the months' names, without accents, in the languages whose banks write them out.
_NAMES = """
    jan january januar janvier janv januari gennaio gen enero ene janeiro tammi sty stycznia leden
    ledna styczen янв ianuarie ian ocak oca sausio januara января січня січ jaanuar ιαν;
    feb february februar fevrier fevr fev februari febbraio febrero fevereiro helmi lut lutego luty
    unora фев februarie subat sub vasario februara февраля лютого лют veebruar φεβ;
    mar march marz maerz mars maart mrt marzo marco mrz maalis marzec marca brezna мар martie mart
    marcius marc kovo марта березня бер μαρ;
    apr april avril avr aprile abril abr huhti kwi kwietnia kwiecien dubna апр aprilie nisan nis aprilis
    balandzio aprila апреля квітня кві απρ;
    may mai mei maj maggio mag mayo maio touko maja kvetna мая май mayis majus geguzes травня тра μαι;
    jun june juni juin giugno giu junio junho kesa cze czerwca czerwiec cervna июн iunie iun haziran
    haz junius juna juuni birzelio июня червня чер ιουν;
    jul july juli juillet juil luglio lug julio julho heina lip lipca lipiec cervence июл iulie iul
    temmuz tem julius jula juuli liepos июля липня лип ιουλ;
    aug august aout augusti augustus agosto ago elo sie sierpnia sierpien srpna авг agustos
    agustus agu augusztus augusta rugpjucio августа серпня сер αυγ;
    sep sept september septembre settembre set septiembre setembro syys wrz wrzesnia wrzesien zari
    сен septembrie eylul eyl szeptember szept septembra rugsejo сентября вересня вер σεπ;
    oct october okt oktober octobre ottobre ott octubre outubro out loka paz pazdziernika
    pazdziernik rijna окт octombrie ekim eki oktobra oktoober spalio октября жовтня жов οκτ;
    nov november novembre noviembre novembro marras lis listopada listopad listopadu ноя noiembrie
    noi kasim kas novembra lapkricio ноября листопада лис νοε;
    dec december dez dezember decembre dicembre dic diciembre dezembro des desember joulu gru
    grudnia prosince дек decembrie aralik ara decembra detsember gruodzio декабря грудня гру δεκ
"""
_MONTHS = {name: month for month, names in enumerate(_NAMES.split(";"), 1) for name in names.split()}
_TIME = (
    r"(?:[T, -]\s?(?P<hour>[0-9]{1,2})[:.h](?P<minute>[0-9]{2})(?:[:.](?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?:\s?[AaPp]\.?[Mm]\.?)?(?:\s?(?P<zone>Z|UTC|GMT|[A-Z]{3,4}|(?:UTC|GMT)?[+-][0-9]{2}:?(?:[0-9]{2})?))?)?"
)
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,?\s)?"
_YEAR_FIRST = re.compile(rf"{_WEEKDAY}([0-9]{{4}})([-/. ]\s?)([0-9]{{1,2}})[-/. ]\s?([0-9]{{1,2}})\.?{_TIME}")
_EAST_ASIAN = re.compile(rf"([0-9]{{4}})[年년]\s?([0-9]{{1,2}})[月월]\s?([0-9]{{1,2}})[日일]?{_TIME}")
_YEAR_LAST = re.compile(
    rf"{_WEEKDAY}([0-9]{{1,2}})\s?([-/. ])\s?([0-9]{{1,2}})\s?(?:\2|['’])\s?([0-9]{{4}}|[0-9]{{2}})\.?{_TIME}"
)
# How every day begins: with a digit, after the name of a day, a month or an era at the most.
_START = re.compile(r"(?:(?:[^\W\d_]{2,12}[.,]{0,2}[-/.\s]{1,2}){0,2}|(?:令和|平成|民國)\s?|[RH])[0-9元]")
_DIGITS = re.compile(rf"([0-9]{{8}})(?:[0-9]{{6}})?{_TIME}")
_DAY_NAME = re.compile(
    rf"{_WEEKDAY}([0-9]{{1,2}})(?:st|nd|rd|th|er|[.ºª])?[-/. ]?\s?(?:de\s)?([^\W\d_]{{3,12}})"
    rf"\.?,?[-/. ]?\s?(?:de\s)?([0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_NAME_DAY = re.compile(
    rf"{_WEEKDAY}([^\W\d_]{{3,12}})\.?[-/. ]([0-9]{{1,2}})(?:st|nd|rd|th)?"
    rf",?[-/. ]\s?([0-9]{{4}}|[0-9]{{2}}){_TIME}"
)
_YEAR_NAME = re.compile(rf"([0-9]{{4}})\.?[-/. ]([^\W\d_]{{3,12}})\.?[-/. ]([0-9]{{1,2}})\.?{_TIME}")
# The year before the first one of an era: of the emperors of Japan, with their first letters, and of Taiwan.
_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "民國": 1911}
_ERA = re.compile(
    rf"(令和|平成|民國|[RH])\s?([0-9]{{1,3}}|元)[年./]\s?([0-9]{{1,2}})[月./]\s?([0-9]{{1,2}})日?{_TIME}"
)
# Three digits are enough for a year of Taiwan.
_TAIWAN = re.compile(rf"(1[0-9]{{2}})/([0-9]{{1,2}})/([0-9]{{1,2}}){_TIME}")
# Years since the death of Buddha, by which Thai banks count.
_BUDDHIST_YEARS, _BUDDHIST_OFFSET = range(2500, 2600), 543


class DayCell(NamedTuple):
    """A cell that looks like a day: either one that is certain, or three numbers whose order is open.

    `fixed` is None as well if the day does not exist. `instant` is set for timestamps that end in Z.
    """

    fixed: date | None = None
    numbers: tuple[int, int, int] | None = None
    separator: str = ""
    short_year: bool = False
    instant: datetime | None = None

    def read(self, order: str, today: date) -> date | None:
        """Return the day in this order of its numbers, or None if there is no such day."""
        if self.numbers is None:
            return self.fixed
        day, month, year = _DAY_MONTH_YEAR[order or "dmy"](self.numbers)
        if order == "ymd" and not self.short_year:
            return None
        return make_day(_full_year(year, today) if self.short_year else year, month, day)


def _full_year(year: int, today: date) -> int:
    """Return the year of the last hundred, or the next, that ends in these two digits."""
    return year + (2000 if year <= today.year % 100 + 1 else 1900)


def make_day(year: int, month: int, day: int) -> date | None:
    """Return a day, or None if it does not exist or its year is out of range."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_cell(text: str) -> DayCell | None:
    """Return the day of a cell, or None if it holds none. A time after the day is ignored."""
    # Cut first: the texts are remembered.
    return _read_cell(text[: CELL_MAX + 1])


@lru_cache(maxsize=CACHE_SIZE)
def _read_cell(text: str) -> DayCell | None:
    # American brokers add the day that a late booking counts from.
    text = text.partition(" as of ")[0].strip().lstrip("'")
    if not 6 <= len(text) <= CELL_MAX or not _START.match(text):
        return None
    for reader in (_read_year_first, _read_year_last, _read_digits, _read_named):
        cell = reader(text)
        if cell is not None:
            return cell
    return None


def _read_year_first(text: str) -> DayCell | None:
    match = _YEAR_FIRST.fullmatch(text)
    if match:
        year, _, month, day = match.group(1, 2, 3, 4)
    else:
        match = _EAST_ASIAN.fullmatch(text)
        if not match:
            return _read_era(text)
        year, month, day = match.group(1, 2, 3)
    fixed = make_day(_common_year(int(year)), int(month), int(day))
    instant = None
    if fixed and match["zone"] == "Z" and int(match["hour"]) < 24 and int(match["minute"]) < 60:
        instant = datetime(
            fixed.year, fixed.month, fixed.day, int(match["hour"]), int(match["minute"]), tzinfo=UTC
        )
    return DayCell(fixed=fixed, instant=instant)


def _read_era(text: str) -> DayCell | None:
    if match := _ERA.fullmatch(text):
        era, year, month, day = match.group(1, 2, 3, 4)
    elif match := _TAIWAN.fullmatch(text):
        era, (year, month, day) = "民國", match.group(1, 2, 3)
    else:
        return None
    return DayCell(fixed=make_day(_ERAS[era] + (1 if year == "元" else int(year)), int(month), int(day)))


def _common_year(year: int) -> int:
    """Return a year as it is counted nearly everywhere."""
    return year - _BUDDHIST_OFFSET if year in _BUDDHIST_YEARS else year


def _read_year_last(text: str) -> DayCell | None:
    match = _YEAR_LAST.fullmatch(text)
    if not match:
        return None
    first, separator, second, year = match.group(1, 2, 3, 4)
    # An apostrophe before the year means this century, also where only two digits follow.
    this_century = len(year) == 2 and any(mark in text for mark in "'’")
    number = int(year) + 2000 if this_century else _common_year(int(year))
    return DayCell(
        numbers=(int(first), int(second), number),
        separator=separator,
        short_year=len(year) == 2 and not this_century,
    )


def _read_digits(text: str) -> DayCell | None:
    match = _DIGITS.fullmatch(text)
    if not match:
        return None
    digits = match[1]
    fixed = make_day(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    if fixed:
        return DayCell(fixed=fixed)
    numbers = (int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    return DayCell(numbers=numbers) if FIRST_YEAR <= numbers[2] <= LAST_YEAR else None


def _read_named(text: str) -> DayCell | None:
    if match := _DAY_NAME.fullmatch(text):
        day, name, year = match.group(1, 2, 3)
    elif match := _NAME_DAY.fullmatch(text):
        name, day, year = match.group(1, 2, 3)
    elif match := _YEAR_NAME.fullmatch(text):
        year, name, day = match.group(1, 2, 3)
    else:
        return None
    month = _MONTHS.get(fold(name))
    if month is None:
        return None
    # No bank writes out the month and means the twentieth century by two digits.
    return DayCell(fixed=make_day(int(year) + (2000 if len(year) == 2 else 0), month, int(day)))


@dataclass(frozen=True, slots=True)
class Order:
    """The order of day, month and year in a column; `is_certain` if no other one is possible.

    It is empty if every text says by itself which number is the day.
    """

    order: str
    is_certain: bool


def decide_order(cells: Iterable[DayCell], locale: str, today: date, chosen: str = "") -> Order:
    """Return the order in which all of these cells are days.

    Where several are possible, the default is the one that is likelier: as dots suggest, not in the future, in the
    order of time, or as the locale writes days.
    """
    open_cells = [cell for cell in cells if cell.numbers is not None]
    if not open_cells:
        return Order(chosen, is_certain=True)
    distinct = dict.fromkeys(open_cells)
    days = {order: {cell: cell.read(order, today) for cell in distinct} for order in ORDERS}
    possible = {order: [of_order[cell] for cell in open_cells] for order, of_order in days.items()}
    misses = {order: sum(day is None for day in days) for order, days in possible.items()}
    fewest = min(misses["dmy"], misses["mdy"])
    if chosen in ORDERS and misses[chosen] <= fewest:
        return Order(chosen, is_certain=True)
    if misses["ymd"] == 0 < fewest:
        return Order("ymd", is_certain=True)
    likely = min("dmy", "mdy", key=lambda order: misses[order])
    if misses["ymd"] == 0 and _distance(possible["ymd"], today) < _distance(possible[likely], today):
        # Two digits of a year can stand first as well.
        return Order("ymd", is_certain=False)
    if misses["dmy"] != misses["mdy"]:
        return Order(likely, is_certain=True)
    if possible["dmy"] == possible["mdy"]:
        return Order("dmy", is_certain=True)
    return Order(_likelier(possible, open_cells[0].separator, locale, today), is_certain=False)


def _likelier(possible: dict[str, list[date | None]], separator: str, locale: str, today: date) -> str:
    """Return the order of day and month that is likelier when both can be meant."""
    if separator == ".":
        return "dmy"
    known = {order: [day for day in possible[order] if day] for order in ("dmy", "mdy")}
    future = {order: any(day > today for day in days) for order, days in known.items()}
    if future["dmy"] != future["mdy"]:
        return "mdy" if future["dmy"] else "dmy"
    if len(known["dmy"]) > 2:
        rising = {order: _is_sorted(days) for order, days in known.items()}
        if rising["dmy"] != rising["mdy"]:
            return "dmy" if rising["dmy"] else "mdy"
    # Americans write the month first; so do people whose account says nothing, more often than not.
    return "mdy" if locale in {"", "en_US"} else "dmy"


def _distance(days: Iterable[date | None], today: date) -> timedelta:
    """Return how far days are from each other and from today: those of a statement are close to both."""
    known = [day for day in days if day]
    return max(known) - min(known) + abs(today - max(known)) if known else timedelta.max


def _is_sorted(days: list[date]) -> bool:
    return days == sorted(days) or days == sorted(days, reverse=True)
