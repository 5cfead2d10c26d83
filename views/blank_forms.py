"""Forms that are not filled in yet: they are the same on every page with the same settings, and built once.

A page of the list has three of them; building them each time took a quarter of its time.
"""

from functools import lru_cache
from typing import Any, TypeVar, cast

from flask import get_template_attribute
from flask_babel import get_domain
from markupsafe import Markup

from forms import BulkForm, ExpenseFilterForm, ExpenseForm

MAX_BLANK_FORMS = 128
BlankForm = TypeVar("BlankForm", BulkForm, ExpenseFilterForm, ExpenseForm)


def blank_form(kind: type[BlankForm], **values: Any) -> BlankForm:
    """Return a form without entries, shared by all pages in this language that ask for it with the same values.

    It contains nothing else: no user, and no CSRF token, which the page adds. It must not be changed.
    """
    return cast(BlankForm, _blank_form(cast(Any, kind), get_domain().get_translations(), **values))


@lru_cache(maxsize=MAX_BLANK_FORMS)
def _blank_form(kind: type[BlankForm], _translations: object, **values: Any) -> BlankForm:
    form = kind(formdata=None, meta={"csrf": False}, **values)
    form.written = {}
    return form


def write_form(
    template: str, macro: str, form: BulkForm | ExpenseFilterForm | ExpenseForm, *arguments: Any
) -> Markup:
    """Write a form, or a part of it, by a macro that depends on nothing but its arguments.

    A blank form is written only once.
    """
    if form.written is None:
        return _write(template, macro, form, *arguments)
    key = (macro, *arguments)
    if key not in form.written:
        form.written[key] = _write(template, macro, form, *arguments)
    return form.written[key]


def _write(template: str, macro: str, *arguments: Any) -> Markup:
    return cast(Markup, get_template_attribute(template, macro)(*arguments))
