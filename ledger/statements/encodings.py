"""The encoding of a file: by its byte order mark, as UTF-8, as UTF-16 by its zeros, or by the words in it."""

import codecs
import re
from dataclasses import dataclass

from ledger.statements.text import fold
from ledger.statements.vocabulary import HEADER_WORDS

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The code page of each language whose banks write another one than the western.
_CODE_PAGES = {
    "bg": "cp1251", "ru": "cp1251", "uk": "cp1251", "sr": "cp1251", "cs": "cp1250", "hr": "cp1250", "hu": "cp1250",
    "pl": "cp1250", "ro": "cp1250", "sk": "cp1250", "sl": "cp1250", "el": "cp1253", "tr": "cp1254", "he": "cp1255",
    "ar": "cp1256", "fa": "cp1256", "et": "cp1257", "lt": "cp1257", "lv": "cp1257", "vi": "cp1258", "ja": "cp932",
    "zh": "gb18030", "ko": "cp949", "th": "cp874",
}  # fmt: skip
WESTERN = "cp1252"
CHOICES = (
    "utf-8", WESTERN, "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp932",
    "gb18030", "big5", "cp949", "cp874", "cp850", "koi8-r", "utf-16-le", "utf-16-be",
)  # fmt: skip
_GUESSED = (
    "cp1252",
    "cp1250",
    "cp1251",
    "gb18030",
    "cp932",
    "big5",
    "cp949",
    "cp1253",
    "cp1254",
    "cp1257",
    "cp850",
)
SAMPLE_BYTES = 65536
_WORDS = re.compile(r"[^\W\d_]{2,}")
_FOREIGN_RUN = re.compile(r"[^\W\d_\x00-\x7f]{3,}|[\x80-\x9f\ufffd]")


@dataclass(frozen=True, slots=True)
class DecodedText:
    """The text of a file; `is_certain` is False if letters may be wrong."""

    text: str
    encoding: str
    is_certain: bool

    @property
    def choice(self) -> str:
        """The encoding if it is one that the user can choose, or nothing."""
        return self.encoding if self.encoding in CHOICES else ""


def decode(content: bytes, locale: str, chosen: str = "") -> DecodedText:
    """Return the text of `content` without NULs. Never fails: what cannot be decoded becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decoded(content, encoding)
    if chosen in CHOICES and chosen != "utf-8":
        return _decoded(content, chosen)
    if encoding := _utf_16(content):
        return _decoded(content, encoding)
    try:
        return DecodedText(content.decode("utf-8").replace("\0", ""), "utf-8", is_certain=True)
    except UnicodeDecodeError:
        return _decode_other(content, locale)


def _decoded(content: bytes, encoding: str, is_certain: bool = True) -> DecodedText:
    text = content.decode(encoding, "replace").removeprefix("\ufeff").replace("\0", "")
    return DecodedText(text, encoding, is_certain)


def _utf_16(content: bytes) -> str:
    """Return the UTF-16 of a text whose letters are mostly Latin, which has a zero in every other byte."""
    sample = content[:4000]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if odd > 0.4 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.1 * half else ""


def _decode_other(content: bytes, locale: str) -> DecodedText:
    """Decode what is not UTF-8: damaged UTF-8, or the code page that gives the most words of a header."""
    damaged = content.decode("utf-8", "replace")
    foreign = sum(character > "\x7f" and character != "\ufffd" for character in damaged)
    if damaged.count("\ufffd") < foreign:
        return _decoded(content, "utf-8", is_certain=False)
    # A sample may end within a character.
    sample = content[:SAMPLE_BYTES]
    usual = _CODE_PAGES.get(locale[:2], WESTERN)
    candidates = dict.fromkeys((usual, *_GUESSED))
    scores = {encoding: _count_words(sample, encoding) for encoding in candidates}
    best = max(scores, key=scores.__getitem__)
    if scores[best]:
        return _decoded(content, best)
    text = content.decode(usual, "replace")
    return _decoded(content, usual, is_certain=not _FOREIGN_RUN.search(text))


def _count_words(sample: bytes, encoding: str) -> int:
    """Return how many words with other letters than ASCII a sample shares with the headers of banks."""
    words = {word for word in _WORDS.findall(sample.decode(encoding, "replace")) if not word.isascii()}
    return sum(fold(word) in HEADER_WORDS for word in words if len(word) <= 40)
