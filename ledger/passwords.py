"""Passwords that are easy to guess."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, pairwise, zip_longest
from math import inf
from pathlib import Path

# A password is divided into the pieces from which an attacker would build it. The cost of a piece is the number of
# digits of the number of guesses that it takes, and the cheapest division counts: `password2024!` is a common
# password (2), a year (2) and one more character (1), so it is among the first 100,000 guesses. Less than
# DIGITS_MIN is too little.
DIGITS_MIN = 7
CHARACTER, RUN, REPETITION, NAME, WALK, YEAR, DATE, DISGUISE = 1.0, 1.5, 1.0, 1.0, 2.0, 2.0, 4.0, 0.5
# The cost of a common password, by the number of digits of its rank in the list. It is at least 2, because four
# common words in a row are a good password.
COMMON = {1: 2.0, 2: 2.0, 3: 2.5, 4: 3.5, 5: 4.5}
NAME_MIN, WALK_MIN, PIECE_MAX = 3, 4, 32
# Longer texts are not divided, because that would take long and no attacker gets that far.
LENGTH_MAX = 128
Piece = tuple[int, int, float]

# The keys of a keyboard in English, German, French and Russian, row by row.
KEYBOARDS = (
    ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"),
    ("1234567890", "qwertzuiopü", "asdfghjklöä", "yxcvbnm,.-"),
    ("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"),
    ("1234567890", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю."),
)
SEQUENCES = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюя", "a1b2c3d4e5f6g7h8i9")
UNSHIFTED = str.maketrans("!@#$%^&*()", "1234567890")
# Characters that replace letters; some of them can replace two different ones.
LOOKALIKES = (
    str.maketrans("4@8360$57+1!|", "aabegossttiil"),
    str.maketrans("4@8360$57+1!|", "aabegossttlll"),
)
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:1[0-2]|0?[1-9])", r"(?:[12]\d|3[01]|0?[1-9])"
DATES = {
    _YEAR: YEAR,
    **{
        r"[-./]?".join(parts): DATE
        for year in (_YEAR, r"\d\d")
        for parts in ((year, _MONTH, _DAY), (_DAY, _MONTH, year), (_MONTH, _DAY, year))
    },
}


def is_guessable(password: str, names: Iterable[str]) -> bool:
    """Tell whether `password` is found with few guesses; `names` are the user's own, casefolded."""
    text = unicodedata.normalize("NFKC", password).casefold()
    if len(text) > LENGTH_MAX:
        return len(set(text)) == 1
    own = {name for name in names if len(name) >= NAME_MIN}
    return min(_guess_digits(text, own), _guess_digits(text[::-1], own)) < DIGITS_MIN


def _guess_digits(text: str, names: set[str]) -> float:
    """Return roughly how many digits the number of guesses has that it takes to find `text`."""
    pieces: list[list[tuple[int, float]]] = [[(start + 1, CHARACTER)] for start in range(len(text))]
    for start, end, cost in chain(_repetitions(text), _walks(text), _words(text, names), _dates(text)):
        pieces[start].append((end, cost))
    cheapest = [0.0] + [inf] * len(text)
    for start, ways in enumerate(pieces):
        for end, cost in ways:
            cheapest[end] = min(cheapest[end], cheapest[start] + cost)
    return cheapest[-1]


def _repetitions(text: str) -> Iterator[Piece]:
    """Yield runs of one character, and repetitions of the characters right before them."""
    for run in re.finditer(r"(.)\1\1+", text, re.DOTALL):
        yield run.start(), run.end(), RUN
    for start in range(2, len(text)):
        for size in range(2, min(start, PIECE_MAX) + 1):
            if text.startswith(text[start - size : start], start):
                yield start, start + size, REPETITION


def _walks(text: str) -> Iterator[Piece]:
    """Yield sequences of the keys of a keyboard, the alphabet or the digits, in either direction."""
    for typed in {text, text.translate(UNSHIFTED)}:
        stop = 0
        for start in range(len(typed)):
            # A sequence that begins one character later reaches at least as far.
            stop = max(stop, start)
            while stop < len(typed) and typed[start : stop + 1] in walks():
                stop += 1
            for end in range(start + WALK_MIN, min(stop, start + PIECE_MAX) + 1):
                yield start, end, WALK


def _words(text: str, names: set[str]) -> Iterator[Piece]:
    """Yield common passwords and the user's own names, also with characters that look like their letters."""
    for plain in {text, *(text.translate(lookalikes) for lookalikes in LOOKALIKES)}:
        disguise = 0.0 if plain == text else DISGUISE
        for start in range(len(plain)):
            for end in range(start + NAME_MIN, min(len(plain), start + PIECE_MAX) + 1):
                word = plain[start:end]
                cost = NAME if word in names else common_passwords().get(word, inf)
                if cost < inf:
                    yield start, end, cost + disguise


def _dates(text: str) -> Iterator[Piece]:
    """Yield years and dates that have no other digits next to them."""
    for pattern, cost in DATES.items():
        for match in re.finditer(rf"(?<!\d){pattern}(?!\d)", text):
            yield match.start(), match.end(), cost


@cache
def common_passwords() -> dict[str, float]:
    """Return the common passwords, each with its cost."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text("utf-8").splitlines()
    words = (line for line in lines if not line.startswith("#"))
    return {word: COMMON[len(str(place))] for place, word in enumerate(words, 1)}


@cache
def walks() -> str:
    """Return all sequences of keys, forward and backward, each twice in a row because some start over."""
    tracks = list(SEQUENCES)
    for rows in KEYBOARDS:
        columns = ["".join(keys) for keys in zip_longest(*rows, fillvalue="")]
        tracks += [*rows, "".join(rows[1:]), "".join(columns)]
        # Down one column and up the next, and the other way round.
        for odd in (0, 1):
            tracks.append("".join(keys[:: -1 if place % 2 == odd else 1] for place, keys in enumerate(columns)))
        for upper, lower in pairwise(rows):
            tracks.append("".join(chain.from_iterable(zip(upper, lower, strict=False))))
    return "\n".join(chain.from_iterable((track * 2, track[::-1] * 2) for track in tracks))
