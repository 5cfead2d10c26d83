"""The export of an account, and its restoration into an empty one."""

import logging
from typing import IO

from flask import current_app, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from flask_login import current_user

import clock
from archive_forms import RestoreForm
from database import db
from ledger.archives import restoring, writing
from ledger.archives.checks import ArchiveError
from ledger.archives.reading import Limits, open_archive
from messages import error_message
from views.common import flash_message, render_page
from views.files import disk_full, reading_turn, release_database, write_file_or_503

log = logging.getLogger("ledger")


def allow_large_export() -> None:
    """Accept a larger form where an export is restored; the size of the file is checked later."""
    if request.endpoint == restore_account.__name__:
        config = current_app.config
        request.max_content_length = config["RESTORE_MAX_BYTES"] + config["MAX_CONTENT_LENGTH"]


def export_account() -> ResponseReturnValue:
    """Send all data of the user as one zip file."""
    now = clock.now()
    file = write_file_or_503(lambda: writing.write_file(db.engine, current_user.id, now))
    log.info("account exported: user %s from %s", current_user.id, request.remote_addr)
    name = f"ledger-{now:%Y-%m-%d}.zip"
    response = send_file(file, "application/zip", as_attachment=True, download_name=name, conditional=False)
    response.content_length = file.size
    return response


def restore_account() -> ResponseReturnValue:
    """Show the form for an export, or restore one into the empty account of the user."""
    form = RestoreForm()
    if form.validate_on_submit():
        try:
            expenses = restore(form.file.data.stream)
        except ArchiveError as error:
            form.file.errors = [error_message(error), gettext("Nothing was restored.")]
        except OSError as error:
            raise disk_full(error) from None
        else:
            log.info("account restored: user %s from %s", current_user.id, request.remote_addr)
            flash_message(ngettext("Restored %(num)d expense.", "Restored %(num)d expenses.", expenses))
            return redirect(url_for("list_expenses"))
    limit = current_app.config["RESTORE_MAX_BYTES"] // 2**20
    return render_page("accounts/restore.html", form=form, is_empty=restoring.is_empty(current_user), limit=limit)


def restore(file: IO[bytes]) -> int:
    """Restore an export, and return its number of expenses. Raises ArchiveError and OperationRunningError."""
    limits, now = Limits.of(current_app.config["RESTORE_MAX_BYTES"]), clock.now()
    # Checked before the file is read, which takes a while, and again when nothing else can be added.
    if not restoring.is_empty(current_user):
        raise ArchiveError("account_not_empty")
    release_database()
    with reading_turn(), open_archive(file, current_user.id, now, limits) as archive:
        restoring.restore(current_user, archive, now)
        return archive.expenses
