"""Field types, validators and widgets."""

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from flask_babel import gettext, lazy_gettext
from markupsafe import Markup, escape
from uuid_utils.compat import uuid7
from wtforms import (
    Field,
    HiddenField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.form import BaseForm
from wtforms.validators import StopValidation
from wtforms.widgets import DateInput, TextInput

from ledger.errors import AmountError
from ledger.money import (
    SMALLEST,
    parse_amount,
)
from ledger.periods import (
    DateError,
    parse_date,
)
from ledger.spending import Cursor
from messages import error_message, too_long_message
from text import clean_text, has_control_characters

# Values that programs send for a box that is not ticked; browsers send nothing.
FALSE_VALUES = (False, "", "0", "false", "off", "no")

# More characters than any field accepts. Normalising Unicode text takes quadratic time, so no text that is longer
# reaches a filter or a validator.
FIELD_MAX_LENGTH = 2_000


def limit_length(maximum: int, value: Any) -> Any:
    """Return the value of a field; raises ValueError for a text of more than FIELD_MAX_LENGTH characters."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and len(text) > FIELD_MAX_LENGTH for text in texts):
        raise ValueError(too_long_message(maximum))
    return value


def stop_if_unreadable(form: Any, field: Field) -> None:
    """End the validation of a field whose text could not be read."""
    if field.process_errors:
        raise StopValidation


def attributes_html(attributes: Mapping[str, Any]) -> str:
    """Return attributes as HTML, in the order of their names; True has no value, and False is left out.

    Names are spelled as arguments of Python, such as `aria_label` or `class_`.
    """
    parts = []
    for name, value in sorted((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items()):
        if value is True:
            parts.append(name)
        elif value is not False:
            # A text that is HTML already can contain quotation marks.
            text = str(escape(value)).replace('"', "&quot;")
            parts.append(f'{name}="{text}"')
    return " ".join(parts)


def options_html(field: SelectField) -> str:
    """Return the options of a dropdown."""
    return "".join(
        option_html(choice.value, choice.label, choice.selected, choice.render_kw)
        for choice in field.iter_choices()
    )


def option_html(value: str, label: str, is_selected: bool, attributes: Mapping[str, Any] | None = None) -> str:
    """Return an option of a dropdown, without a value that equals its label: a page has many options."""
    # A browser would send a label with single spaces.
    is_said = value == " ".join(label.split())
    written = "" if is_said else f' value="{escape(value)}"'
    own = f" {attributes_html(attributes)}" if attributes else ""
    return f"<option{written}{own}{' selected' if is_selected else ''}>{escape(label)}</option>"


def field_html(field: Field, attributes: Mapping[str, Any]) -> Markup:
    """Return a field as HTML; the `attributes` take precedence over the field's own.

    The widgets of WTForms write the same in four times the time.
    """
    flags = {name: value for name, value in vars(field.flags).items() if name in field.widget.validation_attrs}
    given = {"id": field.id} | flags | (field.render_kw or {}) | dict(attributes) | {"name": field.name}
    if isinstance(field, SelectField):
        return Markup(f"<select {attributes_html(given)}>{options_html(field)}</select>")  # noqa: S704
    kind = field.widget.input_type
    own = {"type": kind, "checked": kind == "checkbox" and bool(field.data)}
    if kind != "file":
        own["value"] = "" if kind == "password" else field._value()
    return Markup(f"<input {attributes_html(own | given)}>")  # noqa: S704


def control(form: BaseForm, name: str, /, focus: bool = False, hint: str = "", **attributes: Any) -> Markup:
    """Return a field without its label, as HTML with `attributes`; `hint` is the id of the hint that explains it.

    The first field with an error has the focus; without errors, the one marked `focus` has it.
    """
    field = form[name]
    error = f"{field.id}-error" if field.errors else ""
    has_focus = False
    if error or focus:
        wrong = next(filter(None, form.errors), None)
        has_focus = wrong == name or (wrong is None and focus)
    return field(
        autofocus=has_focus,
        aria_invalid="true" if error else False,
        aria_describedby=f"{hint} {error}".strip() or False,
        **attributes,
    )


class BoundedMeta:
    """Bounds and writes the fields of a form.

    The length of every field is bounded before its own filters and validators see the text.
    """

    def render_field(self, field: Field, attributes: dict[str, Any]) -> Markup:
        """Write a field as HTML."""
        return field_html(field, attributes)

    def bind_field(self, form: Any, unbound_field: Any, options: dict[str, Any]) -> Field:
        """Bind a field that refuses an over-long text and shows it again as it was typed.

        Passwords are exempt: they are only compared, and every wrong one gets the same answer.
        """
        field = unbound_field.bind(form=form, **options)
        if isinstance(field, PasswordField):
            return field
        maximum = getattr(field.flags, "maxlength", None) or FIELD_MAX_LENGTH
        field.filters = [partial(limit_length, maximum), *field.filters]
        field.validators = [stop_if_unreadable, *field.validators]
        return field


class CodeField(PasswordField):
    """A code that is valid once: never shown again or kept in a draft, but visible while it is typed."""

    widget = TextInput()

    def _value(self) -> str:
        return ""


class Text:
    """Refuse control characters, and more than `maximum` characters."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.field_flags = {"maxlength": maximum}

    def __call__(self, form: Any, field: Field) -> None:
        """Raise StopValidation if the text cannot be shown or stored as it was typed."""
        if has_control_characters(field.data):
            raise StopValidation(gettext("Remove the invisible characters."))
        if len(field.data) > self.maximum:
            raise StopValidation(too_long_message(self.maximum))


class AmountField(StringField):
    """An amount in the currency of the form's owner, above zero, or a bound that may be zero or left out.

    Keeps the text as it was typed.
    """

    MINUS_MESSAGE = lazy_gettext("Enter the amount without a minus sign. For money you got back, select “Refund”.")

    def __init__(self, *args: Any, bound: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bound = bound

    def pre_validate(self, form: Any) -> None:
        """Turn the text into a Decimal."""
        stop_if_unreadable(form, self)
        if self.bound and not (self.data or "").strip():
            self.data: Any = None
            return
        try:
            self.data = parse_amount(
                self.data or "", form.currency, form.locale, least=Decimal(0) if self.bound else SMALLEST
            )
        except AmountError as error:
            if error.code == "amount_with_minus" and "refund" in form:
                raise ValidationError(self.MINUS_MESSAGE) from None
            raise ValidationError(error_message(error)) from None

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else str(self.data or "")


class DateField(Field):
    """A day as `YYYY-MM-DD`, which may be left out when it is a bound.

    Keeps the text as it was typed, and the default when nothing was sent.
    """

    widget = DateInput()

    def __init__(self, *args: Any, bound: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bound = bound

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the text into a date."""
        if valuelist:
            self.data: Any = None
            if self.bound and not valuelist[0].strip():
                return
            try:
                self.data = parse_date(valuelist[0])
            except DateError as error:
                raise ValueError(error_message(error)) from None

    def _value(self) -> str:
        if self.raw_data:
            return self.raw_data[0]
        return self.data.isoformat() if self.data else ""


class ProposedDateField(DateField):
    """A day that is proposed: today's, unless the user chooses another one.

    A page may be open for days: what is saved is the day that was shown, and only a chosen one is proposed again.
    """

    # As `YYYY-MM-DD`, or empty when the user chose the day or it comes from a saved expense.
    proposed = ""
    time_zone = "UTC"

    def __call__(self, **attributes: Any) -> Markup:
        """Return the input, and a hidden one with the proposed day, which the script renews after midnight."""
        hidden = {"type": "hidden", "name": self.proposed_name, "value": self.proposed}
        # Both belong to the same form.
        hidden |= {"data_zone": self.time_zone, "form": attributes.get("form", False)}
        return super().__call__(**attributes) + Markup(f"<input {attributes_html(hidden)}>")  # noqa: S704

    @property
    def proposed_name(self) -> str:
        """The name of the hidden input."""
        return f"{self.name}_proposed"

    @property
    def is_chosen(self) -> bool:
        """Whether the user has sent a day other than the proposed one."""
        return bool(self.raw_data) and self.raw_data[0] != self.proposed

    def process(self, formdata: Any, *args: Any, **kwargs: Any) -> None:
        """Read both inputs."""
        super().process(formdata, *args, **kwargs)
        self.proposed = (formdata.get(self.proposed_name, "") if formdata else "")[:10]

    def propose(self, today: date) -> None:
        """Treat today's date as proposed, if the form shows it and was not sent."""
        if not self.raw_data and self.data == today:
            self.proposed = today.isoformat()


class IdField(HiddenField):
    """The id of a row or of an operation."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the text into a UUID; anything else is None."""
        self.data = parse_id(valuelist[0]) if valuelist else None


class IdsField(Field):
    """The ids of rows that were ticked."""

    def process_data(self, value: Any) -> None:
        """Begin with none."""
        self.data: list[uuid.UUID] = []

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the texts into UUIDs, without those that are not: they are nobody's rows."""
        self.data = [found for found in map(parse_id, valuelist) if found]


def parse_id(text: str) -> uuid.UUID | None:
    """Read an id in the one form in which ids are written, or return None."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


class NewIdField(HiddenField):
    """The id of the row that a form will create, so that sending the form twice creates one row."""

    def process_data(self, value: Any) -> None:
        """Begin with a fresh id."""
        self.data = uuid7()
        self.raw_data = None

    def _value(self) -> str:
        """Return the id that was sent, or a new one each time, because many pages share a blank form."""
        return str(self.data if self.raw_data else uuid7())

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take the id that was sent, if this field could have made it."""
        sent = parse_id(valuelist[0]) if valuelist else None
        if sent is not None and sent.version == 7:
            self.data = sent


def options(names: Iterable[str], first: str) -> list[SelectChoice]:
    """Return a dropdown's choices of categories, preceded by a `first` one that stands for none of them."""
    return [SelectChoice("", first), *map(SelectChoice, names)]


class Listed:
    """Refuse a value that is not among the choices, with the message of the form."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, form: Any, field: Field) -> None:
        """Raise StopValidation for any other value."""
        if field.data not in [choice.value for choice in field.choices]:
            raise StopValidation(self.message)


def normalise_text(text: str | None) -> str:
    """Return typed or pasted text as it is stored; see `clean_text`."""
    return clean_text(text or "")


def normalise_name(text: str | None) -> str:
    """Return a name as it is stored: normalised text with single spaces between its words, as browsers show it."""
    return " ".join(normalise_text(text).split())


class CursorField(Field):
    """Cursor of a page of the list: `<date or amount>_<id>`."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Turn the text into a Cursor."""
        if not (valuelist and valuelist[0]):
            return
        text, _, row = valuelist[0].partition("_")
        found = parse_id(row)
        try:
            if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,3})?", text):
                value: date | Decimal = Decimal(text)
            else:
                value = parse_date(text)
        except DateError:
            found = None
        if found is None:
            raise ValueError(gettext("There is no such page."))
        self.data = Cursor(value, found)
