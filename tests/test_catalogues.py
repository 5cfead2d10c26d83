"""The catalogues of the translators are complete, and say what the English texts say."""

import re
from collections import Counter
from gettext import c2py

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from languages import ENGLISH, FOLDER, LANGUAGES, NAMES, Catalogues
from ledger.categories import NEW_CATEGORY
from models import DEFAULT_CATEGORIES, Category, Expense, User, category_key

PLACEHOLDER = re.compile(r"%(?:\((\w+)\)[sd]|%|(?=.))|\{(\w+)\}")
TAG = re.compile(r"</?\w+[^>]*>")
# The number that decides which form is used.
NUMBERS = {"%(num)d", "%(num)s", "%(maximum)s"}
# Every language but that of the sources.
CODES = [code for code in LANGUAGES if code != ENGLISH]


def read_messages(path):
    """Return a catalogue, or the template of all of them."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name if path.suffix == ".po" else None)


TEMPLATE = read_messages(FOLDER / "messages.pot")


@pytest.fixture(params=CODES)
def catalogue(request):
    """The catalogue of a language."""
    return read_messages(FOLDER / request.param / "LC_MESSAGES" / "messages.po")


def translated(catalogue):
    """Yield each English text with its translations, which are several for numbers."""
    for message in catalogue:
        if message.id:
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            yield message, texts


def placeholders(text):
    return Counter(found[0] for found in PLACEHOLDER.finditer(text))


def keys(catalogue):
    return {(message.context, message.id) for message in catalogue if message.id}


def test_a_catalogue_has_every_text_and_no_other(catalogue):
    missing = [message.id for message, texts in translated(catalogue) if not all(texts)]

    assert keys(TEMPLATE) - keys(catalogue) == set(), "run pybabel update, and translate what it adds"
    assert keys(catalogue) - keys(TEMPLATE) == set(), "run pybabel update"
    assert list(catalogue.obsolete) == []
    assert missing == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


def test_a_catalogue_has_the_plural_forms_of_its_language(catalogue):
    language = Catalog(locale=catalogue.locale)
    assert (catalogue.num_plurals, catalogue.plural_expr) == (language.num_plurals, language.plural_expr)
    for message, texts in translated(catalogue):
        assert len(texts) == (catalogue.num_plurals if message.pluralizable else 1), message.id


def test_a_translation_has_the_placeholders_of_its_text(catalogue):
    form_of = c2py(catalogue.plural_expr)
    numbers = Counter(form_of(number) for number in range(1000))
    for message, texts in translated(catalogue):
        allowed = [placeholders(text) for text in (message.id if message.pluralizable else [message.id])]
        for form, text in enumerate(texts):
            found = placeholders(text)
            # A plural form for a single number need not contain it.
            is_one = message.pluralizable and numbers[form] == 1
            assert found in allowed or (is_one and found in map(without_number, allowed)), (message.id, text)


def without_number(found):
    return Counter({name: count for name, count in found.items() if name not in NUMBERS})


def test_a_translation_has_the_elements_and_the_edges_of_its_text(catalogue):
    for message, texts in translated(catalogue):
        english = message.id[0] if message.pluralizable else message.id
        for text in texts:
            assert Counter(TAG.findall(text)) == Counter(TAG.findall(english)), (english, text)
            # Templates write translations as HTML, and subjects of emails are one line.
            for character in "<>&\n":
                assert text.count(character) == english.count(character), (english, text)
            assert edges(text) == edges(english), (english, text)


def edges(text):
    """Return the white space at both ends of a text."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def test_the_first_categories_have_names_that_differ_and_fit(catalogue):
    names = [catalogue.get(name).string or name for name in DEFAULT_CATEGORIES]

    assert len({category_key(name) for name in names}) == len(names)
    assert all(name == name.strip() and len(name) <= Expense.CATEGORY_MAX for name in names)
    assert NEW_CATEGORY not in names
    assert [Category(name=name).name for name in names] == names


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_is_named_as_its_readers_call_it(code):
    locale = Locale.parse(code)
    name = locale.languages.get(code) or locale.display_name

    assert NAMES[code] == f"{name[0].upper()}{name[1:]}"
    assert len(code) <= User.LANGUAGE_MAX


def test_a_text_without_a_translation_stays_english(tmp_path):
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (folder / "messages.po").write_text(f'{header}msgid "Food"\nmsgstr "Essen"\n\nmsgid "Travel"\nmsgstr ""\n')

    translations = Catalogues(tmp_path).load("de")

    assert [translations.gettext(text) for text in ("Food", "Travel", "Other")] == ["Essen", "Travel", "Other"]
    assert translations.ngettext("%(num)d expense", "%(num)d expenses", 2) == "%(num)d expenses"
