"""Parsing and formatting amounts."""

from decimal import Decimal

import pytest
from babel import Locale
from babel.localedata import locale_identifiers
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from database import Money
from ledger.locales import LOCALES
from ledger.money import (
    AmountError,
    currencies,
    currency_digits,
    currency_sign,
    field_amount,
    format_amount,
    parse_amount,
    plain_amount,
    plain_thousandths,
)
from messages import error_message

EN, DE, SV = Locale("en"), Locale("de"), Locale("sv")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12", "12"),
        ("12.5", "12.5"),
        ("12,50", "12.50"),
        ("12.", "12"),
        (".5", "0.5"),
        (",05", "0.05"),
        ("0012.50", "12.50"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1\u202f234\u202f567,8", "1234567.8"),
        ("1'234.50", "1234.50"),
        ("1’234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("1.234.567", "1234567"),
        ("1 234", "1234"),
        ("1'234", "1234"),
        ("  7.30\t", "7.30"),
        ("$12.50", "12.50"),
        ("12.50$", "12.50"),
        ("$ 1,234.56", "1234.56"),
        ("USD 12.50", "12.50"),
        ("12,50 usd", "12.50"),
        ("999999999.99", "999999999.99"),
    ],
)
def test_an_amount_is_read_as_people_write_it(text, amount):
    assert parse_amount(text, "USD") == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("12,50 €", "EUR", "12.50"),
        ("€12.50", "EUR", "12.50"),
        ("¥1200", "JPY", "1200"),
        ("1.234", "KWD", "1.234"),
        ("0,125", "KWD", "0.125"),
        ("1234,567", "KWD", "1234.567"),
        ("$5", "CAD", "5"),
        ("CA$5", "CAD", "5"),
    ],
)
def test_an_amount_may_carry_the_sign_of_its_currency(text, currency, amount):
    assert parse_amount(text, currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12+3.50", "15.50"),
        ("3*4.20", "12.60"),
        ("3 × 4,20", "12.60"),
        ("20-2.5", "17.5"),
        ("20 − 2,5", "17.5"),
        ("2+3*4-1", "13"),
        ("0.125*8", "1"),
        ("5*1.2000", "6"),
        ("1,234.56+1", "1235.56"),
        ("$12+3", "15"),
        ("0.1+0.1+0.1", "0.3"),
        ("12/4", "3"),
        ("10 ÷ 4", "2.5"),
        ("(1+2)*3", "9"),
        ("(10-(2+3))/2", "2.5"),
        ("10/3*3", "10"),
        ("1/3+1/3+1/3", "1"),
        ("100/8/5", "2.5"),
        ("(0.125+0.125)*8", "2"),
        ("3*12,-", "36"),
    ],
)
def test_an_amount_is_calculated_exactly(text, amount):
    assert parse_amount(text, "USD") == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1.5*1.55", "result_too_precise"),
        ("20-25", "amount_negative"),
        ("5-5", "amount_zero"),
        ("999999999*2", "amount_too_large"),
        ("1,234+1", "amount_ambiguous|amount_grouped"),
        ("5*1.200", "amount_ambiguous"),
        ("0.05*0.01", "result_too_precise"),
        ("1.005+1", "amount_grouped"),
        ("0.33333333333333333333333333*3.0000000000000000000000003", "result_too_precise"),
        ("12+", "not_an_amount"),
        ("+12", "not_an_amount"),
        ("12+-3", "not_an_amount"),
        ("12**2", "not_an_amount"),
        ("12/", "not_an_amount"),
        ("(1+2", "not_an_amount"),
        ("1+2)", "not_an_amount"),
        ("()", "not_an_amount"),
        ("2(3+4)", "not_an_amount"),
        ("10/3", "result_not_exact"),
        ("1/1000000", "result_too_precise"),
        ("5/0", "division_by_zero"),
        ("5/(2-2)", "division_by_zero"),
        ("12 3+1", "not_an_amount"),
    ],
)
def test_a_calculation_obeys_the_rules_of_an_amount(text, code):
    with pytest.raises(AmountError, match=code):
        parse_amount(text, "USD")


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 9999)), max_size=6), st.integers(1, 9999))
def test_a_calculation_agrees_with_an_independent_one(steps, first):
    text = str(first) + "".join(f"{sign}{number}" for sign, number in steps)
    if len(text) > 60:
        return

    try:
        amount = parse_amount(text, "USD")
    except AmountError:
        assert not 0 < eval(text) < 10**9
    else:
        assert amount == eval(text)


def test_an_amount_may_carry_the_sign_that_the_visitors_locale_uses():
    assert parse_amount("12,50 kr", "SEK", SV) == Decimal("12.50")


@pytest.mark.parametrize("currency", ["USD", "KWD", "JPY"])
@pytest.mark.parametrize("text", ["1,234", "12,345", "999,999", "1.234", "12.345"])
def test_only_an_amount_that_will_be_accepted_is_suggested(text, currency):
    plain = text.replace(",", "").replace(".", "")
    try:
        amount = parse_amount(text, currency)
    except AmountError as error:
        assert error.values.pop("amount") == plain
        assert parse_amount(plain, currency) == int(plain)
        for other in error.values.values():
            assert parse_amount(other, currency) == Decimal(text.replace(",", "."))
    else:
        assert currency != "USD"
        assert amount == Decimal(text if currency == "KWD" else plain)


def test_the_error_names_the_currency_and_its_decimals():
    with pytest.raises(AmountError) as refusal:
        parse_amount("1.0055", "USD")

    assert error_message(refusal.value) == "Amounts in USD have at most 2 decimals."


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("", "USD", "amount_missing"),
        ("   ", "USD", "amount_missing"),
        ("0", "USD", "amount_zero"),
        ("0,00", "USD", "amount_zero"),
        ("-5", "USD", "amount_with_minus"),
        ("−5", "USD", "amount_with_minus"),
        ("5-", "USD", "amount_with_minus"),
        ("$-5", "USD", "amount_with_minus"),
        ("1.005", "USD", "amount_grouped"),
        ("1.234", "USD", "amount_grouped"),
        ("0.125", "USD", "amount_too_precise"),
        ("12.345678", "KWD", "amount_too_precise"),
        ("12.5", "JPY", "amount_too_precise"),
        ("1000000000", "USD", "amount_too_large"),
        ("9" * 61, "USD", "amount_too_long"),
        ("9" * 1_000_000, "USD", "amount_too_long"),
        ("£12", "USD", "not_an_amount"),
        ("12 EUR", "USD", "not_an_amount"),
    ],
)
def test_a_refusal_says_what_to_write_instead(text, currency, code):
    with pytest.raises(AmountError, match=code):
        parse_amount(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        *("NaN", "sNaN", "-NaN", "Infinity", "inf", "1e2", "1E+2", "1_000", "0x10", "abc", "$", ".", ",", "'"),
        *("½", "12½", "1²", "1,2,3", "1.2.3", "1 2", "12 34", "1,,234"),
        *("1,234,56", "1.234.56", "1'23", "0,123,456", "1,234.567.8", "(5)", "+5", "1\x00"),
        *("1;2", "12.50.", "--5", "1\n2", "<b>1</b>", "$$5"),
    ],
)
def test_text_that_is_no_amount_is_rejected(text):
    with pytest.raises(AmountError):
        parse_amount(text, "USD")


@given(st.text(max_size=60) | st.text("0123456789.,' +-*", max_size=12))
def test_any_text_is_an_amount_within_bounds_or_is_refused(text):
    try:
        amount = parse_amount(text, "KWD")
    except AmountError as refusal:
        assert error_message(refusal).endswith(".")
    else:
        assert amount.is_finite()
        assert 0 < amount <= Money.MAX
        assert amount == amount.quantize(Decimal("0.001"))


@given(
    st.integers(1, 10**12 - 1),
    st.sampled_from(sorted(currencies())),
    st.sampled_from(sorted(locale_identifiers())),
)
def test_a_formatted_amount_can_be_parsed_again(units, currency, name):
    locale = Locale.parse(name)
    amount = Decimal(units).scaleb(-currency_digits(currency)) % 10**9 or Decimal(1)
    shown = format_amount(amount, currency, locale)

    assert parse_amount(shown, currency, locale) == amount
    assert parse_amount(f"\u2068{shown}\u2069", currency, locale) == amount
    assert parse_amount(plain_amount(amount, currency), currency) == amount
    assert parse_amount(field_amount(amount, currency, locale), currency, locale) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        ("1234567.5", "USD", EN, "$1,234,567.50"),
        ("1234567.5", "EUR", DE, "1.234.567,50\u00a0€"),
        ("1200", "JPY", EN, "¥1,200"),
        ("12.345", "KWD", EN, "KWD12.345"),
        ("-3.1", "USD", EN, "−$3.10"),
        ("0", "USD", EN, "$0.00"),
    ],
)
def test_an_amount_is_written_with_the_sign_and_decimals_of_its_currency(amount, currency, locale, text):
    assert format_amount(Decimal(amount), currency, locale) == text
    assert currency_sign(currency, locale) in text


def test_the_currencies_are_those_of_today():
    assert {"USD", "EUR", "JPY", "KWD", "CHF"} <= currencies().keys()
    assert not {"DEM", "XAU", "CLF"} & currencies().keys()
    assert currencies()["CHF"] == "Swiss Franc"


@given(st.integers(-Money.MAX_UNITS, Money.MAX_UNITS), st.sampled_from(["JPY", "USD", "KWD"]))
def test_thousandths_are_written_like_the_amount(thousandths, currency):
    plain = plain_amount(Decimal(thousandths).scaleb(-3), currency)

    assert plain_thousandths(thousandths, currency_digits(currency)) == plain


@given(
    st.integers(0, 999_999),
    st.sampled_from(["", "5", "50", "125"]),
    st.sampled_from(["JPY", "USD", "KWD"]),
    st.sampled_from(sorted(LOCALES)),
)
def test_an_amount_without_all_decimals_is_never_read_as_another_one(whole, decimals, currency, name):
    amount = Decimal(f"{whole}.{decimals[: currency_digits(currency)]}")

    try:
        read = parse_amount(format_decimal(amount, locale=name), currency, Locale.parse(name), least=Decimal(0))
    except AmountError as refusal:
        assert refusal.code in {"amount_ambiguous", "amount_grouped"}
    else:
        assert read == amount


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCALES)
def test_every_locale_that_is_offered_writes_amounts_that_can_be_typed_in_again(name):
    locale = Locale.parse(name)
    for currency in currencies():
        for text in ("0.5", "12.34", "1.234", "12.345", "1200", "1234.56", "123456.78", "999999999"):
            if amount := round(Decimal(text), currency_digits(currency)):
                assert parse_amount(format_amount(amount, currency, locale), currency, locale) == amount


@pytest.mark.parametrize(
    ("text", "currency", "locale", "amount"),
    [
        ("₹1,23,456.78", "INR", "en_IN", "123456.78"),
        ("1,23,45,678", "INR", "hi", "12345678"),
        ("￥1,200", "JPY", "ja", "1200"),
        ("￦１，２００", "KRW", "ko", "1200"),
        ("₩1,200", "KRW", "ko", "1200"),
        ("1.200 ₫", "VND", "vi", "1200"),
        ("1.200 kr.", "ISK", "is", "1200"),
        ("1.200 RSD", "RSD", "sr", "1200"),
        ("1,200", "JPY", "en", "1200"),
        ("1,200+300", "JPY", "en", "1500"),
        ("1,234", "KWD", "de", "1.234"),
        ("١٢٫٥٠", "EGP", "ar", "12.50"),
        ("١٬٢٣٤٫٥٠", "EGP", "ar", "1234.50"),
        ("۱۲۵۰۰", "IRR", "fa", "12500"),
        ("１２００", "JPY", "ja", "1200"),
        ("１２．５０", "USD", "ja", "12.50"),
        ("१२", "INR", "hi", "12"),
        ("12,-", "EUR", "de", "12"),
        ("12,– €", "EUR", "de", "12"),
        ("€ 12,--", "EUR", "nl", "12"),
        ("1.234,-", "EUR", "de", "1234"),
        ("CHF 5.-", "CHF", "de_CH", "5"),
        ("1⹁200", "GNF", "ff_Adlm", "1200"),
        ("12 34,50", "USD", "tok", "1234.50"),
        ("199:-", "SEK", "sv", "199"),
        ("1 199:- kr", "SEK", "sv", "1199"),
        ("1\u00ad2.50\u200e", "USD", "en", "12.50"),
    ],
)
def test_an_amount_is_read_as_it_is_written_elsewhere(text, currency, locale, amount):
    assert parse_amount(text, currency, Locale.parse(locale)) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "currency", "message"),
    [
        ("1,234", "EUR", "Are these thousands? Then write 1234."),
        ("1,234", "KWD", "Are these thousands or decimals? Write 1234 or 1.234."),
        ("5*1.200", "USD", "Are these thousands or decimals? Write 1200 or 1.2000."),
        ("3*12.345", "USD", "Are these thousands? Then write 12345."),
        ("20-100", "USD", "This adds up to -80.00. Enter an amount above zero."),
        ("20-100", "JPY", "This adds up to -80. Enter an amount above zero."),
        ("10/3", "USD", "The result is not exact. If you mean 3.33, enter that."),
        ("10/3", "JPY", "The result is not exact. If you mean 3, enter that."),
        ("1.50*1.550", "EUR", "Are these thousands? Then write 1550."),
        ("1.5*1.55", "USD", "This adds up to 2.325. Amounts in USD have at most 2 decimals."),
        ("", "JPY", "Enter an amount such as 1250."),
        ("abc", "EUR", "Enter an amount such as 12.50. Your account uses EUR."),
        ("abc", "JPY", "Enter an amount such as 1250. Your account uses JPY."),
        ("1000000000", "USD", "Enter an amount below 1 billion."),
        ("(5)", "USD", "Enter the amount without a minus sign."),
    ],
)
def test_a_message_suggests_only_what_will_be_accepted(text, currency, message):
    with pytest.raises(AmountError) as refusal:
        parse_amount(text, currency)

    assert error_message(refusal.value) == message


def test_amounts_to_edit_and_in_errors_have_the_decimal_separator_of_the_number_format():
    assert field_amount(Decimal("1234.5"), "EUR", DE) == "1234,50"
    assert field_amount(Decimal("1234.5"), "EUR", EN) == "1234.50"
    assert field_amount(Decimal("1234"), "JPY", DE) == "1234"
    for text, currency, amount in (
        *(("", "EUR", "12,50"), ("10/3", "EUR", "3,33"), ("3-4.5", "EUR", "-1,50"), ("1,5*1,55", "EUR", "2,325")),
        *(("5*1.200", "EUR", "1,2000"), ("1.234", "KWD", "1,234")),
    ):
        with pytest.raises(AmountError) as refusal:
            parse_amount(text, currency, DE)
        assert amount in refusal.value.values.values()


@given(
    st.text("0123456789.,*/+-()'", max_size=14),
    st.sampled_from(["JPY", "USD", "KWD"]),
    st.sampled_from([None, EN, DE]),
)
def test_a_suggested_amount_is_accepted(text, currency, locale):
    try:
        parse_amount(text, currency, locale)
    except AmountError as refusal:
        if refusal.code == "result_not_exact":
            parse_amount(refusal.values["amount"], currency, locale)


def test_a_minus_sign_stands_before_the_digits_in_every_direction():
    written = {name: format_amount(Decimal("-59.90"), "USD", Locale.parse(name)) for name in ("ar_EG", "en_US")}

    # The mark before the sign is one from left to right.
    assert written == {"ar_EG": "\u200f\u200e\u221259.90\u00a0US$", "en_US": "\u2212$59.90"}
