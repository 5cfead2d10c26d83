"""Parts that many pages share."""

import re
from pathlib import Path

import pytest
from jinja2 import meta, nodes
from markupsafe import Markup

from app import app as application
from views import fragments
from views.fragments import write_once
from views.languages import speaking

TEMPLATES = Path(__file__).parent.parent / "templates"
NAVIGATION = ("_navigation.html", "navigation", "list_expenses", "expenses")


@pytest.fixture(autouse=True)
def no_fragments():
    fragments._write.cache_clear()


def test_a_part_is_written_once_and_filled_in_on_each_page():
    with application.test_request_context("/expenses"):
        first = write_once(*NAVIGATION, username="ana", token="one")
        second = write_once(*NAVIGATION, username="bob", token="two")

    assert fragments._write.cache_info().misses == 1
    assert ("ana" in first, "bob" in first) == (True, False)
    assert ("ana" in second, "bob" in second) == (False, True)
    assert 'value="two"' in second


def test_values_that_are_filled_in_are_escaped():
    with application.test_request_context("/expenses"):
        written = write_once(*NAVIGATION, username="<b>&", token='"')

    assert isinstance(written, Markup)
    assert "&lt;b&gt;&amp;" in written
    assert 'value="&#34;"' in written
    assert "\0" not in written


def test_marks_in_values_are_not_filled_in():
    with application.test_request_context("/expenses"):
        written = write_once(*NAVIGATION, username="\0token\0", token="secret")

    assert written.count("secret") == 1


def test_a_part_is_written_for_each_language_and_each_url_prefix():
    with application.test_request_context("/expenses"):
        english = write_once(*NAVIGATION)
        with speaking("de"):
            german = write_once(*NAVIGATION)
    with application.test_request_context("/expenses", environ_overrides={"SCRIPT_NAME": "/money"}):
        prefixed = write_once(*NAVIGATION)

    assert ("Log in" in english, "Anmelden" in german) == (True, True)
    assert ('href="/login"' in english, 'href="/money/login"' in prefixed) == (True, True)


def test_the_bar_of_a_page_marks_where_it_is_and_whose_it_is(ana, bob):
    anas, bobs = (
        page.one("nav", class_="navigation") for page in (ana.page("/expenses"), bob.page("/categories"))
    )

    assert {link["href"] for link in anas.all("a", aria_current="page")} == {"/expenses"}
    assert {link["href"] for link in bobs.all("a", aria_current="page")} == {"/categories"}
    assert ("ana" in anas.text, "ana" in bobs.text) == (True, False)
    assert len({bar.one("input", name="csrf_token")["value"] for bar in (anas, bobs)}) == 2


def shared_templates():
    """The templates whose macros are written once, with those that they import."""
    pattern = re.compile(r"""write_(?:once|form)\(["']([^"']+)""")
    names = {name for path in TEMPLATES.rglob("*.html") for name in pattern.findall(path.read_text())}
    return sorted(names.union(*(meta.find_referenced_templates(parsed(name)) for name in names)))


def parsed(name):
    """The syntax tree of a template."""
    return application.jinja_env.parse((TEMPLATES / name).read_text())


@pytest.mark.parametrize("template", shared_templates())
def test_fragments_depend_on_nothing_but_their_arguments(template):
    tree = parsed(template)

    known = {name.name for name in tree.find_all(nodes.Name)} & set(application.jinja_env.globals)

    # The language and the URL prefix, which the first two depend on, are in the key of the cache.
    assert known <= {"_", "url_for", "application_name", "control", "dict"}
    assert not meta.find_undeclared_variables(tree)
