"""Flash messages on the next page."""

import random
from datetime import date

import pytest
from flask import session
from uuid_utils.compat import uuid7

from database import db
from languages import catalogues
from tests.browsing import REDIRECTS
from views.common import MAX_MESSAGES, MESSAGE_MAX_LENGTH, flash_message


def waiting(visitor):
    """The messages that the next page will show."""
    with visitor.client.session_transaction() as found:
        return [message for _kind, message in found.get("_flashes", [])]


def test_a_message_is_shown_once(ana):
    ana.add("4.20")

    assert ana.message().text.startswith("Added $4.20 to Food.")
    assert not ana.page("/expenses").all("div", class_="message")


def test_a_message_with_nothing_to_press_has_no_room_for_it(ana):
    ana.add("4.20")
    undo = ana.message().one("form")["action"]
    ana.post(undo)
    ana.message()

    # It is undone already.
    ana.post(undo)

    assert not ana.message().all("div", class_="buttons")


def test_a_message_has_a_button_that_undoes_and_a_link_that_edits(ana):
    ana.add("4.20")
    message = ana.message()
    assert message.one("a")["href"] == f"/expenses/{ana.expenses()[0].id}/edit"
    assert message.one("button").text == "Undo"

    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")

    message = ana.message("/expenses?category=Food")
    assert message["role"] == "status"
    assert not message.all("a")
    assert message.one("form")["action"].startswith("/history/")


@pytest.mark.parametrize(("language", "between"), [("de", ". "), ("ja", "。"), ("zh_Hans", "。")])
def test_the_sentences_of_a_message_are_joined_as_in_the_language_of_the_page(app, ana, language, between):
    with app.app_context():
        ana.user().language = language
        db.session.commit()

    ana.add("12.50", "Food", frequency="month")

    repeats = catalogues.load(language).gettext("It repeats every month.")
    assert ana.message().one("p").text.endswith(f"{between}{repeats}")


def test_an_error_is_announced_as_one(ana):
    ana.add("4.20")
    ana.post(f"/expenses/{ana.expenses()[0].id}/delete")
    form = ana.message().one("form")
    values = {field["name"]: field["value"] for field in form.all("input")}
    assert ana.client.post(form["action"], data=values).status_code in REDIRECTS
    assert ana.message()["role"] == "status"

    ana.client.post(form["action"], data=values)

    message = ana.message()
    assert message["role"] == "alert"
    assert "error" in message["class"].split()


@pytest.mark.parametrize("text", ["x" * 5_000, "😀" * 5_000, "<b>" * 2_000])
def test_messages_do_not_grow_without_bound(app, text):
    with app.test_request_context():
        for number in range(20):
            flash_message(f"{number} {text}", expense=uuid7(), added_on=date(2026, 11, 27))
        messages = [message for _kind, message in session["_flashes"]]

    assert [message["text"][:2] for message in messages] == ["17", "18", "19"]
    assert len(messages) == MAX_MESSAGES
    for message in messages:
        assert len(message["text"]) == MESSAGE_MAX_LENGTH
        assert message["text"].endswith("…")


def test_a_message_of_the_longest_length_is_not_cut(app):
    text = "x" * MESSAGE_MAX_LENGTH
    with app.test_request_context():
        flash_message(text)

        rest = {"operation": "", "expense": "", "day": "", "recurring": ""}
        assert session["_flashes"] == [("status", {"text": text} | rest)]


def test_an_error_page_leaves_messages_for_the_next_page(ana):
    ana.add("4.20")

    response = ana.get("/nope")

    assert response.status_code == 404
    assert "Added $4.20 to Food." not in response.text
    assert len(waiting(ana)) == 1
    assert "Added $4.20 to Food." in ana.message().text


def test_a_message_of_an_earlier_version_is_shown_without_its_button(ana):
    with ana.client.session_transaction() as found:
        message = {"text": "Deleted.", "batch": str(uuid7()), "row_id": str(uuid7()), "undo": "restore_expenses"}
        found["_flashes"] = [("message", message)]

    message = ana.message()

    assert message.text == "Deleted."
    assert message["role"] == "status"


CHANCE = random.Random(1)


def worst_text(length):
    """A text that neither JSON nor compression makes short."""
    return "".join(chr(CHANCE.randrange(0x20000, 0x2A6D6)) for _ in range(length))


def cookie_sizes(response):
    return [len(cookie.partition(";")[0]) for cookie in response.headers.getlist("Set-Cookie")]


@pytest.mark.slow
def test_no_cookie_grows_beyond_what_browsers_accept(ana):
    name = worst_text(60)
    ana.post("/expenses/add", {"amount": "1", "category": "Food", "new_category": name})

    sizes = []
    for number in range(160):
        typed = {"amount": "1", "category": name, "description": worst_text(200), "date": "2026-03-01"}
        sizes += cookie_sizes(ana.post("/expenses", typed | {"id": str(uuid7())}))
        if number % 50 == 0:
            # Its draft takes a part of the cookie as well.
            with ana.client.session_transaction() as session:
                session["drafts"] = [{"owner": "1", "path": "/x", "created_at": 0, "fields": [["a", name * 2]]}]

    assert len(ana.expenses()) == 161
    assert max(sizes) <= 4_096
    assert "Added $1.00 to" in ana.message().text


def test_a_session_that_is_too_large_loses_the_oldest_messages_first(app, caplog):
    with app.test_request_context():
        for number in range(3):
            flash_message(
                f"{number} {worst_text(MESSAGE_MAX_LENGTH)}", expense=uuid7(), added_on=date(2026, 11, 27)
            )
        session["csrf_token"] = "kept"
        response = app.make_response("")
        app.session_interface.save_session(app, session, response)
        messages = [message["text"][0] for _kind, message in session["_flashes"]]

    assert max(cookie_sizes(response)) <= 4_096
    assert session_kept(app, response)["csrf_token"] == "kept"
    assert messages in (["2"], ["1", "2"])
    assert "too large: _flashes" in caplog.text


def session_kept(app, response):
    value = response.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    return app.session_interface.get_signing_serializer(app).loads(value)
