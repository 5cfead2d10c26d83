"""Security: secret key, safe redirect targets, throttling, known devices, hashing slots, response headers."""

import logging
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import flask
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

log = logging.getLogger("ledger")
View = TypeVar("View", bound=Callable[..., object])
KEY_MIN = 32
WELL_KNOWN_KEYS = ("change-me", "changeme", "secret", "please-set", "your-")
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
    """The check of CSRF tokens, which lets a view that shows its form again do so when it fails."""

    def __init__(self) -> None:
        super().__init__()
        self._shown_again: set[str] = set()

    def rerender_on_csrf_failure(self, view: View) -> View:
        """Mark a view whose every change goes through a `forms.Form`, which a refused token makes invalid."""
        self._shown_again.add(view.__name__)
        return view

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the token of a form. Raises CSRFError, unless its view is to show it again."""
        try:
            super().protect(apply_exemptions)
        except (CSRFError, ValueError) as error:
            log.warning("a form from %s was refused: %s", flask.request.remote_addr, error)
            # A page of another site must not even reach the session: it could replace it.
            if flask.request.endpoint not in self._shown_again or _is_foreign(flask.request):
                raise CSRFError("The form does not come from this session.") from None
            flask.g.csrf_failed = True


csrf = FormProtect()


def csrf_failed() -> bool:
    """Tell whether this request's form may have come from elsewhere, and must not be carried out."""
    return "csrf_failed" in flask.g


def _is_foreign(request: flask.Request) -> bool:
    """Tell whether the browser says that another site has sent this form."""
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


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

    Werkzeug 3.1 answers 500 to a query with bytes that are no text, Flask-Login 0.6 to a remember cookie
    beyond ASCII.
    """

    form_data_parser_class = FormParser

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # As a browser would have sent it.
        self.query_string = re.sub(rb"[^\x00-\x7f]", lambda byte: b"%%%02X" % ord(byte[0]), self.query_string)

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """Return the cookies whose value is ASCII, as every one of ours is."""
        return ImmutableMultiDict(
            (name, value) for name, value in super().cookies.items(multi=True) if value.isascii()
        )


def check_secret_key(key: str) -> str:
    """Return `key`; raises RuntimeError when it is short enough or known well enough to be guessed."""
    if len(key) < KEY_MIN or len(set(key)) < 8 or key.casefold().startswith(WELL_KNOWN_KEYS):
        raise RuntimeError(
            f"SECRET_KEY must be at least {KEY_MIN} random characters. Make one with "
            "python3 -c 'import secrets; print(secrets.token_hex(32))', or leave it out: "
            "then one is made and kept in the instance folder."
        )
    return key


def load_or_create_secret_key(folder: str) -> str:
    """Return the key kept in `folder`, made at the first start and readable by its owner alone.

    Workers that start at the same moment agree: the file appears whole, and only once.
    """
    path = Path(folder, "secret_key")
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        with open(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):
            os.link(unfinished, path)
        unfinished.unlink()
    path.chmod(0o600)
    return path.read_text().strip()


def safe_redirect_target(target: str | None) -> str | None:
    """Return `target` when it is an address within this application, else None.

    Printable ASCII without a backslash, one leading slash, neither scheme nor host: browsers read all
    other forms in ways that lead elsewhere.
    """
    if not target or len(target) > 2000 or not re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def add_headers(response: flask.Response) -> flask.Response:
    """Tell the browser what no page of ours ever does, and to keep no page."""
    headers = response.headers
    headers["Content-Security-Policy"] = CONTENT_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    # Not no-referrer: behind TLS, Flask-WTF asks every form for its referrer.
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if flask.request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    if flask.current_app.config["SESSION_COOKIE_SECURE"]:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
