"""Sentences for the errors that the ledger raises."""

from flask_babel import gettext, lazy_gettext, ngettext

from ledger.errors import LedgerError

MESSAGES = {
    # Amounts
    "amount_missing": lazy_gettext("Enter an amount such as %(example)s."),
    "amount_too_long": lazy_gettext("Enter a shorter amount, such as %(example)s."),
    "amount_with_minus": lazy_gettext("Enter the amount without a minus sign."),
    "amount_negative": lazy_gettext("This adds up to %(amount)s. Enter an amount above zero."),
    "amount_too_large": lazy_gettext("Enter an amount below 1 billion."),
    "amount_zero": lazy_gettext("Enter an amount other than zero."),
    "not_an_amount": lazy_gettext("Enter an amount such as %(example)s. Your account uses %(currency)s."),
    "amount_grouped": lazy_gettext("Are these thousands? Then write %(amount)s."),
    "amount_ambiguous": lazy_gettext("Are these thousands or decimals? Write %(amount)s or %(other)s."),
    "result_not_exact": lazy_gettext("The result is not exact. If you mean %(amount)s, enter that."),
    "division_by_zero": lazy_gettext("Nothing can be divided by zero. Correct the calculation."),
    "currency_changed": lazy_gettext(
        "Nothing was saved, because your currency was just changed. Go back, check the amount and try again."
    ),
    # Categories
    "category_gone": lazy_gettext("This category does not exist any more. Choose another one."),
    "category_in_use": lazy_gettext("%(name)s is in use. Merge it into another category, or archive it."),
    "category_name_reserved": lazy_gettext("Use another name."),
    "category_name_taken": lazy_gettext(
        "There is already a category %(name)s. Use another name, or merge the two."
    ),
    "last_category": lazy_gettext("Keep at least one category."),
    "too_many_categories": lazy_gettext("You have %(maximum)s categories already. Merge or delete some first."),
    # Dates
    "date_missing": lazy_gettext("Enter a date."),
    "not_a_date": lazy_gettext("Enter the date as year-month-day, for example 2026-03-31."),
    "date_out_of_range": lazy_gettext("Enter a date between %(first_year)s and %(last_year)s."),
    "not_a_month": lazy_gettext("Enter the month as year-month, for example 2026-03."),
    "not_a_period": lazy_gettext("There is no such period. Choose one from the list."),
    # Statements
    "empty": lazy_gettext("The file is empty."),
    "not_text": lazy_gettext("The file is no statement. Choose a CSV, OFX, QIF, CAMT or MT940 file."),
    "no_lines": lazy_gettext("The file holds no transactions."),
    "unknown_columns": lazy_gettext("The file has no columns for the date and the amount."),
    "unknown_xml": lazy_gettext("The file is XML, but not a bank statement (CAMT) or OFX."),
    "broken_xml": lazy_gettext(
        "The XML of the file breaks off or is damaged at line %(line)s. Download it again."
    ),
    "forbidden_xml": lazy_gettext("The XML of the file defines entities, which statements never do."),
    "workbook": lazy_gettext("The file is a workbook. Save it as CSV and choose the CSV file."),
    "archive": lazy_gettext("The file is compressed. Unpack it and choose the file inside."),
    "web_page": lazy_gettext("The file is a web page. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "pdf": lazy_gettext("The file is a PDF. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "picture": lazy_gettext("The file is a picture. Download the statement as CSV, OFX, QIF, CAMT or MT940."),
    "too_large": lazy_gettext("The file is larger than %(limit)s bytes. Split it or choose a shorter period."),
    "too_many_lines": lazy_gettext("The file has more than %(limit)s lines. Split it or choose a shorter period."),
    "too_many_columns": lazy_gettext("Line %(line)s has too many columns for a statement."),
    "field_too_long": lazy_gettext("Line %(line)s has a field that is too long for a statement."),
    # Limits
    "too_many_recurring": lazy_gettext(
        "You have %(limit)s recurring expenses, which is the limit. Add this expense without repeating it."
    ),
}


def error_message(error: LedgerError) -> str:
    """Return the sentence that tells a user how to correct an error."""
    if error.code in {"amount_too_precise", "result_too_precise"}:
        return _precision_message(**error.values)
    return str(MESSAGES[error.code]) % error.values


def _precision_message(currency: str, digits: int, amount: str | None = None) -> str:
    """Return how many decimals an amount may have, after the result of a calculation."""
    if not digits:
        limit = gettext("Amounts in %(currency)s have no decimals.", currency=currency)
    else:
        limit = ngettext(
            "Amounts in %(currency)s have at most %(num)d decimal.",
            "Amounts in %(currency)s have at most %(num)d decimals.",
            digits,
            currency=currency,
        )
    if amount is None:
        return limit
    return gettext("This adds up to %(amount)s. %(limit)s", amount=amount, limit=limit)
