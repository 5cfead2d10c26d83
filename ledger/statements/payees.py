"""Payees as they are compared: the same shop has the same key, whatever the bank writes around its name."""

from functools import lru_cache

from ledger.statements.text import fold

# Words that banks write into the text of many bookings, in several languages.
STOCK_WORDS = frozenset(
    """
    card purchase payment pos debit credit visa mastercard maestro transaction transfer direct ref reference
    contactless withdrawal atm
    kartenzahlung lastschrift girocard zahlung basislastschrift sepa uberweisung ueberweisung dauerauftrag
    folgelastschrift einzug karte
    kaufumsatz mandat mandatsref glaubiger end to iban bic eref mref cred svwz kref abwa sagt danke
    carte cb paiement achat facture prlv prelevement virement vir retrait
    betaalautomaat pin betaling incasso overboeking pasvolgnr
    compra pago tarjeta recibo transferencia pagamento carta pagobancomat bonifico addebito
    platba kartou karta zakup platnosc przelew
    kortkop kop kort betalning
    """.split()  # noqa: SIM905 - a long list of words is harder to read.
)


@lru_cache(maxsize=8192)
def payee_key(text: str) -> str:
    """Return a payee without digits, references and stock words; the text itself if nothing else is left of it."""
    folded = fold(text)
    return " ".join(filter(_is_name, folded.split())) or folded


@lru_cache(maxsize=8192)
def _is_name(word: str) -> bool:
    return len(word) > 1 and word not in STOCK_WORDS and not any(map(str.isdigit, word))
