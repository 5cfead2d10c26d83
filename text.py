"""Text that users type: how it is cleaned before it is stored, and the keys by which it is compared and searched.

The databases fold ASCII only, or by rules that differ, so the keys are made here and stored. Everything takes
linear time except normalising, which is quadratic on alternating combining marks (45 s for 490 kB). So keys are
made from the first KEY_INPUT_MAX characters, and forms limit a text before it is cleaned.
"""

import re
import unicodedata
from typing import TypeVar

Text = TypeVar("Text", bound=str)
KEY_INPUT_MAX = 2_000
# A search compares every description with each word. The last word contains the rest of a longer search.
MAX_SEARCH_WORDS = 8

# Unicode's combining classes of points in letters, and of marks above and below them. The classes in between are
# vowels, and the lower ones make another letter, such as the Japanese voicing marks.
ACCENTS = frozenset({*range(10, 37), *range(200, 241)})
# Unicode's Default_Ignorable_Code_Point: characters that are not shown by themselves.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# The flags of England, Scotland and Wales are a black flag, a name in tag characters, and their end.
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{1,16}\U000e007f"
_IGNORABLE_OR_FLAG = re.compile(f"({_FLAG})|[{_IGNORABLE}]+")
# Soft hyphens, zero-width spaces, direction marks and tags come with pasted text. Joiners and the selectors of a
# picture's form are not among them, because Persian, Indic scripts and emoji are written with them.
_UNWANTED_OR_FLAG = re.compile(
    f"({_FLAG})|[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff]+"
)
_JOINERS = re.compile("(.?)([\u200c\u200d]+)", re.DOTALL)
_ALPHABETS_WITHOUT_JOINERS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "CJK", "HANGUL")
# Looks like a space.
_BRAILLE_BLANK = "\u2800"
_QUOTES = "'\"`´’‘‚‛“”„‟‹›«»′″‵‶ʹʺʻʼʽ＇＂׳״「」『』"
_DASHES = "-‐‑‒–—―−⁃﹘﹣－־〜～"
_TATWEEL = "\u0640"
# How `search_key` translates ASCII.
_ASCII_FOLDED = bytes(range(256)).lower().replace(b"-", b" ")
_ASCII_QUOTES = b"'\"`"
# Letters that Unicode does not decompose, and what is typed instead on keyboards without them.
_LETTERS = {"ł": "l", "đ": "d", "ð": "d", "ø": "o", "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "n", "ĸ": "k"}
_LIGATURES = {"æ": "ae", "œ": "oe", "þ": "th", "ß": "ss"}
_FOLDED = str.maketrans(
    _LETTERS | _LIGATURES | dict.fromkeys(_QUOTES, "") | dict.fromkeys(_DASHES, " ") | {_TATWEEL: ""}
)
# Letters and marks of the alphabets that are written from right to left.
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


def is_right_to_left(text: str) -> bool:
    """Tell whether a part of `text` is written from right to left."""
    return not text.isascii() and _RIGHT_TO_LEFT.search(text) is not None


def isolated(text: Text) -> Text:
    """Return `text` in characters that keep its direction from the text around it, as `<bdi>` does in HTML.

    They also work where there are no elements: in titles, labels, options and messages.
    """
    if text.startswith(_ISOLATE) and text.find(_END_OF_ISOLATE) == len(text) - 1:
        return text
    return type(text)(f"{_ISOLATE}{text}{_END_OF_ISOLATE}")


def isolated_if_needed(text: Text, is_page_right_to_left: bool) -> Text:
    """Return `text` isolated if the text around it on a page could change the order of its parts."""
    return isolated(text) if is_page_right_to_left or is_right_to_left(text) else text


def clean_text(text: str) -> str:
    """Return `text` trimmed, without invisible characters, with its whitespace as spaces and its accents composed.

    A text without any visible character becomes empty. Control characters and lone surrogates stay, so that a form
    can refuse them.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = unicodedata.normalize("NFC", _UNWANTED_OR_FLAG.sub(lambda found: found[1] or "", text))
    text = _JOINERS.sub(_keep_joiner, text)
    text = "".join(" " if character.isspace() and not _has_width(character) else character for character in text)
    if not _IGNORABLE_OR_FLAG.sub(lambda found: found[1] or "", text).replace(_BRAILLE_BLANK, "").strip():
        return ""
    return unicodedata.normalize("NFC", text.strip())


def _has_width(character: str) -> bool:
    """Tell whether a space has its own width on purpose, such as the one between a number and its unit."""
    return unicodedata.category(character) == "Zs"


def _keep_joiner(found: re.Match[str]) -> str:
    """Return a joiner with the character before it, or the character alone if its alphabet has no use for one."""
    before, joiners = found.groups()
    is_used = before and unicodedata.category(before)[0] in "LMSC" and not before.isascii()
    if is_used and not unicodedata.name(before, "").startswith(_ALPHABETS_WITHOUT_JOINERS):
        return before + joiners[0]
    return before


def has_control_characters(text: str) -> bool:
    """Tell whether `text` has characters that cannot be shown; emoji of every Unicode version can."""
    return not text.isprintable() and any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _without_ignorable(text: str) -> str:
    return text if text.isascii() else _IGNORABLE_OR_FLAG.sub(lambda found: found[1] or "", text)


def identity_key(text: str) -> str:
    """Return the form in which names and addresses are compared: without case, Unicode form and invisible text.

    Two names that differ only in what cannot be seen, such as U+FE0F or a Hangul filler, have the same key.
    """
    text = text[:KEY_INPUT_MAX].strip()
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFKC", _without_ignorable(text)).casefold()
    return unicodedata.normalize("NFKC", _without_ignorable(folded)).strip()


def search_key(text: str) -> str:
    """Return the form in which texts are searched: words without case, accents, quotes and dashes, in any script.

    Accents are the marks above and below letters; a sign that makes another letter stays.
    """
    text = text[:KEY_INPUT_MAX]
    if text.isascii():
        return " ".join(text.encode().translate(_ASCII_FOLDED, _ASCII_QUOTES).decode().split())
    decomposed = unicodedata.normalize("NFKD", _without_ignorable(text)).casefold()
    decomposed = unicodedata.normalize("NFKD", _without_ignorable(decomposed))
    bare = "".join(character for character in decomposed if unicodedata.combining(character) not in ACCENTS)
    return " ".join(unicodedata.normalize("NFC", bare.translate(_FOLDED)).split())


def search_words(text: str) -> list[str]:
    """Return the words that a description's key must contain, in any order, to match the search `text`."""
    words = search_key(text).split(maxsplit=MAX_SEARCH_WORDS - 1)
    return list(dict.fromkeys(words))
