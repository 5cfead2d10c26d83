"""Drafts: every form that was sent after the session had ended comes back filled in after the login."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from flask import request
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from uuid_utils.compat import uuid7

import clock
from app import app as application
from database import Base, db
from forms import unstored_fields
from ledger.categories import get_categories
from ledger.drafts import DRAFT_MAX_AGE, DRAFT_MAX_BYTES, MAX_DRAFTS
from models import Draft, Operation, Statement
from tests.browsing import PASSWORD, REDIRECTS, Visitor, controls, empty_tables, read
from tests.statements import store_draft

MESSAGE = "Your session had ended. Your entries are still here; they are not saved yet."
SECRET = "a secret meadow at dusk"
# Every endpoint that forms are sent to, written out: whether its page shows the form again is a decision.
SHOW_A_FORM = {
    *("add_to_list", "add_expense", "edit_expense", "change_expenses"),
    *("save_budgets", "add_category", "edit_category", "merge_category"),
    *("edit_recurring", "post_due", "change_profile", "change_password", "change_settings"),
    *("upload_statement", "choose_columns", "review_import", "review_payee"),
}
# They ask for secrets or a file alone, which are not kept.
SHOW_A_FORM_OF_SECRETS = {
    *("turn_on_two_factor", "turn_off_two_factor", "renew_recovery_codes", "end_sessions", "end_all_sessions"),
    *("delete_account", "restore_account"),
}
SHOW_NO_FORM = {
    *("delete_expense", "undo", "delete_category", "stop_recurring", "resume_recurring"),
    *("swap_categories", "discard_import"),
    *("add_early", "delete_recurring", "skip_all_due"),
}
PUBLIC = {"login", "register", "logout", "forgot_password", "reset_password", "enter_code"}


def pairs(form):
    """Everything that a browser would send of a form, with every ticked box."""
    found = []
    for control in controls(form):
        name = control.get("name")
        if name and control.tag == "input":
            ticked = control.get("type") not in {"checkbox", "radio"} or "checked" in control.attributes
            found += [(name, control.get("value", "on"))] if ticked else []
        elif name and control.tag == "select":
            options = control.all("option")
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            found += [(name, option.get("value", option.text)) for option in chosen]
    return found


def typed_into(form):
    """The same, with another value in every field that can be seen."""
    found = []
    for control in controls(form):
        name, kind = control.get("name"), control.get("type")
        if not name or control.tag not in {"input", "select"} or kind == "file":
            continue
        if control.tag == "select":
            options = [option.get("value", option.text) for option in control.all("option")]
            found.append((name, [option for option in options if option and option != "New …"][-1]))
        elif kind in {"checkbox", "hidden"}:
            found.append((name, control.get("value", "y")))
        else:
            texts = {"date": "2026-02-03", "email": "typed@example.com", "password": SECRET, "number": "3"}
            amount = "amount" in name or "budget" in name or control.get("inputmode") == "decimal"
            found.append((name, texts.get(kind) or ("12.34" if amount else f"typed{len(found)}")))
    return found


def endpoint(url):
    return application.url_map.bind("").match(url.partition("?")[0], "POST")[0]


def pages_of(visitor):
    """The pages with forms."""
    with application.app_context():
        category = next(each for each in get_categories(visitor.user()) if each.name == "Food")
        statement = db.session.scalars(select(Statement.id)).first()
    expense = visitor.expenses()[0].id
    return [
        *("/expenses", "/expenses/add", f"/expenses/{expense}/edit", f"/expenses/{expense}/duplicate"),
        *("/categories", f"/categories/{category.id}/edit", f"/recurring/{expense}/edit", "/account"),
        *("/imports", f"/imports/{statement}", f"/imports/{statement}/columns", f"/imports/{statement}/payees/2"),
    ]


def forms_of(visitor):
    """Every form of every page that shows it again, by its endpoint."""
    found = {}
    for url in pages_of(visitor):
        for form in visitor.page(url).one("main").all("form"):
            if form["method"] == "post" and endpoint(form["action"]) in SHOW_A_FORM:
                found.setdefault(endpoint(form["action"]), form)
    return found


@pytest.fixture
def ana(ana):
    """Somebody with an expense that is due again."""
    ana.add("3.50", "Food", description="Tea", date="2026-01-05", frequency="year")
    ana.add("3.50", "Food", description="Tea", date="2025-10-05", frequency="quarter")
    store_draft(ana)
    return ana


def send(visitor, form, typed):
    body = [pair for pair in typed if pair[0] != "csrf_token"]
    names = dict.fromkeys(name for name, _value in body)
    data = {name: [value for each, value in body if each == name] for name in names}
    return visitor.client.post(form["action"], data=data)


def press(form):
    """The name and value of the last button of a form that has names for them."""
    buttons = [button for button in form.all("button") if button.get("name") and button.get("value")]
    return [(buttons[-1]["name"], buttons[-1]["value"])] if buttons else []


def everything():
    """Every row of every table that a form changes."""
    with application.app_context():
        return {
            table.name: sorted(str(row) for row in db.session.execute(select(table)))
            for table in Base.metadata.sorted_tables
            if table.name not in {"login_session", "security_event", "throttle", "draft"}
        }


def same_form(page, form):
    """The form of a page that is sent to the same URL."""
    found = [element for element in page.all("form", method="post") if element["action"] == form["action"]]
    assert len(found) == 1
    return found[0]


def shown_pairs(page, form):
    return sorted(pair for pair in pairs(same_form(page, form)) if pair[0] != "csrf_token")


def test_every_url_that_forms_are_sent_to_is_known_here(ana):
    posted = {rule.endpoint for rule in application.url_map.iter_rules() if "POST" in rule.methods}

    assert posted == SHOW_A_FORM | SHOW_A_FORM_OF_SECRETS | SHOW_NO_FORM | PUBLIC
    assert set(forms_of(ana)) == SHOW_A_FORM


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "ended"),
    [
        *((name, "on the server") for name in sorted(SHOW_A_FORM)),
        # Too long for the cookie of a browser that has forgotten who was logged in.
        *((name, "in the browser") for name in sorted(SHOW_A_FORM - {"save_budgets"})),
    ],
)
def test_every_form_comes_back_filled_in(ana, name, ended):
    form = forms_of(ana)[name]
    typed = typed_into(form)
    before = everything()
    ana.end_sessions() if ended == "on the server" else ana.client._cookies.clear()

    response = send(ana, form, typed + press(form))

    assert response.status_code in REDIRECTS
    kept = sorted((field, value) for field, value in typed if value != SECRET and field != "csrf_token")
    login = read(ana.get(response.location))
    if kept:
        assert "what you typed will still be there" in login.one("div", class_="message").text
    response = ana.log_in_at(response.location)
    page = ana.page(response.location)
    if kept:
        assert response.location == form["action"]
        assert [pair for pair in shown_pairs(page, form) if pair in kept] == kept
        assert MESSAGE in page.text
    assert "CSRF" not in page.text
    assert SECRET not in ana.get(response.location).text
    assert everything() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHOW_A_FORM))
def test_every_form_with_a_stale_token_comes_back_filled_in(ana, name):
    form = forms_of(ana)[name]
    typed = typed_into(form)
    before = everything()

    response = ana.client.post(form["action"], data=[])
    assert response.status_code == 400
    response = send(ana, form, typed + press(form))

    assert response.status_code == 400
    kept = sorted((field, value) for field, value in typed if value != SECRET and field != "csrf_token")
    page = read(response)
    assert [pair for pair in shown_pairs(page, form) if pair in kept] == kept
    assert "nothing was saved" in page.text
    assert "CSRF" not in page.text
    assert everything() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SHOW_A_FORM))
def test_a_draft_of_one_user_is_never_shown_to_another(ana, bob, name):
    form = forms_of(ana)[name]
    typed = [(field, "zqtyped" if value.startswith("typed") else value) for field, value in typed_into(form)]
    ana.end_sessions()
    response = send(ana, form, typed)

    response = ana.fill(response.location, email="bob@example.com", password=PASSWORD)

    for url in (response.location, form["action"], "/expenses"):
        page = ana.get(url, follow_redirects=True)
        assert "zqtyped" not in page.text
        assert MESSAGE not in page.text
    assert ana.get(response.location).status_code in ({404} if "-" in response.location else {200, *REDIRECTS})


# --- Afterwards


def lose_and_send(visitor, form, typed):
    """Send a form when the session has ended, and log in where that leads."""
    visitor.end_sessions()
    response = send(visitor, form, typed)
    return visitor.log_in_at(response.location).location


def stored_drafts(visitor):
    with visitor.client.session_transaction() as session:
        return session.get("drafts", [])


def rows():
    with application.app_context():
        return db.session.scalar(select(func.count()).select_from(Draft))


def test_a_draft_is_shown_until_it_is_saved(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    url = lose_and_send(ana, form, [*typed_into(form), ("amount", "7")])

    for _ in range(2):
        page = ana.page(url)
        assert MESSAGE in page.text
    response = ana.client.post(form["action"], data=dict(pairs(same_form(page, form))))

    assert response.status_code in REDIRECTS
    assert stored_drafts(ana) == []
    page = ana.page("/expenses/add")
    assert MESSAGE not in page.text
    assert page.one(id="amount")["value"] == ""


def test_a_draft_that_is_sent_again_and_is_not_valid_is_still_there_after_a_reload(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    url = lose_and_send(ana, form, [("amount", "much"), ("description", "typed")])

    response = ana.client.post(url, data=dict(pairs(same_form(ana.page(url), form))))

    assert response.status_code == 422
    assert ana.page(url).one(id="description")["value"] == "typed"


def test_the_list_is_itself_again_after_it_has_shown_a_draft_once(ana):
    form = ana.page("/expenses?category=Food").one("form", class_="add-form")
    url = lose_and_send(ana, form, [("amount", "much"), ("description", "typed")])

    page = ana.page(url)
    assert url == "/expenses?category=Food"
    assert page.one(id="description")["value"] == "typed"
    assert page.one("table", class_="expenses")

    page = ana.page(url)
    assert page.one(id="description")["value"] == ""
    assert MESSAGE not in page.text


def test_a_draft_for_a_url_without_a_page_is_shown_there_until_it_is_saved(ana):
    form = ana.page("/expenses").one("form", id="bulk")
    ids = [("ids", str(row.id)) for row in ana.expenses()]
    url = lose_and_send(ana, form, [*ids, ("action", "category"), ("category", "Travel")])
    assert url == "/expenses/bulk"

    page = ana.page(url)
    assert len([element for element in page.all("input", name="ids") if "checked" in element.attributes]) == 2
    assert ana.page("/expenses").one("table", class_="expenses")
    assert not [
        element for element in ana.page("/expenses").all("input", name="ids") if "checked" in element.attributes
    ]
    page = ana.page(url)
    body = {"ids": [row for _, row in ids], "action": "category", "category": "Travel"}
    token = same_form(page, form).one("input", name="csrf_token")["value"]
    assert ana.client.post(url, data=body | {"csrf_token": token}).status_code in REDIRECTS

    assert {row.category for row in ana.expenses()} == {"Travel"}
    assert ana.get(url).status_code == 405


def test_a_new_category_that_was_typed_on_the_list_comes_back_in_the_long_form(ana):
    typed = [("amount", "5"), ("category", "New …"), ("new_category", "Gifts"), ("date", "2026-02-03")]
    form = ana.page("/expenses").one("form", class_="add-form")

    page = ana.page(lose_and_send(ana, form, typed))

    assert page.one(id="new_category")["value"] == "Gifts"
    assert ana.client.post("/expenses", data=dict(pairs(same_form(page, form)))).status_code in REDIRECTS
    assert "Gifts" in {row.category for row in ana.expenses()}


@pytest.mark.parametrize("name", sorted(SHOW_NO_FORM))
def test_a_button_that_was_pressed_without_a_session_leads_back_to_its_page(ana, name):
    rule = next(rule for rule in application.url_map.iter_rules() if rule.endpoint == name)
    with application.app_context():
        category = str(get_categories(ana.user())[0].id)
        operation = str(db.session.scalars(select(Operation.id)).first())
        statement = str(db.session.scalars(select(Statement.id)).first())
    expense = str(ana.expenses()[0].id)
    url = rule.rule.replace("<uuid:category_id>", category).replace("<uuid:operation_id>", operation)
    url = url.replace("<uuid:expense_id>", expense).replace("<uuid:recurring_id>", expense)
    url = url.replace("<uuid:statement_id>", statement)
    before = everything()
    ana.end_sessions()

    for typed in ({}, {"batch": str(uuid7()), "token_hash": "f" * 64, "ids": expense}):
        response = ana.client.post(f"{url}?category=Food", data=typed)
        assert "Your session ended." in ana.message(response.location).text
    response = ana.log_in_at(response.location)
    response = ana.get(response.location, follow_redirects=True)

    assert response.status_code == 200
    page = url.rpartition("/")[0] if name == "discard_import" else "/" + url.split("/")[1]
    assert response.request.path == page
    assert "Your session had ended. Nothing was changed." in response.text
    assert everything() == before
    assert stored_drafts(ana) == []
    assert ana.get("/expenses").status_code == 200


def test_opening_a_draft_changes_nothing_although_its_view_does(ana, monkeypatch):
    def rename():
        assert request.method == "POST"
        ana_row = ana.user()
        ana_row.username = "eve"
        db.session.commit()
        raise AssertionError("committed")

    ana.end_sessions()
    url = "/account/sessions/end-all"
    response = ana.client.post(url, data={"field": "typed"})
    ana.log_in_at(response.location)
    monkeypatch.setitem(application.view_functions, "end_all_sessions", rename)

    response = ana.get(url)

    assert response.location == "/account"
    with application.app_context():
        assert ana.user().username == "ana"


def test_a_good_token_in_a_header_does_not_save_a_draft(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    url = lose_and_send(ana, form, typed_into(form))
    before = everything()

    response = ana.get(url, headers={"X-CSRFToken": ana.token()})

    assert response.status_code == 200
    assert MESSAGE in response.text
    assert everything() == before


def test_only_opening_a_page_shows_a_draft(ana):
    form = ana.page("/expenses").one("form", class_="add-form")
    url = lose_and_send(ana, form, [("description", "typed")])

    assert ana.client.head(url).status_code == 200
    assert ana.client.options(url).status_code == 200
    assert ana.get("/months").status_code == 200

    assert ana.page(url).one(id="description")["value"] == "typed"


def test_a_draft_of_a_row_that_is_gone_leads_to_the_list(ana, bob):
    expense = ana.expenses()[0].id
    form = ana.page(f"/expenses/{expense}/edit").one("main").one("form")
    other = Visitor(application)
    other.name = "ana"
    ana.end_sessions()
    response = send(ana, form, typed_into(form))
    other.log_in()
    other.post(f"/expenses/{expense}/delete")

    response = ana.log_in_at(response.location)
    response = ana.get(response.location)

    assert response.location == f"/expenses/{expense}/edit"
    assert ana.get(response.location).status_code == 404


def test_a_draft_is_logged_as_one_request_by_its_real_method(ana, caplog):
    form = ana.page("/expenses/add").one("main").one("form")
    url = lose_and_send(ana, form, typed_into(form))
    caplog.clear()

    ana.get(url)

    lines = [record.getMessage() for record in caplog.records if record.name == "ledger.requests"]
    assert len(lines) == 1
    assert lines[0].startswith("GET add_expense 200,")
    assert "was refused" not in caplog.text


# --- How much is kept, and for how long


@pytest.fixture
def long_form(ana):
    """The form of budgets, and 40 kB of input for it."""
    form = ana.page("/categories").one("main").all("form")[0]
    names = [name for name, _value in pairs(form) if name.endswith("-monthly_budget")]
    size = 40_000 // len(names)
    typed = [(name, value) for name, value in pairs(form) if name not in names and name != "csrf_token"]
    return form, typed + [(name, f"{index % 10}{'+1' * (size // 2)}") for index, name in enumerate(names)]


def test_a_long_form_comes_back_from_the_database(ana, long_form):
    form, typed = long_form
    before = everything()

    url = lose_and_send(ana, form, typed)

    assert rows() == 1
    page = ana.page(url)
    assert sorted(typed) == shown_pairs(page, form)
    assert MESSAGE in page.text
    assert everything() == before


def test_a_long_draft_that_is_saved_is_deleted(ana, long_form):
    form, typed = long_form
    url = lose_and_send(ana, form, [(name, value[:59]) for name, value in typed])
    page = ana.page(url)
    assert rows() == 1

    response = ana.client.post(url, data=dict(pairs(same_form(page, form))))

    assert response.status_code in REDIRECTS
    # The page of categories shows a draft once, and has forgotten then that there is one.
    assert MESSAGE not in ana.page(url).text


def test_a_long_draft_of_a_page_of_its_own_is_deleted_once_it_is_saved(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    typed = [*typed_into(form), *((f"more{index}", "x" * 100) for index in range(20))]
    url = lose_and_send(ana, form, typed)
    values = dict(pairs(same_form(ana.page(url), form)))
    assert ana.client.post(url, data=values | {"amount": "much"}).status_code == 422
    assert rows() == 1

    assert ana.client.post(url, data=values).status_code in REDIRECTS

    assert rows() == 0


@pytest.mark.parametrize("size", [DRAFT_MAX_BYTES, 300_000])
def test_a_form_that_is_too_long_is_not_kept_and_the_login_page_says_so(ana, size):
    ana.end_sessions()

    response = ana.client.post("/expenses/bulk", data={"description": "x" * size})

    assert response.location == "/login?next=/expenses"
    assert "too long to keep" in ana.message(response.location).text
    assert rows() == 0
    assert ana.log_in_at(response.location).location == "/expenses"


def test_an_earlier_draft_is_not_taken_for_one_that_was_too_long(ana):
    ana.end_sessions()
    ana.client.post("/expenses/bulk", data={"description": "earlier"})

    response = ana.client.post("/expenses/bulk", data={"description": "x" * DRAFT_MAX_BYTES})

    assert response.location == "/login?next=/expenses"
    assert stored_drafts(ana) == []


def test_a_browser_that_names_no_user_keeps_a_short_form_only(ana, stranger):
    response = stranger.client.post("/expenses/add", data={"description": "x" * 2_000})
    assert "too long to keep" in stranger.message(response.location).text
    assert rows() == 0
    stranger.client.post("/expenses/add", data={"description": "typed"})
    stranger.name = "ana"

    assert stranger.log_in().location == "/expenses"

    assert stranger.page("/expenses/add").one(id="description")["value"] == "typed"


def test_the_short_forms_of_an_unknown_browser_make_room_for_the_last_one(ana, stranger):
    stranger.client.post("/expenses/add", data={"description": "a" * 900})
    stranger.client.post("/expenses", data={"description": "b" * 900})
    stranger.name = "ana"

    stranger.log_in()

    assert [draft["path"] for draft in stored_drafts(stranger)] == ["/expenses"]


def test_several_forms_come_back_and_the_last_one_of_each(ana):
    ana.end_sessions()
    for text in ("first", "second"):
        ana.client.post("/expenses/add", data={"description": text})
    ana.client.post("/expenses", data={"description": "third"})
    ana.client.post("/account/profile", data={"username": "x" * 1_400, "current_password": SECRET})

    ana.log_in()

    assert ana.page("/expenses/add").one(id="description")["value"] == "second"
    assert ana.page("/expenses").one(id="description")["value"] == "third"
    assert ana.page("/account/profile").one(id="profile-username")["value"] == "x" * 1_400
    assert rows() == 1


def test_a_user_has_five_drafts_and_the_oldest_go(ana):
    expenses = []
    for _ in range(MAX_DRAFTS + 2):
        ana.add("1")
    expenses = [row.id for row in ana.expenses()][: MAX_DRAFTS + 2]
    ana.end_sessions()
    for expense in expenses:
        ana.client.post(f"/expenses/{expense}/edit", data={"description": "x" * 1_600})
        ana.client.post(f"/expenses/{expense}/edit", data={"description": "y" * 1_600})

    ana.log_in()

    assert rows() == MAX_DRAFTS
    assert [draft["path"] for draft in stored_drafts(ana)] == [f"/expenses/{row}/edit" for row in expenses[2:]]
    assert MESSAGE not in ana.page(f"/expenses/{expenses[0]}/edit").text
    for expense in expenses[2:]:
        assert ana.page(f"/expenses/{expense}/edit").one(id="description")["value"] == "y" * 1_600


@pytest.mark.parametrize("length", [10, 5_000])
def test_a_draft_is_forgotten_after_a_day(ana, monkeypatch, length):
    form = ana.page("/expenses/add").one("main").one("form")
    url = lose_and_send(ana, form, [("description", "x" * length)])
    assert MESSAGE in ana.page(url).text

    later = datetime.now(UTC) + DRAFT_MAX_AGE
    monkeypatch.setattr(clock, "now", lambda: later)
    # The session has ended as well, for lack of use.
    ana.log_in()

    assert MESSAGE not in ana.page("/expenses/add").text
    assert stored_drafts(ana) == []
    assert rows() == 0


def test_purging_deletes_old_drafts(ana, bob, run):
    with application.app_context():
        for visitor, age in ((ana, 23), (bob, 25)):
            values = {"author_id": visitor.user().id, "path": "/categories", "fields": []}
            created = datetime.now(UTC) - timedelta(hours=age)
            db.session.execute(insert(Draft).values(created_at=created, **values))
        db.session.commit()

    assert run("purge")[0] == 0

    with application.app_context():
        assert db.session.scalars(select(Draft.author_id)).all() == [ana.user().id]


def test_a_cookie_of_a_user_that_is_gone_stores_nothing(ana):
    with ana.client.session_transaction() as session:
        session["_user_id"] = "999999999.token"

    response = ana.client.post("/categories", data={"description": "x" * 5_000})

    assert response.status_code in REDIRECTS
    assert rows() == 0
    assert "too long to keep" in ana.message(response.location).text


def test_another_user_who_logs_in_does_not_even_have_the_draft(ana, bob):
    ana.end_sessions()
    ana.client.post("/expenses/add", data={"description": "secret"})
    ana.client.post("/categories", data={"description": "x" * 5_000})

    ana.log_in(email="bob@example.com")

    assert stored_drafts(ana) == []
    ana.log_in(email="ana@example.com")
    assert MESSAGE not in ana.page("/expenses/add").text


def test_logging_out_forgets_drafts(ana):
    form = ana.page("/expenses/add").one("main").one("form")
    lose_and_send(ana, form, typed_into(form))

    ana.post("/logout")

    assert stored_drafts(ana) == []


def test_a_form_of_another_site_leaves_no_draft(ana, stranger):
    ana.end_sessions()
    for visitor in (ana, stranger):
        before = visitor.client.get_cookie("session")
        body = {"description": "x" * 5_000}
        response = visitor.client.post("/expenses/add", data=body, headers={"Origin": "https://evil.example"})

        assert response.status_code == 400
        assert visitor.client.get_cookie("session") == before
    assert rows() == 0


def test_passwords_and_files_are_never_stored(ana):
    assert unstored_fields() >= {"csrf_token", "password", "confirm_password", "current_password"}
    ana.end_sessions()
    values = dict.fromkeys(unstored_fields(), SECRET) | {"username": "typed" * 400}
    file = (io.BytesIO(b"zqfile"), "statement.csv")

    ana.client.post("/account/profile", data=values | {"file": file}, content_type="multipart/form-data")
    ana.client.post("/account/password", data=values)

    with application.app_context():
        for fields in db.session.scalars(select(Draft.fields)):
            assert [tuple(pair) for pair in fields] == [("username", "typed" * 400)]
    with ana.client.session_transaction() as session:
        assert SECRET not in str(dict(session))
        assert "zqfile" not in str(dict(session))


# --- Any text


@pytest.fixture(scope="module")
def lost(migrated):
    """Ana, whose session has ended, with the means to inspect a resumed form."""
    empty_tables(migrated)
    visitor = Visitor(migrated).register("ana")
    migrated.config.update(THROTTLE_ADDRESS=0)
    cookie = visitor.client.get_cookie("session").value
    visitor.end_sessions()
    yield visitor, cookie
    migrated.config.update(THROTTLE_ADDRESS=50)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.sampled_from(["a", "b", "password", "csrf_token", "", "\0é"]) | TEXT


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([*"abc", "password", "csrf_token", "", "\0é"]) | TEXT, TEXT), max_size=8
    ),
    padding=st.sampled_from([0, 2_000, DRAFT_MAX_BYTES]),
)
@settings(max_examples=30, deadline=None)
def test_every_typed_value_comes_back_unchanged(lost, pairs, padding):
    visitor, cookie = lost
    visitor.client.set_cookie("session", cookie)
    names = dict.fromkeys(name for name, _value in pairs)
    body = {name: [value for each, value in pairs if each == name] for name in names}
    body |= {"padding": ["x" * padding]} if padding else {}
    seen = []

    def look():
        seen.append({name: request.form.getlist(name) for name in request.form})
        return "seen", 400

    response = visitor.client.post("/recurring/due", data=body)
    header = response.headers["Set-Cookie"]
    assert len(header) < 4_000
    location = visitor.log_in_at(response.location).location
    real = application.view_functions["post_due"]
    application.view_functions["post_due"] = look
    try:
        visitor.get(location)
    finally:
        application.view_functions["post_due"] = real

    expected = {name: values for name, values in body.items() if name not in unstored_fields()}
    too_long = padding == DRAFT_MAX_BYTES
    assert seen == ([expected] if expected and not too_long else [])
