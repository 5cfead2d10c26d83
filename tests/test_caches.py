"""Whatever a process remembers between requests is bounded, however many different values visitors send."""

import functools
import inspect
import sys
from collections import Counter, deque
from datetime import date
from pathlib import Path

import pytest
from babel import localedata
from babel.core import get_global
from werkzeug.local import LocalProxy

from ledger.locales import LOCALES, closest_locale
from views import formats
from views.languages import speaking

ROOT = Path(__file__).parent.parent


def own_modules():
    """The modules of the application that are loaded."""
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/")
        is_own = file.is_relative_to(ROOT) and "site-packages" not in file.parts
        if is_own and not name.startswith(("tests", "benchmarks", "migrations")):
            yield name, module


def own_caches():
    """Every cached function that a module or one of its classes defines."""
    for _name, module in own_modules():
        for holder in (module, *filter(inspect.isclass, vars(module).values())):
            yield from (
                found for found in vars(holder).values() if isinstance(found, functools._lru_cache_wrapper)
            )


def sizes():
    """The lengths of the collections that modules and their objects hold, and of what libraries remember."""
    found = {"babel": len(localedata._cache)}
    for module_name, module in own_modules():
        for name, value in vars(module).items():
            if inspect.ismodule(value) or inspect.isclass(value) or type(value) is LocalProxy:
                continue
            inner = {f"{name}.{key}": held for key, held in getattr(value, "__dict__", {}).items()}
            for key, held in ({name: value} | inner).items():
                if isinstance(held, dict | list | set | Counter | deque):
                    found[f"{module_name}.{key}"] = len(held)
    return found


def test_every_cache_has_a_limit_or_nothing_to_tell_apart(app):
    caches = set(own_caches())

    assert len(caches) > 8
    unbounded = [
        f"{cache.__module__}.{cache.__qualname__}"
        for cache in caches
        if cache.cache_parameters()["maxsize"] is None and inspect.signature(cache).parameters
    ]
    assert unbounded == []


@pytest.mark.slow
def test_a_thousand_languages_periods_and_searches_leave_nothing_behind(ana):
    ana.add("1234.50", "Food")
    tags = [tag.replace("_", "-") for tag in localedata.locale_identifiers()]
    assert len(tags) > 800

    def visit(number, tag):
        query = f"period={1900 + number % 200}-01&search=text{number}&min_amount={number}&category=c{number}"
        assert ana.get(f"/expenses?{query}", headers={"Accept-Language": tag}).status_code == 200

    for number, tag in enumerate(LOCALES):
        visit(number, tag.replace("_", "-"))
    before = sizes()
    for number, tag in enumerate(tags[::4]):
        visit(number, tag)

    assert {
        name: (before.get(name), size) for name, size in sizes().items() if size > before.get(name, 0) + 2
    } == {}


def test_a_date_is_remembered_as_its_own_language_writes_it(app):
    formats._day.cache_clear()
    english = formats.Formats("en_US", "en", "USD", 2026)

    with app.test_request_context("/"), speaking("ar"):
        assert english.day(date(2025, 2, 3)) == "Feb 3, 2025"


def test_a_language_tag_asks_for_the_closest_locale():
    asked = {
        "de": "de_DE",
        "de-AT": "de_AT",
        "de-LI": "de_DE",
        "DE_ch": "de_CH",
        "en": "en_US",
        "en-SG": "en_US",
        "es": "es_ES",
        "pt": "pt_BR",
        "zh-Hant-HK": "zh_TW",
        "zh": "zh_CN",
        "sr-Latn-RS": "sr_RS",
        "no": "nb_NO",
        "iw": "he_IL",
        "sw": None,
        "": None,
        "*": None,
        "x" * 1000: None,
        "../../etc": None,
    }
    assert {tag: closest_locale(tag) for tag in asked} == asked
    assert all(closest_locale(name) == name for name in LOCALES)
    assert all(closest_locale(tag) in {None, *LOCALES} for tag in get_global("likely_subtags"))
