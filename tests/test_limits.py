"""Limits on what a form may hold, applied before any expensive work."""

import unicodedata
from urllib.parse import urlencode

import pytest
from werkzeug.test import encode_multipart
from wtforms.form import FormMeta

import account_forms
import category_forms
import forms
import security_forms
from app import app as application
from fields import BoundedMeta
from tests.browsing import REDIRECTS, form_values, read

# The longest text that may be normalised, which takes quadratic time.
NORMALISED_MAX = 2_000
# Alternating marks above and below a letter: the worst case of every Unicode normalisation form.
MARKS = "a" + "\u0300\u0316" * 5_000
FIELD_NAMES = sorted(
    name
    for form in vars(forms).values()
    if isinstance(form, FormMeta)
    for name in dir(form)
    if hasattr(getattr(form, name), "field_class")
)
POST_URLS = sorted(
    rule.rule.replace("<uuid:expense_id>", "{expense}")
    for rule in application.url_map.iter_rules()
    if "POST" in rule.methods and "category_id" not in rule.rule and "recurring_id" not in rule.rule
)


@pytest.fixture
def normalised(monkeypatch):
    """The lengths of all texts that are normalised."""
    lengths = [0]
    original = unicodedata.normalize

    def normalize(form, text):
        lengths.append(len(text))
        return original(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    return lengths


@pytest.mark.slow
@pytest.mark.parametrize("url", POST_URLS)
def test_an_over_long_value_in_any_field_is_never_normalised(ana, normalised, url):
    ana.add("3.50", "Food")
    url = url.format(expense=ana.expenses()[0].id)
    valid = {"email": "ana@example.com", "username": "ana", "amount": "1", "category": "Food"}
    valid["csrf_token"] = ana.token()

    for name in dict.fromkeys(FIELD_NAMES):
        response = ana.client.post(url, data=valid | {name: MARKS})
        assert response.status_code in REDIRECTS | {400, 404, 422}, name
    ana.post(url, dict.fromkeys(FIELD_NAMES, MARKS))

    assert max(normalised) <= NORMALISED_MAX
    assert [expense.description for expense in ana.expenses() if len(expense.description) > 200] == []


@pytest.mark.parametrize("url", ["/login", "/register"])
@pytest.mark.parametrize("name", ["email", "username", "password", "confirm_password", "time_zone"])
def test_an_anonymous_visitor_cannot_have_a_long_text_normalised(stranger, normalised, url, name):
    valid = {"username": "eve", "email": "eve@example.com", "password": "p" * 20, "confirm_password": "p" * 20}

    response = stranger.post(url, valid | {name: MARKS}, content_type="multipart/form-data")

    assert response.status_code in REDIRECTS | {422}
    assert max(normalised) <= NORMALISED_MAX


@pytest.mark.parametrize("name", ["search", "text", "category", "period", "after", "min_amount", "start_date"])
def test_a_long_text_in_the_query_string_is_not_normalised(ana, normalised, name):
    assert ana.get("/expenses", query_string={name: MARKS[:9_000]}).status_code == 200
    assert ana.get("/expenses/add", query_string={"description": MARKS[:9_000]}).status_code in {200, 422}

    assert max(normalised) <= NORMALISED_MAX


def test_an_over_long_field_comes_back_as_it_was_typed_with_an_error_beside_it(ana):
    typed = MARKS + " "

    response = ana.post("/expenses/add", {"amount": "5", "category": "Food", "description": typed})

    assert response.status_code == 422
    form = read(response).one("main").one("form")
    field = form.one("input", name="description")
    assert field["value"] == typed
    assert form.one(id=field["aria-describedby"]).text == "Use at most 200 characters."
    assert form_values(form)["amount"] == "5"
    assert ana.expenses() == []


def test_the_categories_form_bounds_its_fields_as_well(ana, normalised):
    form = ana.page("/categories").one("main").all("form")[0]
    values = form_values(form)
    names = [name for name in values if name != "csrf_token"]

    for name in (*names[:8], names[-1]):
        assert ana.client.post("/categories", data=values | {name: MARKS}).status_code in REDIRECTS | {422}, name

    assert max(normalised) <= NORMALISED_MAX


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    "fields",
    [
        {"description": "x" * 600_000},
        {"description": "x" * 300_000, "new_category": "x" * 300_000},
        {f"field{number}": "" for number in range(1_001)},
    ],
    ids=["one long field", "long fields together", "many fields"],
)
def test_an_over_long_form_is_refused_whatever_its_encoding(ana, content_type, fields):
    fields = {"csrf_token": ana.token(), "amount": "5", "category": "Food"} | fields
    body: str | bytes = urlencode(fields)
    if content_type == "multipart/form-data":
        boundary, body = encode_multipart(fields)
        content_type = f"{content_type}; boundary={boundary}"

    response = ana.client.post("/expenses/add", data=body, content_type=content_type)

    assert response.status_code == 413
    assert read(response).one("h1").text == "Form too large"
    assert ana.expenses() == []


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_form_just_within_the_limits_is_read(ana, content_type):
    fields = {f"field{number}": "x" * 300 for number in range(990)}

    response = ana.post("/expenses/add", {"amount": "5", "category": "Food"} | fields, content_type=content_type)

    assert response.status_code in REDIRECTS
    assert len(ana.expenses()) == 1


def test_only_the_first_languages_that_a_browser_asks_for_are_looked_up(ana):
    ana.add("1234.50", "Food")
    unknown = [f"qq-{number}" for number in range(1_000)]

    def total(languages):
        response = ana.get("/expenses", headers={"Accept-Language": ",".join(languages)})
        return read(response).one(id="total").text

    assert total([*unknown[:5], "de"]) == "1.234,50 $"
    assert total([*unknown, "de"]) == "$1,234.50"


def test_every_form_bounds_its_fields():
    modules = (account_forms, security_forms, category_forms, forms)
    form_classes = {form for module in modules for form in vars(module).values() if isinstance(form, FormMeta)}
    own = [form for form in form_classes if form.__module__ in {module.__name__ for module in modules}]

    assert len(own) > 10
    for form_class in own:
        assert issubclass(form_class.Meta, BoundedMeta), form_class
