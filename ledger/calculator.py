"""Calculator for amounts: sums, differences, products, quotients and parentheses, exactly."""

import re
from collections.abc import Callable
from fractions import Fraction

_OPERATORS = re.compile("([-+*/()])")


def calculate(text: str, read_number: Callable[[str, bool], Fraction]) -> Fraction:
    """Return the exact value of a calculation or of a single number.

    `read_number` gets the text of a number, and whether it is multiplied or divided. Raises ValueError for a text
    that is not a calculation, and ZeroDivisionError.
    """
    calculation = _Calculation(text, read_number)
    result = calculation.sum()
    if not calculation.is_at_end():
        raise ValueError("unexpected text after the calculation")
    return result


def is_calculation(text: str) -> bool:
    """Tell whether `text` has an operator or parentheses."""
    return _OPERATORS.search(text) is not None


class _Calculation:
    """Tokens of a calculation and the position of the next one."""

    def __init__(self, text: str, read_number: Callable[[str, bool], Fraction]) -> None:
        # The last token is an empty one, which marks the end, and comes before the first.
        self.tokens = [*filter(None, map(str.strip, _OPERATORS.split(text))), ""]
        self.position = 0
        self.read_number = read_number

    def is_at_end(self) -> bool:
        return not self.tokens[self.position]

    def take(self, *expected: str) -> str:
        """Return the next token and move on if it is one of the expected, or return nothing."""
        token = self.tokens[self.position]
        if token not in expected:
            return ""
        self.position += 1
        return token

    def sum(self) -> Fraction:
        """Read terms joined by plus and minus."""
        result = self.product()
        while operator := self.take("+", "-"):
            operand = self.product()
            result = result + operand if operator == "+" else result - operand
        return result

    def product(self) -> Fraction:
        """Read factors and divisors."""
        result = self.factor()
        while operator := self.take("*", "/"):
            operand = self.factor()
            result = result * operand if operator == "*" else result / operand
        return result

    def factor(self) -> Fraction:
        """Read a number or a calculation in parentheses."""
        if self.take("("):
            result = self.sum()
            if not self.take(")"):
                raise ValueError("a parenthesis is not closed")
            return result
        if self.is_at_end():
            raise ValueError("a number is missing")
        token = self.tokens[self.position]
        neighbours = {self.tokens[self.position - 1], self.tokens[self.position + 1]}
        self.position += 1
        return self.read_number(token, bool(neighbours & {"*", "/"}))
