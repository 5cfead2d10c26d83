"""Importing a statement through the pages: upload, columns, preview, adding, undo."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

import clock
from app import app as application
from database import db
from ledger import import_drafts, import_knowledge
from ledger.import_summary import LINES_OF_PAYEE, SECTIONS
from ledger.statements import reader
from models import Operation, Statement, StatementLine
from tests.browsing import MULTIPART, form_values, operations_shown, press, read, with_file
from tests.test_categories import category_id, edit, names

BANK = """Girokonto;DE02120300000000202051;;;;
Zeitraum:;01.03.2026 - 31.03.2026;;;;

Buchungstag;Wertstellung;Auftraggeber / Empfänger;Verwendungszweck;Soll;Haben
31.03.2026;31.03.2026;Farmers market;FARMERS MARKET 0042 CARD 1188;48,00;
30.03.2026;30.03.2026;Northwind Energy;Refund;;25,00
30.03.2026;30.03.2026;Farmers market;FARMERS MARKET 0042 CARD 1188;80,75;
30.03.2026;30.03.2026;Farmers market;FARMERS MARKET 0042 CARD 1188;80,75;
29.03.2026;29.03.2026;Northwind Energy;March 2026;61,40;
28.03.2026;28.03.2026;Employer;Salary;;2.500,00
31.02.2026;28.02.2026;Nobody;No such day;12,99;
"""


@pytest.fixture
def ana(ana):
    """A user whose currency is the euro."""
    with application.app_context():
        ana.user().currency = "EUR"
        db.session.commit()
    return ana


def upload(visitor, text=BANK, name="bank.csv", **typed):
    """Send a file as the form does."""
    form = next(form for form in visitor.page("/imports").all("form") if form.get("enctype"))
    content = text if isinstance(text, bytes) else text.encode()
    body = with_file(form_values(form) | typed, name, content)
    return visitor.client.post(form["action"], data=body, content_type=MULTIPART)


def review(page):
    return page.one("form", class_="review")


def values_of(form):
    """All that a browser sends of the preview, with names that occur more than once."""
    values = {}
    for control in form.all():
        name = control.get("name")
        if control.tag == "input" and name:
            if control.get("type") != "checkbox" or "checked" in control.attributes:
                values.setdefault(name, []).append(control.get("value"))
        elif control.tag == "select":
            options = control.all("option")
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            values.setdefault(name, []).append(chosen[0].get("value", chosen[0].text))
    return values


def send(visitor, page, go, **changes):
    form = review(page)
    return visitor.client.post(form["action"], data=values_of(form) | changes | {"go": go})


def payees():
    with application.app_context():
        return list(db.session.scalars(select(StatementLine.payee).order_by(StatementLine.line_number)))


def stored(model):
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


def test_a_statement_is_previewed_and_nothing_is_written_before_the_button(ana):
    sent = upload(ana)
    page = ana.page(sent.location)

    assert "/columns" not in sent.location
    text = page.one("main").text
    assert "4 expenses to add, €270.90" in text
    assert "1 refund to add, −€25.00" in text
    assert "1 line money in, left out" in text
    assert "Line 11: “31.02.2026" in text
    assert ana.expenses() == []
    names = [payee.one("summary").one("bdi").text for payee in page.all("li", class_="payee")]
    assert names == ["Farmers market", "Northwind Energy"]


def test_adding_shows_the_list_of_the_import_and_its_undo_empties_it(ana):
    url = upload(ana).location
    sent = send(ana, ana.page(url), "add-all", others="Utilities")

    page = ana.page(sent.location)
    assert "import=" in sent.location
    assert page.one(id="count").text == "5"
    assert page.one(id="total").text == "€245.90"
    assert "Imported 5 expenses, €245.90." in page.one("div", class_="messages").text
    assert {expense.category for expense in ana.expenses()} == {"Utilities"}
    form = page.one("div", class_="messages").one("form")
    ana.client.post(form["action"], data=form_values(form))
    assert ana.expenses() == []
    ana.undo("/imports")
    assert len(ana.expenses()) == 5


def test_the_filter_for_one_import_can_be_narrowed_and_removed(ana):
    listed = send(ana, ana.page(upload(ana).location), "add-all", others="Utilities").location
    ana.add(amount="7", description="By hand")

    page = ana.page(listed)

    assert form_values(page.one("form", class_="filter-form"))["import"] in listed
    item = page.one("ul", class_="active-filters").one("li")
    assert item.text == "from one import Remove"
    assert ana.count(item.one("a")["href"]) == 6


def test_pressing_add_twice_adds_once(ana):
    page = ana.page(upload(ana).location)

    first, second = (send(ana, page, "add-all") for _ in range(2))

    assert first.location == second.location
    assert len(ana.expenses()) == 5


def test_going_back_to_the_review_or_the_columns_after_adding_shows_what_was_added(ana):
    url = upload(ana).location
    listed = send(ana, ana.page(url), "add-all").location

    for address in (url, f"{url}?show=left&page=2", f"{url}/columns", f"{url}/payees/5"):
        assert ana.get(address).location == listed
    assert ana.post(f"{url}/columns", {"go": "save"}).location == listed
    assert len(ana.expenses()) == 5


def test_the_same_file_again_adds_nothing(ana):
    send(ana, ana.page(upload(ana).location), "add-all")

    page = ana.page(upload(ana).location)

    assert "5 lines already here" in page.one("main").text
    assert "There is nothing to add." in page.one("main").text
    here = read(ana.get(send(ana, page, "here").location))
    assert "already imported" in here.one("main").text
    send(ana, here, "add-all")
    assert len(ana.expenses()) == 5


def test_an_export_of_the_account_itself_doubles_nothing_wherever_its_expenses_came_from(ana):
    send(ana, ana.page(upload(ana).location), "add-all")
    ana.fill(f"/expenses/{ana.expenses()[0].id}/edit", date="2026-05-01", description="Another name")
    ana.add("4.20", "Food", description="Tea", date="2026-03-31")
    other = BANK.replace("DE02120300000000202051", "Visa").replace(".03.2026", ".01.2026")
    send(ana, ana.page(upload(ana, other).location), "add-all")
    before = ana.total()

    page = ana.page(upload(ana, ana.get("/expenses.csv").data, "expenses.csv").location)

    assert "0 expenses to add" in page.one("main").text
    assert "11 lines to check" in page.one("main").text
    assert "possibly the same as “Tea”, Mar 31, 2026, €4.20" in page.one("main").text
    send(ana, page, "add-all")
    assert (len(ana.expenses()), ana.total()) == (11, before)


def test_every_verdict_can_be_overruled(ana):
    send(ana, ana.page(upload(ana).location), "add-all")
    page = ana.page(upload(ana).location)
    here = read(ana.get(send(ana, page, "here").location))
    number = here.all("input", name="line")[0]["value"]

    back = send(ana, here, "add", line=[number])
    send(ana, ana.page(back.location), "add-all")

    assert len(ana.expenses()) == 6


@pytest.mark.parametrize("most", [1, import_knowledge.KEYS_AT_ONCE])
def test_a_category_of_a_payee_is_learned_however_many_payees_there_are(ana, monkeypatch, most):
    monkeypatch.setattr(import_knowledge, "KEYS_AT_ONCE", most)
    page = ana.page(upload(ana).location)
    values = values_of(review(page))
    send(ana, page, "add-all", category=["Food", "Utilities"])

    following = BANK.replace(".03.2026", ".04.2026").replace("0042", "0043")
    page = ana.page(upload(ana, following).location)

    assert values["category"] == ["", ""]
    assert values_of(review(page))["category"] == ["Food", "Utilities"]


def test_a_payee_that_is_left_out_stays_left_out_the_next_time(ana):
    page = ana.page(upload(ana).location)
    kept = values_of(review(page))["payee"][1:]

    send(ana, page, "add-all", payee=kept)

    assert len(ana.expenses()) == 2
    page = ana.page(upload(ana, BANK.replace(".03.2026", ".04.2026")).location)
    assert "1 expense to add, €61.40" in page.one("main").text


def test_all_money_in_can_be_added(ana):
    page = ana.page(upload(ana).location)

    page = ana.page(send(ana, page, "add", money_in="add").location)

    assert "2 refunds" in page.one("main").text


def test_a_draft_that_makes_room_for_another_is_named(ana, monkeypatch):
    monkeypatch.setattr(import_drafts, "MAX_DRAFTS", 2)
    sent = [upload(ana, name=f"{name}.csv") for name in ("first", "second", "third")]

    assert stored(Statement) == 2
    assert ana.get(sent[0].location).status_code == 404
    limits = "Unfinished imports are kept for 7 days, 2 at most."
    assert f"{limits} Deleted: first.csv" in ana.page(sent[2].location).one("div", class_="messages").text
    assert limits in ana.page("/imports").one("main").text


def test_amounts_in_another_currency_are_never_shown_as_if_they_were_in_that_of_the_account(ana):
    rows = ["14,Hotel,-90.00,GBP", "15,Hotel,-70.50,GBP", "15,Taxi,-8.00,GBP", "16,Taxi,-900,JPY"]
    text = "Date,Payee,Amount,Currency\n" + "".join(f"2026-01-{row}\n" for row in rows)
    page = ana.page(upload(ana, text).location)
    main = page.one("main")
    assert "There is nothing to add. Amounts in currencies other than EUR are left out." in main.text
    assert ana.get(main.one("p", class_="empty").one("a")["href"].partition("#")[0]).status_code == 200
    # Nothing can be chosen, and nothing added.
    assert [button.text for button in main.one("div", class_="review-actions").all("button")] == ["Discard"]
    assert not main.all("select")

    left = read(ana.get(send(ana, page, "left").location))

    payees = left.all("li", class_="payee")
    totals = {payee.one("summary").one("bdi").text: payee.all("span", class_="amount")[0].text for payee in payees}
    assert totals == {"Hotel": "£160.50", "Taxi": ""}
    lines = [line.one("span", class_="amount").text for line in payees[0].one("ul").all("li")]
    assert sorted(lines) == ["£8.00", "¥900"]


def test_the_sum_of_an_import_keeps_its_currency_when_that_of_the_account_has_changed(ana):
    rows = "2026-01-14,Hotel,-90.00\n2026-01-15,Taxi,-8.50\n"
    url = upload(ana, f"Date,Payee,Amount\n{rows}").location
    assert "2 expenses to add, €98.50" in ana.page(url).one("main").text
    with application.app_context():
        ana.user().currency = "USD"
        db.session.commit()

    page = ana.page(url)

    assert "2 expenses to add, €98.50" in page.one("main").text
    again = ana.page(send(ana, page, "add-all").location)
    assert ana.expenses() == []
    assert "There is nothing to add. Amounts in currencies other than USD are left out." in again.one("main").text


def test_a_payee_whose_lines_are_in_several_currencies_has_no_total_however_many_lines_are_shown(ana):
    rows = [f"2026-02-{day:02},Taxi,-8.00,GBP\n" for day in range(1, LINES_OF_PAYEE + 1)]
    url = upload(ana, "".join(["Date,Payee,Amount,Currency\n2026-01-16,Taxi,-900,JPY\n", *rows])).location

    left = ana.page(f"{url}?show=left")
    taxi = left.one("li", class_="payee")

    assert len(taxi.one("ul").all("time")) == LINES_OF_PAYEE
    assert taxi.all("span", class_="amount")[0].text == ""
    button = taxi.one("ul").one("button")
    page = read(ana.get(send(ana, left, button["value"]).location))
    assert page.one("p", class_="origin").text == f"{LINES_OF_PAYEE + 1} lines · bank.csv"


def test_a_statement_of_one_day_names_it_once(ana):
    page = ana.page(upload(ana, "Date,Payee,Amount\n2026-01-13,Shop,-3.00\n").location)

    assert page.one("p", class_="origin").text.startswith("bank.csv · Jan 13, 2026.")
    assert ana.page("/imports").one("ul", class_="row-list").all("small")[0].text == "Jan 13, 2026"


def test_a_file_of_several_accounts_names_them_all(ana):
    text = "Account,Date,Payee,Amount\nVisa,2026-01-13,Shop,-3.00\nGiro,2026-01-14,Hotel,-90.00\n"

    page = ana.page(upload(ana, text).location)

    assert "account Visa, Giro" in page.one("p", class_="origin").text
    assert "Visa, Giro · Jan 13, 2026 to Jan 14, 2026" in ana.page("/imports").one("main").text


def test_a_draft_can_be_discarded(ana):
    url = upload(ana).location
    ana.post(f"{url}/discard")

    assert ana.get(url).status_code == 404
    assert stored(Statement) == stored(StatementLine) == 0


def test_a_doubtful_file_is_asked_about_once(ana):
    text = "Date,Text,Amount\n01/02/2026,coffee,-3.00\n02/02/2026,tea,-2.00\n"
    sent = upload(ana, text)
    page = ana.page(sent.location)

    assert sent.location.endswith("/columns")
    form = page.one("main").one("form")
    # Coming back later does not skip the question.
    link = next(link for link in ana.page("/imports").all("a") if link.text == "bank.csv")
    assert ana.get(link["href"]).location == sent.location
    assert ana.post(link["href"], {"go": "add-all", "others": "Food"}).location == sent.location
    assert ana.expenses() == []
    shown = ana.client.post(form["action"], data=form_values(form) | {"date": "dmy", "go": "show"})
    assert "February 1, 2026" in shown.text
    saved = ana.client.post(form["action"], data=form_values(form) | {"date": "dmy", "go": "save"})
    send(ana, ana.page(saved.location), "add-all")
    assert sorted(str(expense.date) for expense in ana.expenses()) == ["2026-02-01", "2026-02-02"]
    assert not upload(ana, text.replace("/02/", "/03/")).location.endswith("/columns")


def test_a_payee_that_is_chosen_is_that_of_money_in_as_well(ana):
    text = (
        "Date;Auftraggeber;Empfänger;Text;Amount\n01/02/2026;Ana;Shop;coffee;-3,00\n02/02/2026;Firm;Ana;pay;9,00\n"
    )
    url = upload(ana, text).location
    form = ana.page(url).one("main").one("form")

    saved = ana.client.post(form["action"], data=form_values(form) | {"date": "dmy", "go": "save"})
    assert payees() == ["Shop", "Firm"]
    form = ana.page(f"{saved.location}/columns").one("main").one("form")
    ana.client.post(form["action"], data=form_values(form) | {"column-payee": "3", "go": "save"})

    assert payees() == ["coffee", "pay"]


def test_a_file_that_is_no_statement_is_refused_with_a_sentence(ana):
    for text, sentence in [
        (b"", "The file is empty."),
        (b"<html>", "The file is a web page."),
        (b"Date,Text,Amount\n2026-01-x,?,1\n", "No line of the file can be read."),
        (b"%PDF-1.4", "The file is a PDF."),
    ]:
        sent = upload(ana, text)

        assert sent.status_code == 422
        assert sentence in read(sent).one("main").text
    assert stored(Statement) == 0
    assert "Choose a file." in ana.post("/imports", {"account": "x"}).text


def test_statements_may_be_larger_than_other_forms_and_have_their_own_limit(ana, app):
    app.config["IMPORT_MAX_BYTES"] = 3 * 2**20
    padded = BANK.replace("Salary", "S" * 400) + "".join(
        f"01.01.2026;;Shop {number};{'x' * 400};1,00;\n" for number in range(5_800)
    )
    assert 2 * 2**20 < len(padded) < 3 * 2**20

    assert upload(ana, padded).status_code == 302
    refused = "The file is larger than 3 MB. Split it or choose a shorter period."
    assert refused in upload(ana, b"x" * (3 * 2**20 + 1)).text
    too_large = upload(ana, b"x" * (7 * 2**20))
    assert too_large.status_code == 413
    page = read(too_large).one("main")
    assert refused in page.text
    assert ana.get(page.one("a")["href"]).status_code == 200
    assert page.one("a")["href"] == "/imports"
    assert ana.post("/categories/add", {"name": "x" * (2 * 2**20 + 1)}).status_code == 413


@pytest.mark.parametrize(("locale", "written"), [("en_US", "1,000"), ("de_DE", "1.000"), ("fr_FR", "1 000")])
def test_a_limit_is_written_in_the_number_format_of_the_account(ana, app, locale, written):
    app.config["IMPORT_MAX_LINES"], app.config["IMPORT_MAX_BYTES"] = 1_000, 1_000 * 2**20
    with app.app_context():
        ana.user().locale = locale
        db.session.commit()

    refused = upload(ana, "Date,Payee,Amount\n" + 1_001 * "2026-01-01,a,-1\n")

    assert refused.status_code == 422
    page = read(refused)
    assert page.one(id="file-error").text == (
        f"The file has more than {written} lines. Split it or choose a shorter period."
    )
    assert ana.page("/imports").one(id="file-hint").text == f"Up to {written} MB."
    assert stored(Statement) == 0


def test_another_user_sees_no_statement(ana, bob):
    url = upload(ana).location

    for address in (url, f"{url}/columns", f"{url}/payees/5"):
        assert bob.get(address).status_code == 404
        assert bob.post(address).status_code == 404
    assert bob.post(f"{url}/discard").status_code == 404
    assert bob.count("/expenses?import=" + url.rpartition("/")[2]) == 0
    assert bob.page("/imports").all("li", class_="payee") == []


def test_a_lost_session_loses_nothing_but_the_file(ana):
    url = upload(ana).location
    page = ana.page(url)
    ana.end_sessions()

    sent = send(ana, page, "add-all", category=["Food", "Travel"])
    ana.log_in_at(sent.location)
    page = ana.page(url)

    assert values_of(review(page))["category"] == ["Food", "Travel"]
    assert ana.expenses() == []
    send(ana, page, "add-all")
    assert {expense.category for expense in ana.expenses()} == {"Food", "Travel"}


def test_something_that_changes_meanwhile_is_shown_before_it_is_added(ana):
    first, second = (ana.page(upload(ana).location) for _ in range(2))
    send(ana, first, "add-all")

    sent = send(ana, second, "add-all")

    assert "import=" not in sent.location
    assert "Nothing was added yet" in ana.page(sent.location).text
    assert len(ana.expenses()) == 5
    assert stored(Operation) == 1


def test_history_lists_the_import_and_undoes_it(ana):
    send(ana, ana.page(upload(ana).location), "add-all")
    page = ana.page("/history")

    assert "Imported 5 expenses" in page.text
    assert "bank.csv" in page.text
    form = page.one("main").all("form")[0]
    ana.client.post(form["action"], data=form_values(form))
    assert ana.expenses() == []
    assert "Undone" in ana.page("/imports").one("main").text


def test_an_expense_that_was_typed_is_possibly_the_line(ana):
    ana.add("61.40", "Utilities", description="Energy", date="2026-03-30")

    page = ana.page(upload(ana).location)

    text = page.one("main").text
    assert "Please check" in text
    assert "possibly the same as “Energy”, Mar 30, 2026, €61.40" in text
    send(ana, page, "add-all")
    assert len(ana.expenses()) == 5


def test_a_draft_follows_categories_that_are_renamed_and_merged(ana):
    url = upload(ana).location
    send(ana, ana.page(url), "add", category=["Food", "Utilities"])
    ids = {name: category_id(ana, name) for name in ("Utilities", "Housing")}
    edit(ana, "Food", name="Groceries")
    ana.post(f"/categories/{ids['Utilities']}/merge", {"into": ids["Housing"]})

    page = ana.page(url)
    assert values_of(review(page))["category"] == ["Groceries", "Housing"]
    send(ana, page, "add-all")

    assert {expense.category for expense in ana.expenses()} == {"Groceries", "Housing"}
    assert not {"Food", "Utilities"} & set(names(ana))


def test_a_category_that_takes_the_former_name_of_another_is_not_taken_for_it(ana):
    url = upload(ana).location
    send(ana, ana.page(url), "add", category=["Food", "Utilities"])
    edit(ana, "Food", name="Groceries")
    ana.post("/categories/add", {"name": "Food"})

    page = ana.page(url)
    assert values_of(review(page))["category"] == ["Groceries", "Utilities"]
    page = ana.page(send(ana, page, "add", category=["Groceries", "Food"]).location)
    assert values_of(review(page))["category"] == ["Groceries", "Food"]
    send(ana, page, "add-all")

    assert Counter(expense.category for expense in ana.expenses()) == {"Groceries": 3, "Food": 2}


def test_a_renamed_category_is_proposed_under_its_new_name_and_a_new_one_is_another(ana):
    send(ana, ana.page(upload(ana).location), "add-all", category=["Food", "Utilities"])
    edit(ana, "Food", name="Groceries")
    ana.post("/categories/add", {"name": "Food"})

    page = ana.page(upload(ana, BANK.replace(".03.2026", ".04.2026")).location)

    assert values_of(review(page))["category"] == ["Groceries", "Utilities"]


def test_adding_without_a_choice_records_nothing_and_says_what_to_do(ana):
    send(ana, ana.page(upload(ana).location), "add-all")
    operations = stored(Operation)
    page = ana.page(upload(ana).location)
    actions = page.one("div", class_="review-actions")
    assert [button.text for button in actions.all("button")] == ["Add", "Discard"]
    assert "Select the expenses first." in actions.text

    sent = send(ana, page, "add-all")

    again = ana.page(sent.location)
    assert again.text.count("Select the expenses first.") == 2
    assert (stored(Operation), len(ana.expenses())) == (operations, 5)
    # The same button adds what is ticked by the same form.
    here = read(ana.get(send(ana, again, "here").location))
    number = here.all("input", name="line")[0]["value"]
    send(ana, here, "add-all", line=[number])
    assert len(ana.expenses()) == 6


def test_a_description_that_was_edited_changes_neither_what_is_known_nor_what_is_proposed(ana):
    send(ana, ana.page(upload(ana).location), "add-all", category=["Food", "Utilities"])
    for expense in ana.expenses():
        if expense.category == "Food":
            ana.fill(f"/expenses/{expense.id}/edit", category="Travel", description="Bakery")

    page = ana.page(upload(ana).location)
    assert "5 lines already here" in page.one("main").text
    assert "There is nothing to add." in page.one("main").text
    # A payee with the new name is another one, which has no expenses yet but those of this description.
    later = BANK.replace(".03.2026", ".04.2026")
    bakery = "30.04.2026;30.04.2026;Bakery;BAKERY;7,00;\n30.04.2026;30.04.2026;Kiosk;KIOSK;8,00;\n"
    page = ana.page(upload(ana, later + bakery).location)
    names = [payee.one("summary").one("bdi").text for payee in page.all("li", class_="payee")]
    proposed = dict(zip(names, values_of(review(page))["category"], strict=True))
    assert proposed == {
        "Farmers market": "Travel",
        "Northwind Energy": "Utilities",
        "Bakery": "Travel",
        "Kiosk": "",
    }


def test_only_questions_that_the_file_leaves_open_are_marked(ana):
    text = "Date,Text,Amount\n01/02/2026,coffee,-3.00\n02/02/2026,tea,-2.00\n"

    page = ana.page(upload(ana, text).location)

    hints = {field.one("label")["for"]: field.text for field in page.all("div", class_="field")}
    marked = [name for name, text in hints.items() if "The file does not say." in text]
    assert marked == ["date"]


def test_a_file_that_may_be_of_several_accounts_is_not_added_without_one(ana):
    text = "Date;Text;Amount\n2026-01-{:02};bread;-3,00\n"
    for account in ("Giro", "Visa"):
        send(ana, ana.page(upload(ana, text.format(13), account=account).location), "add-all")

    url = upload(ana, text.format(13)).location
    page = ana.page(url)

    assert url.endswith("/columns")
    assert "Files like this one were added to: Visa, Giro" in page.one("main").text
    assert [option.text for option in page.one("datalist").all("option")] == ["Visa", "Giro"]
    form = page.one("main").one("form")
    refused = ana.client.post(form["action"], data=form_values(form) | {"go": "save"})
    assert "Enter the bank account." in read(refused).one("main").text
    assert ana.client.post(form["action"], data=form_values(form) | {"go": "show"}).status_code == 200
    saved = ana.client.post(form["action"], data=form_values(form) | {"account": "Visa", "go": "save"})
    assert "1 line already here" in ana.page(saved.location).one("main").text
    assert len(ana.expenses()) == 2


def test_a_file_may_be_of_no_account_if_an_earlier_one_was(ana):
    text = "Date;Text;Amount\n2026-01-{:02};bread;-3,00\n"
    for day, account in ((13, ""), (14, "Visa")):
        send(ana, ana.page(upload(ana, text.format(day), account=account).location), "add-all")

    sent = upload(ana, text.format(15))
    form = ana.page(sent.location).one("main").one("form")
    saved = ana.client.post(form["action"], data=form_values(form) | {"go": "save"})

    assert "1 expense to add" in ana.page(saved.location).one("main").text


def test_the_second_statement_of_a_bank_asks_nothing(ana):
    text = "Date;Text;Debit;Credit\n{0};bread;3,00;\n{0};coins;1,00;\n{0};pay;;9,00\n"
    sent = upload(ana, text.format("01/02/2026"), account="Giro")
    form = ana.page(sent.location).one("main").one("form")
    saved = ana.client.post(form["action"], data=form_values(form) | {"date": "dmy", "go": "save"})
    send(ana, ana.page(saved.location), "add-all", category=["Food", "Travel"])

    sent = upload(ana, text.format("03/04/2026"))
    page = ana.page(sent.location)

    assert sent.location.endswith(f"/imports/{drafts(ana)[0].id}")
    assert "Giro" in page.one("p", class_="origin").text
    assert values_of(review(page))["category"] == ["Food", "Travel"]
    assert "new payee" not in page.one("main").text
    assert "import=" in send(ana, page, "add-all").location
    assert {str(expense.date) for expense in ana.expenses()} == {"2026-02-01", "2026-04-03"}


def test_a_session_that_is_lost_before_the_upload_loses_nothing_but_the_chosen_file(ana):
    page = ana.page("/imports")
    ana.end_sessions()

    form = next(form for form in page.all("form") if form.get("enctype"))
    body = with_file(form_values(form) | {"account": "Visa"}, "bank.csv", BANK.encode())
    sent = ana.client.post(form["action"], data=body, content_type=MULTIPART)
    ana.log_in_at(sent.location)

    page = ana.page("/imports")
    assert stored(Statement) == 0
    assert page.all("input", name="account")[0]["value"] == "Visa"


def drafts(visitor):
    with application.app_context():
        return db.session.scalars(select(Statement).where(Statement.added_at.is_(None))).all()


def test_others_can_write_while_a_file_is_read(ana, bob, monkeypatch):
    def read_and_write(*arguments, **options):
        # In a thread of its own, as the server does.
        thread = threading.Thread(target=bob.add, args=["4.20"])
        thread.start()
        thread.join()
        return read_statement(*arguments, **options)

    read_statement = reader.read_statement
    monkeypatch.setattr(reader, "read_statement", read_and_write)

    assert upload(ana).status_code == 302
    assert [str(expense.amount) for expense in bob.expenses()] == ["4.200"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_without_lines_says_so(ana, section):
    url = upload(ana, "Date,Payee,Amount\n2026-01-13,Shop,-3.00\n").location

    main = ana.page(f"{url}?show={section}").one("main")

    assert ("There are no such lines." in main.text) == (section != "add")
    assert len(main.all("li", class_="payee")) == (section == "add")


@pytest.mark.parametrize(("day", "is_said"), [("2026-03-31", False), ("31 Mar 2026", False), ("31.03.2026", True)])
def test_the_review_says_how_dates_are_read_unless_they_say_it_themselves(ana, day, is_said):
    page = ana.page(upload(ana, f"Date,Payee,Amount\n{day},Baker,-3.00\n").location)

    assert ("Dates are read as day, month, year." in page.one("main").text) == is_said


@pytest.mark.parametrize("name", ["🏠", "☕️", "–", "$", ":"])
def test_our_own_export_comes_back_in_a_category_without_letters(ana, bob, name):
    ana.add("3", new_category=name, category="")
    with application.app_context():
        bob.user().currency = "EUR"
        db.session.commit()

    send(bob, bob.page(upload(bob, ana.get("/expenses.csv").data).location), "add-all")

    assert [expense.category for expense in bob.expenses()] == [name]
    assert bob.get("/expenses.csv").data == ana.get("/expenses.csv").data


@pytest.mark.parametrize(("written", "category"), [("🏠", "🏠"), ("-", "Other"), ("—", "Other"), ("...", "Other")])
def test_a_dash_in_the_file_of_another_program_is_no_category_but_a_picture_is(ana, written, category):
    url = upload(ana, f"Date,Payee,Category,Amount\n2026-03-31,Baker,{written},-3.00\n").location

    send(ana, ana.page(url), "add-all")

    assert [expense.category for expense in ana.expenses()] == [category]


def test_a_line_whose_undo_is_undone_after_the_import_has_expired_belongs_to_it_again(ana, run, monkeypatch):
    listed = send(ana, ana.page(upload(ana).location), "add-all", others="Utilities").location
    imported = operations_shown(ana)[0]
    press(ana, next(form for form in imported.all("form") if form.all("input", name="expense")))
    assert ana.count(listed) == 4
    with application.app_context():
        of_import = Operation.kind == "import"
        db.session.execute(update(Operation).where(of_import).values(created_at=clock.now() - timedelta(days=31)))
        db.session.commit()
    assert "Deleted 1 operation" in run("purge")[1]

    press(ana, operations_shown(ana)[0].one("form"))

    assert len(ana.expenses()) == 5
    assert ana.count(listed) == 5
