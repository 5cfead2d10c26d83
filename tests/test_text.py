"""Text as people type and paste it: how it is cleaned, compared and searched."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from database import db
from ledger.statements.text import fold, tidy
from models import Category, User
from tests.browsing import Visitor, read
from text import KEY_INPUT_MAX, clean_text, has_control_characters, identity_key, search_key, search_words

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
FAMILY = "👨\u200d👩\u200d👧"
# Unicode 15, 15.1 and 16, and a character that no version knows yet.
EMOJI = ["🩷 Gifts", "🫨", "🙂\u200d↔️", "\U0001fae9", "\U0001fadf", "\U0001f8ff", ENGLAND, FAMILY, "👁️\u200d🗨️", "1️⃣"]
IN_NEED_OF_JOINERS = ["می\u200cخواهم", "अक्\u200dष", "ക്\u200d", "ශ්\u200dරී", *EMOJI]
# What spoofing, pasting and several keyboards are made of.
odd_text = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "aAeEéßøŁđİıΣς’'\"-–— \u00a0\t\u00ad\u200b\u200c\u200d\u200e\u202e\u2066\u2069\ufeff\ufe0f\u034f"
        ),
        st.sampled_from(
            "\u3164\uffa0\u115f\u2800\u0301\u0345\u05b0\u0640\u064e\u3099かク하각क्🏴👩❤\U000e0067\U000e007f"
        ),
    ),
    max_size=40,
)


# --- Cleaned before it is stored


@pytest.mark.parametrize(
    "text", [*IN_NEED_OF_JOINERS, "❤️", "10\u00a0kg", "O’Brien", "שָׁלוֹם", "ดู", "Ünïcödé", "\u0600١"]
)
def test_a_text_that_looks_right_stays_as_it_is(text):
    assert clean_text(text) == unicodedata.normalize("NFC", text)
    assert not has_control_characters(clean_text(text))


@pytest.mark.parametrize(
    ("pasted", "cleaned"),
    [
        ("Kaffee\u00adhaus", "Kaffeehaus"),
        ("\u200eTea\u200f", "Tea"),
        ("\u202atea\u202c \u2066x\u2069", "tea x"),
        ("a\tb", "a b"),
        ("a\r\nb\u2028c", "a  b c"),
        ("\ufeffTea\u200b", "Tea"),
        ("T\u200cea\u200d", "Tea"),
        ("e\u200b\u0301", "é"),
        ("e\u0301\u200d", "é"),
        ("क\u200d\u200d\u200c", "क\u200d"),
        ("x\U000e0067\U000e007f", "x"),
        ("\u3164", ""),
        ("\u2800 \ufe0f", ""),
        ("\u200d", ""),
        (" \u00ad ", ""),
    ],
)
def test_invisible_characters_in_pasted_text_are_removed(pasted, cleaned):
    assert clean_text(pasted) == cleaned


@given(odd_text)
def test_cleaning_a_text_twice_changes_nothing(text):
    cleaned = clean_text(text)

    assert clean_text(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert not set(cleaned) & set("\t\n\u00ad\u200b\u200e\u200f\u202e\u2066\u2069\ufeff")
    assert search_key(cleaned) == search_key(text)


@pytest.mark.parametrize("text", ["a\0b", "\x1b[2J", "\x7f", "\x9f", "\ud800"])
def test_control_characters_and_lone_surrogates_are_refused(text):
    assert has_control_characters(clean_text(text))


# --- Compared


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[("É", "e\u0301"), ("ﬁn", "FIN"), ("straße", "STRASSE"), (" a ", "A")],
        *[
            ("ana\ufe0f", "ana"),
            ("a\u034fna", "ANA"),
            ("ana\u3164", "ana"),
            ("ana\uffa0", "ana"),
            ("\u115fana", "ana"),
        ],
        *[("a\u200dna", "ana"), ("a\u00adna", "ana"), ("ana\U000e0061", "ana"), ("ana\u17b4", "ana"), ("❤️", "❤")],
    ],
)
def test_names_are_compared_without_case_unicode_form_and_invisible_characters(one, other):
    assert identity_key(one) == identity_key(other)


@pytest.mark.parametrize(("one", "other"), [("ana", "anna"), ("é", "e"), (ENGLAND, SCOTLAND), ("ø", "o")])
def test_names_that_look_different_have_different_keys(one, other):
    assert identity_key(one) != identity_key(other)


@given(odd_text)
def test_making_a_key_twice_changes_nothing(text):
    assert identity_key(identity_key(text)) == identity_key(text)
    assert search_key(search_key(text)) == search_key(text)


@pytest.mark.parametrize("fake", ["ana\ufe0f", "an\u034fa", "ana\u3164", "a\u200bna", "\u200eana", "ANA\u00ad"])
def test_a_username_cannot_be_spoofed(ana, stranger, fake):
    response = stranger.post(
        "/register",
        {
            "username": fake,
            "email": "other@example.com",
            "password": "a quiet river at noon",
            "confirm_password": "a quiet river at noon",
        },
    )

    assert response.status_code == 422
    error = read(response).one(id="username-error").text
    # A filler of another alphabet is refused even before.
    assert "taken" in error or "one alphabet" in error


@pytest.mark.parametrize("same", ["food\u3164", "FO\u00adOD", "Fo\u034fod", "\u200fFood"])
def test_a_category_that_looks_like_another_is_that_one(ana, same):
    ana.add(category="New …", new_category=same)

    assert [expense.category for expense in ana.expenses()] == ["Food"]


# --- Searched


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        *[("Café", "CAFE"), ("e\u0301", "É"), ("Ünïcödé", "unicode"), ("İ", "i"), ("Ёлка", "елка"), ("ά", "α")],
        *[("ﬁ", "FI"), ("lodz", "Łódź"), ("da nang", "Đà Nẵng"), ("orsted", "Ørsted"), ("aeon", "Æon")],
        *[("O'Brien", "O’Brien"), ("OBrien", "O'Brien"), ("“tea”", "tea"), ("Coca‑Cola", "coca-cola")],
        *[("coca cola", "Coca – Cola"), ("a  b", "a\u00a0b"), ("hawaii", "Hawaiʻi"), ("مرحبا", "مَرْحَبـا")],
        *[("isik", "Işık"), ("strasse", "Straße"), ("thor", "Þór"), ("tea time", "tea\ttime"), ("ŉ", "n")],
    ],
)
def test_descriptions_are_searched_without_case_accents_quotes_dashes_and_spaces(typed, stored):
    assert search_key(typed) == search_key(stored)


@pytest.mark.parametrize(("one", "other"), [("が", "か"), ("हि", "ह"), ("ดุ", "ดู"), ("각", "가"), ("ь", "ъ")])
def test_letters_that_differ_by_more_than_an_accent_stay_apart(one, other):
    assert search_key(one) != search_key(other)


def test_a_long_search_is_a_few_comparisons():
    assert search_words("b a b") == ["b", "a"]
    assert len(search_words("w " * 100)) <= 8
    assert search_words(" ".join(map(str, range(12)))) == [*map(str, range(7)), "7 8 9 10 11"]


SEARCHES = {
    "O'Brien": "Lunch at O’Brien",
    "obrien lunch": "Lunch at O’Brien",
    "lodz": "Train to Łódź",
    "train łódź": "Train to Łódź",
    "ŁÓDŹ  TRAIN": "Train to Łódź",
    "da nang": "Đà Nẵng – hotel",
    "hotel da-nang": "Đà Nẵng – hotel",
    "orsted": "Ørsted bill",
    "Ør\u00adsted\u200e": "Ørsted bill",
    "\tbill": "Ørsted bill",
    "🩷": "🩷 gift",
    "می خواهم": "می\u200cخواهم",
}


@pytest.fixture
def described(ana):
    names = ("Lunch at O’Brien", "Train to Łódź", "Đà Nẵng – hotel", "Ørsted bill", "🩷 gift", "tea")
    ana.save([("2026-03-31", "Food", name, "12.50") for name in names])
    return ana


@pytest.mark.parametrize("search", [search for search in SEARCHES if "\u200c" not in SEARCHES[search]])
def test_a_search_finds_words_that_are_written_differently(described, search):
    assert [expense[2] for expense in described.rows(f"/expenses?search={search}")] == [SEARCHES[search]]


@pytest.mark.parametrize("search", ["lodz lunch", "brien tee", "da nang bus"])
def test_a_search_wants_every_word(described, search):
    assert "No expenses contain" in described.page(f"/expenses?search={search}").one("main").text


@pytest.mark.parametrize("search", ["'", "–", "\u0301", "“ ”"])
def test_a_search_without_letters_is_refused(described, search):
    page = described.page(f"/expenses?search={search}")

    assert "at least one letter" in page.one(id="filter-search-error").text


@pytest.mark.parametrize("description", ["orsted BILL", "Ørsted  bill", "ör\u00adsted-bill"])
def test_a_category_is_suggested_by_the_same_folding(described, description):
    described.add(category="Housing", description="Ørsted bill")

    described.add("3", category="", description=description)

    assert next(expense.category for expense in described.expenses() if expense.amount == 3) == "Housing"


# --- On the pages


@pytest.mark.parametrize("name", EMOJI)
def test_emoji_of_every_version_are_text(ana, name):
    ana.add(category="New …", new_category=name, description=name)

    (row,) = ana.rows()
    assert (row[1], row[2]) == (name, name)
    assert ana.count(f"/expenses?search={name}") == 1


def test_flags_that_differ_by_their_name_are_two_categories(ana, app):
    for flag in (ENGLAND, SCOTLAND):
        ana.add(category="New …", new_category=flag)

    with app.app_context():
        names = set(db.session.scalars(db.select(Category.name).join(User).where(User.username == "ana")))
    assert {ENGLAND, SCOTLAND} <= names


def test_an_address_pasted_with_marks_logs_in(app, ana):
    response = Visitor(app).log_in(email="\u200eana@example.com\u200b ")

    assert response.location == "/expenses"


@pytest.mark.parametrize("text", [*IN_NEED_OF_JOINERS, "Tea\u00ad\u200e"])
def test_imported_text_is_cleaned_in_the_same_way(text):
    assert tidy(text, 200) == clean_text(text)


# --- In bounded time


@pytest.mark.parametrize(
    "text",
    [
        "\u0f71\u0f72" * (KEY_INPUT_MAX // 2),
        "\u0300\u0327" * (KEY_INPUT_MAX // 2),
        "🏴" + "\U000e0067" * KEY_INPUT_MAX,
        "🏴\U000e0067" * KEY_INPUT_MAX,
        "\u200d" * KEY_INPUT_MAX,
        "\u00ad" * 500_000,
        "\ufdfa" * KEY_INPUT_MAX,
    ],
)
def test_no_text_takes_long(text):
    started = time.perf_counter()

    for function in (clean_text, identity_key, search_key, search_words):
        function(text)

    assert time.perf_counter() - started < 0.5


@given(st.text(max_size=60))
@example("\U000e0001\U000e0020")
def test_any_text_has_keys(text):
    assert isinstance(identity_key(text), str)
    assert "  " not in search_key(text)


@pytest.mark.parametrize("key", [search_key, fold])
def test_a_text_has_the_same_key_beside_a_word_of_another_alphabet(key):
    for number in range(128):
        text = f"A{chr(number)}b {chr(number)} Z9"

        assert key(f"{text} ж") == f"{key(text)} ж"
