"""The language of a page: that of the account, or the one that the visitor has chosen, or the browser's."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from urllib.parse import urlencode

from babel.support import NullTranslations
from flask import Flask, Response, after_this_request, current_app, g, has_request_context, request
from flask_babel import Domain, force_locale, get_domain, get_locale, refresh
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from database.engine import SAFE_METHODS
from languages import ENGLISH, LANGUAGES, MAX_TAGS, catalogues, closest_language, language_tag
from models import User

COOKIE_MAX_AGE = 365 * 24 * 3600
# The pages on which visitors choose a language by links, and the arguments of their URLs that the links keep.
PUBLIC_PAGES = frozenset({"login", "enter_code", "register", "forgot_password", "reset_password"})
KEPT_MAX = 4_000
KEPT_ARGUMENTS = ("next", "invitation", "recovery")


class PageDomain(Domain):
    """The translations of one page, looked up once: doing it for every text took 6 % of a page's time."""

    translations: NullTranslations | None = None

    def get_translations(self) -> NullTranslations:
        """Return the texts in the language of the page."""
        if self.translations is None:
            self.translations = catalogues.load(str(get_locale()))
        return self.translations


def init_app(app: Flask) -> None:
    """Translate the pages of `app`."""
    app.before_request(lambda: PageDomain().as_default())
    app.before_request(choose_language)
    app.after_request(add_language_headers)
    app.jinja_env.globals.update(language_links=language_links, language_tag=page_language_tag)


def page_language() -> str:
    """Return the language of the page; the output of commands is English."""
    if not has_request_context():
        return ENGLISH
    return user_language() or visitor_language() or browser_language()


def user_language() -> str:
    """Return the language that the user has chosen in the account, or ""."""
    if "without_user" in g:
        return ""
    try:
        return language_of(current_user) if current_user.is_authenticated else ""
    except SQLAlchemyError:
        # The error page is in the language of the cookie.
        return ""


def language_of(user: User) -> str:
    """Return the language that a user has chosen; "" for none, or if there are no translations any more."""
    return user.language if user.language in LANGUAGES else ""


def visitor_language() -> str:
    """Return the language that was chosen in this browser, or ""."""
    kept = request.cookies.get(current_app.config["LANGUAGE_COOKIE_NAME"], "")
    language = g.get("chosen_language", kept)
    return language if language in LANGUAGES else ""


def browser_language() -> str:
    """Return the first language that the browser asks for and that there is, or English."""
    tags = (tag for tag, quality in islice(request.accept_languages, MAX_TAGS) if quality > 0)
    return closest_language(tags) or ENGLISH


def choose_language() -> None:
    """Remember the language that a visitor has chosen by a link."""
    asked = request.args.get("language", "") if request.method in SAFE_METHODS else ""
    if asked in LANGUAGES and request.endpoint in PUBLIC_PAGES and not current_user.is_authenticated:
        g.chosen_language = asked
        remember_language(asked)


def remember_language(language: str) -> None:
    """Keep a language in a cookie, for the pages before the login and for errors; "" deletes it."""

    @after_this_request
    def set_cookie(response: Response) -> Response:
        config = current_app.config
        options = {
            "path": config["SESSION_COOKIE_PATH"],
            "secure": config["SESSION_COOKIE_SECURE"],
            "httponly": True,
            "samesite": "Lax",
        }
        if language:
            response.set_cookie(config["LANGUAGE_COOKIE_NAME"], language, max_age=COOKIE_MAX_AGE, **options)
        elif config["LANGUAGE_COOKIE_NAME"] in request.cookies:
            response.delete_cookie(config["LANGUAGE_COOKIE_NAME"], **options)
        return response


def use_language_of(user: User) -> None:
    """Go on in the language of a user who has just logged in or chosen another one."""
    g.chosen_language = user.language
    refresh()
    PageDomain().as_default()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Translate into a language other than that of the page, also outside of requests."""
    page = get_domain()
    with force_locale(language):
        PageDomain().as_default()
        try:
            yield
        finally:
            page.as_default()


def add_language_headers(response: Response) -> Response:
    """Add headers with the language of a page, and with what it depends on."""
    if response.mimetype == "text/html" and not 300 <= response.status_code < 400:
        response.headers["Content-Language"] = page_language_tag()
        response.vary.update(("Accept-Language", "Cookie"))
    return response


def page_language_tag() -> str:
    """Return the language of the page as HTML writes it."""
    return language_tag(str(get_locale()))


def language_links() -> list[tuple[str, str, str, bool]]:
    """Return each language as its tag, its name, a link to the same page in it, and whether the page is in it.

    The links are relative to the page.
    """
    if request.endpoint not in PUBLIC_PAGES:
        return []
    given = {name: request.args.get(name, "") for name in KEPT_ARGUMENTS}
    kept = {name: value for name, value in given.items() if 0 < len(value) <= KEPT_MAX}
    current = str(get_locale())
    return [
        (language_tag(code), name, f"?{urlencode(kept | {'language': code})}", code == current)
        for code, name in LANGUAGES.items()
    ]
