"""Security: CSRF, limits on forms and the session cookie, secret key, safe redirect targets, response headers."""

import logging
import os
import re
import secrets
from contextlib import suppress
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import flask
import sqlalchemy as sa
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import CSRFError, CSRFProtect
from itsdangerous import URLSafeTimedSerializer
from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.routing import IntegerConverter
from werkzeug.utils import cached_property

from database.engine import SAFE_METHODS
from database.files import cannot_be_used

log = logging.getLogger("ledger")
KEY_MIN = 32
LOGGED_HEADER_MAX = 200
WELL_KNOWN_KEYS = ("change-me", "changeme", "secret", "please-set", "your-")
# Browsers ignore a cookie whose name and value are longer than 4,096 bytes together.
SESSION_COOKIE_MAX_BYTES = 4_000
# What is dropped from a session that is too large, in this order: messages, the values that the next form begins
# with, drafts. Of a list, the oldest first.
DISPENSABLE = ("_flashes", "last", "drafts")
# What browsers take for the folder itself or the one above, which may not be of this application.
DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
# A longer path cannot be asked for: gunicorn.conf.py accepts request lines of up to 8,190 characters.
TARGET_MAX = 8_000
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


class FormProtect(CSRFProtect):
    """CSRF protection that fails closed, without any view or form having to remember it.

    After a failed check the view still runs, so that it can show its form again with what was typed, but it cannot
    change anything: no form is valid (`forms.Form`), no transaction is committed, the cookie session stays as it
    was, and a view that doesn't show a form is answered with status 400.
    """

    def init_app(self, app: flask.Flask) -> None:
        """Check every form that `app` receives, after the hooks that were added before."""
        super().init_app(app)
        app.after_request(keep_unchanged)

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the token of a form, and remember a failure."""
        if csrf_failed():
            return
        try:
            super().protect(apply_exemptions)
        except (CSRFError, ValueError) as error:
            reason = _why_refused()
            log.warning("a form from %s was refused (%s): %s", flask.request.remote_addr, reason, error)
            fail_csrf(reason)


csrf = FormProtect()


def fail_csrf(reason: str = "expired") -> None:
    """Let nothing be changed by the rest of this request; `reason` is a key of `messages.CSRF_MESSAGES`."""
    flask.g.csrf_reason = reason
    # A deep copy, because views also change what is in the session's lists.
    flask.g.session_before = deepcopy(dict(flask.session))


def csrf_reason() -> str:
    """Return why the form of this request was refused, as a key of `messages.CSRF_MESSAGES`."""
    return str(flask.g.get("csrf_reason", "expired"))


def _why_refused() -> str:
    """Return why the check failed. A mistake in the setup must not look like a page that always expires."""
    request, config = flask.request, flask.current_app.config
    cookies = [config[f"{kind}_COOKIE_NAME"] for kind in ("SESSION", "REMEMBER", "DEVICE")]
    if not any(name in request.cookies for name in cookies):
        return "https_only" if config["SESSION_COOKIE_SECURE"] and not request.is_secure else "no_cookies"
    if request.is_secure and not request.referrer:
        return "no_referrer"
    is_foreign = request.is_secure and (request.referrer or "").split("/")[2:3] != [request.host]
    return "other_host" if is_foreign else "expired"


def csrf_failed() -> bool:
    """Tell whether this request's form may have come from another site, and must not change anything."""
    return flask.has_request_context() and "session_before" in flask.g


@sa.event.listens_for(sa.Engine, "commit")
def refuse_commit(connection: sa.Connection) -> None:
    """After a failed check, roll back what would be committed, through any engine. Raises CSRFError."""
    if csrf_failed():
        # Otherwise SQLAlchemy could return a connection to the pool with its transaction still open.
        connection.dialect.do_rollback(connection.connection)
        _restore_session()
        raise CSRFError


def keep_unchanged(response: flask.Response) -> flask.Response:
    """After a failed check, answer with status 400 unless the view has shown its form, and keep the session."""
    if not csrf_failed():
        return response
    _restore_session()
    if response.status_code >= 400:
        return response
    response.close()
    app = flask.current_app
    return app.make_response(app.handle_http_exception(CSRFError()))


def _restore_session() -> None:
    """Restore the cookie session from before the view.

    Only the token of the form that the page shows is kept, and messages that it has shown do not return.
    """
    session, before = flask.session, flask.g.session_before
    token = {name: session[name] for name in ("csrf_token",) if name in session}
    restored = token | before
    if "_flashes" not in session:
        restored.pop("_flashes", None)
    if restored != dict(session):
        session.clear()
        session.update(restored)


def refuse_foreign_form() -> None:
    """Refuse a form that the browser says another site has sent. Raises CSRFError.

    It must not even reach the session, which it could replace.
    """
    request = flask.request
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.partition("://")[2] != request.host
    if foreign and request.method not in SAFE_METHODS:
        sites = quoted(origin or ""), quoted(request.host)
        log.warning("a form from %s was refused: its site is %s, this one is %s", request.remote_addr, *sites)
        flask.g.csrf_reason = "other_host"
        raise CSRFError


def quoted(text: str) -> str:
    """Return the beginning of a header for the log, in which it can be neither a line nor a control sequence."""
    return ascii(text[:LOGGED_HEADER_MAX])


class FormParser(FormDataParser):
    """Form parser that limits the size of a whole form, however it is encoded.

    Werkzeug 3.1 applies `max_form_parts` to multipart bodies only, and `max_form_memory_size` to each of their
    fields by itself. Here both limit the form: its fields, and the characters of their names and values.
    """

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return the stream, the fields and the files. Raises RequestEntityTooLarge."""
        if mimetype == "application/x-www-form-urlencoded":
            stream = BytesIO(stream.read())
            if self.max_form_parts is not None and stream.getvalue().count(b"&") >= self.max_form_parts:
                raise RequestEntityTooLarge
        stream, form, files = super().parse(stream, mimetype, content_length, options)
        size = sum(len(name) + len(value) for name, value in form.items(multi=True))
        if self.max_form_memory_size is not None and size > self.max_form_memory_size:
            raise RequestEntityTooLarge
        return stream, form, files


class Request(flask.Request):
    """A request whose address and cookies are ASCII, and whose form is limited in size.

    Werkzeug 3.1 answers 500 to a query string with bytes that are not text, and Flask-Login 0.6 to a remember
    cookie that is not ASCII.
    """

    form_data_parser_class = FormParser

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # As a browser would have sent it.
        self.query_string = re.sub(rb"[^\x00-\x7f]", lambda byte: b"%%%02X" % ord(byte[0]), self.query_string)

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """Return the cookies whose value is ASCII, as all of ours are."""
        return ImmutableMultiDict(
            (name, value) for name, value in super().cookies.items(multi=True) if value.isascii()
        )


class AsciiIntegerConverter(IntegerConverter):
    """A number in a URL. Werkzeug would also accept the digits of other scripts."""

    regex = "[0-9]+"


class BoundedSessionInterface(SecureCookieSessionInterface):
    """Session in a signed cookie that is never larger than a browser accepts.

    Browsers ignore a larger one, which would look like an ended session. Each value in the session also has its
    own limit, but together they may still be too large.
    """

    def __init__(self) -> None:
        self._serializers: dict[tuple[str, ...], URLSafeTimedSerializer | None] = {}

    def get_signing_serializer(self, app: flask.Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer that signs the cookie, which is created once for the same keys."""
        keys = (app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"])
        if keys not in self._serializers:
            self._serializers = {keys: super().get_signing_serializer(app)}
        return self._serializers[keys]

    def save_session(self, app: flask.Flask, session: SessionMixin, response: flask.Response) -> None:
        """Set the cookie. From one that is too large, drop what the user needs least."""
        if flask.request.endpoint == "static":
            # Static files are the same for everybody. If they varied by cookie, browsers would request them again.
            return
        serializer = self.get_signing_serializer(app) if session.modified else None
        while serializer and len(serializer.dumps(dict(session))) > SESSION_COOKIE_MAX_BYTES:
            name = next((name for name in DISPENSABLE if session.get(name)), None)
            if name is None:
                break
            values = session[name]
            session[name] = values[1:] if isinstance(values, list) else None
            log.warning("a part of a session was dropped, because its cookie was too large: %s", name)
        super().save_session(app, session, response)


def check_secret_key(key: str) -> str:
    """Return `key`. Raises RuntimeError if it is so short or so well known that it could be guessed."""
    if is_weak_key(key):
        raise RuntimeError(
            f"SECRET_KEY must be at least {KEY_MIN} random characters. Generate one with "
            "python3 -c 'import secrets; print(secrets.token_hex(32))', or leave it out: "
            "then one is generated and stored in the instance folder."
        )
    return key


def is_weak_key(key: str) -> bool:
    """Tell whether a secret key is so short or so well known that it could be guessed."""
    return len(key) < KEY_MIN or len(set(key)) < 8 or key.casefold().startswith(WELL_KNOWN_KEYS)


def load_or_create_secret_key(folder: str) -> str:
    """Return the key stored in `folder`, which is created at the first start and readable by its owner only.

    Workers that start at the same moment get the same key: the file appears complete, and only once. Raises
    RuntimeError if it can be neither read nor created.
    """
    path = Path(folder, "secret_key")
    try:
        _create_key(path)
        path.chmod(0o600)
        return path.read_text().strip()
    except OSError as error:
        raise cannot_be_used(path if isinstance(error, IsADirectoryError) else path.parent, error) from None


def _create_key(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(unfinished, path)
        unfinished.unlink()


def safe_redirect_target(target: str | None) -> str | None:
    """Return `target` without the URL prefix if it is a path of this application, or None.

    That is printable ASCII without a backslash, with one leading slash, neither scheme nor host, and no segment
    such as `..`: browsers may take any other form for another site.
    """
    if target and flask.has_request_context() and f"{target}/".startswith(f"{flask.request.root_path}/"):
        target = target[len(flask.request.root_path) :] or "/"
    if not target or len(target) > TARGET_MAX or not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc or DOT_SEGMENT.search(parts.path) else target


def add_headers(response: flask.Response) -> flask.Response:
    """Tell the browser what none of our pages ever does, and to store no page."""
    headers = response.headers
    headers["Content-Security-Policy"] = CONTENT_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    # Not no-referrer: over https, Flask-WTF checks the referrer of every form.
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if flask.request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if flask.current_app.config["SESSION_COOKIE_SECURE"]:
        subdomains = "; includeSubDomains" if flask.current_app.config["HSTS_SUBDOMAINS"] else ""
        headers["Strict-Transport-Security"] = f"max-age=31536000{subdomains}"
    return response
