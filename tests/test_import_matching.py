"""Duplicates in statements: each rule by itself. Whole histories are in test_import_histories.py."""

import itertools
from datetime import date, timedelta
from decimal import Decimal

from uuid_utils.compat import uuid7

from ledger.import_matching import Duplicate, KnownLine, Line, TypedExpense, find_duplicates

DAY = date(2026, 3, 5)


def line(text="COFFEE BAR 12", amount="-3.00", day=DAY, bank_id="", source="DE1"):
    return Line(uuid7(), source, day, Decimal(amount), "EUR", bank_id, text)


def known(*arguments, fate="same", aliases=(), **values):
    return KnownLine(line(*arguments, **values), fate, list(aliases))


def codes(lines, known_lines, typed=()):
    found = find_duplicates(lines, known_lines, typed, lines)
    return [(found[line.id].code, found[line.id].is_left_out) if line.id in found else None for line in lines]


def test_as_many_equal_lines_are_duplicates_as_are_known():
    assert codes([line(), line(), line()], [known(), known()]) == [("same", True), ("same", True), None]


def test_spaces_case_and_punctuation_do_not_make_another_line():
    assert codes([line("Coffee-Bar, 12")], [known("COFFEE BAR  12")]) == [("same", True)]


def test_another_day_amount_or_account_is_another_line():
    other = [line(day=DAY + timedelta(days=1)), line(amount="-3.01"), line(source="DE2"), line(amount="3.00")]

    assert codes(other, [known()]) == [None] * 4


def test_equal_lines_with_the_same_bank_id_are_paired_first():
    assert codes([line(bank_id="2"), line(bank_id="1")], [known(bank_id="1")]) == [None, ("same", True)]


def test_the_same_bank_id_day_and_amount_is_the_same_line_under_any_text():
    assert codes([line("X", bank_id="1")], [known("Y", bank_id="1")]) == [("same_id", True)]


def test_a_bank_id_alone_decides_nothing():
    assert codes([line("X", "-4", bank_id="1")], [known("Y", bank_id="1")]) == [None]


def test_a_longer_text_is_the_same_line_and_another_text_is_asked():
    assert codes([line("COFFEE BAR 12 BERLIN")], [known()]) == [("reworded", True)]
    assert codes([line("BOOKS")], [known()]) == [("reworded", False)]


def test_the_text_that_contains_the_other_one_goes_first():
    lines = [line("BOOKS"), line("COFFEE BAR 12 BERLIN")]

    assert codes(lines, [known()]) == [None, ("reworded", True)]


def test_a_deleted_expense_and_a_line_that_was_left_out_are_named():
    lines = [line(), line("BOOKS")]

    assert codes(lines, [known(fate="deleted"), known("BOOKS", fate="seen")]) == [
        ("deleted", True),
        ("seen", True),
    ]


def test_a_line_that_was_taken_for_another_one_counts_once():
    reworded = line("COFFEE BAR 12 BERLIN")
    here = known(aliases=[reworded])

    for lines in itertools.permutations([line(), line("COFFEE BAR 12 BERLIN")]):
        assert sorted(map(str, codes(lines, [here]))) == ["('same', True)", "None"]


def test_the_closest_typed_expense_of_the_same_amount_is_possibly_the_line():
    near, far = (TypedExpense(uuid7(), DAY + timedelta(days=days), Decimal(3)) for days in (1, -3))
    lines = [line(), line("TEA"), line("BOOKS", "-4"), line("PEN", day=DAY + timedelta(days=9))]

    found = find_duplicates(lines, [], [far, near], lines)

    assert found == {lines[0].id: Duplicate("typed", near.id), lines[1].id: Duplicate("typed", far.id)}


def test_money_that_is_not_wanted_takes_no_typed_expense():
    first, second = line(), line()

    found = find_duplicates([first, second], [], [TypedExpense(uuid7(), DAY, Decimal(3))], [second])

    assert list(found) == [second.id]
