"""The columns that hold the money of a booking, and the sign that means that it came in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations, pairwise, permutations

from ledger.statements import amounts, vocabulary
from ledger.statements.columns import Column, Table, money_columns
from ledger.statements.money_plan import MoneyPlan, UnreadableError, direction_of
from ledger.statements.table import Record
from ledger.statements.text import fold

MAX_CANDIDATES = 7
# The share of the steps between balances that the amounts must explain.
PROOF = 0.8
# How many lines with words of income prove what a plus means, and how many times more lines with a minus than with
# a plus do.
SEVERAL, CLEARLY_MORE = 2, 2
# How many lines are searched for words.
WORD_ROWS = 500
# The signs of a file in which some amounts have a plus, and the others nothing.
MONEY_IN_MARKED = {0, 1}
_ZERO = Decimal(0)
Proof = Callable[[Sequence[Decimal | None]], float]


@dataclass(frozen=True, slots=True)
class SignGuess:
    """A plan, and the names of the questions that it leaves open."""

    plan: MoneyPlan
    questions: tuple[str, ...] = ()


def plan_money(
    table: Table, decimal: str, rows: list[Record], chosen_sign: str, is_rising: bool | None = None
) -> SignGuess:
    """Decide how to read the money of a table whose roles are assigned.

    `is_rising` tells whether the days of the rows rise or fall, if they do.
    """
    roles = table.roles
    plan = MoneyPlan(decimal, direction=roles.get("direction", -1))
    if "amount" in roles:
        guess = SignGuess(replace(plan, amount=roles["amount"]))
    elif "out" in roles or "in" in roles:
        guess = SignGuess(replace(plan, out=roles.get("out", -1), into=roles.get("in", -1)))
    else:
        guess = _by_cells(table, plan, rows, is_rising)
    if guess.plan.amount < 0:
        return _with_fee(table, replace(guess, plan=_with_pair_signs(guess.plan, rows)), rows, is_rising)
    return _with_sign(table, guess, rows, chosen_sign, is_rising)


# --- Columns without names


def _by_cells(table: Table, plan: MoneyPlan, rows: list[Record], is_rising: bool | None) -> SignGuess:
    candidates = money_columns(table)[:MAX_CANDIDATES]
    if not candidates:
        return SignGuess(plan)
    if len(candidates) == 1:
        return SignGuess(replace(plan, amount=candidates[0].index))
    proven = _proven_by_balance(table, candidates, plan, rows, is_rising)
    if proven:
        return _unless_owed(table, SignGuess(proven), rows)
    pair = _complementary(candidates, plan, rows)
    if pair:
        return pair
    filled = [column for column in candidates if not column.is_zero]
    if len(filled) == 1 and filled[0].has_both_signs:
        return SignGuess(replace(plan, amount=filled[0].index))
    # Nothing proves which of them is the amount: the first one with signs is, more often than not.
    first = next((column for column in candidates if any("-" in value for value in column.values)), candidates[0])
    return SignGuess(replace(plan, amount=first.index), ("columns",))


def _proven_by_balance(
    table: Table, candidates: list[Column], plan: MoneyPlan, rows: list[Record], is_rising: bool | None
) -> MoneyPlan | None:
    """Return the columns whose amounts explain every step of a balance, which becomes a column of its own."""
    indexes = [column.index for column in candidates]
    best, best_score = None, (PROOF, 0, False)
    for balance in reversed(indexes):
        share_of = _proof(plan, balance, rows, is_rising)
        others = [index for index in indexes if index != balance]
        plans = [replace(plan, amount=index, sign=sign) for index in others for sign in (1, -1)]
        plans += [
            _with_pair_signs(replace(plan, out=out, into=into), rows) for out, into in permutations(others, 2)
        ]
        for candidate in plans:
            values = _values(candidate, rows)
            # Of two that explain as much, the amount is the one with signs.
            is_signed = any(value is not None and value < 0 for value in values)
            score = (share_of(values), sum(map(bool, values)), is_signed)
            if score > best_score:
                best, best_score, table.roles["balance"] = candidate, score, balance
    return best


def _complementary(candidates: list[Column], plan: MoneyPlan, rows: list[Record]) -> SignGuess | None:
    """Return two columns of which always one is empty; the one filled more often is taken for money out.

    One that has a minus is certainly money out only if it is: a card can write payments with a minus.
    """
    values = {column.index: _values_in(plan, rows, column.index) for column in candidates}
    for first, second in combinations(candidates, 2):
        cells = list(zip(values[first.index], values[second.index], strict=True))
        if any(one and other for one, other in cells) or not all(map(any, zip(*cells, strict=True))):
            continue
        if any({cell > 0 for cell in side if cell} == {True, False} for side in zip(*cells, strict=True)):
            # A column with both signs says itself where the money went.
            continue
        counts = [sum(bool(cell) for cell in side) for side in zip(*cells, strict=True)]
        negative = [any(cell and cell < 0 for cell in side) for side in zip(*cells, strict=True)]
        is_open = negative[0] == negative[1]
        with_minus, others = counts if negative[0] else counts[::-1]
        is_first_out = counts[0] >= counts[1] if is_open or with_minus < others else negative[0]
        out, into = (first.index, second.index) if is_first_out else (second.index, first.index)
        questions = ("columns",) if is_open or with_minus <= others else ()
        return SignGuess(replace(plan, out=out, into=into), questions)
    return None


def _values(plan: MoneyPlan, rows: Iterable[Record]) -> list[Decimal | None]:
    values = []
    for row in rows:
        try:
            values.append(plan.value(row.fields))
        except UnreadableError:
            values.append(None)
    return values


def _values_in(plan: MoneyPlan, rows: Iterable[Record], index: int) -> list[Decimal | None]:
    """Return the amounts of one column with the signs that are written."""
    return _values(replace(plan, amount=index, sign=1, by_direction=False), rows)


# --- Balances


def _proof(plan: MoneyPlan, balance: int, rows: list[Record], is_rising: bool | None) -> Proof:
    """Return a measure of amounts: the share of the balance's steps that they explain, upwards or downwards.

    A balance is the one after its booking, or before it. Which of the rows is the earlier one the days tell.
    """
    balances = _values_in(plan, rows, balance)

    def share(values: Sequence[Decimal | None]) -> float:
        # What is pending has no balance, and is in none.
        pairs = zip(balances, values, strict=True)
        with_balance = [(after, amount or _ZERO) for after, amount in pairs if after is not None]
        known = [(*before, *after) for before, after in pairwise(with_balance)]
        if not any(before != after for before, _, after, _ in known):
            return 0
        explained = [0]
        if is_rising is not False:
            explained.append(sum(after == before + later for before, _, after, later in known))
            explained.append(sum(after == before + amount for before, amount, after, _ in known))
        if is_rising is not True:
            explained.append(sum(before == after + amount for before, amount, after, _ in known))
            explained.append(sum(before == after + later for before, _, after, later in known))
        return max(explained) / len(known)

    return share


# --- Signs


def _with_pair_signs(plan: MoneyPlan, rows: list[Record]) -> MoneyPlan:
    """Look at how most amounts of each column are written: with a minus, or without."""

    def is_negative(index: int) -> bool:
        values = list(filter(None, _values_in(plan, rows, index))) if index >= 0 else []
        return sum(value < 0 for value in values) > len(values) / 2

    return replace(plan, out_sign=1 if is_negative(plan.out) else -1, in_sign=-1 if is_negative(plan.into) else 1)


def _with_fee(table: Table, guess: SignGuess, rows: list[Record], is_rising: bool | None) -> SignGuess:
    """Take a fee off two columns if the balances say so; ask if they say nothing."""
    plan = guess.plan
    if not _has_fees(table, plan, rows):
        return guess
    less = replace(plan, fee=table.roles["fee"])
    proof = _proof(plan, table.roles.get("balance", -1), rows, is_rising)
    whole, reduced = proof(_values(plan, rows)), proof(_values(less, rows))
    if whole == reduced:
        return replace(guess, questions=(*guess.questions, "columns"))
    return replace(guess, plan=less) if reduced > whole else guess


def _with_sign(
    table: Table, guess: SignGuess, rows: list[Record], chosen: str, is_rising: bool | None
) -> SignGuess:
    """Decide whether a minus means money out: by the direction column, as chosen, or by what the file shows."""
    if guess.plan.direction >= 0:
        directed = _by_direction(guess, rows)
        if directed:
            return directed
    shown = _by_file(table, guess, rows, is_rising)
    if chosen not in {"minus", "plus"}:
        return shown
    # A fee, or a mark of money in, belongs to the sign that the file shows.
    plan, sign = shown.plan, 1 if chosen == "minus" else -1
    return replace(guess, plan=plan if plan.sign == sign else replace(guess.plan, sign=sign))


def _by_file(table: Table, guess: SignGuess, rows: list[Record], is_rising: bool | None) -> SignGuess:
    """Decide by the balances, or by the words of the file."""
    plan = guess.plan
    values = [value for value in _values(replace(plan, sign=1), rows) if value]
    # The steps between balances do not show which way the money of the earliest booking went.
    is_unsigned = all(value > 0 for value in values)
    if plan.sign < 0 and is_unsigned:
        return replace(guess, questions=(*guess.questions, "sign"))
    if plan.sign < 0 or not values:
        return guess
    if "balance" in table.roles and (proven := _by_balance(table, guess, rows, is_rising, is_unsigned)):
        return proven
    if _has_fees(table, plan, rows):
        guess = replace(guess, questions=(*guess.questions, "columns"))
    negative = sum(value < 0 for value in values)
    return _by_majority(table, guess, rows, negative, len(values) - negative)


def _by_balance(
    table: Table, guess: SignGuess, rows: list[Record], is_rising: bool | None, is_unsigned: bool
) -> SignGuess | None:
    """Decide by the steps between balances, if they prove something."""
    plan = guess.plan
    proof = _proof(plan, table.roles["balance"], rows, is_rising)
    plans = [replace(plan, sign=sign) for sign in (1, -1)]
    if _written_signs(plan, rows) == MONEY_IN_MARKED:
        plans.insert(0, replace(plan, is_unmarked_out=True))
    elif "fee" in table.roles:
        plans.append(replace(plan, sign=1, fee=table.roles["fee"]))
    shares = [proof(_values(candidate, rows)) for candidate in plans]
    if "fee" not in table.roles and max(shares) < 1:
        # A fee can have any name.
        unnamed = [replace(plan, sign=1, fee=column.index) for column in _other_numbers(table, plan)]
        shares += [proof(_values(candidate, rows)) for candidate in unnamed]
        plans += unnamed
    if max(shares) <= PROOF:
        return None
    # Turned around in time, the balances would prove the opposite.
    is_open = not plans[0].is_unmarked_out and (is_unsigned or shares[0] == shares[1] == max(shares))
    questions = (*guess.questions, "sign") if is_open else guess.questions
    if plans[-1].fee >= 0 and shares[0] == shares[-1] == max(shares) and _has_fees(table, plan, rows):
        # The only fees are of bookings that no balance stands before.
        questions = (*questions, "columns")
    return _unless_owed(table, SignGuess(plans[shares.index(max(shares))], questions), rows)


def _unless_owed(table: Table, guess: SignGuess, rows: list[Record]) -> SignGuess:
    """Turn the signs that balances prove around and ask, if the words say that these are what is owed on a card.

    Then most lines seem to be money in, and repayments money out.
    """
    plan = guess.plan
    values = list(filter(None, _values(plan, rows)))
    negative = sum(value < 0 for value in values)
    income, repayment = _evidence(table, rows, plan, len(values), 0)
    if plan.is_unmarked_out or repayment <= income or 2 * negative > len(values):
        return guess
    if plan.amount >= 0:
        return SignGuess(replace(plan, sign=-plan.sign), (*guess.questions, "sign"))
    return SignGuess(replace(plan, out=plan.into, into=plan.out), (*guess.questions, "columns"))


def _other_numbers(table: Table, plan: MoneyPlan) -> list[Column]:
    taken = {index for role, index in table.roles.items() if role != "other_amount"} | {plan.amount}
    return [column for column in table.columns if column.is_money and column.index not in taken][:MAX_CANDIDATES]


def _has_fees(table: Table, plan: MoneyPlan, rows: list[Record]) -> bool:
    """Tell whether there are fees that the amounts may contain or not. A net amount does."""
    name = table.columns[plan.amount].name if plan.amount >= 0 else ""
    if "fee" not in table.roles or fold(name).split()[:1] in (["net"], ["netto"]):
        return False
    return any(_values_in(plan, rows, table.roles["fee"]))


def _by_direction(guess: SignGuess, rows: list[Record]) -> SignGuess | None:
    """Let the direction column decide, unless the amounts have signs of their own that agree with it."""
    plan = guess.plan
    agree = oppose = negative = 0
    for row, value in zip(rows, _values_in(plan, rows, plan.amount), strict=True):
        side = direction_of(row.cell(plan.direction))
        if value and side:
            negative += value < 0
            agree += (value > 0) == (side > 0)
            oppose += (value > 0) != (side > 0)
    if not agree and not oppose:
        return None
    if not negative or not agree:
        written = {row.cell(plan.direction) for row in rows} - {""}
        sides = {direction_of(text) for text in written}
        return replace(guess, plan=replace(plan, by_direction=True, unwritten=-sum(sides)))
    if not oppose:
        return guess
    # Some rows contradict their direction: refunds, or signs of another meaning.
    return replace(guess, questions=(*guess.questions, "sign")) if agree > oppose else None


def _by_majority(table: Table, guess: SignGuess, rows: list[Record], negative: int, positive: int) -> SignGuess:
    plan = guess.plan
    signs = _written_signs(plan, rows)
    if signs == MONEY_IN_MARKED:
        return replace(guess, plan=replace(plan, is_unmarked_out=True))
    evidence = _evidence(table, rows, plan, negative, positive)
    is_repaid_only = not positive and 2 * evidence[1] > negative
    if 1 in signs or not (positive or is_repaid_only):
        return guess
    if not _is_card(table) and _shows_account(table, evidence, negative, positive):
        return guess
    spends_without_minus = _spends_without_minus(table, evidence, negative, positive)
    return SignGuess(replace(plan, sign=-1) if spends_without_minus else plan, (*guess.questions, "sign"))


def _written_signs(plan: MoneyPlan, rows: list[Record]) -> set[int]:
    """Return the signs that the amounts are written with: 1, -1, and 0 for none."""
    texts = {row.cell(plan.amount) for row in rows}
    return {cell.sign for text in texts if (cell := amounts.read_cell(text))}


def _is_card(table: Table) -> bool:
    """Return whether the words of header and preamble speak of a card."""
    names = {fold(name) for name in table.header}
    if names & vocabulary.CERTAIN_CARD_HEADERS:
        return True
    words = {word for name in names for word in name.split()}
    if {"balance", "check"} & table.roles.keys():
        return False
    words |= {word for record in table.preamble[:20] for cell in record.fields for word in fold(cell).split()}
    return bool(words & vocabulary.CARD_WORDS or names & vocabulary.CARD_HEADERS)


def _evidence(table: Table, rows: list[Record], plan: MoneyPlan, negative: int, positive: int) -> tuple[int, int]:
    """Count the lines whose words say that a plus is money in, and those that say that a minus is."""
    income = repayment = 0
    # Most lines are spending: where most have a minus, a payment is one by card.
    repaid = vocabulary.REPAYMENT_WORDS if negative < positive else vocabulary.CERTAIN_REPAYMENT_WORDS
    some = rows[:WORD_ROWS]
    came_in = vocabulary.INCOME_WORDS | vocabulary.CERTAIN_REPAYMENT_WORDS
    for row, value in zip(some, _values(plan, some), strict=True):
        words = set(fold(" ".join(map(row.cell, table.texts))).split())
        is_income = vocabulary.is_income_category(row.cell(table.roles.get("category", -1)))
        income += bool(value and value > 0 and (is_income or words & came_in))
        repayment += bool(value and value < 0 and (is_income or words & (repaid | vocabulary.WAGE_WORDS)))
    return income, repayment


def _shows_account(table: Table, evidence: tuple[int, int], negative: int, positive: int) -> bool:
    """Tell whether a minus certainly means money out, because it is an account that mostly pays."""
    income, repayment = evidence
    if repayment or negative < positive:
        return False
    has_role = bool({"balance", "check"} & table.roles.keys())
    return has_role or income >= SEVERAL or negative >= CLEARLY_MORE * positive


def _spends_without_minus(table: Table, evidence: tuple[int, int], negative: int, positive: int) -> bool:
    """Return the likelier meaning of amounts that are not mostly negative."""
    income, repayment = evidence
    if income != repayment:
        return repayment > income
    if _is_card(table):
        return positive >= negative
    is_account = bool({"balance", "check", "account"} & table.roles.keys())
    return not is_account and positive >= (3 if negative else 2) and positive >= 2 * negative
