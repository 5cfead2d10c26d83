"""Forms for deleting an account, and for restoring an export of one."""

from flask_babel import lazy_gettext
from wtforms import FileField

from account_forms import ReauthenticationForm
from forms import FileForm


class DeleteAccountForm(ReauthenticationForm):
    """Deletion of the account."""

    PART = "deletion"


class RestoreForm(FileForm):
    """An export of an account to restore."""

    file = FileField(lazy_gettext("Export file"), render_kw={"required": True, "accept": ".zip,application/zip"})
