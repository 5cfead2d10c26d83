"""Messages about what was done, on the page that follows."""

import pytest
from flask import session
from uuid_utils.compat import uuid7

from tests.people import REDIRECTS
from views.common import MAX_MESSAGES, MESSAGE_MAX_LENGTH, flash_message


def waiting(visitor):
    """The messages that the next page will show."""
    with visitor.client.session_transaction() as found:
        return [message for _kind, message in found.get("_flashes", [])]


def test_a_message_is_shown_once(ana):
    ana.add("4.20")

    assert ana.message().text.startswith("Expense added.")
    assert not ana.page("/expenses").all("div", class_="message")


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
            flash_message(f"{number} {text}", expense=uuid7(), edit=True)
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

        assert session["_flashes"] == [("status", {"text": text, "operation": "", "expense": "", "edit": False})]


def test_an_error_page_leaves_messages_for_the_next_page(ana):
    ana.add("4.20")

    response = ana.get("/nope")

    assert response.status_code == 404
    assert "Expense added." not in response.text
    assert len(waiting(ana)) == 1
    assert "Expense added." in ana.message().text


def test_a_message_of_an_earlier_version_is_shown_without_its_button(ana):
    with ana.client.session_transaction() as found:
        message = {"text": "Deleted.", "batch": str(uuid7()), "row_id": str(uuid7()), "undo": "restore_expenses"}
        found["_flashes"] = [("message", message)]

    message = ana.message()

    assert message.text == "Deleted."
    assert message["role"] == "status"
