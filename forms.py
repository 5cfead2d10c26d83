"""The base of every form, and the forms for expenses: to add, find, change and repeat them."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from itertools import starmap
from typing import Any, NamedTuple
from urllib.parse import urlencode

from babel import Locale
from flask import request
from flask_babel import get_locale, gettext, lazy_gettext
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.utils import cached_property
from wtforms import (
    BooleanField,
    Field,
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)

from fields import (
    FALSE_VALUES,
    AmountField,
    BoundedMeta,
    CursorField,
    DateField,
    IdField,
    IdsField,
    NewIdField,
    ProposedDateField,
    Text,
    normalise_name,
    normalise_text,
    options,
)
from ledger.categories import NEW_CATEGORY, CategoryError
from ledger.descriptions import suggest_category
from ledger.locales import month_title
from ledger.money import (
    TEXT_MAX,
    field_amount,
)
from ledger.periods import (
    FIRST_YEAR,
    LAST_YEAR,
    DateError,
    Period,
    parse_period,
    recent_months,
)
from ledger.recurring import FREQUENCIES, Due, DueDays, RecurringError
from ledger.schedule import last_day
from ledger.spending import ORDERS, VALUES, ExpenseFilter, ExpenseValues
from messages import FREQUENCY_NAMES, error_message
from models import Expense, RecurringExpense, User
from security import csrf_failed
from text import search_key


class Preferences(NamedTuple):
    """The settings of a user that forms depend on."""

    currency: str
    time_zone: str
    first_day_of_month: int
    named_after_end: bool

    @classmethod
    def of(cls, user: User) -> "Preferences":
        """Return the settings of `user`."""
        return cls(*(getattr(user, name) for name in cls._fields))


class CategoryName(NamedTuple):
    """The part of a category that forms depend on."""

    name: str
    archived: bool


class Form(FlaskForm):
    """A form that is never valid when the check of the request's CSRF token has failed, for whatever reason."""

    # Whether this request has filled the form in; a page may show blank forms beside it.
    was_sent = False
    # The parts of a blank form that have been written for many pages; see views/blank_forms.py.
    written: dict[Any, Markup] | None = None
    # Names of fields that no draft may hold, apart from passwords.
    UNSTORED = frozenset({"csrf_token"})

    class Meta(BoundedMeta):
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """Read the fields of a sent form; a JSON body or a file is not text that a user typed."""
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            form.was_sent = form.is_submitted()
            return request.form if form.was_sent else None

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; a form that may come from elsewhere is shown again, filled in."""
        valid = super().validate(extra_validators)
        if csrf_failed():
            # The page says so above the form, in words that a user understands.
            self["csrf_token"].errors = []
            return False
        return valid


@cache
def unstored_fields() -> frozenset[str]:
    """Return the names of the fields of all forms that must not be stored while a user logs in again."""
    names: set[str] = set()
    forms = [Form]
    while forms:
        form = forms.pop()
        forms += form.__subclasses__()
        names |= form.UNSTORED
        fields = {name: getattr(field, "field_class", None) for name, field in vars(form).items()}
        names |= {name for name, kind in fields.items() if kind is not None and issubclass(kind, PasswordField)}
    return frozenset(names)


class FileForm(Form):
    """A form with a field `file`, without which it is refused."""

    UNSTORED = Form.UNSTORED | {"file"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.file.data = request.files.get("file") if self.was_sent else None

    def validate_file(self, field: Field) -> None:
        """Refuse a form without a file."""
        if not isinstance(field.data, FileStorage) or not field.data.filename:
            raise ValidationError(gettext("Choose a file."))


class ExpenseForm(Form):
    """One expense, new or changed."""

    id = NewIdField()
    amount = AmountField(
        lazy_gettext("Amount"),
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX, "required": True},
    )
    category = SelectField(lazy_gettext("Category"), validate_choice=False)
    new_category = StringField(
        lazy_gettext("New category"),
        [Text(Expense.CATEGORY_MAX)],
        filters=[normalise_name],
        render_kw={"autocomplete": "off"},
    )
    description = StringField(
        lazy_gettext("Description"),
        [Text(Expense.DESCRIPTION_MAX)],
        filters=[normalise_text],
        render_kw={"autocomplete": "off", "list": "descriptions"},
    )
    date = ProposedDateField(
        lazy_gettext("Date"),
        render_kw={"required": True, "min": f"{FIRST_YEAR}-01-01", "max": f"{LAST_YEAR}-12-31"},
    )
    refund = BooleanField(lazy_gettext("Refund"), false_values=FALSE_VALUES)
    another = BooleanField(false_values=FALSE_VALUES)
    frequency = SelectField(
        lazy_gettext("Repeat"),
        choices=[SelectChoice("", lazy_gettext("Never")), *starmap(SelectChoice, FREQUENCY_NAMES.items())],
        validate_choice=False,
    )

    def __init__(
        self,
        *args: Any,
        preferences: Preferences,
        locale: Locale,
        categories: Sequence[CategoryName],
        author: User | None = None,
        former: str = "",
        proposed: Any = None,
        **kwargs: Any,
    ) -> None:
        """Offer the `categories`, and the `former` one of the expense even if it is archived; propose a day.

        Only a form that will be validated needs its author.
        """
        self.author = author
        self.currency = preferences.currency
        self.locale = locale
        self.known = {*(category.name for category in categories), former} - {""}
        super().__init__(*args, **kwargs)
        self.date.time_zone = preferences.time_zone
        if proposed is not None:
            self.date.propose(proposed)
        self.offered = [category.name for category in categories if not category.archived]
        # An archived category is shown where it was chosen already.
        kept = [name for name in (former, self.category.data) if name in self.known - {*self.offered}]
        names = [*self.offered, *dict.fromkeys(kept)]
        new = SelectChoice(NEW_CATEGORY, gettext("New …"))
        self.category.choices = [*options(names, gettext("By description")), new]
        self.amount.label.text = gettext("Amount in %(currency)s", currency=self.currency)

    @cached_property
    def existing_category(self) -> str:
        """The chosen category; if none was chosen, the one that the description had the last time, or nothing."""
        if self.category.data:
            return self.category.data
        assert self.author is not None
        usual = suggest_category(self.author, self.description.data) or ""
        # A category that was archived since then is not suggested.
        return usual if usual in self.offered else ""

    def validate_category(self, field: Field) -> None:
        """Refuse an unknown category, unless a new one is to be added."""
        is_new = self.new_category.data or field.data == NEW_CATEGORY
        if not is_new and self.existing_category not in self.known:
            raise ValidationError(gettext("Choose a category."))

    def validate_new_category(self, field: Field) -> None:
        """Refuse an empty name where one is needed."""
        if not field.data and self.category.data == NEW_CATEGORY:
            raise ValidationError(gettext("Enter the name of the new category."))

    def add_error(self, error: CategoryError | RecurringError) -> None:
        """Show an error next to the field that it is about; a category is chosen or new."""
        field = self.new_category if self.new_category.data else self.category
        if isinstance(error, RecurringError):
            field = self.frequency
        field.errors = [error_message(error)]

    def validate_frequency(self, field: Field) -> None:
        """Refuse an unknown frequency."""
        if field.data and field.data not in FREQUENCIES:
            raise ValidationError(gettext("Choose how often it repeats."))

    def values(self, category: str) -> ExpenseValues:
        """Return the values of an expense in `category`; the amount of a refund is below zero."""
        amount = -self.amount.data if self.refund.data else self.amount.data
        return ExpenseValues(amount, category, self.description.data, self.date.data)

    @classmethod
    def showing(cls, expense: Expense, **kwargs: Any) -> "ExpenseForm":
        """Return the form filled in with an expense, except for its id."""
        amount = field_amount(abs(expense.amount), kwargs["preferences"].currency, kwargs["locale"])
        shown = {name: getattr(expense, name) for name in VALUES}
        data = shown | {"amount": amount, "refund": expense.amount < 0}
        return cls(data=data, former=expense.category, **kwargs)

    def take_fresh_id(self) -> None:
        """Take a new id, so that sending the form again adds a second expense: the first has other values now."""
        self.id.process(None)
        self.form_errors.append(
            gettext(
                "This form was already saved, and its expense was changed or deleted later. "
                "Press the button again to add another expense."
            )
        )


class RecurringForm(ExpenseForm):
    """Recurring expense; its date is the start date."""

    frequency = SelectField(
        lazy_gettext("Repeat"), choices=[*starmap(SelectChoice, FREQUENCY_NAMES.items())], validate_choice=False
    )
    end_date = DateField(
        lazy_gettext("End date"),
        bound=True,
        description=lazy_gettext("The last day on which it can be due. Leave empty if there is none."),
    )
    occurrences = StringField(
        lazy_gettext("Or number of times"),
        filters=[normalise_text],
        description=lazy_gettext("Counted from the first day."),
        render_kw={"inputmode": "numeric", "autocomplete": "off", "maxlength": 3},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.date.label.text = lazy_gettext("First day")
        self.date.description = lazy_gettext("The schedule starts on this date.")

    @property
    def last_day(self) -> date | None:
        """The last day on which it can be due."""
        if not self.occurrences.data:
            return self.end_date.data
        return last_day(self.date.data, self.frequency.data, int(self.occurrences.data))

    def validate_end_date(self, field: Field) -> None:
        """Refuse an end before the first day."""
        if field.data and self.date.data and field.data < self.date.data:
            raise ValidationError(gettext("The end date is before the first day."))

    def validate_occurrences(self, field: Field) -> None:
        """Refuse anything but a number, and a number together with a new end date."""
        if not field.data:
            return
        if not re.fullmatch("[0-9]{1,3}", field.data) or not int(field.data):
            raise ValidationError(gettext("Enter a number from 1 to 999."))
        if self.end_date.data != self.end_date.object_data:
            raise ValidationError(gettext("Enter an end date or a number of times, not both."))
        last = self.last_day if self.date.data and self.frequency.data in FREQUENCIES else None
        if last is not None and last.year > LAST_YEAR:
            message = gettext("This would end after %(year)s. Enter a smaller number.", year=LAST_YEAR)
            raise ValidationError(message)

    def validate_frequency(self, field: Field) -> None:
        """Refuse an unknown frequency."""
        if field.data not in FREQUENCIES:
            raise ValidationError(gettext("Choose how often it repeats."))

    @classmethod
    def of(cls, recurring: RecurringExpense, **kwargs: Any) -> "RecurringForm":
        """Return the form filled in with a recurring expense."""
        shown = {
            "amount": field_amount(abs(recurring.amount), kwargs["preferences"].currency, kwargs["locale"]),
            "refund": recurring.amount < 0,
            "category": recurring.category,
            "description": recurring.description,
            "frequency": recurring.frequency,
            "date": recurring.start_date,
            "end_date": recurring.end_date,
        }
        return cls(data=shown, former=recurring.category, **kwargs)


class EarlyForm(Form):
    """The next occurrence of a recurring expense, to add before it is due; the page showed its `day`."""

    day = DateField()


class DueForm(Form):
    """Due expenses, each with its amount; the button names the one to add or skip, or is `all`."""

    add = StringField()
    skip = StringField()
    all = StringField()

    def __init__(self, *args: Any, due: DueDays, currency: str, locale: Locale, **kwargs: Any) -> None:
        self.due, self.currency, self.locale = due, currency, locale
        super().__init__(*args, **kwargs)

    def process(self, formdata: Any = None, *args: Any, **kwargs: Any) -> None:
        """Fill in the form, which has a field for each line."""
        for line in self.due.lines:
            amount = field_amount(abs(line.recurring.amount), self.currency, self.locale)
            attributes = {"inputmode": "decimal", "autocomplete": "off", "maxlength": TEXT_MAX}
            field = AmountField(gettext("Amount"), default=amount, render_kw=attributes)
            self._fields[line.key] = self.meta.bind_field(self, field, {"name": line.key})
        super().process(formdata, *args, **kwargs)

    @property
    def lines(self) -> list[Due]:
        """The chosen lines. “Add all” chooses those that were on the page, because nothing is added unseen."""
        if self.all.data:
            return [line for line in self.due.lines if self[line.key].raw_data]
        return [line for line in self.due.lines if line.key in {self.add.data, self.skip.data}]

    @property
    def chosen(self) -> list[tuple[Due, Decimal | None]]:
        """The chosen lines, each with its amount, or with None when it is to be skipped."""
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
            self.form_errors.append(gettext("Use the Add or Skip button next to an expense, or Add all."))
        return not self.errors and not csrf_failed()


@lru_cache(maxsize=256)
def encode_query(pairs: tuple[tuple[str, str], ...]) -> str:
    """Return a query string such as `?category=Food`, or nothing. A page links to the same lists each time."""
    return f"?{urlencode(pairs)}" if pairs else ""


class ExpenseFilterForm(FlaskForm):
    """Filter of the expense list. It changes nothing, so its URL needs no CSRF token and can be shared."""

    class Meta(BoundedMeta):
        csrf = False

    MONTHS = 12
    written: dict[Any, Markup] | None = None

    category = SelectMultipleField(lazy_gettext("Category"), validate_choice=False, default=())
    period = SelectField(lazy_gettext("Period"), validate_choice=False, default="")
    start_date = DateField(lazy_gettext("From"), bound=True)
    end_date = DateField(lazy_gettext("To"), bound=True)
    search = StringField(
        lazy_gettext("Search"),
        [Text(Expense.DESCRIPTION_MAX)],
        filters=[normalise_text],
        render_kw={"type": "search"},
    )
    min_amount = AmountField(
        lazy_gettext("Minimum amount"), bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    max_amount = AmountField(
        lazy_gettext("Maximum amount"), bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    sort = SelectField(
        lazy_gettext("Sort by"),
        choices=[
            SelectChoice("-date", lazy_gettext("Newest first")),
            SelectChoice("date", lazy_gettext("Oldest first")),
            SelectChoice("-amount", lazy_gettext("Largest first")),
            SelectChoice("amount", lazy_gettext("Smallest first")),
        ],
        default="-date",
        validate_choice=False,
    )
    # Its name in the URL is a Python keyword.
    import_id = IdField(name="import")
    after = CursorField()
    before = CursorField()

    def __init__(
        self,
        *args: Any,
        today: date,
        preferences: Preferences,
        locale: Locale,
        categories: Sequence[CategoryName],
        **kwargs: Any,
    ) -> None:
        self.today = today
        self.preferences = preferences
        self.currency = preferences.currency
        self.locale = locale
        self.chosen = self.days = Period()
        super().__init__(*args, **kwargs)
        offered, archived = (
            [category.name for category in categories if category.archived == kind] for kind in (False, True)
        )
        self.archived = archived
        self.category.choices = options([*offered, *archived], gettext("All categories"))
        self.period.choices = self._period_choices()
        for field in self:
            # The page has other forms, whose fields have the same names.
            field.id = field.label.field_id = f"filter-{field.name}"

    def _period_choices(self) -> list[SelectChoice]:
        """Return the choices of periods: relative ones, the last months, and the one that was sent."""
        naming = self.preferences.first_day_of_month, self.preferences.named_after_end
        language = str(get_locale())
        names = {
            "": gettext("Any time"),
            "this-week": gettext("This week"),
            "this-month": gettext("This month"),
            "last-month": gettext("Last month"),
            "this-year": gettext("This year"),
        }
        names |= {name: month_title(name, language) for name in recent_months(self.today, self.MONTHS, *naming)}
        if self.period.data:
            names.setdefault(self.period.data, self.period.data)
        return [SelectChoice(*pair) for pair in names.items()]

    def validate_category(self, field: Field) -> None:
        """Refuse a category that does not exist, rather than show everything in its place."""
        field.data = [name for name in field.data or () if name]
        if not {*field.data} <= {choice.value for choice in field.choices}:
            raise ValidationError(gettext("There is no such category. Choose one from the list."))

    def validate_period(self, field: Field) -> None:
        """Refuse a period that does not exist."""
        try:
            self.chosen = self.named_period(field.data)
        except DateError as error:
            raise ValidationError(error_message(error)) from None

    def named_period(self, name: str | None) -> Period:
        """Return the period that the field calls `name`; without one, any time. Raises DateError."""
        if not name:
            return Period()
        first_day, named_after_end = self.preferences.first_day_of_month, self.preferences.named_after_end
        return parse_period(name, self.today, first_day, self.locale.first_week_day, named_after_end)

    def validate_end_date(self, field: Field) -> None:
        """Refuse an end date before the start date."""
        self.days = self.chosen.within(Period(self.start_date.data, field.data))
        if self.days.start_date and self.days.end_date and self.days.end_date < self.days.start_date:
            raise ValidationError(gettext("The end date is before the start date."))

    def validate_import_id(self, field: Field) -> None:
        """Refuse anything but an id, rather than show every expense."""
        if field.data is None and any(field.raw_data or []):
            raise ValidationError(gettext("There is no such import."))

    def validate_search(self, field: Field) -> None:
        """Refuse to search for accents alone, which every text would match."""
        if field.data and not search_key(field.data):
            raise ValidationError(gettext("Enter at least one letter or digit."))

    def validate_max_amount(self, field: Field) -> None:
        """Refuse a maximum below the minimum."""
        min_amount = self.min_amount.data
        if isinstance(field.data, Decimal) and isinstance(min_amount, Decimal) and field.data < min_amount:
            raise ValidationError(gettext("The maximum is less than the minimum."))

    def validate_sort(self, field: Field) -> None:
        """Refuse an order that does not exist."""
        field.data = field.data or "-date"
        if field.data not in ORDERS:
            raise ValidationError(gettext("There is no such order. Choose one from the list."))

    def validate_after(self, field: Field) -> None:
        """Refuse a cursor of another order."""
        kind = Decimal if "amount" in (self.sort.data or "") else date
        if field.data is not None and not isinstance(field.data.value, kind):
            raise ValidationError(gettext("There is no such page."))

    validate_before = validate_after

    @cached_property
    def filters(self) -> ExpenseFilter:
        """The criteria; an invalid form matches nothing."""
        if not self.sent_args:
            return ExpenseFilter()
        if not self.validate():
            return ExpenseFilter(is_invalid=True)
        return ExpenseFilter(
            categories=tuple(dict.fromkeys(self.category.data)),
            period=self.days,
            search=self.search.data,
            min_amount=self.min_amount.data,
            max_amount=self.max_amount.data,
            import_id=self.import_id.data,
            sort=self.sort.data,
        )

    @cached_property
    def sent_args(self) -> dict[str, list[str]]:
        """The query arguments of this page that belong to the filter, without empty ones."""
        # If a value is given twice, the first one counts, here as everywhere.
        sent = {field.name: (field.raw_data or [])[: None if field is self.category else 1] for field in self}
        return {name: filled for name, values in sent.items() if (filled := [value for value in values if value])}

    def query_string(self, **changes: Any) -> str:
        """Return the query string of this page with `changes`, for a link: `?category=Food`; None removes one."""
        args = dict(self.sent_args)
        for name, value in changes.items():
            args[name] = value if isinstance(value, list) else [] if value is None else [str(value)]
        return encode_query(tuple((field.name, value) for field in self for value in args.get(field.name, ())))


class BulkForm(Form):
    """Bulk change of expenses."""

    ids = IdsField()
    all_matching = BooleanField(false_values=FALSE_VALUES)
    action = StringField()
    category = SelectField(lazy_gettext("Category"), validate_choice=False)
    date = DateField(lazy_gettext("Date"), bound=True)

    def __init__(self, *args: Any, categories: Sequence[CategoryName], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {category.name for category in categories}
        names = [category.name for category in categories if not category.archived]
        self.category.choices = options(names, gettext("Choose one"))
        for field in self:
            field.id = field.label.field_id = f"bulk-{field.name}"

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field. The first error is also shown on top, because this form is at the end of a page."""
        valid = super().validate(extra_validators)
        self.form_errors.extend([message for field in self for message in field.errors][:1])
        return valid

    def validate_ids(self, field: Field) -> None:
        """Refuse an empty selection."""
        if not field.data and not self.all_matching.data:
            raise ValidationError(gettext("Select the expenses first."))

    def validate_action(self, field: Field) -> None:
        """Refuse an unknown action."""
        if field.data not in {"category", "date", "delete"}:
            raise ValidationError(gettext("Choose what to do with the selected expenses."))

    def validate_category(self, field: Field) -> None:
        """Refuse an unknown category when one is to be set."""
        if self.action.data == "category" and field.data not in self.known:
            raise ValidationError(gettext("Choose the category to set."))

    def validate_date(self, field: Field) -> None:
        """Refuse an empty date when one is to be set."""
        if self.action.data == "date" and field.data is None:
            raise ValidationError(gettext("Enter the date to set."))


class UndoForm(Form):
    """Undo an operation, all of it or for one expense."""

    expense = IdField()

    def validate_expense(self, field: Field) -> None:
        """Refuse anything but an id, rather than undo the operation for all of its expenses."""
        if field.data is None and any(field.raw_data or []):
            raise ValidationError(gettext("There is no such expense."))
