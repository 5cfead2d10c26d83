"""Forms for a forgotten password, two-factor authentication and the security page."""

from typing import Any

from flask_babel import gettext, lazy_gettext
from wtforms import EmailField, HiddenField, SelectMultipleField
from wtforms.validators import InputRequired

from account_forms import CurrentPasswordForm, ReauthenticationForm, wrong_code_message
from fields import CodeField
from forms import Form
from models import User


class ForgotPasswordForm(Form):
    """The address of an account whose password was forgotten."""

    email = EmailField(
        lazy_gettext("Email"),
        [InputRequired(lazy_gettext("Enter your email address."))],
        render_kw={"autocomplete": "username", "maxlength": User.EMAIL_MAX},
    )


class CodeForm(Form):
    """The second step of a login."""

    code = CodeField(
        lazy_gettext("Code"),
        [InputRequired(lazy_gettext("Enter the code."))],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )

    def add_code_error(self) -> None:
        """Say that the code is not right."""
        self.code.errors.append(wrong_code_message())


class SetUpForm(ReauthenticationForm):
    """The first code of an authenticator app, whose secret is in the form, encrypted."""

    PART = "set-up"
    UNSTORED = Form.UNSTORED | {"setup"}

    setup = HiddenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.code.description = ""
        self.code.render_kw = self.code.render_kw | {"inputmode": "numeric"}


class TurnOffForm(ReauthenticationForm):
    """The end of two-factor authentication."""

    PART = "turn-off"


class NewCodesForm(ReauthenticationForm):
    """New recovery codes."""

    PART = "new-codes"


class EndSessionsForm(CurrentPasswordForm):
    """The sessions that were selected, or all of them, to be ended."""

    PART = "end-sessions"

    token_hash = SelectMultipleField(choices=[], validate_choice=False)

    def has_selection(self) -> bool:
        """Tell whether a session was selected, and say so if none was."""
        if not self.token_hash.data:
            self.form_errors.append(gettext("Select the sessions that you want to end."))
        return bool(self.token_hash.data)
