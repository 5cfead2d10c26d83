"""Forms for logging in, registering and the account page."""

from datetime import date
from functools import lru_cache
from itertools import starmap
from typing import Any

from babel import Locale
from babel.dates import format_date
from flask import current_app
from flask_babel import get_locale, gettext, lazy_gettext, ngettext
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.validators import InputRequired

from fields import (
    FALSE_VALUES,
    CodeField,
    Listed,
    Text,
    normalise_text,
)
from forms import Form
from languages import LANGUAGES, language_tag
from ledger.accounts import (
    PASSWORD_MAX,
    AccountError,
    check_email,
    check_new_password,
    check_username,
)
from ledger.locales import LOCALES
from ledger.money import currency_digits
from ledger.names import MAX_LANGUAGES, currency_names, locale_names, time_zone_names
from ledger.periods import is_time_zone
from messages import CATEGORY_NAMES, decimals_message, error_message, isolate
from models import User

# A day that shows which number is which in a date format.
EXAMPLE_DAY = date(2026, 12, 31)


class LoginForm(Form):
    """Login form."""

    email = EmailField(
        lazy_gettext("Email"),
        [InputRequired(lazy_gettext("Enter your email address."))],
        render_kw={"autocomplete": "username", "maxlength": User.EMAIL_MAX},
    )
    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(lazy_gettext("Enter your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    remember_me = BooleanField(lazy_gettext("Remember me for 30 days"), false_values=FALSE_VALUES)


class IdentityFields(Form):
    """Username and email fields, shared by the register and profile forms."""

    username = StringField(
        lazy_gettext("Username"),
        [InputRequired(lazy_gettext("Enter a username.")), Text(User.USERNAME_MAX)],
        filters=[normalise_text],
        description=lazy_gettext("No spaces. Shown only to you."),
        render_kw={"autocomplete": "nickname", "autocapitalize": "none", "spellcheck": "false"},
    )
    email = EmailField(
        lazy_gettext("Email"),
        [InputRequired(lazy_gettext("Enter your email address.")), Text(User.EMAIL_MAX)],
        filters=[normalise_text],
        render_kw={"autocomplete": "username"},
    )

    def validate_username(self, field: Field) -> None:
        """Refuse a username that could be mistaken for another."""
        field.data = _checked(check_username, field.data)

    def validate_email(self, field: Field) -> None:
        """Refuse an address that no email could reach."""
        field.data = _checked(check_email, field.data)

    def add_taken_errors(self, fields: set[str]) -> None:
        """Say beside each of `fields` that another account has it already."""
        messages = {
            "username": gettext("This username is taken."),
            "email": gettext("An account with this email address already exists."),
        }
        for name in fields:
            self[name].errors = [messages[name]]


class AccountForm(Form):
    """A part of the account page, which shows several whose fields have the same names."""

    PART = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self:
            field.id = field.label.field_id = f"{self.PART}-{field.name}"


class CurrentPasswordForm(AccountForm):
    """A change that takes the password, so that a browser that was left logged in is not enough."""

    current_password = PasswordField(
        lazy_gettext("Current password"),
        [InputRequired(lazy_gettext("Enter your current password."))],
        render_kw={"autocomplete": "current-password"},
    )

    def add_password_error(self) -> None:
        """Say that the current password is wrong."""
        self.current_password.errors = [gettext("This is not your current password.")]


class ReauthenticationForm(CurrentPasswordForm):
    """A change that takes the password and, if two-factor authentication is on, a code."""

    code = CodeField(
        lazy_gettext("Code from your app"),
        [InputRequired(lazy_gettext("Enter the code that your app shows."))],
        description=lazy_gettext("Or one of your recovery codes."),
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )

    def __init__(self, *args: Any, asks_code: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asks_code:
            del self.code

    def add_code_error(self) -> None:
        """Say that the code is wrong, or missing: two-factor authentication may have been turned on meanwhile."""
        errors = self.code.errors if "code" in self else self.form_errors
        errors.append(wrong_code_message())


def wrong_code_message() -> str:
    """Return what to do about a code that is wrong or was already used."""
    return gettext("This code is wrong or was already used. Enter the next one that your app shows.")


class NewPasswordForm(Form):
    """A new password, typed twice."""

    password = PasswordField(
        lazy_gettext("Password"),
        [InputRequired(lazy_gettext("Choose a password."))],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )
    confirm_password = PasswordField(
        lazy_gettext("Repeat password"),
        [InputRequired(lazy_gettext("Enter the password again."))],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.password.description = ngettext(
            "At least %(num)d character; a short sentence works well.",
            "At least %(num)d characters; a short sentence works well.",
            current_app.config["PASSWORD_MIN"],
        )

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        raise NotImplementedError

    def validate_password(self, field: Field) -> None:
        """Refuse a password that is easy to guess."""
        _checked(check_new_password, field.data, current_app.config["PASSWORD_MIN"], *self.names())

    def validate_confirm_password(self, field: Field) -> None:
        """Refuse two passwords that differ."""
        if field.data != self.password.data:
            raise ValidationError(gettext("The two passwords differ. Enter the same password twice."))


class ResetPasswordForm(NewPasswordForm):
    """A new password in place of a forgotten one."""

    def __init__(self, *args: Any, obj: User, **kwargs: Any) -> None:
        self.author = obj
        super().__init__(*args, **kwargs)
        self.password.label.text = lazy_gettext("New password")
        self.confirm_password.label.text = lazy_gettext("Repeat new password")

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        return self.author.username, self.author.email


def language_choices() -> list[SelectChoice]:
    """Return every language, by its native name."""
    return [SelectChoice(code, name, {"lang": language_tag(code)}) for code, name in LANGUAGES.items()]


def currency_choices() -> list[SelectChoice]:
    """Return every currency, by its code and its name."""
    return [SelectChoice(code, f"{code} – {name}") for code, name in currency_names(str(get_locale())).items()]


def time_zone_choices() -> list[SelectChoice]:
    """Return every time zone, by its country and city."""
    return [*starmap(SelectChoice, time_zone_names(str(get_locale())).items())]


@lru_cache(maxsize=MAX_LANGUAGES)
def locale_choices(language: Locale) -> tuple[SelectChoice, ...]:
    """Return every number and date format, by its name and an example whose month is in `language`."""
    examples = []
    for code, name in locale_names(str(language)).items():
        amount, pattern = LOCALES[code]
        day = format_date(EXAMPLE_DAY, pattern, language)
        examples.append(SelectChoice(code, f"{name}: {isolate(amount)} · {isolate(day)}"))
    return tuple(examples)


class RegisterForm(IdentityFields, NewPasswordForm):
    """Registration form."""

    currency = SelectField(
        lazy_gettext("Currency"), [Listed(lazy_gettext("Choose a currency from the list."))], validate_choice=False
    )
    time_zone = HiddenField(render_kw={"data-time-zone": True})

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        """Propose a `currency`."""
        super().__init__(*args, **kwargs)
        self.currency.choices = currency_choices()
        if not self.currency.data:
            self.currency.data = currency
        if not is_time_zone(self.time_zone.data or ""):
            self.time_zone.data = current_app.config["TIMEZONE"]

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        return self.username.data or "", self.email.data or ""

    def new_user(self) -> User:
        """Return the user that the form describes, still without a password."""
        names = ("username", "email", "currency", "time_zone")
        values = {name: self[name].data for name in names}
        return User(category_names=[str(name) for name in CATEGORY_NAMES], **values)


def _checked(check: Any, *values: Any) -> Any:
    """Return the result of `check`; its error becomes the message beside the field."""
    try:
        return check(*values)
    except AccountError as error:
        raise ValidationError(error_message(error)) from None


class ProfileForm(ReauthenticationForm, IdentityFields):
    """Change of username and email."""

    PART = "profile"


class PasswordForm(ReauthenticationForm, ResetPasswordForm):
    """A new password."""

    PART = "password"


class SettingsForm(AccountForm):
    """Preferences: language, currency, time zone, formats and first day of the month."""

    PART = "settings"

    language = SelectField(
        lazy_gettext("Language"),
        [Listed(lazy_gettext("Choose a language from the list."))],
        validate_choice=False,
    )

    currency = SelectField(
        lazy_gettext("Currency"),
        [Listed(lazy_gettext("Choose a currency from the list."))],
        validate_choice=False,
        description=lazy_gettext(
            "Amounts keep their digits: 12.50 in the old currency becomes 12.50 in the new one. "
            "Nothing is converted."
        ),
    )
    time_zone = SelectField(
        lazy_gettext("Time zone"),
        [Listed(lazy_gettext("Choose a time zone from the list."))],
        validate_choice=False,
        description=lazy_gettext("Determines which day is today."),
    )
    locale = SelectField(
        lazy_gettext("Number and date format"),
        [Listed(lazy_gettext("Choose a format from the list."))],
        validate_choice=False,
    )
    first_day_of_month = SelectField(
        lazy_gettext("First day of the month"),
        [Listed(lazy_gettext("Choose a day from 1 to %(last_day)s.", last_day=User.FIRST_DAY_MAX))],
        choices=[SelectChoice(str(day)) for day in range(1, User.FIRST_DAY_MAX + 1)],
        validate_choice=False,
        description=lazy_gettext("For example, your payday."),
    )
    month_name = SelectField(
        lazy_gettext("Name of the month"),
        [Listed(lazy_gettext("Choose a name from the list."))],
        choices=[
            SelectChoice("start", lazy_gettext("The month in which it starts")),
            SelectChoice("end", lazy_gettext("The month in which it ends")),
        ],
        validate_choice=False,
        description=lazy_gettext(
            "Matters only if months start on a day other than the first. Years are named the same way."
        ),
    )

    def __init__(self, *args: Any, obj: User, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, month_name="end" if obj.named_after_end else "start", **kwargs)
        self.currency.choices = currency_choices()
        self.time_zone.choices = time_zone_choices()
        as_browser = SelectChoice("", gettext("Same as my browser"))
        self.locale.choices = [as_browser, *locale_choices(get_locale())]
        self.language.choices = [as_browser, *language_choices()]

    def add_currency_error(self, number: int) -> None:
        """Say that this many amounts have more decimals than the currency."""
        currency = self.currency.data
        limit = decimals_message(currency, currency_digits(currency))
        excess = ngettext(
            "%(num)d of your amounts has more, counting budgets, recurring expenses and the last 30 days of "
            "History.",
            "%(num)d of your amounts have more, counting budgets, recurring expenses and the last 30 days of "
            "History.",
            number,
        )
        self.currency.errors = [limit, excess]

    @property
    def values(self) -> dict[str, Any]:
        """The columns that the form fills."""
        texts = {name: self[name].data for name in ("language", "currency", "time_zone", "locale")}
        return texts | {
            "first_day_of_month": int(self.first_day_of_month.data),
            "named_after_end": self.month_name.data == "end",
        }
