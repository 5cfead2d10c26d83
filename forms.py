"""Every value a person can send, checked and turned into the type the application works with."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from itertools import starmap
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_date
from flask import current_app, request
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    PasswordField,
    SelectChoice,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms import Form as Fields
from wtforms.validators import InputRequired

from fields import (
    FALSE_VALUES,
    AmountField,
    BoundedMeta,
    ChoiceField,
    CursorField,
    DateField,
    IdField,
    IdsField,
    Listed,
    NewIdField,
    PositionField,
    Text,
    normalise_name,
    normalise_text,
    options,
)
from ledger.accounts import (
    PASSWORD_MAX,
    AccountError,
    check_email,
    check_new_password,
    check_username,
)
from ledger.categories import NEW_CATEGORY, CategoryError, OwnCategory, numbers_of
from ledger.locales import LOCALES
from ledger.money import (
    TEXT_MAX,
    currencies,
    currency_digits,
    plain_amount,
)
from ledger.periods import (
    FIRST_YEAR,
    LAST_YEAR,
    DateError,
    Period,
    is_time_zone,
    parse_date,
    parse_period,
    recent_months,
    time_zones,
)
from ledger.recurring import FREQUENCIES, Due, DueDays
from ledger.spending import ORDERS, VALUES, ExpenseFilter, ExpenseValues, suggest_category
from messages import error_message
from models import Expense, RecurringExpense, User, search_key
from security import csrf_failed


class Form(FlaskForm):
    """A form that is never valid when the check of the request's CSRF token has failed, however it failed."""

    # Whether this request has filled the form in; a page may show fresh forms beside it.
    was_sent = False
    # Names of fields that no draft may hold, apart from passwords.
    UNSTORED = frozenset({"csrf_token"})

    class Meta(BoundedMeta):
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Read the fields of a sent form; a JSON body or a file is no text that a person typed."""
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            form.was_sent = form.is_submitted()
            return request.form if form.was_sent else None

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; a form that may come from elsewhere is shown again, filled in."""
        valid = super().validate(extra_validators)
        if csrf_failed():
            # The page says so above the form, in words that a person understands.
            self["csrf_token"].errors = []
            return False
        return valid


@cache
def unstored_fields() -> frozenset[str]:
    """Return the names of fields, of whichever form, that must not be stored while a user logs in again."""
    names: set[str] = set()
    forms = [Form]
    while forms:
        form = forms.pop()
        forms += form.__subclasses__()
        names |= form.UNSTORED
        fields = {name: getattr(field, "field_class", None) for name, field in vars(form).items()}
        names |= {name for name, kind in fields.items() if kind is not None and issubclass(kind, PasswordField)}
    return frozenset(names)


class LoginForm(Form):
    """Login form."""

    email = EmailField(
        "Email",
        [InputRequired("Enter your email address.")],
        render_kw={"autocomplete": "username", "maxlength": User.EMAIL_MAX},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password.")],
        render_kw={"autocomplete": "current-password"},
    )
    remember_me = BooleanField("Remember me for 30 days", false_values=FALSE_VALUES)


class IdentityFields(Form):
    """Username and email fields, shared by the register and profile forms."""

    username = StringField(
        "Username",
        [InputRequired("Enter a username."), Text(User.USERNAME_MAX)],
        render_kw={"autocomplete": "nickname", "autocapitalize": "none", "spellcheck": "false"},
    )
    email = EmailField(
        "Email",
        [InputRequired("Enter your email address."), Text(User.EMAIL_MAX)],
        render_kw={"autocomplete": "username"},
    )

    def validate_username(self, field: Field) -> None:
        """Refuse a username that could be mistaken for another."""
        field.data = _checked(check_username, field.data)

    def validate_email(self, field: Field) -> None:
        """Refuse what no mail could reach."""
        field.data = _checked(check_email, field.data)

    def add_taken_errors(self, fields: set[str]) -> None:
        """Say beside each of `fields` that somebody has it already."""
        words = {
            "username": "This username is taken.",
            "email": "An account with this email address already exists.",
        }
        for name in fields:
            self[name].errors = [words[name]]


class AccountForm(Form):
    """A part of the account page, which shows several whose fields have the same names."""

    PART = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self:
            field.id = field.label.field_id = f"{self.PART}-{field.name}"


class CurrentPasswordForm(AccountForm):
    """A change that nobody makes who has merely found a browser logged in."""

    current_password = PasswordField(
        "Current password",
        [InputRequired("Enter your current password.")],
        render_kw={"autocomplete": "current-password"},
    )

    def add_password_error(self) -> None:
        """Say that the current password is another one."""
        self.current_password.errors = ["This is not your password."]


class NewPasswordForm(Form):
    """A password that is chosen, typed twice."""

    password = PasswordField(
        "Password",
        [InputRequired("Choose a password.")],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )
    confirm_password = PasswordField(
        "Repeat password",
        [InputRequired("Enter the password again.")],
        render_kw={"autocomplete": "new-password", "maxlength": PASSWORD_MAX},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.password.description = (
            f"At least {current_app.config['PASSWORD_MIN']} characters; a short sentence works well."
        )

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        raise NotImplementedError

    def validate_password(self, field: Field) -> None:
        """Refuse a password that would be guessed."""
        _checked(check_new_password, field.data, current_app.config["PASSWORD_MIN"], *self.names())

    def validate_confirm_password(self, field: Field) -> None:
        """Refuse a slip of the finger."""
        if field.data != self.password.data:
            raise ValidationError("The two passwords differ. Enter the same password twice.")


def currency_choices() -> list[SelectChoice]:
    """Return every currency, by its code and its name."""
    return [SelectChoice(code, f"{code} – {name}") for code, name in currencies().items()]


class RegisterForm(IdentityFields, NewPasswordForm):
    """Registration form."""

    currency = ChoiceField("Currency", [Listed("Choose a currency from the list.")], validate_choice=False)
    time_zone = HiddenField(render_kw={"data-time-zone": True})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency.choices = currency_choices()
        if not self.currency.data:
            self.currency.data = current_app.config["DEFAULT_CURRENCY"]
        if not is_time_zone(self.time_zone.data or ""):
            self.time_zone.data = current_app.config["TIMEZONE"]

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        return self.username.data or "", self.email.data or ""

    def new_user(self) -> User:
        """Return the person that the form describes, still without a password."""
        names = ("username", "email", "currency", "time_zone")
        return User(**{name: self[name].data for name in names})


def _checked(check: Any, *values: Any) -> Any:
    """Return what `check` makes of the values; its refusal becomes the message beside the field."""
    try:
        return check(*values)
    except AccountError as error:
        raise ValidationError(str(error)) from None


class ProfileForm(CurrentPasswordForm, IdentityFields):
    """Change of username and email."""

    PART = "profile"


class PasswordForm(CurrentPasswordForm, NewPasswordForm):
    """A new password."""

    PART = "password"

    def __init__(self, *args: Any, obj: User, **kwargs: Any) -> None:
        self.author = obj
        super().__init__(*args, **kwargs)
        self.password.label.text = "New password"
        self.confirm_password.label.text = "Repeat new password"

    def names(self) -> tuple[str, str]:
        """Return the username and the email address, which the password must not be."""
        return self.author.username, self.author.email


class SettingsForm(AccountForm):
    """Preferences: currency, time zone, formats and first day of the month."""

    PART = "settings"

    currency = ChoiceField(
        "Currency",
        [Listed("Choose a currency from the list.")],
        validate_choice=False,
        description="Amounts keep their digits: 12.50 in the old currency becomes 12.50 in the new one. "
        "Nothing is converted.",
    )
    time_zone = ChoiceField(
        "Time zone",
        [Listed("Choose a time zone from the list.")],
        validate_choice=False,
        description="Decides which day is today.",
    )
    locale = ChoiceField(
        "Number and date format",
        [Listed("Choose a format from the list.")],
        choices=[
            SelectChoice("", "Same as my browser"),
            *(SelectChoice(name, f"{words}: {amount} · {day}") for name, (words, amount, day) in LOCALES.items()),
        ],
        validate_choice=False,
    )
    first_day_of_month = ChoiceField(
        "First day of the month",
        [Listed(f"Choose a day from 1 to {User.FIRST_DAY_MAX}.")],
        choices=[SelectChoice(str(day)) for day in range(1, User.FIRST_DAY_MAX + 1)],
        validate_choice=False,
        description="For example, your payday.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency.choices = currency_choices()
        self.time_zone.choices = [*map(SelectChoice, time_zones())]

    def add_currency_error(self, number: int) -> None:
        """Say that so many expenses could not be written in it."""
        digits = currency_digits(self.currency.data)
        limit = f"at most {digits} decimals" if digits else "no decimals"
        amounts = "1 of yours has" if number == 1 else f"{number} of yours have"
        self.currency.errors = [
            f"An amount in {self.currency.data} has {limit}, but {amounts} more, counting budgets, what repeats, "
            "and what was deleted or changed within the last 30 days."
        ]

    @property
    def values(self) -> dict[str, Any]:
        """The columns that the form fills."""
        texts = {name: self[name].data for name in ("currency", "time_zone", "locale")}
        return texts | {"first_day_of_month": int(self.first_day_of_month.data)}


class EndSessionForm(Form):
    """Ending one session."""

    token_hash = HiddenField()


class ExpenseForm(Form):
    """One expense, new or changed."""

    id = NewIdField()
    amount = AmountField(
        "Amount",
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX, "required": True},
    )
    category = ChoiceField("Category", validate_choice=False)
    new_category = StringField(
        "New category",
        [Text(Expense.CATEGORY_MAX)],
        filters=[normalise_name],
        render_kw={"autocomplete": "off"},
    )
    description = StringField(
        "Description",
        [Text(Expense.DESCRIPTION_MAX)],
        filters=[normalise_text],
        render_kw={"autocomplete": "off", "list": "descriptions"},
    )
    date = DateField(
        "Date",
        render_kw={"required": True, "min": f"{FIRST_YEAR}-01-01", "max": f"{LAST_YEAR}-12-31"},
    )
    refund = BooleanField("Refund", false_values=FALSE_VALUES)
    frequency = ChoiceField(
        "Repeat",
        choices=[SelectChoice("", "Never"), *starmap(SelectChoice, FREQUENCIES.items())],
        validate_choice=False,
    )

    def __init__(
        self,
        *args: Any,
        author: User,
        locale: Locale,
        categories: Sequence[OwnCategory],
        former: str = "",
        **kwargs: Any,
    ) -> None:
        """Offer the author's `categories`, and the `former` one of the expense, whatever became of it."""
        self.author = author
        self.currency = author.currency
        self.locale = locale
        self.known = {*(category.name for category in categories), former} - {""}
        super().__init__(*args, **kwargs)
        self.offered = [category.name for category in categories if not category.archived]
        # An archived one is shown where it was chosen already.
        kept = [name for name in (former, self.category.data) if name in self.known - {*self.offered}]
        names = [*self.offered, *dict.fromkeys(kept), NEW_CATEGORY]
        self.category.choices = options(names, "By description")
        self.amount.label.text = f"Amount in {self.currency}"

    @cached_property
    def existing_category(self) -> str:
        """The category that was chosen; left open, the one that the description had the last time, or nothing."""
        if self.category.data:
            return self.category.data
        usual = suggest_category(self.author, self.description.data) or ""
        # What was archived since is not chosen for anybody.
        return usual if usual in self.offered else ""

    def validate_category(self, field: Field) -> None:
        """Refuse what is no category, unless a new one is to be named."""
        is_new = self.new_category.data or field.data == NEW_CATEGORY
        if not is_new and self.existing_category not in self.known:
            raise ValidationError("Choose a category.")

    def validate_new_category(self, field: Field) -> None:
        """Refuse no name where one is needed."""
        if not field.data and self.category.data == NEW_CATEGORY:
            raise ValidationError("Enter the name of the new category.")

    @property
    def wants_name(self) -> bool:
        """Whether the form needs, or has had, the field for a new category, which the list has no room for."""
        return self.new_category.raw_data or self.category.data == NEW_CATEGORY

    def validate_frequency(self, field: Field) -> None:
        """Refuse what is no repetition."""
        if field.data and field.data not in FREQUENCIES:
            raise ValidationError("Choose how often it repeats.")

    def values(self, category: str) -> ExpenseValues:
        """Return what the form says of an expense in `category`; money that came back is below zero."""
        amount = -self.amount.data if self.refund.data else self.amount.data
        return ExpenseValues(amount, category, self.description.data, self.date.data)

    @classmethod
    def showing(cls, expense: Expense, **kwargs: Any) -> "ExpenseForm":
        """Return the form filled in with an expense, but for its id."""
        amount = plain_amount(abs(expense.amount), kwargs["author"].currency)
        shown = {name: getattr(expense, name) for name in VALUES}
        data = shown | {"amount": amount, "refund": expense.amount < 0}
        return cls(data=data, former=expense.category, **kwargs)

    def take_fresh_id(self) -> None:
        """Become a second expense, once the person says so: this form's own was saved with other values."""
        self.id.process(None)
        self.form_errors.append(
            "This form has been saved before, and the expense was changed or deleted since. "
            "Press the button again if this is another expense."
        )


class RecurringForm(ExpenseForm):
    """Recurring expense; its date is the start date."""

    frequency = ChoiceField("Repeat", choices=[*starmap(SelectChoice, FREQUENCIES.items())], validate_choice=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.date.label.text = "First day"
        self.date.description = "The schedule starts on this date."

    def validate_frequency(self, field: Field) -> None:
        """Refuse what is no repetition."""
        if field.data not in FREQUENCIES:
            raise ValidationError("Choose how often it repeats.")

    @classmethod
    def of(cls, recurring: RecurringExpense, **kwargs: Any) -> "RecurringForm":
        """Return the form filled in with what repeats."""
        shown = {
            "amount": plain_amount(abs(recurring.amount), kwargs["author"].currency),
            "refund": recurring.amount < 0,
            "category": recurring.category,
            "description": recurring.description,
            "frequency": recurring.frequency,
            "date": recurring.start_date,
        }
        return cls(data=shown, former=recurring.category, **kwargs)


class DueForm(Form):
    """Due expenses, each with its amount; the button names the one to add or skip, or is `all`."""

    add = StringField()
    skip = StringField()
    all = StringField()

    def __init__(self, *args: Any, due: DueDays, author: User, locale: Locale, **kwargs: Any) -> None:
        self.due, self.currency, self.locale = due, author.currency, locale
        super().__init__(*args, **kwargs)

    def process(self, formdata: Any = None, *args: Any, **kwargs: Any) -> None:
        """Fill the form in, which has a field for each line."""
        for line in self.due.lines:
            amount = plain_amount(abs(line.recurring.amount), self.currency)
            attributes = {"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX}
            field = AmountField("Amount", default=amount, render_kw=attributes)
            self._fields[line.key] = self.meta.bind_field(self, field, {"name": line.key})
        super().process(formdata, *args, **kwargs)

    @property
    def lines(self) -> list[Due]:
        """The lines that are meant; of all, those that were on the page, since nothing is added unseen."""
        if self.all.data:
            return [line for line in self.due.lines if self[line.key].raw_data]
        return [line for line in self.due.lines if line.key in {self.add.data, self.skip.data}]

    @property
    def chosen(self) -> list[tuple[Due, Decimal | None]]:
        """The lines that are meant, each with its amount, or with None when it is to be skipped."""
        skips = bool(self.skip.data)
        return [(line, None if skips else self[line.key].data) for line in self.lines]

    def validate(self, extra_validators: Any = None) -> bool:
        """Check the amounts that are to be added, and no others."""
        super().validate(extra_validators)
        meant = [] if self.skip.data else self.lines
        for line in self.due.lines:
            if line not in meant:
                self[line.key].errors = []
        pressed = [name for name in ("add", "skip", "all") if self[name].data]
        if len(pressed) != 1:
            self.form_errors.append("Use the Add or Skip button next to an expense, or Add all.")
        return not self.errors and not csrf_failed()


@cache
def month_name(month: str) -> str:
    """Return the name of a month written as `2026-03`."""
    return format_date(parse_date(f"{month}-01"), "MMMM y", "en")


class ExpenseFilterForm(FlaskForm):
    """Filter of the expense list. It changes nothing, so its URL needs no CSRF token and can be shared."""

    class Meta(BoundedMeta):
        csrf = False

    MONTHS = 12

    category = SelectMultipleField("Category", validate_choice=False)
    period = ChoiceField("Period", validate_choice=False, default="")
    start_date = DateField("From", bound=True)
    end_date = DateField("To", bound=True)
    search = StringField(
        "Search", [Text(Expense.DESCRIPTION_MAX)], filters=[normalise_text], render_kw={"type": "search"}
    )
    min_amount = AmountField(
        "Minimum amount", bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    max_amount = AmountField(
        "Maximum amount", bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    sort = ChoiceField(
        "Sort by",
        choices=[
            SelectChoice("-date", "Newest first"),
            SelectChoice("date", "Oldest first"),
            SelectChoice("-amount", "Largest first"),
            SelectChoice("amount", "Smallest first"),
        ],
        default="-date",
        validate_choice=False,
    )
    after = CursorField()
    before = CursorField()

    def __init__(
        self, *args: Any, today: date, author: User, locale: Locale, categories: Sequence[OwnCategory]
    ) -> None:
        self.today = today
        self.author = author
        self.currency = author.currency
        self.locale = locale
        self.first_day_of_month = author.first_day_of_month
        self.chosen = self.days = Period()
        super().__init__(*args)
        offered, archived = (
            [category.name for category in categories if category.archived == kind] for kind in (False, True)
        )
        self.archived = archived
        self.category.choices = options([*offered, *archived], "All categories")
        named = {"": "Any time", "this-week": "This week", "this-month": "This month", "last-month": "Last month"}
        named["this-year"] = "This year"
        months = recent_months(today, self.MONTHS, author.first_day_of_month)
        names = {name: month_name(name) for name in months}
        if self.period.data and self.period.data not in named | names:
            names[self.period.data] = self.period.data
        self.period.choices = [SelectChoice(*pair) for pair in (named | names).items()]
        for field in self:
            # The page has other forms, whose fields have the same names.
            field.id = field.label.field_id = f"filter-{field.name}"

    def validate_category(self, field: Field) -> None:
        """Refuse a category that does not exist, rather than show everything in its place."""
        field.data = [name for name in field.data or () if name]
        if unknown := dict.fromkeys(field.data).keys() - {choice.value for choice in field.choices}:
            # Expenses that came from elsewhere may be of a category that is nobody's yet.
            if unknown - numbers_of(self.author).keys():
                raise ValidationError("There is no such category. Choose one from the list.")
            field.choices += map(SelectChoice, sorted(unknown))

    def validate_period(self, field: Field) -> None:
        """Refuse a period that does not exist."""
        try:
            if field.data:
                self.chosen = parse_period(
                    field.data, self.today, self.first_day_of_month, self.locale.first_week_day
                )
        except DateError as error:
            raise ValidationError(error_message(error)) from None

    def validate_end_date(self, field: Field) -> None:
        """Refuse an end date before the start date."""
        self.days = self.chosen.within(Period(self.start_date.data, field.data))
        if self.days.start_date and self.days.end_date and self.days.end_date < self.days.start_date:
            raise ValidationError("The end date is before the start date.")

    def validate_search(self, field: Field) -> None:
        """Refuse to search for accents alone, which every text would match."""
        if field.data and not search_key(field.data):
            raise ValidationError("Enter at least one letter or digit.")

    def validate_max_amount(self, field: Field) -> None:
        """Refuse a maximum below the minimum."""
        min_amount = self.min_amount.data
        if isinstance(field.data, Decimal) and isinstance(min_amount, Decimal) and field.data < min_amount:
            raise ValidationError("The maximum is less than the minimum.")

    def validate_sort(self, field: Field) -> None:
        """Refuse an order that does not exist."""
        field.data = field.data or "-date"
        if field.data not in ORDERS:
            raise ValidationError("There is no such order. Choose one from the list.")

    def validate_after(self, field: Field) -> None:
        """Refuse a cursor of another order."""
        kind = Decimal if "amount" in (self.sort.data or "") else date
        if field.data is not None and not isinstance(field.data.value, kind):
            raise ValidationError("There is no such page.")

    validate_before = validate_after

    @cached_property
    def filters(self) -> ExpenseFilter:
        """The criteria; an invalid form matches nothing."""
        if not self.validate():
            return ExpenseFilter(is_invalid=True)
        return ExpenseFilter(
            categories=tuple(dict.fromkeys(self.category.data)),
            period=self.days,
            search=self.search.data,
            min_amount=self.min_amount.data,
            max_amount=self.max_amount.data,
            sort=self.sort.data,
        )

    def query_args(self, **changes: Any) -> dict[str, list[str]]:
        """Return the query arguments of this page with `changes`, for a link; None removes one."""
        # Of a value that is given twice, the first one counts, here as everywhere.
        sent = {field.name: (field.raw_data or [])[: None if field is self.category else 1] for field in self}
        for name, value in changes.items():
            sent[name] = [] if value is None else [str(value)]
        return {name: filled for name, values in sent.items() if (filled := [value for value in values if value])}

    def query_string(self, **changes: Any) -> str:
        """Return the same as a query string: `?category=Food`, or nothing."""
        args = self.query_args(**changes)
        return f"?{urlencode(args, doseq=True)}" if args else ""


class BulkForm(Form):
    """Bulk change of expenses."""

    ids = IdsField()
    all_matching = BooleanField(false_values=FALSE_VALUES)
    action = StringField()
    category = ChoiceField("Category", validate_choice=False)
    date = DateField("Date", bound=True)

    def __init__(self, *args: Any, categories: Sequence[OwnCategory], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {category.name for category in categories}
        names = [category.name for category in categories if not category.archived]
        self.category.choices = options(names, "Choose one")
        for field in self:
            field.id = field.label.field_id = f"bulk-{field.name}"

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; what is wrong is also said on top, because this form is at the end of a page."""
        valid = super().validate(extra_validators)
        self.form_errors.extend([message for field in self for message in field.errors][:1])
        return valid

    def validate_ids(self, field: Field) -> None:
        """Refuse to do something with nothing."""
        if not field.data and not self.all_matching.data:
            raise ValidationError("Select the expenses first.")

    def validate_action(self, field: Field) -> None:
        """Refuse what cannot be done."""
        if field.data not in {"category", "date", "delete"}:
            raise ValidationError("Choose what to do with the selected expenses.")

    def validate_category(self, field: Field) -> None:
        """Refuse what is no category, when one is to be set."""
        if self.action.data == "category" and field.data not in self.known:
            raise ValidationError("Choose the category to set.")

    def validate_date(self, field: Field) -> None:
        """Refuse to set no date."""
        if self.action.data == "date" and field.data is None:
            raise ValidationError("Enter the date to set.")


class UndoForm(Form):
    """Undo an operation, all of it or for one expense; `next` is the page to return to."""

    expense = IdField()
    next = HiddenField()

    def validate_expense(self, field: Field) -> None:
        """Refuse what names no expense, rather than undo the operation for all of them."""
        if field.data is None and any(field.raw_data or []):
            raise ValidationError("There is no such expense.")


class CategoryFields(Fields):
    """One category in the table of all of them."""

    class Meta(BoundedMeta):
        pass

    name = StringField("Name", [Text(Expense.CATEGORY_MAX)], filters=[normalise_name])
    monthly_budget = AmountField(
        "Monthly budget", bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    position = PositionField("Place")
    archived = BooleanField("Archived", false_values=FALSE_VALUES)

    def __init__(
        self, formdata: MultiDict[str, str] | None, row_id: uuid.UUID, currency: str, locale: Locale, **shown: Any
    ) -> None:
        self.row_id = row_id
        self.currency = currency
        self.locale = locale
        prefix = f"{row_id}-"
        self.was_sent = formdata is not None and f"{prefix}name" in formdata
        super().__init__(formdata if self.was_sent else None, prefix=prefix, data=shown)
        # For those who hear the page, and not the row that the field is in.
        of = Markup('<span class="unseen"> of {}</span>').format(shown.get("name", "a new one"))
        for field in self:
            field.label.text = Markup("{}{}").format(field.label.text, of)

    def wanted(self, place: int) -> OwnCategory:
        """Return the category as it shall be, at its own `place` unless it was given another."""
        position = self.position.data or place
        budget = self.monthly_budget.data
        return OwnCategory(self.row_id, self.name.data, position, self.archived.data, budget)


class CategoriesForm(Form):
    """All categories of a person, with one more to add, and the budget for all of them; saved at once."""

    monthly_budget = AmountField(
        "Total monthly budget",
        bound=True,
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX},
    )
    new_id = NewIdField()
    # What the page showed when it was opened: saved as a whole, it must not undo what was done elsewhere since.
    seen = HiddenField()

    def __init__(self, author: User, locale: Locale, categories: Sequence[OwnCategory]) -> None:
        self.currency = author.currency
        self.locale = locale

        def shown(budget: Decimal | None) -> str | None:
            return None if budget is None else plain_amount(budget, author.currency)

        super().__init__(data={"monthly_budget": shown(author.monthly_budget)})
        state = [(each.id, each.name, each.archived, shown(each.monthly_budget)) for each in categories]
        now = hashlib.sha256(repr((shown(author.monthly_budget), state)).encode()).hexdigest()
        self.is_stale = self.seen.data not in {None, "", now}
        self.seen.data = now
        sent = request.form if self.is_submitted() else None
        common = (author.currency, locale)
        self.rows = [
            CategoryFields(
                sent,
                each.id,
                *common,
                name=each.name,
                monthly_budget=shown(each.monthly_budget),
                position=place,
                archived=each.archived,
            )
            for place, each in enumerate(categories, 1)
        ]
        self.new = CategoryFields(sent, self.new_id.data, *common)

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every row that was sent; a category has a name, and the new one is left out without one."""
        valid = super().validate(extra_validators)
        for row in [*self.rows, self.new]:
            if row.was_sent and not row.validate():
                valid = False
        for row in self.rows:
            if row.was_sent and not row.name.data:
                row.name.errors = ["Enter a name."]
                valid = False
        if valid and self.is_stale:
            self.form_errors.append(
                "The categories were changed in another window after you opened this page. "
                "Your edits are shown below. Save again to overwrite those changes."
            )
            valid = False
        if self.new.was_sent and not self.new.name.data and self.new.monthly_budget.data is not None:
            self.new.name.errors = ["Enter a name for the new category."]
            valid = False
        return valid

    @property
    def wanted(self) -> list[OwnCategory]:
        """The categories as they shall be; what was not sent stays as it is."""
        places = enumerate([*self.rows, self.new], 1)
        return [row.wanted(place) for place, row in places if row.was_sent and row.name.data]

    def refuse(self, error: CategoryError) -> None:
        """Say what is wrong beside the category that it concerns."""
        for row in [*self.rows, self.new]:
            if row.row_id == error.category_id:
                row.name.errors = [str(error)]


class MergeForm(Form):
    """Choice of the category to merge into."""

    into = ChoiceField("Merge it into", validate_choice=False)

    def __init__(self, others: Sequence[OwnCategory]) -> None:
        super().__init__()
        self.others = {str(category.id): category for category in others}
        choices = [SelectChoice(value, category.name) for value, category in self.others.items()]
        self.into.choices = [SelectChoice("", "Choose one"), *choices]

    def validate_into(self, field: Field) -> None:
        """Refuse what is no other category."""
        if field.data not in self.others:
            raise ValidationError("Choose the category to merge it into.")
