"""Forms of imports: upload, columns, and the review of what will be added."""

import re
from collections.abc import Container, Iterable, Sequence
from typing import Any

from flask import current_app, request
from flask_babel import gettext, lazy_gettext
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.utils import cached_property
from wtforms import Field, FileField, SelectChoice, SelectField, StringField, ValidationError

from fields import Text, normalise_name, option_html
from forms import FileForm, Form
from ledger.import_drafts import Reading
from ledger.import_preview import CategoryNames, PayeeChoice, ShownPayee
from ledger.import_summary import SECTIONS, ShownLine
from ledger.statements import Layout
from ledger.statements import Statement as ReadStatement
from ledger.statements.encodings import CHOICES
from messages import isolate, list_separator, number_text
from models import Statement

# The roles of columns that can be chosen.
ROLES = {
    "date": lazy_gettext("Date"),
    "amount": lazy_gettext("Amount"),
    "out": lazy_gettext("Money out"),
    "in": lazy_gettext("Money in"),
    "payee": lazy_gettext("Payee"),
    "category": lazy_gettext("Category"),
}
DATE_ORDERS = {
    "": lazy_gettext("As the file says"),
    "dmy": lazy_gettext("Day, month, year (31/12/2026)"),
    "mdy": lazy_gettext("Month, day, year (12/31/2026)"),
    "ymd": lazy_gettext("Year, month, day (2026-12-31)"),
}
DECIMALS = {
    "": lazy_gettext("As the file says"),
    ".": lazy_gettext("A point (1,234.56)"),
    ",": lazy_gettext("A comma (1.234,56)"),
}
SIGNS = {
    "": lazy_gettext("As the file says"),
    "minus": lazy_gettext("With a minus sign"),
    "plus": lazy_gettext("Without a sign"),
}
DAYS = {"local": lazy_gettext("The day where you live"), "printed": lazy_gettext("The day in the file")}
UNITS = {"no": lazy_gettext("Whole units"), "yes": lazy_gettext("Cents")}
# The answers that a layout has besides its columns.
ANSWERS = ("date", "decimal", "sign", "encoding", "currency", "day", "minor")
# How much of a column's name is shown, which may be a long text in the first row.
COLUMN_NAME_MAX = 40


class UploadForm(FileForm):
    """A statement to upload, and its account if the file does not say it."""

    file = FileField(lazy_gettext("File"), render_kw={"required": True})
    account = StringField(
        lazy_gettext("Bank account"),
        [Text(Statement.SOURCE_MAX)],
        filters=[normalise_name],
        description=lazy_gettext("Only if the file does not name it, for example “Visa”."),
        render_kw={"list": "accounts", "autocomplete": "off"},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        megabytes = current_app.config["IMPORT_MAX_BYTES"] // 2**20
        self.file.description = gettext("Up to %(limit)s MB.", limit=number_text(megabytes))


def choices(texts: dict[str, Any]) -> list[SelectChoice]:
    """Return the choices of a dropdown."""
    return [SelectChoice(value, str(label)) for value, label in texts.items()]


class ColumnsForm(Form):
    """Answers to what a file does not say: order of days, decimals, signs, columns, encoding, account."""

    go = StringField()
    date = SelectField(lazy_gettext("Dates"), validate_choice=False)
    decimal = SelectField(lazy_gettext("Decimals"), validate_choice=False)
    sign = SelectField(lazy_gettext("Spending is written"), validate_choice=False)
    encoding = SelectField(lazy_gettext("Encoding"), validate_choice=False)
    currency = SelectField(lazy_gettext("Currency"), validate_choice=False)
    day = SelectField(lazy_gettext("Day to use"), validate_choice=False)
    minor = SelectField(lazy_gettext("Amounts are in"), validate_choice=False)
    account = StringField(
        lazy_gettext("Bank account"),
        [Text(Statement.SOURCE_MAX)],
        filters=[normalise_name],
        render_kw={"list": "accounts", "autocomplete": "off"},
    )

    def __init__(
        self,
        *args: Any,
        found: Reading,
        asked: ReadStatement,
        currency: str,
        account: str,
        **kwargs: Any,
    ) -> None:
        """Offer the choices for the statement `found`, with those in use selected; explain those in `asked`."""
        self.found, self.statement = found, found.statement
        statement = self.statement
        self.asked = {question.name for question in asked.questions}
        super().__init__(*args, data=self._taken(statement) | {"account": account}, **kwargs)
        self.date.choices, self.decimal.choices = choices(DATE_ORDERS), choices(DECIMALS)
        self.sign.choices, self.day.choices, self.minor.choices = choices(SIGNS), choices(DAYS), choices(UNITS)
        self.encoding.choices = [SelectChoice(name, name) for name in CHOICES]
        codes = dict.fromkeys((statement.layout.currency or statement.currency, currency))
        self.currency.choices = [SelectChoice(code, code) for code in codes if code]
        for name in {"encoding", "currency", "day", "minor"} - self.asked:
            del self[name]
        for field in self.answers:
            if field.name in self.asked:
                field.description = gettext("The file does not say. Check the lines below.")
        if statement.accounts:
            del self["account"]
        elif len(found.sources) > 1:
            names = list_separator().join(map(isolate, filter(None, found.sources)))
            self.account.description = gettext("Files like this one were added to: %(names)s", names=names)

    def validate_account(self, field: Field) -> None:
        """Require the account if such files were added to several accounts, and all of them have names."""
        is_needed = self.found.is_account_unclear and "" not in self.found.sources
        if is_needed and not field.data and self.go.data != "show":
            raise ValidationError(gettext("Enter the bank account."))

    def process(self, formdata: Any = None, *args: Any, **kwargs: Any) -> None:
        """Fill in the form, which has a dropdown for the column of each role."""
        if self.statement.columns and self.statement.layout.columns:
            names = [self._column_name(number, name) for number, name in enumerate(self.statement.columns)]
            offered = choices({"": gettext("None")} | {str(number): name for number, name in enumerate(names)})
            for role, label in ROLES.items():
                taken = self.statement.layout.columns.get(role)
                field = SelectField(
                    str(label), choices=offered, default="" if taken is None else str(taken), validate_choice=False
                )
                name = f"column-{role}"
                self._fields[name] = self.meta.bind_field(self, field, {"name": name})
        super().process(formdata, *args, **kwargs)

    @staticmethod
    def _column_name(number: int, name: str) -> str:
        shown = name if len(name) <= COLUMN_NAME_MAX else f"{name[: COLUMN_NAME_MAX - 1]}…"
        return f"{number + 1}: {shown}"

    @staticmethod
    def _taken(statement: ReadStatement) -> dict[str, str]:
        defaults = {question.name: question.default for question in statement.questions}
        return {name: defaults.get(name, getattr(statement.layout, name)) for name in ANSWERS}

    @property
    def answers(self) -> list[Field]:
        """The fields of the answers, and of the account."""
        return [self[name] for name in (*ANSWERS, "account") if name in self]

    @property
    def roles(self) -> list[Field]:
        """The dropdowns of the columns."""
        return [field for field in self if field.name.startswith("column-")]

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field, and that each dropdown has one of its own choices."""
        valid = super().validate(extra_validators)
        for field in self:
            if isinstance(field, SelectField) and field.data not in {choice.value for choice in field.choices}:
                field.errors = [*field.errors, gettext("Choose one from the list.")]
                valid = False
        return valid

    def layout(self) -> Layout:
        """Return the answers as a layout."""
        earlier = self.statement.layout
        answers = {name: self[name].data if name in self else getattr(earlier, name) for name in ANSWERS}
        chosen = {field.name.removeprefix("column-"): int(field.data) for field in self.roles if field.data}
        unoffered = {role: index for role, index in earlier.columns.items() if role not in ROLES}
        if chosen.get("payee") != earlier.columns.get("payee"):
            # Who paid money in belongs to the payee that was found, not to the one that is chosen.
            unoffered.pop("payer", None)
        columns = unoffered | chosen if self.roles else earlier.columns
        return Layout(delimiter=earlier.delimiter, columns=columns, **answers)


class ReviewForm(Form):
    """Choices for the payees and lines of a page of the preview; `go` is the button that was pressed.

    `shown` and `category` have one value for each payee: its section, whether its box was ticked, and the numbers
    of its lines on the page; `payee` and `line` are the numbers that are ticked.
    """

    go = StringField()
    money_in = SelectField(lazy_gettext("Money in"), validate_choice=False)
    others = SelectField(lazy_gettext("Category for all others"), validate_choice=False)

    def __init__(self, *args: Any, categories: CategoryNames, others: str, **kwargs: Any) -> None:
        self.names, self.new_names, self.used_names, self.renamed = categories
        super().__init__(*args, data={"others": others}, **kwargs)
        self.others.choices = [SelectChoice(name, name) for name in self.names]
        self.money_in.choices = [
            SelectChoice("", gettext("As shown")),
            SelectChoice("skip", gettext("Leave it all out")),
            SelectChoice("add", gettext("Add it all as refunds")),
        ]
        sent = request.form if self.was_sent else MultiDict[str, str]()
        self.shown, self.categories = sent.getlist("shown"), sent.getlist("category")
        self.ticked, self.ticked_payees = numbers_in(sent.getlist("line")), numbers_in(sent.getlist("payee"))
        self._options: dict[tuple[str, str, bool], Markup] = {}

    def validate(self, extra_validators: Any = None) -> bool:
        """Check that every category exists, and that nothing is missing."""
        valid = super().validate(extra_validators)
        known = {"", *self.names, *self.used_names}
        is_complete = len(self.shown) == len(self.categories) and all(map(SHOWN.fullmatch, self.shown))
        is_known = set(self.categories) <= known and self.others.data in known - {""}
        if not (is_complete and is_known and (self.money_in.data or "") in {"", "skip", "add"}):
            self.form_errors.append(gettext("A category does not exist any more. Check the list and try again."))
            return False
        return valid

    @property
    def choices(self) -> list[PayeeChoice]:
        """The choices of a valid form."""
        return [self._choice(shown, category) for shown, category in zip(self.shown, self.categories, strict=True)]

    def _choice(self, shown: str, category: str) -> PayeeChoice:
        section, was_ticked, texts = shown.split(":")
        numbers = [int(text) for text in texts.split(",")]
        return PayeeChoice(
            section,
            was_ticked == "1",
            numbers[0] in self.ticked_payees,
            frozenset(numbers[1:]),
            self.ticked & frozenset(numbers[1:]),
            category,
        )

    # --- The page, which shows again what was entered if the form was sent

    @staticmethod
    def marks(payee: ShownPayee) -> str:
        """Return which lines of a payee are on the page, for the field `shown`."""
        numbers = [payee.number, *[line.number for line in payee.lines if line.can_be_added]]
        return f"{payee.section}:{int(payee.to_add > 0)}:{','.join(map(str, numbers))}"

    def is_payee_ticked(self, payee: ShownPayee) -> bool:
        """Tell whether the box of a payee is ticked."""
        return payee.number in self.ticked_payees if self.was_sent else payee.to_add > 0

    def ticked_lines(self, lines: Iterable[ShownLine]) -> Container[int]:
        """Return the numbers of the lines whose boxes are ticked."""
        return self.ticked if self.was_sent else {line.number for line in lines if line.state == "add"}

    def category_of(self, payee: ShownPayee) -> str:
        """Return the category that is chosen for a payee."""
        return self._sent_categories.get(str(payee.number), payee.category)

    @cached_property
    def _sent_categories(self) -> dict[str, str]:
        """The categories that were sent, by the numbers of their payees."""
        pairs = zip(self.shown, self.categories, strict=False)
        return {text.split(":")[2].split(",")[0]: name for text, name in pairs if SHOWN.fullmatch(text)}

    def category_options(self, payee: ShownPayee) -> Markup:
        """Write the options of categories for a payee, which may have one that is archived; most have the same."""
        kind = (self.category_of(payee), payee.category, payee.has_several)
        if kind not in self._options:
            self._options[kind] = self._write_options(*kind)
        return self._options[kind]

    def _write_options(self, chosen: str, category: str, has_several: bool) -> Markup:
        first = gettext("As the file says") if has_several else gettext("Choose…")
        names = dict.fromkeys((*self.names, *filter(None, [category])))
        labels = {"": first} | {name: name for name in names if name not in self.new_names}
        labels |= {name: gettext("%(name)s (new)", name=isolate(name)) for name in self.new_names}
        return Markup("".join(option_html(name, label, name == chosen) for name, label in labels.items()))  # noqa: S704


SHOWN = re.compile(rf"(?:{'|'.join(SECTIONS)}):[01]:[0-9]{{1,9}}(?:,[0-9]{{1,9}}){{0,200}}")


def numbers_in(texts: Sequence[str]) -> frozenset[int]:
    """Return the numbers of the boxes that were ticked; other texts come from no box and are ignored."""
    return frozenset(int(text) for text in texts if re.fullmatch("[0-9]{1,9}", text))
