"""Text in the form in which it is compared."""

import re
import unicodedata
from functools import lru_cache

from text import clean_text

# Lower-case letters, digits, and a space for everything else.
_ASCII = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 32 for byte in range(256))
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "’": "'"})
_OTHERS = re.compile(r"[\W_]+")
# The longest text of a line.
FOLDED_MAX = 500
_SPACES = re.compile(r"\s+")


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Return the first FOLDED_MAX characters of `text` in lower case, without accents and punctuation."""
    text = text[:FOLDED_MAX]
    if text.isascii():
        # Nearly every text, and much faster.
        return " ".join(text.encode().translate(_ASCII).decode().split())
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _OTHERS.sub(" ", unicodedata.normalize("NFC", bare).translate(_LETTERS)).strip()


def tidy(text: str, limit: int) -> str:
    """Return `text` on one line, without what cannot be seen, and at most `limit` characters of it."""
    if text.isascii() and text.isprintable():
        if "  " not in text:
            return text.strip() if len(text) <= limit else text.strip()[:limit].rstrip()
        return _SPACES.sub(" ", text[: 4 * limit]).strip()[:limit].rstrip()
    shown = "".join(
        " " if unicodedata.category(character) in {"Cc", "Cs"} else character
        for character in clean_text(text[: 4 * limit])
    )
    return _SPACES.sub(" ", shown).strip()[:limit].rstrip()
