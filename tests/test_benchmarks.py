"""The table of the benchmarks: ratios, targets, and the exit status. Nothing is served or timed here."""

import json

import pytest

from benchmarks.__main__ import show
from benchmarks.expenses import BUSY, BUSY_MONTH, LAST_DAY, sample_expenses
from benchmarks.report import Row, compare, table
from benchmarks.timing import alternate, at_once


def test_a_ratio_is_of_medians_and_its_spread_of_pairs():
    row = compare("page / baseline", [0.004, 0.006, 0.100], [0.002, 0.002, 0.004], target=3)

    assert row.ratio == pytest.approx(3)
    assert row.quartiles == pytest.approx((2.5, 14))
    assert (row.measured, row.against) == pytest.approx((6, 2))
    assert row.holds


@pytest.mark.parametrize(
    ("ratio", "target", "at_least", "holds"),
    [
        (1.0, None, False, True),
        (2.2, 2.2, False, True),
        (2.21, 2.2, False, False),
        (0.5, 0.5, True, True),
        (0.49, 0.5, True, False),
    ],
)
def test_a_target_is_a_limit(ratio, target, at_least, holds):
    assert Row("page", ratio, target, at_least=at_least).holds is holds


def test_the_table_has_a_line_for_each_row_and_marks_missed_targets():
    rows = [
        compare("page / baseline", [0.004] * 3, [0.002] * 3, target=2.2),
        Row("length", 31.5, 30, "KiB"),
        Row("login / hash", 1.02),
    ]

    _header, *lines = table(rows).splitlines()

    assert [" ".join(line.split()) for line in lines] == [
        "page / baseline 2.00 x 2.00-2.00 4.00 ms 2.00 ms <= 2.2 holds",
        "length 31.50 KiB <= 30 MISSED",
        "login / hash 1.02 x",
    ]


@pytest.mark.parametrize(("ratio", "end"), [(2.0, 0), (3.0, 1)])
def test_a_missed_target_exits_with_1(capsys, ratio, end):
    assert show([Row("kept", 1.0, 1.0), Row("page", ratio, 2.2), Row("login", 9.0)], None) == end
    assert f"{end} of 2 targets missed." in capsys.readouterr().out


def test_the_file_has_every_row_with_its_fields(tmp_path, capsys):
    file = tmp_path / "figures.json"

    show([compare("page", [0.006] * 3, [0.002] * 3, target=2.2), Row("login", 1.02)], file)

    page, log_in = json.loads(file.read_text())
    assert page["ratio"] == pytest.approx(3)
    assert (page["name"], page["target"], page["holds"], page["unit"]) == ("page", 2.2, False, "x")
    assert (log_in["name"], log_in["target"], log_in["holds"]) == ("login", None, True)


def test_sides_are_timed_in_turn_after_a_round_that_is_not_counted():
    done = []

    taken = alternate(2, {"one": lambda: done.append("one"), "other": lambda: done.append("other")})

    assert done == ["one", "other"] * 3
    assert {side: len(seconds) for side, seconds in taken.items()} == {"one": 2, "other": 2}


def test_an_error_in_one_of_many_threads_is_raised():
    def fail():
        raise ValueError("not this one")

    with pytest.raises(ValueError, match="not this one"):
        at_once([list, fail, list])


def test_the_expenses_are_the_same_at_every_run_and_their_busy_month_fills_a_page():
    few, again = list(sample_expenses(100)), list(sample_expenses(100))

    assert few == again
    assert [expense.date for expense in few] == sorted(expense.date for expense in few)
    for expenses in (few, list(sample_expenses(1000))):
        assert sum(expense.date.replace(day=1) == BUSY_MONTH for expense in expenses) >= BUSY
        assert expenses[0].date.year == LAST_DAY.year - 10
        assert expenses[-1].date <= LAST_DAY
