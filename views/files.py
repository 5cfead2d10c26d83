"""Files that are received and sent: reading one after the other, and writing what is downloaded."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask_babel import gettext, ngettext
from werkzeug.exceptions import ServiceUnavailable

from database import db
from ledger import csv_export
from security import csrf_failed

log = logging.getLogger("ledger")
# One file is read at a time, because reading takes all of a core; a few others wait for their turn.
MAX_READERS = 3
_readers, _reading = threading.BoundedSemaphore(MAX_READERS), threading.Lock()


def release_database() -> None:
    """End the transaction of this request: reading a file takes seconds, in which others want to write."""
    if csrf_failed():
        db.session.rollback()
    else:
        db.session.commit()


@contextmanager
def reading_turn() -> Iterator[None]:
    """Wait until no other file is being read. Raises ServiceUnavailable if others wait already."""
    if not _readers.acquire(blocking=False):
        raise ServiceUnavailable(
            gettext("Other files are being read. Nothing was changed. Try again shortly."), retry_after=10
        )
    try:
        with _reading:
            yield
    finally:
        _readers.release()


def write_file_or_503(write: Callable[[], csv_export.ExportFile]) -> csv_export.ExportFile:
    """Write the whole file before it is sent, so that a slow reader keeps no thread and no connection busy."""
    try:
        return write()
    except csv_export.TooManyFilesError:
        limit = csv_export.MAX_FILES_PER_USER
        text = ngettext(
            "You have %(num)d unfinished download. Finish or cancel it, then try again.",
            "You have %(num)d unfinished downloads. Finish or cancel one, then try again.",
            limit,
        )
        raise ServiceUnavailable(text, retry_after=20) from None
    except OSError as error:
        raise disk_full(error) from None


def disk_full(error: OSError) -> ServiceUnavailable:
    """Log that a temporary file cannot be written, and return what to tell the user."""
    log.error("a temporary file cannot be written: %s", error)
    text = gettext("There is not enough disk space for this file. Try again later.")
    return ServiceUnavailable(text, retry_after=60)
