"""Forms for categories and their budgets."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from babel import Locale
from flask import request
from flask_babel import gettext, lazy_gettext
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    SelectChoice,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms import Form as Fields

from fields import (
    FALSE_VALUES,
    AmountField,
    BoundedMeta,
    Listed,
    NewIdField,
    Text,
    normalise_name,
)
from forms import Form
from ledger.budgets import MonthlyBudget
from ledger.categories import CategoryData
from ledger.money import (
    TEXT_MAX,
    field_amount,
    plain_amount,
)
from models import Expense, User


class BudgetFields(Fields):
    """The monthly budget of one category, or of all of them together."""

    class Meta(BoundedMeta):
        pass

    monthly_budget = AmountField(
        lazy_gettext("Monthly budget"), bound=True, render_kw={"inputmode": "decimal", "maxlength": TEXT_MAX}
    )
    rollover = BooleanField(lazy_gettext("roll over"), false_values=FALSE_VALUES)
    # The budget that the page showed when it was opened.
    seen = HiddenField()

    def __init__(
        self,
        formdata: MultiDict[str, str] | None,
        prefix: str,
        author: User,
        locale: Locale,
        budget: MonthlyBudget,
    ) -> None:
        self.currency = author.currency
        self.locale = locale
        self.budget = budget
        self.stored = "" if budget.amount is None else field_amount(budget.amount, author.currency, locale)
        self.was_sent = formdata is not None and f"{prefix}-monthly_budget" in formdata
        sent = formdata if self.was_sent else None
        data = {"monthly_budget": self.stored, "rollover": budget.rollover, "seen": self.state}
        super().__init__(sent, prefix=f"{prefix}-", data=data)

    @property
    def state(self) -> str:
        """The stored budget as the page remembers it, the same in every language."""
        amount = "" if self.budget.amount is None else plain_amount(self.budget.amount, self.currency)
        return f"{amount} +" if self.budget.rollover else amount

    @property
    def entered(self) -> MonthlyBudget:
        """The budget that was entered."""
        return MonthlyBudget(self.monthly_budget.data, self.rollover.data)

    def validate_monthly_budget(self, field: Field) -> None:
        """Refuse to overwrite what another window has saved since, until the user has seen it."""
        if self.seen.data != self.state and self.entered != self.budget:
            self.seen.data = self.state
            if not self.stored:
                raise ValidationError(gettext("Another window removed this budget. Save again to overwrite it."))
            message = gettext("Another window changed this to %(budget)s. Save again to overwrite it.")
            raise ValidationError(message % {"budget": self.stored})


class BudgetsForm(Form):
    """The monthly budgets of all categories that are not archived, and of all together."""

    def __init__(
        self,
        author: User,
        locale: Locale,
        categories: Sequence[CategoryData],
        budgets: Mapping[uuid.UUID | None, MonthlyBudget],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        sent = request.form if self.was_sent else None
        none = MonthlyBudget()
        self.total = BudgetFields(sent, "total", author, locale, budgets.get(None, none))
        self.rows = {
            category.id: BudgetFields(sent, str(category.id), author, locale, budgets.get(category.id, none))
            for category in categories
            if not category.archived
        }

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every budget that was sent."""
        results = [super().validate(extra_validators)]
        results += [row.validate() for row in [self.total, *self.rows.values()] if row.was_sent]
        return all(results)

    @property
    def budgets(self) -> dict[uuid.UUID | None, MonthlyBudget]:
        """The budgets that were sent, by the ids of their categories; None stands for the total budget."""
        rows: list[tuple[uuid.UUID | None, BudgetFields]] = [(None, self.total), *self.rows.items()]
        return {category_id: row.entered for category_id, row in rows if row.was_sent}


class NewCategoryForm(Form):
    """A category to add."""

    id = NewIdField()
    name = StringField(
        lazy_gettext("New category"),
        [Text(Expense.CATEGORY_MAX)],
        filters=[normalise_name],
        id="category-name",
        render_kw={"autocomplete": "off"},
    )

    def validate_name(self, field: Field) -> None:
        """Refuse an empty name."""
        if not field.data:
            raise ValidationError(gettext("Enter a name."))


class CategoryForm(Form):
    """Name and order of a category, and whether it is archived."""

    FIRST = "first"

    name = StringField(
        lazy_gettext("Name"),
        [Text(Expense.CATEGORY_MAX)],
        filters=[normalise_name],
        render_kw={"autocomplete": "off"},
    )
    order = SelectField(
        lazy_gettext("Order"),
        validators=[Listed(lazy_gettext("Choose the order from the list."))],
        validate_choice=False,
    )
    archived = BooleanField(lazy_gettext("Archived"), false_values=FALSE_VALUES)
    # The values that the page showed when it was opened.
    seen = HiddenField()

    def __init__(self, category: CategoryData, categories: Sequence[CategoryData], **kwargs: Any) -> None:
        place = categories.index(category)
        data = {
            "name": category.name,
            "order": str(categories[place - 1].id) if place else self.FIRST,
            "archived": category.archived,
        }
        self.stored = json.dumps(data, sort_keys=True)
        super().__init__(data=data | {"seen": self.stored}, **kwargs)
        others = [other for other in categories if other != category]
        after = [SelectChoice(str(other.id), gettext("After %(name)s", name=other.name)) for other in others]
        self.order.choices = [SelectChoice(self.FIRST, gettext("First")), *after]

    def validate_name(self, field: Field) -> None:
        """Refuse an empty name."""
        if not field.data:
            raise ValidationError(gettext("Enter a name."))

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; what another window has saved since is not overwritten until the user knows."""
        valid = super().validate(extra_validators)
        if valid and self.seen.data != self.stored:
            self.seen.data = self.stored
            self.form_errors.append(
                gettext(
                    "This category was changed in another window. Your entries are shown below; "
                    "save again to overwrite those changes."
                )
            )
            return False
        return valid

    @property
    def is_moved(self) -> bool:
        """Whether another place in the order was chosen."""
        return bool(self.order.data != self.order.object_data)

    @property
    def changes(self) -> dict[str, Any]:
        """The changes for `categories.edit`."""
        after = None if self.order.data == self.FIRST else uuid.UUID(self.order.data)
        return {"name": self.name.data, "archived": self.archived.data, "after": after}


class MergeForm(Form):
    """Choice of the category to merge into."""

    into = SelectField(lazy_gettext("Merge into"), validate_choice=False)

    def __init__(self, category: CategoryData, categories: Sequence[CategoryData], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.others = {str(other.id): other for other in categories if other != category}
        choices = [SelectChoice(value, category.name) for value, category in self.others.items()]
        self.into.choices = [SelectChoice("", gettext("Choose a category")), *choices]

    def validate_into(self, field: Field) -> None:
        """Refuse anything but another category."""
        if field.data not in self.others:
            raise ValidationError(gettext("Choose the category to merge into."))
