"""The one way into a statement of any format, shared by the upload and the command."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ledger.statements import camt, mt940, ofx, qif
from ledger.statements.csv_reader import read_csv
from ledger.statements.encodings import DecodedText, decode
from ledger.statements.model import UPLOAD_LIMITS, Hints, Layout, Limits, Person, Statement, StatementError

# Beginnings of files that are not statements, and the code of the error for each.
_OTHER_FILES = (
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"\xd0\xcf\x11\xe0", "workbook"),
    (b"%PDF", "pdf"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
)
_WEB_PAGE = re.compile(
    r"\s*(?:<\?xml[^<>]{0,200}>\s*)?(?:<!doctype\s+html|<html|<table|<head|<meta|<body|<style)", re.IGNORECASE
)
_OFX = re.compile(r"OFXHEADER|<\?OFX|<OFX[\s>]|<STMTTRN>", re.IGNORECASE)
_MT940 = re.compile(r"^:(?:20|25|28C?|60[FM]):|^:61:\d", re.MULTILINE)
_QIF = re.compile(r"^!(?:Type|Account|Option|Clear)\b", re.MULTILINE | re.IGNORECASE)
_SAMPLE = 20_000


def read_statement(
    content: bytes,
    file_name: str = "",
    *,
    today: date,
    person: Person | None = None,
    layout: Layout | None = None,
    limits: Limits = UPLOAD_LIMITS,
) -> Statement:
    """Read a statement. Raises StatementError with a code and values if the file cannot be read as one.

    Its format is recognised by its content; `file_name` matters only for workbooks, which can contain anything.
    `layout` answers the questions that an earlier file of the same bank left open.
    """
    person = person or Person()
    zone = ZoneInfo(person.time_zone)

    def local_day(moment: datetime) -> date:
        return moment.astimezone(zone).date()

    hints = Hints(person.locale, person.currency, today, local_day, layout or Layout(), limits)
    _refuse_other_files(content, file_name, limits)
    if _is_xml(content):
        return camt.read_camt(content, hints)
    if _is_binary(content):
        raise StatementError("not_text")
    return _read_text(content, decode(content, person.locale, hints.layout.encoding), hints)


def _read_text(content: bytes, decoded: DecodedText, hints: Hints) -> Statement:
    """Read a file that is not XML in the format that its first lines show."""
    start = decoded.text[:_SAMPLE]
    if not decoded.text.strip():
        raise StatementError("empty")
    if _WEB_PAGE.match(start):
        raise StatementError("web_page")
    if _OFX.search(start):
        return ofx.read_ofx(content, decoded, hints)
    if _QIF.search(start) or qif.looks_like_records(start):
        return qif.read_qif(decoded, hints)
    if _MT940.search(start) and ":61:" in decoded.text:
        return mt940.read_mt940(decoded, hints)
    return read_csv(decoded, hints)


def _refuse_other_files(content: bytes, file_name: str, limits: Limits) -> None:
    if len(content) > limits.max_bytes:
        raise StatementError("too_large", limit=limits.max_megabytes)
    if content.startswith(b"PK\x03\x04"):
        is_workbook = (
            b"xl/" in content[:2000]
            or b"opendocument" in content[:200]
            or file_name.lower().endswith((".xlsx", ".xlsm", ".ods"))
        )
        raise StatementError("workbook" if is_workbook else "archive")
    for beginning, code in _OTHER_FILES:
        if content.startswith(beginning):
            raise StatementError(code)


def _is_binary(content: bytes) -> bool:
    """Return whether a file holds too many control characters for a text; zeros may be those of UTF-16."""
    sample = content[:4000].translate(None, b"\0\t\n\r\f\v\x1a")
    return sum(byte < 32 for byte in sample) > max(len(sample) // 20, 8)


def _is_xml(content: bytes) -> bool:
    """Return whether this is XML, but not OFX, whose newer versions begin like XML and are not always."""
    start = content[:_SAMPLE].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").replace(b"\0", b"")
    if _OFX.search(start.decode("latin-1")):
        return False
    is_web_page = _WEB_PAGE.match(start.decode("latin-1"))
    return not is_web_page and (start.startswith(b"<?xml") or bool(re.match(rb"<(?:\w+:)?Document\b", start)))
