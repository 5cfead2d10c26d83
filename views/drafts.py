"""Drafts: a form that was sent after the session had ended comes back filled in after the login."""

import json
import uuid
from typing import NotRequired, TypedDict

from flask import Flask, Response, current_app, g, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException, MethodNotAllowed

import clock
from database import db
from database.engine import SAFE_METHODS
from forms import unstored_fields
from ledger import drafts
from ledger.drafts import Fields
from security import csrf_failed, fail_csrf, safe_redirect_target
from views.common import flash_message, redirect_within

# All drafts in the session cookie together; browsers ignore a cookie of more than 4,096 bytes.
COOKIE_MAX_BYTES = 1_500
# Of a URL in that of the login page, where its signs are encoded once more. Servers refuse more than 8,190 bytes.
NEXT_MAX = 4_000


class Draft(TypedDict):
    """A draft in the session cookie: its fields, or the id of the row in the database that has them."""

    # The user whose session had ended; empty when the cookie named none.
    owner: str
    path: str
    # Seconds since 1970.
    created_at: int
    fields: NotRequired[Fields]
    id: NotRequired[str]


def init_app(app: Flask) -> None:
    """Restore drafts in `app`. The check of CSRF tokens has to be added after this."""
    app.before_request(resume)
    app.after_request(finish)


# --- Without a session


def ask_to_log_in() -> ResponseReturnValue:
    """Send an anonymous visitor to the login page, with the URL to return to, and keep what was typed."""
    if request.method not in SAFE_METHODS:
        typed = [pair for pair in request.form.items(multi=True) if pair[0] not in unstored_fields()]
        if not typed:
            flash_message(gettext("Your session ended. Nothing was changed."))
        elif store(typed):
            flash_message(gettext("Your session ended. Log in and what you typed will still be there."))
        else:
            text = gettext("Your session ended. What you typed was too long to keep, and nothing was changed.")
            flash_message(text, "error")
    return redirect(url_for("login", next=way_back()))


def way_back() -> str | None:
    """Return the URL of the page to open after the login, without its query if that makes it too long."""
    path = page_of(request.path)
    found = (url for url in (with_query(path), path) if len(url) <= NEXT_MAX)
    return safe_redirect_target(next(found, None))


def store(fields: Fields) -> bool:
    """Keep what was typed: in the cookie or, if it is too long and the cookie names a user, in the database."""
    owner, now = session.get("_user_id", "").partition(".")[0], clock.now()
    draft = Draft(owner=owner, path=request.path, created_at=int(now.timestamp()))
    others = [other for other in drafts_of(owner) if other["path"] != request.path][1 - drafts.MAX_DRAFTS :]
    in_cookie = draft | {"fields": fields}
    if fits_cookie(*others, in_cookie):
        session["drafts"] = [*others, in_cookie]
    elif owner.isdecimal() and (row_id := drafts.save(int(owner), request.path, fields, now)):
        db.session.commit()
        session["drafts"] = [*others, draft | {"id": str(row_id)}]
    elif fits_cookie(in_cookie):
        session["drafts"] = [in_cookie]
    else:
        # An earlier draft of the same form must not be taken for this one.
        session["drafts"] = others
        return False
    return True


def fits_cookie(*found: Draft) -> bool:
    """Tell whether drafts are short enough for the session cookie."""
    return len(json.dumps(found)) <= COOKIE_MAX_BYTES


def drafts_of(owner: str) -> list[Draft]:
    """Return the drafts in the cookie that belong to a user or have no owner, without those that are too old."""
    oldest = (clock.now() - drafts.DRAFT_MAX_AGE).timestamp()
    found: list[Draft] = session.get("drafts", [])
    return [draft for draft in found if draft["owner"] in {"", owner} and draft["created_at"] > oldest]


def page_of(path: str) -> str:
    """Return `path`, or the closest URL above it that can be opened if this one is for sending a form only."""
    urls = current_app.url_map.bind("")
    try:
        urls.match(path, "GET")
    except MethodNotAllowed:
        while not urls.test(path, "GET") and not any(draft["path"] == path for draft in session.get("drafts", [])):
            path = path.rpartition("/")[0] or "/"
    except HTTPException:
        # Nothing is there, and the error page says so.
        pass
    return path


def with_query(path: str) -> str:
    """Return `path` with the query string of this request."""
    return f"{path}?{request.query_string.decode()}" if request.query_string else path


# --- After the login


def resume() -> None:
    """Turn a GET of a form's URL into a POST of its draft, with a CSRF check that has failed.

    So the view itself shows its form again, filled in, and saves nothing.
    """
    if "drafts" not in session or not current_user.is_authenticated:
        return
    draft = next((draft for draft in drafts_of(str(current_user.id)) if draft["path"] == request.path), None)
    if draft is None:
        return
    if request.method == "POST" and "id" in draft:
        # In the transaction of the view: if nothing is saved, the draft is not deleted.
        drafts.delete(current_user.id, uuid.UUID(draft["id"]))
    elif request.method == "GET" and (fields := fields_of(draft)) is not None:
        g.draft, g.page = draft, request.endpoint
        rule, values = current_app.url_map.bind("").match(request.path, "POST", return_rule=True)
        request.url_rule, request.view_args, request.routing_exception = rule, dict(values), None
        request.method, request.form = "POST", ImmutableMultiDict(fields)
        request.files = ImmutableMultiDict()
        fail_csrf()


def fields_of(draft: Draft) -> Fields | None:
    """Return what was typed, or None if it is no longer in the database."""
    if "id" in draft:
        return drafts.find(current_user.id, uuid.UUID(draft["id"]), clock.now())
    return draft["fields"]


def finish(response: Response) -> Response:
    """Forget a draft that was saved; make the answer to a resumed draft that of a GET."""
    if "draft" not in g:
        saved = request.method == "POST" and response.status_code in {302, 303} and not csrf_failed()
        if saved and "drafts" in session and current_user.is_authenticated:
            forget(request.path)
        return response
    request.method = "GET"
    if "form_shown" in g:
        response.status_code = 200 if response.status_code == 400 else response.status_code
        # A page that is more than its form, such as the list, shows the draft only once.
        if g.page not in {None, request.endpoint}:
            forget(request.path)
    elif response.status_code < 500:
        forget(request.path)
        flash_message(gettext("Your session had ended. Nothing was changed."))
        return make_response(redirect_within(with_query(page_of(request.path))))
    return response


def forget(path: str) -> None:
    """Drop the draft of the form that is sent to `path`."""
    session["drafts"] = [draft for draft in session["drafts"] if draft["path"] != path]
