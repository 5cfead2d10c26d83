"""Bank statements and exports of other trackers, read into lines."""

import time
import tracemalloc
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import app as application
from ledger.csv_export import HEADER, escape_formula
from ledger.statements import Layout, Limits, Person, State, StatementError, widths
from ledger.statements.payees import payee_key
from ledger.statements.reader import read_statement
from messages import error_message
from text import clean_text

TODAY = date(2026, 11, 27)


def read(text, encoding="utf-8", layout=None, **person):
    content = text if isinstance(text, bytes) else text.encode(encoding)
    return read_statement(content, today=TODAY, person=Person(**person), layout=layout)


def booked(statement):
    return [(line.date.isoformat(), str(line.amount)) for line in statement.in_state(State.BOOKED)]


def states(statement):
    return [(line.state.value, line.reason) for line in statement.lines]


def asked(statement):
    return {question.name: question.default for question in statement.questions}


# --- Days


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["03/04/2026", "13/04/2026"], ["2026-04-03", "2026-04-13"]),
        (["03/04/2026", "03/14/2026"], ["2026-03-04", "2026-03-14"]),
        (["2026.04.19.", "2026.04.20."], ["2026-04-19", "2026-04-20"]),
        (["20260213", "20260214"], ["2026-02-13", "2026-02-14"]),
        (["04 Nov 2009", "10-Nov-09"], ["2009-11-04", "2009-11-10"]),
        (["31.12.25 23:59:59", "1.1.26"], ["2025-12-31", "2026-01-01"]),
        (["2026-01-02T22:30:00+01:00", "2026-01-03 00:00"], ["2026-01-02", "2026-01-03"]),
        (["12. März 2026", "3. Mai 2026"], ["2026-03-12", "2026-05-03"]),
        (["12 martie 2026", "3 Mayıs 2026", "1 января 2026"], ["2026-03-12", "2026-05-03", "2026-01-01"]),
        (["2026年1月2日", "2026年12月31日"], ["2026-01-02", "2026-12-31"]),
    ],
)
def test_a_column_of_days_is_read_in_the_order_that_fits_all_of_it(cells, days):
    statement = read("Date;Text;Amount\n" + "".join(f"{cell};shop;-1.00\n" for cell in cells))

    assert [line.date.isoformat() for line in statement.lines] == days
    assert asked(statement) == {}


@pytest.mark.parametrize(
    ("cell", "locale", "order"),
    [
        ("03/04/2026", "en_US", "mdy"),
        ("03/04/2026", "en_GB", "dmy"),
        ("03.04.2026", "en_US", "dmy"),
        ("03/12/2026", "en_GB", "mdy"),
    ],
)
def test_an_open_order_of_day_and_month_is_asked_about(cell, locale, order):
    statement = read(f"Date;Text;Amount\n{cell};shop;-1.00\n", locale=locale)

    assert asked(statement) == {"date": order}


def test_another_column_of_days_decides_as_well():
    statement = read("Booking date;Value date;Text;Amount\n03/04/2026;13/04/2026;shop;-1.00\n", locale="en_US")

    assert booked(statement) == [("2026-04-03", "-1.00")]
    assert asked(statement) == {}


def test_an_answer_is_kept_in_the_layout_and_not_asked_again():
    text = "Date;Text;Amount\n03/04/2026;shop;-1.00\n"

    first = read(text, layout=Layout(date="dmy"))
    again = read(text, layout=Layout.from_json(first.layout.to_json()))

    assert booked(first) == booked(again) == [("2026-04-03", "-1.00")]
    assert asked(first) == asked(again) == {}


@pytest.mark.parametrize("stored", ["[]", '{"date": 3, "columns": {"amount": -1, "x": "y"}, "other": 1}'])
def test_a_damaged_layout_answers_nothing(stored):
    assert Layout.from_json(stored) == Layout()


def test_a_day_that_does_not_exist_is_a_bad_line_and_stops_nothing():
    statement = read("Date,Text,Amount\n2026-02-30,a,-1.00\n1899-01-01,b,-1.00\n2026-03-01,c,-1.00\n")

    assert states(statement) == [("bad", "date"), ("bad", "date"), ("booked", "")]
    assert [line.line_number for line in statement.lines] == [2, 3, 4]
    assert statement.lines[0].raw == "2026-02-30,a,-1.00"


# --- Amounts


@pytest.mark.parametrize(
    ("cells", "amounts"),
    [
        (["-1.000", "-89,9"], ["-1000.0", "-89.9"]),
        (["-1,234.56", "-0.50"], ["-1234.56", "-0.50"]),
        (["($85.00)", "- $21.59", "$-3.00"], ["-85.00", "-21.59", "-3.00"]),
        (["-10,80 €", "-1 234,50 €", "-.46"], ["-10.80", "-1234.50", None]),
        (["12-", "−12.5", "-1'234.50"], ["-12.0", "-12.5", "-1234.50"]),
        (["-R 1 234.50", "R-45.30", "(R85.00)", "-R2,000"], ["-1234.50", "-45.30", "-85.00", "-2000.0"]),
        (["-R1.50", "-R850", "R123456"], ["-1.50", "-850.0", None]),
        (["$(1,085.00)", "(-$21.59)", "(-3.00)"], ["-1085.00", "-21.59", "-3.00"]),
        (["85,00 S", "21,59D", "3,00 H", "1D"], ["-85.00", "-21.59", "3.00", None]),
        (["-12,34,567.00", "-1.50"], ["-1234567.00", "-1.50"]),
        (["-1.00", "-12..34", "-1e5", "-١٢.٥٠", "NaN"], ["-1.00", None, None, None, None]),
        (["-1.00", "-1.999", "-1.500", "-" + 20 * "9"], ["-1.00", None, "-1.500", None]),
    ],
)
def test_the_whole_file_decides_the_decimal_separator(cells, amounts):
    statement = read("Date;Text;Amount\n" + "".join(f"2026-01-02;shop;{cell}\n" for cell in cells))

    read_amounts = [str(line.amount) if line.state is State.BOOKED else None for line in statement.lines]
    assert read_amounts == amounts
    assert asked(statement) == {}


def test_three_decimals_everywhere_are_asked_about():
    statement = read("Date;Text;Amount\n2026-01-02;shop;-29.000\n2026-01-03;shop;-1.500\n")

    assert "decimal" in asked(statement)
    answered = read("Date;Text;Amount\n2026-01-02;shop;-29.000\n", layout=Layout(decimal=","))
    assert booked(answered) == [("2026-01-02", "-29000.0")]


@pytest.mark.parametrize(
    "rows",
    [
        "2026-01-02;rent;850.00;\n2026-01-03;pay;;2100.00\n",
        "2026-01-02;rent;-850.00;0.00\n2026-01-03;pay;0.00;2100.00\n",
        "2026-01-02;rent;850,00;0,00\n2026-01-03;pay;;+2.100,00\n",
    ],
)
@pytest.mark.parametrize("header", ["Date;Text;Debit;Credit", "Datum;Text;Ausgang;Eingang", "日付;摘要;出金;入金"])
def test_two_columns_are_money_out_and_money_in(header, rows):
    statement = read(f"{header}\n{rows}")

    assert booked(statement) == [("2026-01-02", "-850.00"), ("2026-01-03", "2100.00")]
    assert asked(statement) == {}


@pytest.mark.parametrize(
    ("out", "into"), [("D", "K"), ("Af", "Bij"), ("DBIT", "CRDT"), ("支出", "收入"), ("S", "H")]
)
def test_a_column_of_directions_gives_the_sign(out, into):
    statement = read(f"Date,Text,Amount,Direction\n2026-01-02,a,5.00,{out}\n2026-01-03,b,7.00,{into}\n")

    assert booked(statement) == [("2026-01-02", "-5.00"), ("2026-01-03", "7.00")]
    assert asked(statement) == {}


def test_balances_prove_columns_without_names():
    statement = read(
        "02/13/2026,check,,20.00,480.00\n02/14/2026,pay,500.00,,980.00\n02/15/2026,rent,,80.00,900.00\n"
    )

    assert [amount for _, amount in booked(statement)] == ["-20.00", "500.00", "-80.00"]
    assert asked(statement) == {}


PAID = "26.02.2026;Jane;Shop;Card;-12,00\n25.02.2026;Firm;Jane;Wages;2000,00\n24.02.2026;Jane;Kiosk;Card;-7,00\n"


@pytest.mark.parametrize(
    "names",
    [
        "Zahlungspflichtige*r;Zahlungsempfänger*in",
        "Auftraggeber;Empfänger",
        "Maksaja;Saajan nimi",
        "Source name;Target name",
    ],
)
def test_the_payee_is_who_was_paid_and_of_money_in_who_paid(names):
    statement = read(f"Datum;{names};Text;Betrag\n{PAID}")

    assert [line.payee for line in statement.lines] == ["Shop", "Firm", "Kiosk"]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Counterparty;Name", "NL91ABNA0417164300;Shop"),
        ("Name;Counterparty name", "Jane;Shop"),
        ("Navn;Modtager", "Jane;Shop"),
        ("Auftraggeber;Text", "Shop;x"),
        ("Tegenrekeninghouder;Text", "Shop;x"),
    ],
)
def test_the_payee_is_no_number_of_an_account_and_not_its_owner(header, cells):
    assert read(f"Date;{header};Amount\n2026-02-26;{cells};-1.00\n").lines[0].payee == "Shop"


def test_the_number_of_the_account_that_pays_is_no_payee():
    line = read("Datum;Auftraggeberkonto;Text;Betrag\n26.02.2026;100000002;Shop;-1,00\n").lines[0]

    assert (line.payee, line.text) == ("", "Shop")


def test_accounts_of_the_other_side_are_not_those_of_the_statement():
    own, other = "DE02120300000000202051", "DE02500105170137075030"
    rows = f"2026-02-26;Shop;{other};-1.00\n2026-02-25;Bar;;-2.00\n"

    assert read(f"Date;Payee;IBAN;Amount\n{rows}").accounts == ()
    assert read(f"Date;Payee;IBAN;Amount\n{rows.replace(';;', f';{own};')}").accounts == ()
    assert read(f"Date;Payee;IBAN;Amount\n{rows.replace(other, own).replace(';;', f';{own};')}").accounts == (own,)


def test_a_column_that_can_be_a_day_by_its_name_is_a_text_if_it_holds_one():
    statement = read("Buchungstag;Vorgang;Buchungstext;Betrag\n27.02.2026;Visa-Umsatz;Shop;-3,00\n")

    assert statement.lines[0].text == "Visa-Umsatz Shop"


def test_spending_without_a_minus_is_asked_about_once():
    text = "Transaction date,Merchant,Amount\n2026-01-02,a,5.00\n2026-01-03,b,7.00\n2026-01-04,thank you,-12.00\n"

    first = read(text)
    again = read(text, layout=first.layout)

    assert asked(first) == {"sign": "plus"}
    assert asked(again) == {}
    assert [amount for _, amount in booked(again)] == ["-5.00", "-7.00", "12.00"]


SIGNED = "2026-01-02,a,-5.00\n2026-01-03,b,7.00\n2026-01-04,c,-2.00\n2026-01-05,d,1.00\n"


@pytest.mark.parametrize(
    ("rows", "question"),
    [
        (SIGNED, "minus"),
        (SIGNED.replace("a,", "Payment - thank you,"), "plus"),
        (SIGNED.replace("b,", "Salary,"), "minus"),
        (SIGNED + "2026-01-06,e,-3.00\n", "minus"),
    ],
)
def test_signs_that_nothing_proves_are_asked_about_once(rows, question):
    first = read(f"Date,Description,Amount\n{rows}")
    again = read(f"Date,Description,Amount\n{rows}", layout=first.layout)

    assert asked(first) == {"sign": question}
    assert asked(again) == {}
    assert booked(again) == booked(first)
    assert booked(first)[0] == ("2026-01-02", "5.00" if question == "plus" else "-5.00")


@pytest.mark.parametrize(
    "text",
    [
        # Salary twice, twice as many with a minus, a plus that is written, and a balance.
        "Date,Description,Amount\n" + SIGNED.replace("b,", "Salary,").replace("d,", "Salary,"),
        f"Date,Description,Amount\n{SIGNED}2026-01-06,e,-3.00\n2026-01-07,f,-3.00\n",
        "Date,Description,Amount\n" + SIGNED.replace("7.00", "+7.00").replace("1.00", "+1.00"),
        "Date,Text,Amount,Balance\n2026-01-02,a,-5.00,95.00\n2026-01-03,b,7.00,102.00\n2026-01-04,c,-2.00,100.00\n",
    ],
)
def test_signs_that_a_file_proves_are_not_asked_about(text):
    statement = read(text)

    assert asked(statement) == {}
    assert booked(statement)[0] == ("2026-01-02", "-5.00")


def test_a_dollar_is_not_relabelled_in_an_account_in_euros():
    statement = read("Date,Text,Amount\n2026-01-02,shop,-$5.00\n", currency="EUR")

    assert asked(statement) == {"currency": "USD"}
    assert statement.lines[0].currency == "USD"


# --- Files


def test_preamble_and_footer_are_kept_apart_and_the_account_is_found():
    statement = read(
        "Account statement;Jane\nIBAN;DE02 1203 0000 0000 2020 51\n\nBooking date;Purpose;Amount (EUR)\n"
        "14.01.2026;coffee;-3,00\n14.01.2026;coffee;-3,00\n;;\nPrinted on paper\n"
    )

    assert booked(statement) == [("2026-01-14", "-3.00"), ("2026-01-14", "-3.00")]
    assert statement.accounts == ("DE02120300000000202051",)
    assert statement.currency == "EUR"
    assert statement.preamble == ("Account statement;Jane", "IBAN;DE02 1203 0000 0000 2020 51")
    assert statement.footer == ("Printed on paper",)


def test_rows_that_are_no_bookings_are_left_out_and_pending_ones_wait():
    statement = read(
        "Date,Text,Status,Amount\n2026-01-01,Opening balance,,100.00\n2026-01-02,a,Pending,-1.00\n"
        "Pending,b,,-2.00\n2026-01-03,c,Declined,-3.00\n2026-01-04,d,Booked,-4.00\n,Total,,-4.00\n"
    )

    assert states(statement) == [
        ("left_out", "balance"),
        ("pending", "pending"),
        ("pending", "pending"),
        ("left_out", "cancelled"),
        ("booked", ""),
        ("left_out", "total"),
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('"Date,Text,Amount"\n"2026-01-02,shop,-5.00"\n', [("2026-01-02", "-5.00")]),
        (
            "Date,Text,Amount,Fee,Balance\n2026-01-02,a,-3.00,0,95.00\n2026-01-03,atm,-4.00,1.00,90.00\n",
            [("2026-01-02", "-3.00"), ("2026-01-03", "-5.00")],
        ),
        (
            "Buchung;Text;Betrag;Info\n14.01.26;a;-5,00;Umsatz vorgemerkt\n15.01.26;b;-6,00;x\n",
            [("2026-01-15", "-6.00")],
        ),
        (
            "交易时间,商品,收/支,金额(元)\n2026-01-02 10:00:00,a,支出,¥5.00\n2026-01-02 11:00:00,b,/,¥6.00\n",
            [("2026-01-02", "-5.00")],
        ),
        ("Date;Text;Amount;Balance\n2026-01-02;a;-5,00;95.00\n", [("2026-01-02", "-5.00")]),
        (
            "Date;Debit;Credit;Single amount\n2026-01-02;5.00;;\n2026-01-03;;7.00;\n",
            [("2026-01-02", "-5.00"), ("2026-01-03", "7.00")],
        ),
    ],
    ids=["quoted lines", "fee", "pending in any column", "neutral", "two separators", "empty amount"],
)
def test_habits_of_single_banks_are_known(text, lines):
    statement = read(text)

    assert booked(statement) == booked(read(text, layout=statement.layout)) == lines
    assert asked(statement) == {}


READINGS = {
    "pending in a state": (
        "Data;Entrate;Uscite;Descrizione;Stato\n20/01/2026;;-12,00;bar;Contabilizzato\n"
        "21/01/2026;50,00;;x;Contabilizzato\n22/01/2026;;-9,90;y;Autorizzato\n",
        [("2026-01-20", "-12.00"), ("2026-01-21", "50.00")],
    ),
    "pending instead of a day": (
        "Buchungstag;Text;Betrag\noffen;a;-5,00\n15.01.2026;b;-6,00\n",
        [("2026-01-15", "-6.00")],
    ),
    "balance before the booking": (
        "05-01-2026,shop,1000.00,-23.45\n06-01-2026,boss,976.55,2000.00\n25-01-2026,rent,2976.55,-800.00\n",
        [("2026-01-05", "-23.45"), ("2026-01-06", "2000.00"), ("2026-01-25", "-800.00")],
    ),
    "balance before the booking, latest first": (
        "25-01-2026,rent,2976.55,-800.00\n06-01-2026,boss,976.55,2000.00\n05-01-2026,shop,1000.00,-23.45\n",
        [("2026-01-25", "-800.00"), ("2026-01-06", "2000.00"), ("2026-01-05", "-23.45")],
    ),
    "one column named after both sides": (
        "Booked at;Text;Credit/Debit amount\n2026-01-15;a;-12.35\n2026-01-16;b;3000.00\n2026-01-17;c;-5.00\n",
        [("2026-01-15", "-12.35"), ("2026-01-16", "3000.00"), ("2026-01-17", "-5.00")],
    ),
    "a side without a name": (
        "日付,内容,支払い金額,その他の金額\n2026-01-15,a,54.10,\n2026-01-25,b,,250.20\n",
        [("2026-01-15", "-54.10"), ("2026-01-25", "250.20")],
    ),
    "only money in is marked": (
        'Date,Description,Amount\n15/01/2026,a,450.00\n16/01/2026,b,"5,000.00 Cr"\n',
        [("2026-01-15", "-450.00"), ("2026-01-16", "5000.00")],
    ),
    "an amount abroad beside two columns": (
        "Purchase date;Text;Amount;Debit;Credit\n15.01.2026;a;10.00;9.00;\n16.01.2026;b;500.00;;450.00\n",
        [("2026-01-15", "-9.00"), ("2026-01-16", "450.00")],
    ),
    "a period above the header": (
        "Period;01.01.2026;31.01.2026\n#Date;#Text;#Amount\n15.01.2026;a;-49,90\n",
        [("2026-01-15", "-49.90")],
    ),
    "a booking above the header": (
        "Account 12;x;31/01/2026;1000,00\nDate;Text;Detail;Amount\n21/01/2026;a;b;-39,90\n",
        [("2026-01-21", "-39.90")],
    ),
    "the account in the first line": (
        "Giro;Giro;*1234;31/01/2026;1 234,56\n13/01/2026;Card;Payment;shop;-12,30\n"
        "15/01/2026;Card;Payment;bar;-8,00\n",
        [("2026-01-13", "-12.30"), ("2026-01-15", "-8.00")],
    ),
    "only money in has a plus": (
        "Дата;Описание;Сумма\n15.01.2026;a;450,00\n16.01.2026;b;+50 000,00\n",
        [("2026-01-15", "-450.00"), ("2026-01-16", "50000.00")],
    ),
    "a column for what is pending": (
        "Date,Text,Amount,Pending\n2026-01-15,a,-5.00,false\n2026-01-16,b,-6.00,true\n",
        [("2026-01-15", "-5.00")],
    ),
    "a fee beside two columns": (
        "Date,Text,Money in,Money out,Fee,Balance\n2026-01-15,a,,-5.00,,95.00\n2026-01-16,b,9.00,,,104.00\n"
        "2026-01-17,atm,,-4.00,-1.00,99.00\n",
        [("2026-01-15", "-5.00"), ("2026-01-16", "9.00"), ("2026-01-17", "-5.00")],
    ),
    "amounts in rand": (
        'Date,Text,Debit,Credit,Balance\n16 March 2026,a,R45.30,,"R2,954.70"\n'
        '13 March 2026,b,,"R 2,000.00","R3,000.00"\n',
        [("2026-03-16", "-45.30"), ("2026-03-13", "2000.00")],
    ),
    "the day that a late booking counts from": (
        "Date,Text,Amount\n03/13/2026 as of 03/12/2026,a,-5.00\n03/14/2026,b,-7.50\nTransactions Total,,-12.50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "the day of the purchase behind that of the booking": (
        "Date Processed,Date of Transaction,Text,Amount\n2026/03/16,2026/03/14,a,-5.00\n",
        [("2026-03-14", "-5.00")],
    ),
    "funds out and in": (
        "Date,Text,Funds Out,Funds In\n03/16/2026,a,45.30,\n03/13/2026,b,,2000.00\n",
        [("2026-03-16", "-45.30"), ("2026-03-13", "2000.00")],
    ),
    "a balance at the start of a file for all accounts": (
        "ALL,012345678,Jane,Prestige\nOPEN,20260228,,1000.00,OPEN BALANCE\nHIST,20260313,,+5.00,a\n"
        "HIST,20260316,##,-45.30,b\nCLOSE,20260331,,959.70,CLOSE BALANCE\n",
        [("2026-03-13", "5.00"), ("2026-03-16", "-45.30")],
    ),
    "columns named after the sign of a currency": (
        "Date,Text,Debit (R),Credit (R)\n2026-02-26,a,5.00,\n2026-02-25,b,,7.00\n2026-02-24,c,,9.00\n",
        [("2026-02-26", "-5.00"), ("2026-02-25", "7.00"), ("2026-02-24", "9.00")],
    ),
    "a code of the bookkeeping before the amount": (
        "Date,Nominal Code,Text,Amount\n2026-02-26,7502,a,-5.00\n2026-02-25,7400,b,-7.00\n",
        [("2026-02-26", "-5.00"), ("2026-02-25", "-7.00")],
    ),
    "a price as the only amount": (
        "Date,Item,Kind,Price\n03/16/2026,a,x,-$4.30\n03/14/2026,b,y,-$2.80\n",
        [("2026-03-16", "-4.30"), ("2026-03-14", "-2.80")],
    ),
    "directions in Greek": (
        "Ημερομηνία;Αιτιολογία;Ποσό;Πρόσημο\n15/01/2026;a;25,50;Χ\n16/01/2026;b;1.200,00;Π\n",
        [("2026-01-15", "-25.50"), ("2026-01-16", "1200.00")],
    ),
    "a time behind a hyphen": (
        "Date;Text;Amount\n15/01/2026-10:00:00;a;-5,00\n",
        [("2026-01-15", "-5.00")],
    ),
    "the day of the purchase, not of the booking": (
        "Transaktionsdatum;Buchungsdatum;Text;Amount\n15.01.2026;16.01.2026;a;-5,00\n",
        [("2026-01-15", "-5.00")],
    ),
    "a currency abroad before the one of the amount": (
        "Date;Text;Original amount;Original currency;Amount;Currency\n2026-01-15;a;-10,00;USD;-9,00;EUR\n",
        [("2026-01-15", "-9.00")],
    ),
    "a currency abroad beside an amount that names its own": (
        "Date,Text,Amount (EUR),Original amount,Currency\n2026-01-15,a,-9.00,-10.00,USD\n2026-01-16,b,5.00,,\n"
        "2026-01-17,c,-1.00,,\n",
        [("2026-01-15", "-9.00"), ("2026-01-16", "5.00"), ("2026-01-17", "-1.00")],
    ),
    "long numbers beside two columns": (
        "取引日,入出金明細ＩＤ,受入金額（円）,払出金額（円）,詳細\n20260115,202601150001,,2000,a\n"
        "20260116,202601160001,5000,,b\n",
        [("2026-01-15", "-2000.0"), ("2026-01-16", "5000.0")],
    ),
    "opening and closing balance without names": (
        "123\tEUR\t20260115\t1000,00\t976,55\t20260115\t-23,45\ta\n"
        "123\tEUR\t20260116\t976,55\t1976,55\t20260116\t1000,00\tb\n",
        [("2026-01-15", "-23.45"), ("2026-01-16", "1000.00")],
    ),
    "formulas of a spreadsheet": (
        'sep=;\n="Date";="Text";="Amount"\n="15.01.2026";="a";"-1.234,50"\n',
        [("2026-01-15", "-1234.50")],
    ),
    "a pending line between balances": (
        "Date,Text,Amount,Fee,State,Balance\n2026-01-15,a,-5.00,0,done,95.00\n2026-01-16,b,-6.00,0,pending,\n"
        "2026-01-17,c,-4.00,0.50,done,90.50\n",
        [("2026-01-15", "-5.00"), ("2026-01-17", "-4.50")],
    ),
    "Turkish debit and credit": (
        'Tarih,Açıklama,Borç,Alacak\n15.01.2026,a,"89,90",\n16.01.2026,b,,"1.000,00"\n',
        [("2026-01-15", "-89.90"), ("2026-01-16", "1000.00")],
    ),
    "an amount abroad with its currency before that of the account": (
        "Data;Szczegóły;Kwota operacji;Waluta operacji;Kwota w walucie rachunku;Waluta rachunku\n"
        "15-01-2026;a;-10,00;USD;-43,20;EUR\n16-01-2026;b;5000,00;EUR;5000,00;EUR\n17-01-2026;c;-1,00;EUR;-1,00;EUR\n",
        [("2026-01-15", "-43.20"), ("2026-01-16", "5000.00"), ("2026-01-17", "-1.00")],
    ),
    "year, month and day in columns of their own": (
        "操作日(年),操作日(月),操作日(日),操作時刻(時),摘要,お支払金額,お預り金額,残高\n"
        "2026,3,5,12,a,1200,,98800\n2026,12,15,2,b,,250000,348800\n",
        [("2026-03-05", "-1200.0"), ("2026-12-15", "250000.0")],
    ),
    "the total of each day": (
        "Date,Text,Amount\n2026-01-15,a,-5.00\nTotal for 2026-01-15,,-5.00\n2026-01-16,b,-1.00\n"
        ",Total for 2026-01-16,-1.00\nTotal for 2026-01-16,,-6.00\n",
        [("2026-01-15", "-5.00"), ("2026-01-16", "-1.00")],
    ),
    "thousands beside amounts without decimals": (
        'Date,Text,Amount\n2026-01-15,a,"-1,200"\n2026-01-16,b,-350\n',
        [("2026-01-15", "-1200.0"), ("2026-01-16", "-350.0")],
    ),
    "Ukrainian income and expenses": (
        "Дата;Опис;Надходження;Витрати\n15.01.2026;a;;100,50\n16.01.2026;b;5000,00;\n",
        [("2026-01-15", "-100.50"), ("2026-01-16", "5000.00")],
    ),
    "directions in Ukrainian": (
        "Дата;Сума;Тип операції;Призначення\n15.01.2026;100,50;Дебет;a\n16.01.2026;5000,00;Кредит;b\n",
        [("2026-01-15", "-100.50"), ("2026-01-16", "5000.00")],
    ),
    "Chinese out and in of Taiwan": (
        "交易日期,說明,提出,存入,餘額\n2026/01/15,a,12.5,,98.5\n2026/01/16,b,,50.5,149\n",
        [("2026-01-15", "-12.5"), ("2026-01-16", "50.5")],
    ),
    "Arabic out and in": (
        "تاريخ,تفاصيل,سحب,إيداع,رصيد\n15/01/2026,a,125.50,,874.50\n16/01/2026,b,,1000.00,1874.50\n",
        [("2026-01-15", "-125.50"), ("2026-01-16", "1000.00")],
    ),
    "Japanese out and in": (
        "お取り引き日,摘要,お引き出し額,お預け入れ額,差し引き残高\n2026年1月15日,a,1200,,98800\n"
        "2026年1月16日,b,,5000,103800\n",
        [("2026-01-15", "-1200.0"), ("2026-01-16", "5000.0")],
    ),
    "dashes where there is no amount": (
        "Date,Text,Debit,Credit\n13-MAR-26,a,45.30,-\n12-MAR-26,b,-,100.00\n14-MAR-26,c,5.00,N/A\n",
        [("2026-03-13", "-45.30"), ("2026-03-12", "100.00"), ("2026-03-14", "-5.00")],
    ),
    "directions in Hungarian": (
        "1;T;5450;20260313;994550;a\n1;J;1000000;20260312;1000000;b\n",
        [("2026-03-13", "-5450.0"), ("2026-03-12", "1000000.0")],
    ),
    "amounts of expenses and of income": (
        "Date,Tags,Expense amount,Income amount,In main currency\n"
        "3/13/26,a,12.30,0,12.30\n3/14/26,b,0,90.00,90.00\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "90.00")],
    ),
    "income and expenses by a word": (
        "Date\tNote\tAmount\tIncome/Expense\n2026-03-13\ta\t12.30\tExp.\n2026-03-14\tb\t90.00\tIncome\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "90.00")],
    ),
    "a fee before the amount": (
        "ID,Direction,Created on,Source fee amount,Source amount (after fees)\n"
        "1,OUT,2026-03-13,0.00,12.30\n2,IN,2026-03-14,0.00,90.00\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "90.00")],
    ),
    "an empty column that could be one of days": (
        "Timestamp,Tag,Text,Amount\n2026-03-13 00:00:00,,a,-12.30\n",
        [("2026-03-13", "-12.30")],
    ),
    "a balance above the header, with a header of its own": (
        "Date;Account;Balance\n31/03/2026;Giro;1.234,56\nDate;Text;Amount\n13/03/2026;a;-5,00\n14/03/2026;b;-7,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "balances above a header of unknown words": (
        "01/03/2026;Giro;1.000,00\n31/03/2026;Giro;987,50\nXyz;Foo;Bar\n13/03/2026;a;-5,00\n14/03/2026;b;-7,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "a balance far above the header": (
        "31/03/2026;Giro;1.234,56\na;b\nc;d\ne;f\ng;h\ni;j\nDate;Foo;Text;Amount\n13/03/2026;x;a;-5,00\n",
        [("2026-03-13", "-5.00")],
    ),
    "a title whose day is written differently": (
        '2026-03-20,01-03-2026,Jane,EUR,"1000,00","954,70"\n13-03-2026,12-03-2026,a,,"-45,30","954,70"\n'
        '14-03-2026,14-03-2026,b,,"-4,70","950,00"\n15-03-2026,15-03-2026,c,,"-50,00","900,00"\n',
        [("2026-03-13", "-45.30"), ("2026-03-14", "-4.70"), ("2026-03-15", "-50.00")],
    ),
    "balances of a day": (
        "Datum;Text;Betrag\n28.02.2026;Saldo per 28.02.2026;100,00\n13.03.2026;a;-5,00\n"
        "14.03.2026;New Balance;-7,50\n31.03.2026;Ending balance as of March 31, 2026;87,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "balances of a day, with accents": (
        "Datum;Text;Částka\n01.03.2026;Počáteční zůstatek k 1.3.2026;100,00\n13.03.2026;a;-5,00\n"
        "14.03.2026;b;-7,50\n31.03.2026;Zůstatek k 31.03.2026;87,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "a balance at the end": (
        "Datum;Text;Betrag\n13.03.2026;a;-5,00\n14.03.2026;b;-7,50\n31.03.2026;Saldo;87,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "a balance without words": (
        "13/03/2026;-5,00;Card;;a;12;x\n14/03/2026;-7,50;Card;;b;12;x\n20/03/2026;1234,56;;;12345678\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "a total with a day": (
        "Date;Text;Amount\n13/03/2026;Total;-5,00\n14/03/2026;b;-7,50\n31/03/2026;Total;-12,50\n",
        [("2026-03-13", "-5.00"), ("2026-03-14", "-7.50")],
    ),
    "a decimal comma without quotes": (
        "Datum,Tekst,Ud,Ind,Saldo\n13-03-2026,a,12,30,,1.987,70\n14-03-2026,b,,1.000,00,2.987,70\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "1000.00")],
    ),
    "a decimal comma without quotes and names": (
        "13.03.2026,a,-12,30\n14.03.2026,b,-100,00\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "-100.00")],
    ),
    "commas without quotes in days, texts and amounts": (
        "Date,Text,Amount,Balance\nMar 13, 2026,a, London,-1,234,567.00,1,000.00\nMar 14, 2026,b,-1,000.50,-0.50\n"
        "Mar 15, 2026,c,-5.00,-5.50\n",
        [("2026-03-13", "-1234567.00"), ("2026-03-14", "-1000.50"), ("2026-03-15", "-5.00")],
    ),
    "a semicolon without quotes in a text": (
        "Datum;Partner;Text;Betrag;Saldo\n13.03.2026;a;b; c;-12,30;87,70\n14.03.2026;a;b;-7,70;80,00\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "-7.70")],
    ),
    "columns behind those with names": (
        "Date,Text,Amount\n13/03/2026,a,-12.30,87.70\n14/03/2026,b,-7.70,80.00\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "-7.70")],
    ),
    "fields in single quotes": (
        "'Date','Text','Amount'\n'13/03/2026','a, b','-12.30'\n'14/03/2026','','-7.70'\n",
        [("2026-03-13", "-12.30"), ("2026-03-14", "-7.70")],
    ),
    "only money in has a direction": (
        "Type~Date~Description~AMT~Debit / Credit\nDomestic~13/03/2026 10:11:12~a~450.00~\n"
        "Domestic~14/03/2026 00:00:00~b~5,000.00~Cr\n",
        [("2026-03-13", "-450.00"), ("2026-03-14", "5000.00")],
    ),
    "zeros beside a balance without names": (
        "2026.03.13 10:11:12,a,4500,0,995500\n2026.03.12 10:11:12,b,0,1000000,1000000\n",
        [("2026-03-13", "-4500.0"), ("2026-03-12", "1000000.0")],
    ),
    "an amount in local currency beside two columns": (
        "Date,Text,Debit Amount,Credit Amount,Currency,Transaction Type,Local Currency Amount,Local Currency\n"
        '13/03/26,a,"11.60",,EUR,"Debit","10.00",GBP\n13/03/26,b,,"1,000.00",EUR,"Credit","1,000.00",EUR\n',
        [("2026-03-13", "-11.60"), ("2026-03-13", "1000.00")],
    ),
    "amounts of debit and of credit": (
        "Date,Text,Amount Debit,Amount Credit,Fees\n03/13/2026,a,-12.30,,\n03/12/2026,b,,1000.00,\n",
        [("2026-03-13", "-12.30"), ("2026-03-12", "1000.00")],
    ),
    "not yet booked, in Italian": (
        "Data;Operazione;Contabilizzazione;Importo\n13/03/2026;a;CONTABILIZZATO;-5,00\n"
        "14/03/2026;b;NON CONTABILIZZATO;-3,00\n",
        [("2026-03-13", "-5.00")],
    ),
    "a title wider than the rows": (
        "Compte;Compte;****1234;27/02/2026;;1 234,56\n26/02/2026;Carte;Paiement;A;-23,45\n"
        "25/02/2026;Virement;Reçu;B;2 000,00\n24/02/2026;Prélèvement;SEPA;C;-60,00\n",
        [("2026-02-26", "-23.45"), ("2026-02-25", "2000.00"), ("2026-02-24", "-60.00")],
    ),
    "a column of zeros": (
        "26/02/2026;-23,45;Carte;;A;0;x\n25/02/2026;2000,00;Virement;;B;0;x\n24/02/2026;-60,00;SEPA;;C;0;x\n"
        "23/02/2026;-1,00;SEPA;;D;0;x\n22/02/2026;-2,00;SEPA;;E;0;x\n",
        [
            *(("2026-02-26", "-23.45"), ("2026-02-25", "2000.00"), ("2026-02-24", "-60.00")),
            *(("2026-02-23", "-1.00"), ("2026-02-22", "-2.00")),
        ],
    ),
    "an amount abroad of zeros before the amount": (
        "Date,Details,Intl.Amount,Amount(in Rs),BillingAmountSign\n26/02/2026,a,0,450.00,\n"
        "20/02/2026,b,0,5000.00,CR\n",
        [("2026-02-26", "-450.00"), ("2026-02-20", "5000.00")],
    ),
    "zeros in the first of two amounts": (
        "Date,Text,Amount due,Amount\n2026-02-26,a,0.00,-12.50\n2026-02-25,b,0.00,-7.50\n",
        [("2026-02-26", "-12.50"), ("2026-02-25", "-7.50")],
    ),
    "the period in columns of its own": (
        "IBAN;Datum von;Datum bis;Buchungsdatum;Text;Belastung;Gutschrift\n"
        "CH9300762011623852957;01.02.2026;28.02.2026;26.02.2026;a;23.45;\n"
        "CH9300762011623852957;01.02.2026;28.02.2026;25.02.2026;b;;2000.00\n",
        [("2026-02-26", "-23.45"), ("2026-02-25", "2000.00")],
    ),
    "a period among columns whose names are unknown": (
        "Období od;Období do;Zaúčtováno;Částka;Název\n01.02.2026;28.02.2026;26.02.2026;-123,45;a\n"
        "01.02.2026;28.02.2026;24.02.2026;-60,00;b\n",
        [("2026-02-26", "-123.45"), ("2026-02-24", "-60.00")],
    ),
    "the first day of a period as the only day": (
        "Date from,Text,Amount\n2026-02-26,a,-5.00\n2026-02-25,b,-7.00\n",
        [("2026-02-26", "-5.00"), ("2026-02-25", "-7.00")],
    ),
    "the day of the file in every row": (
        "Valuation date;Trade date;Text;Amount\n"
        + "".join(f"28.02.2026;2{day}.02.2026;a;-{day},00\n" for day in range(1, 6)),
        [(f"2026-02-2{day}", f"-{day}.00") for day in range(1, 6)],
    ),
    "a fee of any name that the balances prove": (
        "Date de début,Libellé,Montant,Frais,Solde\n2026-02-25,a,-23.45,0.00,976.55\n"
        "2026-02-26,b,2000.00,0.00,2976.55\n2026-02-27,c,-100.00,2.00,2874.55\n2026-02-28,d,-4.55,0.00,2870.00\n",
        [
            *(("2026-02-25", "-23.45"), ("2026-02-26", "2000.00")),
            *(("2026-02-27", "-102.00"), ("2026-02-28", "-4.55")),
        ],
    ),
    "a subtotal of a Japanese card": (
        "ご利用日,摘要,支払区分,出金\n2026/02/10,a,1回,1234\n2026/02/11,b,1回,5000\n【小計】,,,6234\n2026/02/12,c,1回,1\n",
        [("2026-02-10", "-1234.0"), ("2026-02-11", "-5000.0"), ("2026-02-12", "-1.0")],
    ),
    "the sums of both sides": (
        "Buchung;Text;Belastung;Gutschrift\n26.02.2026;a;23.45;\n25.02.2026;b;;500.00\n;;23.45;500.00\n",
        [("2026-02-26", "-23.45"), ("2026-02-25", "500.00")],
    ),
    "Italian debit and credit by a letter": (
        "Data;Importo;Causale;Segno\n26/02/2026;23,45;a;D\n25/02/2026;2.000,00;b;A\n",
        [("2026-02-26", "-23.45"), ("2026-02-25", "2000.00")],
    ),
    "debit and credit behind the amount": (
        'Tanggal,Keterangan,Cabang,Jumlah,Saldo\n\'26/02/2026,a,\'0000,"123,450.00 DB","4,876,550.00"\n'
        '\'27/02/2026,b,\'0000,"5,000,000.00 CR","9,876,550.00"\nMutasi Kredit : ,"5,000,000.00",1\n',
        [("2026-02-26", "-123450.00"), ("2026-02-27", "5000000.00")],
    ),
    "a refused and a reserved line in other languages": (
        "Bokföringsdag;Belopp;Text;Saldo;Status\n2026/02/26;-123,45;a;9876,55;\n2026/02/25;-1,00;b;10000,00;\n"
        "Reserverat;-50,00;c;;\n2026/02/26;-9,00;d;;Geweigerd\n2026/02/26;-9,00;d;;Rückgängig\n",
        [("2026-02-26", "-123.45"), ("2026-02-25", "-1.00")],
    ),
    "a pending line below balances of one day": (
        "Data;Opis;Kwota;Blokada;Saldo\n25.02.2026;a;-123,45;;4876,55\n25.02.2026;b;-5,00;;5000,00\n"
        "24.02.2026;c;-5,00;;5005,00\n27.02.2026;d;;-12,00;\n",
        [("2026-02-25", "-123.45"), ("2026-02-25", "-5.00"), ("2026-02-24", "-5.00")],
    ),
    "months written out between other words": (
        "Fecha;Concepto;Importe\n26 de febrero de 2026;a;-1,00\n3 de mai. de 2026;b;-2,00\n1er août 2026;c;-3,00\n"
        "2026. márc. 3.;d;-4,00\n26 Şub 2026;e;-5,00\n3 бер 2026;f;-6,00\n",
        [
            *(("2026-02-26", "-1.00"), ("2026-05-03", "-2.00"), ("2026-08-01", "-3.00")),
            *(("2026-03-03", "-4.00"), ("2026-02-26", "-5.00"), ("2026-03-03", "-6.00")),
        ],
    ),
    "years of emperors and wide digits": (
        '取引日,摘要,出金,入金\n令和8年2月26日,a,１２３４,\nR8.2.25,b,,"１００，０００"\n'
        "平成31年4月30日,c,5,\n令和元年5月1日,d,6,\n２０２６／０２／２４,ＡＢ１,7,\n",
        [
            *(("2026-02-26", "-1234.0"), ("2026-02-25", "100000.0"), ("2019-04-30", "-5.0")),
            *(("2019-05-01", "-6.0"), ("2026-02-24", "-7.0")),
        ],
    ),
    "years of Taiwan": (
        "交易日期,摘要,提,存\n115/02/26,a,123.5,\n民國115年2月25日,b,,5000\n115/2/24,c,7,\n",
        [("2026-02-26", "-123.5"), ("2026-02-25", "5000.0"), ("2026-02-24", "-7.0")],
    ),
    "years of Thailand": (
        "วันที่,รายการ,ถอน,ฝาก\n26/02/2569,a,123.45,\n25/02/2569,b,,5000.00\n2569-02-24,c,1.50,\n",
        [("2026-02-26", "-123.45"), ("2026-02-25", "5000.00"), ("2026-02-24", "-1.50")],
    ),
    "totals between": (
        "Datum;Text;Betrag\n15.01.2026;A;-10,00\n;Summe Januar;-10,00\n15.02.2026;C;-40,00\nSumme;;-50,00\n",
        [("2026-01-15", "-10.00"), ("2026-02-15", "-40.00")],
    ),
}


@pytest.mark.parametrize("kind", READINGS)
def test_a_table_is_read_as_its_bank_means_it(kind):
    text, lines = READINGS[kind]

    statement = read(text)

    assert booked(statement) == lines
    assert asked(statement) == {}
    assert statement.in_state(State.BAD) == []
    # As the next statement of this bank is read.
    assert booked(read(text, layout=statement.layout)) == lines


def test_a_column_of_both_signs_is_not_one_side_of_two():
    title = "Giro;Giro;*1234;31/03/2026;;976,60\n"
    statement = read(f"{title}15/03/2026;;;shop;-23,40\n16/03/2026;;;boss;100,00\n")

    assert booked(statement) == [("2026-03-15", "-23.40"), ("2026-03-16", "100.00")]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (
            "03/16/2026,a,45.30,,345.30\n03/15/2026,b,20.00,,300.00\n"
            "03/13/2026,Payment - thank you,,200.00,280.00\n",
            {"columns": "2,3"},
        ),
        (
            "Date,Text,Amount,Balance\n03/16/2026,a,45.30,345.30\n03/15/2026,b,20.00,300.00\n"
            "03/13/2026,Payment - thank you,-200.00,280.00\n",
            {"sign": "plus"},
        ),
    ],
    ids=["two columns", "one column"],
)
def test_a_balance_that_rises_with_spending_is_what_is_owed_on_a_card(text, question):
    statement = read(text)

    assert booked(statement) == [("2026-03-16", "-45.30"), ("2026-03-15", "-20.00"), ("2026-03-13", "200.00")]
    assert asked(statement) == question
    again = read(text, layout=statement.layout)
    assert (booked(again), asked(again)) == (booked(statement), {})


def test_a_nameless_column_with_few_minuses_may_hold_the_payments_of_a_card():
    statement = read("16 Mar 2026,a,,45.30\n13 Mar 2026,Direct debit,-300.00,\n12 Mar 2026,b,,2.80\n")

    assert [amount for _, amount in booked(statement)] == ["-45.30", "300.00", "-2.80"]
    assert asked(statement) == {"columns": "3,2"}
    few = read("16 Mar 2026,a,,45.30\n13 Mar 2026,b,-300.00,\n")
    assert ([amount for _, amount in booked(few)], asked(few)) == (["45.30", "-300.00"], {"columns": "2,3"})


def test_a_category_of_income_tells_what_a_minus_means():
    rows = "2026-03-16,a,Groceries,-45.30\n2026-03-13,b,Income: Work,2000.00\n2026-03-12,c,Other,20.00\n"
    turned = rows.replace(",2", ",-2").replace("-45", "45")

    assert asked(read("Date,Payee,Category,Amount\n" + rows)) == {"sign": "minus"}
    assert asked(read("Date,Payee,Category,Amount\n" + turned)) == {"sign": "plus"}


def test_a_day_that_a_list_writes_once_is_that_of_the_rows_below():
    rows = "3/16/2026,Groceries,-45.30\n,Bus,-2.80\n3/13/2026,Rent,-850.00\n,Coffee,-3.00\n"
    statement = read(f"Date,What,Amount\n{rows},,-5.00\n,Grand total,-906.10\n")

    assert booked(statement) == [
        ("2026-03-16", "-45.30"),
        ("2026-03-16", "-2.80"),
        ("2026-03-13", "-850.00"),
        ("2026-03-13", "-3.00"),
    ]
    assert states(statement)[4:] == [("bad", "date"), ("left_out", "total")]


def test_a_row_without_a_day_below_all_others_is_no_part_of_a_list():
    statement = read("Date,Text,Amount\n2026-02-26,a,-45.00\n2026-02-25,b,-6.00\n,Available credit,500.00\n")

    assert states(statement) == [("booked", ""), ("booked", ""), ("bad", "date")]


@pytest.mark.parametrize("column", ["Balance", "Status", "Transaction ID"])
def test_a_line_of_a_bank_without_a_day_is_named(column):
    statement = read(
        f"Date,Text,Amount,{column}\n3/16/2026,a,-45.30,95.00\n,b,-2.80,92.20\n3/13/2026,c,-1.00,1.00\n"
    )

    assert states(statement)[1] == ("bad", "date")


def test_an_answer_without_the_name_of_its_column_is_no_text():
    text = "Date,Payee,Amount,Reimbursable,Transfer,Time Zone\n2026-03-16,Shop,-5.00,no,false,Europe/London\n"
    statement = read(text + "2026-03-15,Savings,-7.00,no,true,Europe/London\n")

    assert [line.text for line in statement.lines] == ["Shop", "Savings"]
    assert states(statement) == [("booked", ""), ("booked", "transfer")]


def test_a_transfer_among_directions_is_proposed_to_be_left_out():
    rows = "Expense,2026-03-16,a,-5.00\nIncome,2026-03-15,b,9.00\nTransfer,2026-03-14,c,-7.00\n"

    assert states(read(f"Type,Date,Text,Amount\n{rows}")) == [
        ("booked", ""),
        ("booked", ""),
        ("booked", "transfer"),
    ]


@pytest.mark.parametrize("group", ["Category Group Name", "Parent Category"])
def test_a_category_is_told_from_its_group_and_an_account_from_its_type(group):
    statement = read(
        f"Date,Text,{group},Category,Account Type,Account,Amount\n2026-03-16,a,Food,Groceries,Cash,Wallet,-5.00\n"
    )

    assert [(line.category, line.account) for line in statement.lines] == [("Groceries", "Wallet")]


def test_the_cost_of_a_card_next_month_is_not_a_balance():
    statement = read("利用日,利用店名・商品名,利用金額,5月繰越残高\n2026/03/28,a,680,0\n", currency="JPY")

    assert asked(statement) == {"sign": "plus"}
    assert booked(statement) == [("2026-03-28", "-680.0")]


@pytest.mark.parametrize("cells", [["26.03.05", "26.03.06"], ["26-03-15"]])
def test_two_digits_of_a_year_in_front_are_asked_about(cells):
    statement = read("Date;Text;Amount\n" + "".join(f"{cell};shop;-1.00\n" for cell in cells), locale="de")

    assert asked(statement) == {"date": "ymd"}
    assert {line.date.year for line in statement.lines} == {2026}


@pytest.mark.parametrize("kind", [kind for kind in READINGS if "abroad" in kind and "currency" in kind])
def test_an_amount_keeps_its_own_currency_beside_that_of_a_purchase_abroad(kind):
    assert {line.currency for line in read(READINGS[kind][0]).lines} == {"EUR"}


@pytest.mark.parametrize("header", ["Date,Reference,Text,Amount\n", ""])
def test_a_reference_is_no_amount_in_rand(header):
    statement = read(f"{header}2026-02-26,R1234,a,-45.00\n2026-02-25,R1235,b,-6.00\n")

    assert [(str(line.amount), line.text) for line in statement.lines] == [
        ("-45.00", "R1234 a"),
        ("-6.00", "R1235 b"),
    ]
    assert (statement.currency, asked(statement)) == ("USD", {})
    assert read("Date,Text,Amount\n2026-02-26,a,R45\n2026-02-25,b,R1200\n").currency == "ZAR"


def test_a_currency_belongs_to_the_amount_abroad_if_it_changes_only_where_that_differs():
    statement = read(
        "Date;Text;Currency Amount;Currency;Amount\n2026-02-26;a;-123,45;NOK;-123,45\n"
        "2026-02-25;b;-10,00;USD;-105,00\n2026-02-24;c;500,00;NOK;500,00\n",
        currency="NOK",
    )

    assert [(str(line.amount), line.currency) for line in statement.lines][:2] == [
        ("-123.45", "NOK"),
        ("-105.00", "NOK"),
    ]


def test_a_fee_does_not_tell_which_currency_an_amount_has():
    statement = read(
        "Date,Name,Currency,Gross,Fee,Net\n2026-02-26,a,EUR,-9.99,0.00,-9.99\n2026-02-25,b,USD,100.00,-2.49,97.51\n"
        "2026-02-24,c,EUR,-5.00,0.00,-5.00\n",
        currency="EUR",
    )

    assert [line.currency for line in statement.lines] == ["EUR", "USD", "EUR"]


@pytest.mark.parametrize(
    ("header", "shekels", "dollars"),
    [("Amount", "-₪100.00", "-$10.00"), ("Amount,Currency", "-100.00,₪", "-10.00,$")],
)
def test_dollars_beside_other_currencies_are_not_relabelled(header, shekels, dollars):
    text = f"Date,Text,{header}\n2026-02-26,a,{shekels}\n2026-02-25,b,{dollars}\n2026-02-24,c,{shekels}\n"

    statement = read(text, currency="ILS")

    assert [line.currency for line in statement.lines] == ["ILS", "USD", "ILS"]
    assert [line.currency for line in read(text, layout=statement.layout).lines] == ["ILS", "USD", "ILS"]


def test_a_dollar_beside_an_amount_abroad_is_a_currency():
    statement = read(
        "Date,Text,Deal amount,Deal currency,Billed amount,Billed currency\n2026-02-26,a,-100.00,₪,-100.00,₪\n"
        "2026-02-25,b,-10.00,$,-37.00,₪\n2026-02-24,c,5.00,₪,5.00,₪\n"
    )

    assert [(str(line.amount), line.currency) for line in statement.lines] == [
        *(("-100.00", "ILS"), ("-37.00", "ILS"), ("5.00", "ILS")),
    ]


def test_two_amounts_on_a_day_that_does_not_exist_are_no_sums():
    statement = read("Date,Text,Debit,Credit\n2026-02-26,a,5.00,\n2026-02-30,b,1.00,2.00\n2026-02-26,c,,7.00\n")

    assert states(statement) == [("booked", ""), ("bad", "two_amounts"), ("booked", "")]


@pytest.mark.parametrize(
    ("header", "cell", "currency"),
    [
        ("Data;Importo in euro;Importo in valuta", "9,12;10,00 USD", "EUR"),
        ("Date;Débit euros;Crédit euros", "9,12;", "EUR"),
        ("Date;Amount;Amount abroad", "-9.12;-10.00 USD", "SEK"),
        ("Дата;Сумма (руб.);Описание", "-9,12;a", "RUB"),
        ("Дата;Сумма;Описание", "-9,12 грн;a", "UAH"),
        ("Date;Amount;Currency", "-9.12;RUR", "RUB"),
        ("Date;Amount (NIS);Text", "-9.12;a", "ILS"),
    ],
)
def test_a_currency_is_known_by_its_name_and_by_nothing_that_was_paid_abroad(header, cell, currency):
    assert read(f"{header}\n2026-02-26;{cell}\n", currency="SEK").lines[0].currency == currency


def test_amounts_keep_the_currencies_beside_them():
    text = "Date,Text,Amount\n2026-03-13,a,-12.00 EUR\n2026-03-14,b,-8.00 GBP\n2026-03-15,c,-9.00\n"

    assert [line.currency for line in read(text).lines] == ["EUR", "GBP", "EUR"]
    text = text.replace("-12.00 EUR", "-€12.00").replace("-8.00 GBP", "-£8.00")
    assert [line.currency for line in read(text).lines] == ["EUR", "GBP", "EUR"]
    assert read("Date,Text,Amount\n2026-03-16,a,-CA$45.30\n").currency == "CAD"
    assert read("Date,Text,Amount (CA$)\n2026-03-16,a,-45.30\n").currency == "CAD"
    preamble = "ALL ACCOUNTS\n{}: ALL\nDate,Text,Amount\n2026-03-16,a,-45.30\n"
    currencies = [read(preamble.format(name)).currency for name in ("Transactions", "Currency")]
    assert currencies == ["USD", "ALL"]
    # Without a word for an amount, the cells tell which column it is.
    assert read("Date,Text,CAD$,USD$\n2026-03-16,a,,-45.30\n", currency="CAD").currency == "USD"
    header = "data;lançamento;valor (R$);saldo (R$)\n"
    statement = read(header + "13/03/2026;a;-18,40;81,60\n14/03/2026;b;-1,60;80,00\n")
    assert (statement.currency, asked(statement)) == ("BRL", {})


def test_balances_of_one_day_prove_no_sign():
    text = "Date;Text;Amount;Balance\n2026-01-15;a;-10.00;100.00\n2026-01-15;b;5.00;95.00\n"

    assert asked(read(text)) == {"sign": "minus"}


def test_a_currency_without_decimals_has_thousands():
    text = "Date,Text,Amount\n2026-01-15,a,-5,400\n".replace("-5,400", '"-5,400"')

    assert booked(read(text, currency="JPY")) == [("2026-01-15", "-5400.0")]
    assert asked(read(text, currency="JPY")) == {}
    assert asked(read(text, currency="USD")) == {"decimal": "."}


def test_thousands_are_certain_in_a_currency_that_is_written_without_decimals():
    text = 'Date,Text,Amount\n2026-01-15,a,"-1,250"\n2026-01-16,b,"-2,345"\n'

    assert booked(read(text, currency="TWD")) == [("2026-01-15", "-1250.0"), ("2026-01-16", "-2345.0")]
    assert asked(read(text, currency="TWD")) == {}
    # Three decimals everywhere are asked about, also beside an empty side that is written as zero.
    pair = "Date,Text,Debit,Credit\n2026-01-15,a,29.000,0\n2026-01-16,b,15.500,0\n"
    assert asked(read(pair)) == {"decimal": "."}


def test_a_title_is_no_header_and_the_next_file_of_this_kind_is_known():
    rows = "15.01.2026;shop;-5,00\n16.01.2026;bar;-7,00\n"
    statement, later = (read(f"Giro;{month} 2026;Jane\n{rows}") for month in ("January", "February"))

    assert statement.preamble == ("Giro;January 2026;Jane",)
    assert booked(statement) == [("2026-01-15", "-5.00"), ("2026-01-16", "-7.00")]
    assert statement.signature == later.signature


def test_transfers_of_moneyforward_are_left_out_unless_they_are_chosen():
    statement = read(
        "計算対象,日付,内容,金額（円）,保有金融機関,大項目,中項目,メモ,振替,ID\n"
        "1,2026/01/15,shop,-1200,bank,食費,食料品,,0,a1\n0,2026/01/16,card,-30000,bank,未分類,未分類,,1,a2\n",
        currency="JPY",
    )

    assert statement.format == "moneyforward"
    assert states(statement) == [("booked", ""), ("booked", "transfer")]
    assert booked(statement) == [("2026-01-15", "-1200.0"), ("2026-01-16", "-30000.0")]
    assert statement.lines[0].category == "食費"


def test_a_repayment_tells_what_a_minus_means_on_a_card():
    rows = "01/15/2026,shop,-25.99\n01/20/2026,Payment Thank You,500.00\n01/22/2026,refund,10.00\n"
    turned = rows.replace("-25", "25").replace("500", "-500").replace("10.00", "-10.00")

    assert asked(read("Transaction Date,Description,Amount\n" + rows)) == {"sign": "minus"}
    assert asked(read("Transaction Date,Description,Amount\n" + turned)) == {"sign": "plus"}


def test_wages_with_a_minus_and_payments_by_card_tell_what_a_minus_means():
    header = "Date,Description,Amount\n"
    paid = "2026-03-13,Card payment to a,-5.00\n2026-03-14,Rewe sagt Danke,-7.00\n2026-03-15,b,9.00\n"

    assert asked(read(header + paid)) == {}
    assert asked(read(header + paid + "2026-03-16,c,9.00\n")) == {"sign": "minus"}
    assert asked(read(header + "2026-03-13,a,5.00\n2026-03-14,Payroll,-900.00\n")) == {"sign": "plus"}


def test_several_amounts_without_signs_and_words_are_taken_for_spending():
    rows = "2026-03-13,a,5.00\n2026-03-14,b,7.00\n"

    assert asked(read(f"Date,Description,Amount\n{rows}")) == {"sign": "plus"}
    assert asked(read(f"Date,Description,Amount\n{rows.replace('a', 'Salary')}")) == {"sign": "minus"}


def test_a_refund_tells_what_a_minus_means_however_few_lines_there_are():
    rows = "2026-03-13,a,5.00\n2026-03-14,Refund,-7.00\n2026-03-15,b,-7.00\n"

    assert asked(read(f"Date,Description,Amount\n{rows}")) == {"sign": "plus"}


def test_a_fee_that_may_belong_to_the_amount_is_asked_about():
    rows = "2026-03-13,a,-12.30,0.00\n2026-03-14,b,-100.00,2.50\n"

    assert asked(read(f"Date,Text,Amount,Fee\n{rows}")) == {"columns": "2"}
    assert asked(read(f"Date,Text,Net amount,Fee\n{rows}")) == {}
    assert asked(read("Date,Text,In,Out,Fee\n2026-03-14,b,,-100.00,-2.50\n")) == {"columns": "3,2"}


def test_a_fee_of_the_earliest_booking_is_asked_about():
    statement = read(
        "Date,Text,Amount,Fee,Balance\n2026-01-13,a,-12.00,0.50,87.50\n2026-01-14,b,50.00,0.00,137.50\n"
        "2026-01-15,c,-7.50,0.00,130.00\n"
    )

    assert "columns" in asked(statement)


def test_the_day_of_the_booking_is_told_from_the_one_that_interest_counts_from():
    statement = read("Dátum zaúčtovania;Dátum splatnosti;Suma;Mena\n13.01.2026;14.01.2026;-12,50;EUR\n")

    assert booked(statement) == [("2026-01-13", "-12.50")]


def test_an_amount_in_the_currency_of_the_account_is_known_by_its_name():
    statement = read(
        "Date;Description;Montant;Devise;Montant en devise du compte;Devise du compte\n"
        "2026-03-14;a;-10,00;USD;-9,20;EUR\n"
    )

    assert [(line.amount, line.currency) for line in statement.lines] == [(Decimal("-9.20"), "EUR")]


def test_three_decimals_everywhere_are_taken_as_the_locale_writes_numbers():
    rows = "".join(f'2026-01-0{day},shop,"-1,{day}50"\n' for day in range(1, 6))
    text = f"Date,Text,Amount\n{rows}"

    assert asked(read(text, locale="en_US")) == {"decimal": "."}
    assert booked(read(text, locale="en_US"))[0] == ("2026-01-01", "-1150.0")
    assert asked(read(text, locale="de_DE")) == {"decimal": ","}


def test_the_holder_of_a_card_and_words_of_other_languages_tell_what_a_minus_means():
    rows = "2026-02-26,ICA,123.45\n2026-02-20,BETALNING MOTTAGEN TACK,-500.00\n"

    assert asked(
        read("Datum,Beskrivning,Kortmedlem,Belopp\n" + rows.replace(",1", ",Sven,1").replace(",-", ",Sven,-"))
    ) == {"sign": "plus"}
    assert asked(read("Datum,Beschreibung,Karteninhaber,Konto,Betrag\n2026-02-26,REWE,Max,-12345,23.45\n")) == {
        "sign": "plus"
    }


def test_a_payment_received_alone_tells_what_a_minus_means():
    statement = read("Date,Description,Amount\n2026-03-14,Payment received - thank you,-250.00\n")

    assert asked(statement) == {"sign": "plus"}


@pytest.mark.parametrize("name", ["Credit/Debit Amount", "入出金(円)", "Debits and credits", "Money in/out"])
def test_a_column_named_after_both_sides_is_none_of_them(name):
    statement = read(f"Booked At;Text;{name};Balance\n2026-03-13;a;1000;1000\n")

    assert booked(statement) == [("2026-03-13", "1000.0")]
    assert asked(statement) == {"sign": "minus"}


@pytest.mark.parametrize("header", ["", "Date,Text,Amount,Balance\n"])
def test_balances_do_not_prove_the_sign_of_the_earliest_booking(header):
    rows = "2026-03-15,a,7.70,80.00\n2026-03-14,b,12.30,87.70\n2026-03-13,c,100.00,100.00\n"

    assert asked(read(header + rows)) == {"sign": "plus"}


def test_columns_that_leave_half_of_the_rows_without_an_amount_are_asked_about():
    text = "Date,Text,Amount,Other\n2026-01-15,a,-5.00,\n2026-01-16,b,,-6.00\n"

    assert "columns" in asked(read(text))


@pytest.mark.parametrize(
    ("encoding", "locale", "shown"),
    [
        ("utf-8-sig", "", "Müller"),
        ("utf-16", "", "Müller"),
        ("utf-16-le", "", "Müller"),
        ("utf-16-be", "", "Müller"),
        ("cp1252", "de_DE", "Müller"),
        ("cp1250", "pl_PL", "Łódź"),
        ("cp1251", "ru_RU", "Магазин"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_letters_and_line_ends_of_all_kinds_are_read(encoding, locale, shown, line_end):
    text = line_end.join(["Date,Payee,Amount", f"2026-01-02,{shown},-4.50", f'2026-01-03,"{shown}, x",-1.50', ""])

    statement = read(text, encoding, locale=locale)

    assert [line.payee for line in statement.lines] == [shown, f"{shown}, x"]


def test_the_words_of_a_header_find_their_code_page_for_any_locale():
    statement = read("Дата;Описание;Сумма\n13.01.2026;Магазин;-4,50\n", "cp1251")

    assert statement.lines[0].text == "Магазин"
    assert asked(statement) == {}


def test_a_quote_that_never_closes_costs_one_line():
    rows = "".join(f"2026-01-02,shop {number},-1.00\n" for number in range(100))
    statement = read('Date,Text,Amount\n2026-01-01,"open,-1.00\n' + rows)

    assert states(statement)[0] == ("bad", "quote")
    assert len(booked(statement)) == 100


def test_a_field_may_hold_line_breaks_and_a_separator_of_paragraphs_ends_no_line():
    statement = read('Date,Text,Amount\n2026-01-01,"one\ntwo",-1.00\n2026-01-02,a\u2028b,-2.00\n')

    assert [line.text for line in statement.lines] == ["one two", "a b"]
    assert [line.line_number for line in statement.lines] == [2, 4]


@pytest.mark.parametrize("header", [b"Date,Payee,Amount", b"Date,Amount,Other"], ids=["with a text", "without"])
def test_a_row_with_hundreds_of_fields_too_many_takes_no_longer_than_they_do(monkeypatch, header):
    looked_at = []
    fits = widths._fits
    monkeypatch.setattr(widths, "_fits", lambda cell, kind: looked_at.append(cell) or fits(cell, kind))
    bookings = b"2026-01-01,shop,-1.00\n" if header.endswith(b"Amount") else b"2026-01-01,-1.00,shop\n"

    read_statement(header + b"\n" + bookings + b"2026-01-01," + 290 * b"x," + b"x\n", today=TODAY)

    assert len(looked_at) < 10 * 290


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_listing_has_a_block_of_lines_for_each_booking(line_end):
    blocks = (
        "From: 01/03/2026 to 31/03/2026\n\nAccount: XXXX 1234\n\n"
        "Date:\xa016/03/2026\nDescription:\xa0Card payment to a, b: c\nAmount:\xa0-45.30\nBalance:\xa01954.70\n\n"
        "Date:\xa013/03/2026\nDescription:\xa0Pay\nAmount:\xa02000.00\nBalance:\xa02000.00\n\n"
        "Date:\xa030/02/2026\nDescription:\xa0x\nAmount:\xa0-1.00\nBalance:\xa00.00\n"
    )
    statement = read(blocks.replace("\n", line_end), "cp1252")

    assert booked(statement) == [("2026-03-16", "-45.30"), ("2026-03-13", "2000.00")]
    assert statement.lines[0].text == "Card payment to a, b: c"
    assert asked(statement) == {}
    last = statement.lines[-1]
    assert (last.line_number, last.reason, last.raw.partition("\n")[0]) == (15, "date", "Date:\xa030/02/2026")
    assert booked(read(blocks, "cp1252", layout=statement.layout)) == booked(statement)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"PK\x03\x04xl/worksheets", "workbook"),
        (b"PK\x03\x04statement.csv", "archive"),
        (b"\x1f\x8b\x08", "archive"),
        (b"\xd0\xcf\x11\xe0", "workbook"),
        (b"%PDF-1.7", "pdf"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html><html>Log in</html>', "web_page"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "workbook"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "web_page"),
        (bytes(range(256)) * 100, "not_text"),
        (b"Date,Payee,Amount\n", "no_lines"),
        (b"Dear customer,\nthank you.\n", "no_lines"),
        (b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x "y">]><Document>&x;</Document>', "forbidden_xml"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADw-Document+AD4-', "broken_xml"),
        (b"<Document><Stmt>", "broken_xml"),
        (b"<Document></Document>", "unknown_xml"),
        (b"<Document><Stmt>" + 100 * b"<a>" + 100 * b"</a>" + b"</Stmt></Document>", "broken_xml"),
        (b"Date,Payee,Amount\n2026-01-01," + 200_000 * b"x" + b",-1.00\n", "field_too_long"),
        (b"Date,Payee,Amount\n" + 1_000_000 * b";" + b"\n", "too_many_columns"),
        (b"Date,Payee,Amount\n" + 50_001 * b"2026-01-01,a,-1\n", "too_many_lines"),
        (8 * 2**20 * b" " + b" ", "too_large"),
        (190_000 * b'"', "no_lines"),
        (190_000 * b"\n", "empty"),
        (
            b"Date: 1\n" + b"".join(b"Amount %d: 1\n" % number for number in range(100)) + 900_000 * b"Date: 1\n",
            "too_many_cells",
        ),
        (b"!Type:Bank\nN12\nPShop\n", "no_lines"),
        (b"<OFX>" + 190_000 * b"<", "no_lines"),
        (b":20:" + 150_000 * b":", "field_too_long"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else value,
)
def test_a_file_that_is_not_a_statement_is_refused_fast_in_little_memory(content, code):
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(StatementError) as refused:
        read_statement(content, today=TODAY)
    seconds, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert refused.value.code == code
    assert seconds < 10  # Of computing; two without tracing.
    assert peak < 150 * 2**20


def test_a_file_of_few_lines_with_too_many_fields_is_refused_for_these():
    content = b"Date,Payee,Amount\n" + 5 * b"2026-01-01,a,-1\n"
    limits = Limits(max_bytes=1_000, max_lines=100, max_cells=17)

    with pytest.raises(StatementError) as refused:
        read_statement(content, today=TODAY, limits=limits)

    assert (refused.value.code, refused.value.values) == ("too_many_cells", {"limit": 17})
    with application.test_request_context():
        assert error_message(refused.value).startswith("The file has more than 17 fields.")


# --- Other formats


OFX = """OFXHEADER:100
ENCODING:USASCII
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>CHF
<BANKACCTFROM><BANKID>0099<ACCTID>12-34</BANKACCTFROM><BANKTRANLIST>
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260131235959[-5:EST]<TRNAMT>-12.50<FITID>a1<NAME>Bäckerei &amp; Co
<MEMO>bread</STMTTRN>
<STMTTRN><DTPOSTED>20260201<TRNAMT>+3,50<FITID>a1<NAME>x
<STMTTRN><DTPOSTED>20260201<TRNAMT>1e5<NAME>&file;</STMTTRN>
</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>"""


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_ofx_prints_the_day_and_needs_no_closing_tags(encoding):
    statement = read(OFX, encoding)

    assert booked(statement) == [("2026-01-31", "-12.50"), ("2026-02-01", "3.50")]
    assert states(statement)[2] == ("bad", "amount")
    assert statement.lines[0].text == "Bäckerei & Co bread"
    assert statement.lines[2].text == "&file;"
    assert (statement.format, statement.currency, statement.accounts) == ("ofx", "CHF", ("0099 12-34",))


def ofx_of(*transactions):
    """Return OFX in dollars with these transactions, each of which is the rest of its tags."""
    bookings = "".join(f"<STMTTRN>{tags}</STMTTRN>" for tags in transactions)
    return f"OFXHEADER:100\n\n<OFX><STMTRS><CURDEF>USD<BANKTRANLIST>{bookings}</BANKTRANLIST></STMTRS></OFX>"


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        *(("-1 234,50", "-1234.50"), ("-1\u00a0234.50", "-1234.50"), ("1234.50-", "-1234.50")),
        *(("\u22121234.50", "-1234.50"), ("- 1234.50", "-1234.50"), ("-$1,234.50", "-1234.50")),
    ],
)
def test_ofx_amounts_are_read_as_banks_write_them(written, amount):
    statement = read(ofx_of(f"<DTPOSTED>20260115<TRNAMT>{written}<NAME>Shop"))

    assert booked(statement) == [("2026-01-15", amount)]


@pytest.mark.parametrize("days", ["<DTPOSTED>2026-01-15", "<DTPOSTED>00000000<DTUSER>20260115"])
def test_ofx_days_may_have_dashes_or_stand_in_another_tag(days):
    assert booked(read(ofx_of(f"{days}<TRNAMT>-1.50"))) == [("2026-01-15", "-1.50")]


@pytest.mark.parametrize(("tag", "currency"), [("CURRENCY", "EUR"), ("ORIGCURRENCY", "USD")])
def test_ofx_amounts_in_another_currency_are_not_relabelled(tag, currency):
    statement = read(ofx_of(f"<DTPOSTED>20260115<TRNAMT>-1.50<{tag}><CURRATE>1.1<CURSYM>EUR</{tag}>"))

    assert [line.currency for line in statement.lines] == [currency]


@pytest.mark.parametrize(
    ("transactions", "amounts"),
    [
        ((("DEBIT", "1.50"), ("CREDIT", "9.00")), ["-1.50", "9.00"]),
        ((("DEBIT", "1.50"), ("CREDIT", "-9.00")), ["1.50", "-9.00"]),
        ((("DEBIT", "1.50"), ("POS", "9.00")), ["-1.50", "-9.00"]),
        ((("CREDIT", "1.50"), ("OTHER", "9.00")), ["1.50", "9.00"]),
    ],
    ids=["no minus", "a minus", "only money out", "no money out"],
)
def test_kinds_of_ofx_give_the_sign_only_where_the_file_writes_none(transactions, amounts):
    tags = [f"<TRNTYPE>{kind}<DTPOSTED>20260115<TRNAMT>{amount}" for kind, amount in transactions]

    assert [amount for _, amount in booked(read(ofx_of(*tags)))] == amounts


def test_ofx_in_xml_may_have_attributes_and_marked_text():
    statement = read(
        '<?xml version="1.0"?><OFX xmlns="http://ofx.net"><STMTTRN ><DTPOSTED>20260115</DTPOSTED>'
        "<TRNAMT>-1.50</TRNAMT><NAME><![CDATA[Tom & Co]]></NAME></STMTTRN></OFX>"
    )

    assert booked(statement) == [("2026-01-15", "-1.50")]
    assert statement.lines[0].payee == "Tom & Co"


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        ("D1/13/2026\nT-1\n^\nD1/14/2026\nT-2\nPShop\n", [("2026-01-13", "-1.0"), ("2026-01-14", "-2.0")]),
        ("D1/13/2026\nT-1\n^\nD1/14/2026\nT-2", [("2026-01-13", "-1.0")]),
        ("D1/13' 5\nT-1\n^\n", [("2005-01-13", "-1.0")]),
        ("D1/13/2026\nSFood\n$-1.50\n^\n", [("2026-01-13", "-1.50")]),
        ("D1/13/2026\nSFood\n$-1.50\nSHome\n$-2.00\n^\n", []),
    ],
    ids=["last one not closed", "broken off", "padded year", "one part", "parts without a sum"],
)
def test_qif_records_are_read_whole_or_named(records, lines):
    statement = read(f"!Type:Bank\n{records}")

    assert booked(statement) == lines
    assert len(statement.lines) == max(records.count("D"), 1)


def test_qif_decides_the_order_of_day_and_month_by_all_records():
    statement = read(
        "!Account\nNGiro\nTBank\n^\n!Type:Bank\nD1/ 2'26\nT-1,000.50\nPShop\nLFood\n^\nD13/02/26\nT5\nMgift\n^\n"
        "!Type:Cat\nNFood\n^\n"
    )

    assert booked(statement) == [("2026-02-01", "-1000.50"), ("2026-02-13", "5.0")]
    assert [(line.payee, line.category, line.account) for line in statement.lines] == [
        ("Shop", "Food", "Giro"),
        ("gift", "", "Giro"),
    ]


def test_qif_obeys_the_order_that_it_names_and_proposes_to_leave_out_transfers():
    statement = read("!Option:MDY\n!Type:Bank\nD01/02/2026\nT-1\nL[Savings]\n^\n", locale="de_DE")

    assert booked(statement) == [("2026-01-02", "-1.0")]
    assert states(statement) == [("booked", "transfer")]
    assert asked(statement) == {}


MT940 = """:20:REF
:25:DE02120300000000202051
:60F:C260101EUR100,00
:61:2601020102D12,35NTRFNONREF//B1
:86:166?00TRANSFER?20SVWZ+Rent?21 January?32Jane Doe
:61:260103RC5,NMSC
:61:260103RDR2,50NMSC
:61:260230    C1,00NMSC
:61:no booking
:62F:C260228EUR86,15
-
"""


def test_mt940_reversals_turn_around_and_balances_prove_it():
    statement = read(MT940)

    assert booked(statement) == [
        ("2026-01-02", "-12.35"),
        ("2026-01-03", "-5.0"),
        ("2026-01-03", "2.50"),
        ("2026-02-28", "1.00"),
    ]
    assert states(statement)[4] == ("bad", "amount")
    assert statement.balances_agree is True
    assert statement.lines[0].payee == "Jane Doe"
    assert statement.lines[0].text == "Jane Doe Rent January"
    assert statement.lines[4].line_number == 9


@pytest.mark.parametrize(
    ("text", "payee", "shown"),
    [
        ("020~00PRZELEW~20bread and bu~21tter~32Shop~33Warsaw", "Shop Warsaw", "Shop Warsaw bread and butter"),
        ("844^00X^20bread^32Shop", "Shop", "Shop bread"),
        ("/TRTP/SEPA/IBAN/NL11\n/NAME/J Doe/REMI/rent/EREF/1", "J Doe", "J Doe rent"),
        ("/EREF/1//CNTP/NL32/INGBNL2A/Shop BV///REMI/USTD//bread/", "Shop BV", "Shop BV bread"),
        ("/EREF/1/BENM//NAME/Shop BV", "Shop BV", "Shop BV"),
        ("Paid 1/2 of /NAME", "Paid 1/2 of /NAME", "Paid 1/2 of /NAME"),
    ],
)
def test_the_other_side_of_an_mt940_booking_is_found_in_its_text(text, payee, shown):
    statement = read(f":20:A\n:61:2601020102D12.35NTRFNONREF\n/TRCD/00100/\n:86:{text}\n:62F:C260102EUR1,\n")

    assert booked(statement) == [("2026-01-02", "-12.35")]
    assert (statement.lines[0].payee, statement.lines[0].text) == (payee, shown)


def test_a_text_about_a_whole_mt940_message_belongs_to_no_booking():
    statement = read(":20:A\n:61:2601020102D1,00NTRF\n:62F:C260102EUR1,\n:86:Our new prices\n-\n")

    assert statement.lines[0].text == ""


CAMT = """<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.05{number}"><R><{kind}>
<Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">10</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">11.50</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal>
<Ntry><Amt Ccy="EUR">1.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>{status}</Sts><BookgDt>
<DtTm>2026-01-02T23:30:00Z</DtTm></BookgDt><NtryDtls><TxDtls><RltdPties><Cdtr><Pty><Nm>Shop</Nm></Pty></Cdtr></RltdPties><RmtInf><Ustrd>Bread</Ustrd>
</RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">-2.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><ValDt><Dt>2026-01-02</Dt></ValDt></Ntry>
</{kind}></R></Document>"""


@pytest.mark.parametrize(("number", "kind"), [("2.001.02", "Rpt"), ("3.001.08", "Stmt"), ("4.001.13", "Ntfctn")])
@pytest.mark.parametrize(("status", "state"), [("BOOK", "booked"), ("<Cd>PDNG</Cd>", "pending")])
def test_camt_of_any_version_is_read_by_its_local_names(number, kind, status, state):
    statement = read(CAMT.format(number=number, kind=kind, status=status))

    assert [line.state.value for line in statement.lines] == [state, "bad"]
    line = statement.lines[0]
    assert (line.date, line.amount, line.payee, line.text) == (
        date(2026, 1, 2),
        Decimal("-1.50"),
        "Shop",
        "Shop Bread",
    )
    assert statement.balances_agree is (state == "booked")
    assert statement.lines[1].line_number == 8


@pytest.mark.parametrize("before", ["\n", "\ufeff\ufeff", "\ufeff\r\n "])
def test_camt_may_begin_with_blank_lines(before):
    text = CAMT.format(number="3.001.08", kind="Stmt", status="BOOK")

    assert booked(read(before + text)) == booked(read(text)) == [("2026-01-02", "-1.50")]


# --- Other trackers


@pytest.mark.parametrize(
    ("text", "format", "lines", "sum"),
    [
        (
            "type,amount,date,source_name,destination_name,category\nDeposit,5.00,2026-01-02,Job,Giro,\n"
            "Withdrawal,-2.00,2026-01-02,Giro,Shop,Food\nTransfer,9.00,2026-01-02,Giro,Savings,\n",
            "firefly",
            2,
            "3.00",
        ),
        (
            "Date,Description,Category,Cost,Currency,Ana,Bob\n2026-01-02,Dinner,Dining out,30.00,EUR,15.00,-15.0\n"
            "2026-01-03,Ana paid Bob,Payment,15.00,EUR,15.00,-15.00\n2026-01-04,Total balance, , ,EUR,0.00,0.00\n",
            "splitwise",
            2,
            "-45.00",
        ),
        (
            "Account,Flag,Date,Payee,Category Group/Category,Category Group,Category,Memo,Outflow,Inflow,Cleared\n"
            "Giro,,13/01/2026,Shop,Daily: Food,Daily,Food,,€5.00,€0.00,Cleared\n"
            "Giro,,14/01/2026,Job,,,,,€0.00,€9.00,Cleared\n",
            "ynab",
            2,
            "4.00",
        ),
        (
            "date,account,category,amount,currency,converted amount,currency,description\n"
            "13/01/2026,Cash,Food,-4.50,EUR,-4.50,EUR,\n",
            "monefy",
            1,
            "-4.50",
        ),
        (
            "date;paymode;info;payee;memo;amount;category;tags\n13-01-26;4;;Shop;bread;-4.50;Food;\n",
            "homebank",
            1,
            "-4.50",
        ),
        (
            "journal_id,transaction_type,asset_account_name,opposing_account_name,date,amount,currency_code,"
            "description,category_name\n1,Withdrawal,Giro,Shop,2026-01-02,-4.50,EUR,bread,Food\n"
            "2,Deposit,Giro,Job,2026-01-03,9.00,EUR,pay,\n3,Opening balance,Giro,Start,2026-01-01,50.00,EUR,x,\n"
            "4,Transfer,Giro,Savings,2026-01-04,-20.00,EUR,save,\n",
            "firefly",
            3,
            "-15.50",
        ),
        (
            "Account,Date,Payee,Notes,Category,Amount,Split_Amount,Cleared\n"
            "Giro,2026-01-02,Shop,bread,Food,-4.50,0,Cleared\nGiro,2026-01-03,Job,,Income,9.00,0,Cleared\n",
            "actual",
            2,
            "4.50",
        ),
        (
            "Time,Timezone,Type,Category,Sub Category,Account,Account Currency,Amount,Account2,Account2 Currency,"
            "Account2 Amount,Geographic Location,Tags,Description\n"
            "2026-01-02 12:00:00,+00:00,Expense,Food,Groceries,Giro,EUR,4.50,,,,,,bread\n"
            "2026-01-03 12:00:00,+00:00,Income,Job,Salary,Giro,EUR,9.00,,,,,,pay\n"
            "2026-01-04 12:00:00,+00:00,Transfer,Save,Save,Giro,EUR,5.00,Savings,EUR,5.00,,,x\n"
            "2026-01-01 12:00:00,+00:00,Balance Modification,,,Giro,EUR,50.00,,,,,,start\n",
            "ezbookkeeping",
            2,
            "4.50",
        ),
        (
            '"Date","Description","Original Description","Amount","Transaction Type","Category","Account Name"\n'
            '"1/13/2026","Shop","SHOP 12","4.50","debit","Food","Giro"\n'
            '"1/14/2026","Job","JOB","9.00","credit","","Giro"\n',
            "mint",
            2,
            "4.50",
        ),
        (
            "Date,Description,Category,Currency,Cost,Original cost,Is Reimbursement,Split mode,Ana,Bob\n"
            "2026-01-02,Dinner,Dining Out,EUR,30.00,,No,Evenly,15.00,-15.00\n"
            "2026-01-03,Back,Payment,EUR,15.00,,Yes,Evenly,-15.00,15.00\n",
            "spliit",
            2,
            "-45.00",
        ),
        (
            "date,what,bill_type,amount,currency,payer_name,payer_weight,owers\n"
            '2026-01-02,Dinner,Expense,30.0,EUR,Ana,1.0,"Ana, Bob"\n'
            "2026-01-03,Back,Reimbursement,15.0,EUR,Bob,1.0,Ana\n",
            "ihatemoney",
            2,
            "-45.0",
        ),
        (
            "ID,Name,Category,Amount,Date,Tags\n1,Rent,Housing,-8.00,2026-08-01T10:30:00Z,\n",
            "expenseowl",
            1,
            "-8.00",
        ),
        (
            "date,category,description,amount,currency\n2026-01-02,Food,bread,4.50,EUR\n2026-01-03,Food,back,-1.00,EUR\n",
            "ledger",
            2,
            "-3.50",
        ),
    ],
    ids=[
        *("firefly", "splitwise", "ynab", "monefy", "homebank", "firefly 4", "actual", "ezbookkeeping"),
        *("mint", "spliit", "ihatemoney", "expenseowl", "ledger"),
    ],
)
def test_exports_of_other_trackers_are_known_by_their_header(text, format, lines, sum):
    statement = read(text, currency="EUR")

    amounts = [line.amount for line in statement.in_state(State.BOOKED)]
    assert (statement.format, len(amounts), str(Decimal(0) + __builtins__["sum"](amounts))) == (format, lines, sum)
    assert asked(statement) == {}


@pytest.mark.parametrize(
    ("text", "format", "lines"),
    [
        (
            "Account,Date,Payee,Memo,Outflow,Inflow\nGiro,13/01/2026,Shop,,5.00,0.00\n"
            "Giro,14/01/2026,Transfer : Visa,,9.00,0.00\nVisa,14/01/2026,Transfer : Giro,,0.00,9.00\n",
            "ynab",
            [("-5.00", ""), ("-9.00", "transfer"), ("9.00", "transfer")],
        ),
        (
            "Date,Merchant,Category,Account,Original Statement,Notes,Amount,Tags\n"
            "2026-01-13,Shop,Groceries,Giro,SHOP 12,,-5.00,\n2026-01-14,Zelle,Gifts,Giro,ZELLE,,9.00,\n"
            "2026-01-14,Visa,Credit Card Payment,Giro,VISA,,-7.00,\n",
            "monarch",
            [("-5.00", ""), ("9.00", ""), ("-7.00", "transfer")],
        ),
        (
            "date,name,amount,status,category,parent category,excluded,tags,type,account,account mask,note\n"
            "2026-01-13,Shop,5.00,posted,Groceries,Food,false,,regular,Giro,1234,\n"
            "2026-01-14,Job,-9.00,posted,,,false,,income,Giro,1234,\n"
            "2026-01-14,Visa,7.00,posted,,,true,,internal transfer,Giro,1234,\n",
            "copilot",
            [("-5.00", ""), ("9.00", ""), ("-7.00", "transfer")],
        ),
        (
            "date,account,category,amount,currency,converted amount,currency,description\n"
            "13/01/2026,Cash,Initial balance 'Cash',50,EUR,50,EUR,\n13/01/2026,Cash,Food,-4.50,EUR,-4.50,EUR,\n"
            "14/01/2026,Cash,To 'Card',-9,EUR,-9,EUR,\n14/01/2026,Card,From 'Cash',9,EUR,9,EUR,\n",
            "monefy",
            [("-4.50", ""), ("-9.0", "transfer"), ("9.0", "transfer")],
        ),
        (
            "date;payment;number;payee;memo;amount;category;tags\n2026-01-13;6;;Shop;bread;-4.50;Food;\n"
            "2026-01-14;5;;;savings;-9.00;;\n",
            "homebank",
            [("-4.50", ""), ("-9.00", "transfer")],
        ),
    ],
    ids=["ynab", "monarch", "copilot", "monefy", "homebank"],
)
def test_transfers_of_other_trackers_are_proposed_to_be_left_out(text, format, lines):
    statement = read(text, currency="EUR")

    assert statement.format == format
    assert [(str(line.amount), line.reason) for line in statement.in_state(State.BOOKED)] == lines
    assert asked(statement) == {}


def test_money_that_came_in_with_firefly_has_its_source_as_payee():
    header = "type,amount,date,source_name,destination_name,category\n"
    rows = "Deposit,5.00,2026-01-02,Shop,Giro,\nWithdrawal,-2.00,2026-01-02,Giro,Shop,Food\n"

    assert [line.payee for line in read(header + rows).lines] == ["Shop", "Shop"]


def test_an_export_with_currencies_does_not_fit_a_tracker_without_them():
    statement = read(
        "date,payee,amount,category,notes,currency,account\n2026-01-13,Shop,12.50,Food,,eur,Bank\n"
        "2026-01-14,Job,-900.00,,,eur,Bank\n"
    )

    assert statement.format == "csv"
    assert "sign" in asked(statement)
    assert {line.currency for line in statement.lines} == {"EUR"}


def test_the_category_side_of_a_double_entry_is_read():
    text = (
        "Date,Transaction ID,Number,Description,Notes,Commodity/Currency,Void Reason,Action,Memo,"
        "Full Account Name,Account Name,Amount With Sym,Amount Num.,Reconcile\n"
        "2026-01-02,t1,,Shop,,CURRENCY::EUR,,,,Assets:Giro,Giro,-4.50 €,-4.50,n\n"
        ",,,,,,,,,Expenses:Food,Food,4.50 €,4.50,n\n"
        "2026-01-03,t2,,Move,,CURRENCY::EUR,,,,Assets:Giro,Giro,-9.00 €,-9.00,n\n"
        ",,,,,,,,,Assets:Savings,Savings,9.00 €,9.00,n\n"
    )

    statement = read(text)

    assert booked(statement) == [("2026-01-02", "-4.50")]
    assert [(line.category, line.text) for line in statement.in_state(State.BOOKED)] == [("Food", "Shop")]
    assert {line.currency for line in read(text, currency="JPY").lines} == {"EUR"}
    assert asked(statement) == {"double": "expenses"}


def test_a_row_of_a_double_entry_that_ends_before_its_account_belongs_to_none():
    text = "Date,Transaction ID,Description,Amount Num.,Full Account Name\n2026-01-02,t1,Shop,-4.50\n"
    whole = "2026-01-03,t2,Shop,4.50,Expenses:Food\n"

    assert states(read(text + whole)) == [("left_out", "double"), ("booked", "")]


def test_utc_times_of_another_tracker_become_days_in_the_users_time_zone():
    text = "ID,Name,Category,Amount,Date,Tags\n1,Rent,Housing,-8.00,2026-08-01T22:30:00Z,\n"

    assert booked(read(text, time_zone="Europe/Berlin")) == [("2026-08-02", "-8.00")]
    assert asked(read(text, time_zone="Europe/Berlin")) == {"day": "local"}
    assert booked(read(text, time_zone="UTC")) == [("2026-08-01", "-8.00")]


# As the application stores texts.
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=60).map(
    lambda text: " ".join(clean_text(text).split())
)


@given(st.lists(st.tuples(PRINTABLE, PRINTABLE, st.integers(-(10**9), 10**9)), min_size=1, max_size=8))
def test_our_own_export_comes_back_as_it_was(rows):
    lines = [",".join(HEADER)]
    for category, text, cents in rows:
        quoted = ['"' + escape_formula(value).replace('"', '""') + '"' for value in (category[:60], text)]
        lines.append(f"2026-03-01,{quoted[0]},{quoted[1]},{Decimal(cents) / 100:.2f},USD")

    statement = read("\r\n".join(lines) + "\r\n")

    assert [(line.category, line.text, line.amount) for line in statement.lines] == [
        (category[:60].strip(), text, -Decimal(cents) / 100) for category, text, cents in rows
    ]


@pytest.mark.parametrize("amount", ["1.250", "125.000"])
def test_amounts_with_three_decimals_in_our_own_export_are_no_question(amount):
    statement = read(f"{','.join(HEADER)}\n2026-03-01,Food,Tea,{amount},KWD\n", currency="KWD", locale="de_DE")

    assert asked(statement) == {}
    assert booked(statement) == [("2026-03-01", f"-{amount}")]


# --- Any bank


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2000), st.integers(-(10**8), -1), st.sampled_from(["Café", "shop; new", "a, b", "x"])
        ),
        min_size=1,
        max_size=12,
    ),
    day_format=st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y%m%d", "%d-%b-%Y"]),
    delimiter=st.sampled_from(",;\t|"),
    separators=st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", " ")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    has_header=st.booleans(),
)
def test_a_generated_statement_is_read_with_its_duplicates(
    rows, day_format, delimiter, separators, encoding, has_header
):
    decimal, group = separators
    # One day that can only be read in one order.
    rows = [(13 - 1, -100, "x"), *rows, rows[0]]
    written = ["Date", "Text", "Amount"]
    lines = [delimiter.join(written)] if has_header else []
    expected = []
    for days, cents, text in rows:
        day, amount = date(2020, 1, 1) + timedelta(days), Decimal(cents) / 100
        number = f"{amount:,.2f}".translate(str.maketrans({",": group, ".": decimal}))
        lines.append(delimiter.join(f'"{cell}"' for cell in (day.strftime(day_format), text, number)))
        expected.append((day, amount))

    statement = read("\n".join(lines) + "\n", encoding, locale="de_DE")

    assert [(line.date, line.amount) for line in statement.in_state(State.BOOKED)] == expected
    assert "date" not in asked(statement)


# Control characters would make it a file that is no text.
CELLS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=12))
@example([[":61:"]])
def test_no_record_is_lost(rows):
    lines = ["2026-01-02,shop,-1.00", *(",".join(cell.replace('"', "").strip() for cell in row) for row in rows)]
    text = "Date,Text,Amount\n" + "\n".join(" ".join(line.split()) for line in lines) + "\n"

    statement = read(text)

    records = [line for line in text.replace("\0", "").split("\n")[1:] if line.replace(",", "").strip()]
    assert len(statement.lines) + len(statement.footer) == len(records)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KARTENZAHLUNG REWE SAGT DANKE. 41400673//Hamburg", "Rewe sagt Danke 12345 Hamburg"),
        ("POS 6,49 AT K1 09.03. 09:53 FORSTINGER", "AT Forstinger 1"),
    ],
)
def test_a_payee_is_the_same_whatever_the_bank_writes_around_it(one, other):
    assert payee_key(one) == payee_key(other)
