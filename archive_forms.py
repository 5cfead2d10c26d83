"""Forms for deleting an account, and for restoring an export of one."""

from typing import Any

from flask import request
from flask_babel import gettext, lazy_gettext
from werkzeug.datastructures import FileStorage
from wtforms import Field, FileField, ValidationError

from account_forms import ReauthenticationForm
from forms import Form


class DeleteAccountForm(ReauthenticationForm):
    """Deletion of the account."""

    PART = "deletion"


class RestoreForm(Form):
    """An export of an account to restore."""

    UNSTORED = frozenset({"csrf_token", "file"})

    file = FileField(lazy_gettext("Export file"), render_kw={"required": True, "accept": ".zip,application/zip"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.file.data = request.files.get("file") if self.was_sent else None

    def validate_file(self, field: Field) -> None:
        """Refuse a form without a file."""
        if not isinstance(field.data, FileStorage) or not field.data.filename:
            raise ValidationError(gettext("Choose a file."))
