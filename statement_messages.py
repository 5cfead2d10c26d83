"""Sentences about the lines of statements: why one is left out, cannot be read, or may be here already."""

from flask_babel import lazy_gettext

REASONS = {
    # Left out
    "money_in": lazy_gettext("money in"),
    "refund": lazy_gettext("refund"),
    "currency": lazy_gettext("another currency"),
    "transfer": lazy_gettext("transfer between accounts"),
    "payment": lazy_gettext("payment between people"),
    "payee_left_out": lazy_gettext("payee left out"),
    # No bookings
    "pending": lazy_gettext("pending"),
    "cancelled": lazy_gettext("cancelled"),
    "balance": lazy_gettext("balance"),
    "total": lazy_gettext("total"),
    "no_booking": lazy_gettext("not a transaction"),
    "no_amount": lazy_gettext("no amount"),
    "neutral": lazy_gettext("neither in nor out"),
    "double": lazy_gettext("other half of a transaction"),
    "zero": lazy_gettext("amount of zero"),
    # Unreadable
    "date": lazy_gettext("the date cannot be read"),
    "amount": lazy_gettext("the amount cannot be read"),
    "two_amounts": lazy_gettext("there are two amounts"),
    "direction": lazy_gettext("the direction cannot be read"),
    "quote": lazy_gettext("a quotation mark is not closed"),
    "amount_too_large": lazy_gettext("the amount is too large"),
    "amount_too_precise": lazy_gettext("the amount has too many decimals"),
    # Here already
    "same": lazy_gettext("already imported"),
    "same_id": lazy_gettext("already imported, with the same bank reference"),
    "deleted": lazy_gettext("imported before; you deleted the expense"),
    "seen": lazy_gettext("in an earlier file; left out there"),
    "reworded": lazy_gettext("possibly a line that was imported before"),
    "typed": lazy_gettext("possibly an expense that is here already"),
}
OTHER_REASON = lazy_gettext("cannot be read")


def reason_text(code: str) -> str:
    """Return why a line is left out, in a few words; nothing if there is no reason."""
    return str(REASONS.get(code, OTHER_REASON)) if code else ""
