"""Every value a person can send, checked and turned into the type the application works with."""

import re
import unicodedata
import uuid
from typing import Any

from babel import Locale
from flask import current_app, request
from flask_wtf import FlaskForm
from uuid_utils.compat import uuid7
from werkzeug.datastructures import MultiDict
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
from wtforms.validators import InputRequired, StopValidation
from wtforms.widgets import DateInput

from ledger.accounts import (
    PASSWORD_MAX,
    AccountError,
    check_email,
    check_new_password,
    check_username,
)
from ledger.money import TEXT_MAX, AmountError, currencies, parse_amount
from ledger.periods import FIRST_YEAR, LAST_YEAR, DayError, is_time_zone, parse_day
from ledger.spending import CATEGORIES, ExpenseFilter, Place
from models import Expense, User
from security import token_was_refused

# Control, format, surrogate, private and unassigned characters, and line separators; only the two
# joiners that Persian, Indic scripts and family emoji are written with are let through.
_REFUSED_KINDS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}


class Form(FlaskForm):
    """A form that is never valid when the check of the request's CSRF token has failed, however it failed."""

    class Meta:
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Read the fields of a sent form; a JSON body or a file is no text that a person typed."""
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            return request.form if form.is_submitted() else None

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; a form that may come from elsewhere is shown again, filled in."""
        valid = super().validate(extra_validators)
        return valid and not token_was_refused()


class Text:
    """Refuse characters that cannot be seen, and more than `maximum` characters."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.field_flags = {"maxlength": maximum}

    def __call__(self, form: Form, field: Field) -> None:
        """Raise StopValidation where the text could not be shown or stored as it was typed."""
        if any(
            unicodedata.category(character) in _REFUSED_KINDS and character not in _JOINERS
            for character in field.data
        ):
            raise StopValidation("Remove the invisible characters.")
        if len(field.data) > self.maximum:
            raise StopValidation(f"Use at most {self.maximum} characters.")


class OneOf:
    """Refuse a value that is not among the field's choices."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.field_flags = {"required": True}

    def __call__(self, form: Form, field: Field) -> None:
        """Raise ValidationError, in words that say what to do."""
        if not field.data or field.data not in {choice.value for choice in field.choices}:
            raise ValidationError(self.message)


class AmountField(StringField):
    """An amount above zero in the currency of the form's owner; keeps the text as it was typed."""

    def pre_validate(self, form: Any) -> None:
        """Turn the text into a Decimal."""
        try:
            self.data: Any = parse_amount(self.data or "", form.currency, form.locale)
        except AmountError as error:
            raise ValidationError(str(error)) from None

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else ""


class DayField(Field):
    """A day as `YYYY-MM-DD`; keeps the text as it was typed, and the default when nothing was sent."""

    widget = DateInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the text into a date."""
        if valuelist:
            self.data = None
            try:
                self.data = parse_day(valuelist[0])
            except DayError as error:
                raise ValueError(str(error)) from None

    def _value(self) -> str:
        if self.raw_data:
            return self.raw_data[0]
        return self.data.isoformat() if self.data else ""


class NewIdField(HiddenField):
    """The id of the row that a form will create, so that the form can be sent twice and make one row."""

    def process_data(self, value: Any) -> None:
        """Begin with a fresh id."""
        self.data = uuid7()

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take the id that was sent, if it is one that we could have made."""
        try:
            sent = uuid.UUID(valuelist[0])
        except (IndexError, ValueError):
            return
        if sent.version == 7 and str(sent) == valuelist[0]:
            self.data = sent


def normalise_text(text: str | None) -> str:
    """Trim, and compose letters with their accents (NFC)."""
    return unicodedata.normalize("NFC", (text or "").strip())


class LoginForm(Form):
    """Who comes back."""

    email = EmailField(
        "E-mail",
        [InputRequired("Enter your e-mail address.")],
        render_kw={"autocomplete": "username", "maxlength": User.EMAIL_MAX},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password.")],
        render_kw={"autocomplete": "current-password"},
    )
    remember_me = BooleanField("Remember me for 30 days")


class RegisterForm(Form):
    """Who is new."""

    username = StringField(
        "Username",
        [InputRequired("Enter a username."), Text(User.USERNAME_MAX)],
        render_kw={"autocomplete": "nickname", "autocapitalize": "none", "spellcheck": "false"},
    )
    email = EmailField(
        "E-mail",
        [InputRequired("Enter your e-mail address."), Text(User.EMAIL_MAX)],
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Choose a password.")],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )
    confirm_password = PasswordField(
        "Password again",
        [InputRequired("Type the password again.")],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )
    currency = SelectField("Currency", validate_choice=False)
    time_zone = HiddenField(render_kw={"data-time-zone": True})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency.choices = [SelectChoice(code, f"{code} – {name}") for code, name in currencies().items()]
        self.password.description = (
            f"At least {current_app.config['PASSWORD_MIN']} characters; a sentence is fine."
        )
        if not self.currency.data:
            self.currency.data = current_app.config["DEFAULT_CURRENCY"]
        if not is_time_zone(self.time_zone.data or ""):
            self.time_zone.data = current_app.config["TIMEZONE"]

    def validate_username(self, field: Field) -> None:
        """Refuse a username that could be mistaken for another."""
        field.data = _checked(check_username, field.data)

    def validate_email(self, field: Field) -> None:
        """Refuse what no mail could reach."""
        field.data = _checked(check_email, field.data)

    def validate_password(self, field: Field) -> None:
        """Refuse a password that would be guessed."""
        names = (self.username.data or "", self.email.data or "")
        _checked(check_new_password, field.data, current_app.config["PASSWORD_MIN"], *names)

    def validate_confirm_password(self, field: Field) -> None:
        """Refuse a slip of the finger."""
        if field.data != self.password.data:
            raise ValidationError("The two passwords differ. Type the same one twice.")

    def validate_currency(self, field: Field) -> None:
        """Refuse what is no currency of today."""
        if field.data not in currencies():
            raise ValidationError("Choose a currency from the list.")

    def new_user(self) -> User:
        """Return the person that the form describes, still without a password."""
        names = ("username", "email", "currency", "time_zone")
        return User(**{name: self[name].data for name in names})

    def refuse_taken(self, fields: set[str]) -> None:
        """Say beside each of `fields` that somebody has it already."""
        words = {"username": "This username is taken.", "email": "There is an account with this e-mail already."}
        for name in fields:
            self[name].errors = [words[name]]


def _checked(check: Any, *values: Any) -> Any:
    """Return what `check` makes of the values; its refusal becomes the message beside the field."""
    try:
        return check(*values)
    except AccountError as error:
        raise ValidationError(str(error)) from None


class ExpenseForm(Form):
    """One expense. The fields are named as the columns, so that populate_obj needs no mapping."""

    id = NewIdField()
    amount = AmountField(
        "Amount",
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX, "required": True},
    )
    category = SelectField(
        "Category",
        [OneOf("Choose a category.")],
        choices=[SelectChoice("", "Choose one"), *map(SelectChoice, CATEGORIES)],
        validate_choice=False,
    )
    description = StringField(
        "Description",
        [Text(Expense.DESCRIPTION_MAX)],
        filters=[normalise_text],
        description="Optional",
        render_kw={"autocomplete": "off"},
    )
    date = DayField(
        "Date",
        render_kw={"required": True, "min": f"{FIRST_YEAR}-01-01", "max": f"{LAST_YEAR}-12-31"},
    )

    def __init__(self, *args: Any, currency: str, locale: Locale, **kwargs: Any) -> None:
        self.currency = currency
        self.locale = locale
        super().__init__(*args, **kwargs)
        self.amount.label.text = f"Amount in {currency}"

    @classmethod
    def draft_of(cls, typed: MultiDict[str, str]) -> dict[str, str]:
        """Return what was typed, for `restore`, short enough for a cookie; what is cut, no field would accept."""
        names = ("id", "amount", "category", "description", "date")
        return {name: typed[name][: Expense.DESCRIPTION_MAX + 1] for name in names if name in typed}

    def restore(self, draft: dict[str, Any] | None) -> bool:
        """Fill the form in with what was typed before a log-in was lost, and tell whether there was any."""
        if draft:
            self.process(MultiDict(draft["typed"]))
        return bool(draft)

    def take_fresh_id(self) -> None:
        """Become a second expense, once the person says so: this form's own was saved with other values."""
        self.id.process(None)
        self.form_errors.append(
            "This form has been saved before, with other values. "
            "Press the button again if this is a second expense."
        )


class PlaceField(Field):
    """Where a page of the list begins: `YYYY-MM-DD_<id>`."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the text into a Place."""
        if valuelist and valuelist[0]:
            day, _, row = valuelist[0].partition("_")
            if not re.fullmatch(r"[0-9a-f-]{36}", row):
                raise ValueError("This page does not exist.")
            try:
                self.data = Place(parse_day(day), uuid.UUID(row))
            except ValueError:
                raise ValueError("This page does not exist.") from None


class ExpenseFilterForm(FlaskForm):
    """What the list shows. It changes nothing, so its address needs no CSRF token and can be shared."""

    class Meta:
        csrf = False

    category = SelectField(
        "Category",
        choices=[SelectChoice("", "All categories"), *map(SelectChoice, CATEGORIES)],
        default="",
        validate_choice=False,
    )
    after = PlaceField()
    before = PlaceField()

    def validate_category(self, field: Field) -> None:
        """Refuse a category that does not exist, rather than show everything in its place."""
        if field.data and field.data not in CATEGORIES:
            raise ValidationError("There is no such category. Choose one from the list.")

    def wanted(self) -> ExpenseFilter:
        """Return the filter; when something in it made no sense, one that nothing matches."""
        if not self.validate():
            return ExpenseFilter(nothing=True)
        return ExpenseFilter(category=self.category.data or None)

    def kept(self, **changes: Place | None) -> dict[str, Any]:
        """Return what the address of this very view says, for a link or form that comes back to it."""
        fields = {field.name: field.data for field in self} if self.validate() else {}
        return {name: str(value) for name, value in (fields | changes).items() if value}
