"""The application: configuration from the environment, extensions, the user loader, template filters."""

import os
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_compact_decimal, format_decimal, format_percent
from flask import Flask, g, request
from flask_login import LoginManager, current_user
from flask_migrate import Migrate
from jinja2.ext import Extension
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

import commands
import logs
from database import (
    SAFE_METHODS,
    close_session,
    create_private_file,
    database_url,
    db,
    engine_options,
    prepare_engine,
)
from ledger.accounts import APPLICATION_NAME, allow_local_emails
from ledger.logins import LOGIN_MAX, device_name, find_login, note_seen
from ledger.money import currencies, currency_digits, currency_sign, format_amount
from ledger.periods import is_time_zone
from ledger.recurring import EVERY
from ledger.scales import scale_for
from models import User
from security import FormProtect, Request, add_headers, check_secret_key, kept_secret_key

logs.start_logging(os.environ.get("LOG_FORMAT") or "text")
app = Flask(__name__)
app.request_class = Request
# Else an address with two slashes would be redirected, to whatever host the request names.
app.url_map.merge_slashes = False


def words(name: str) -> list[str]:
    """Return the values of a setting that is a list, parted by commas."""
    return [word.strip() for word in os.environ.get(name, "").split(",") if word.strip()]


def secret(name: str) -> str:
    """Return a setting, or what stands in the file that `<name>_FILE` names; "" without either."""
    value, file = os.environ.get(name, ""), os.environ.get(f"{name}_FILE")
    if not file:
        return value
    # Anything but an error would quietly open another database, or end every session.
    if value:
        raise RuntimeError(f"Set {name} or {name}_FILE, not both.")
    try:
        value = Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{name}_FILE: {file} cannot be read: {error}") from None
    if not value:
        raise RuntimeError(f"{name}_FILE: {file} is empty.")
    return value


def switch(name: str, default: str = "0") -> bool:
    """Return a setting that is on (1) or off (0)."""
    return os.environ.get(name, default).strip().casefold() in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    """Return a setting that is a whole number."""
    return int(os.environ.get(name) or default)


# How many of the languages that a browser asks for are tried; the rest of a long header costs nothing.
MAX_LANGUAGES = 10
HTTPS = switch("HTTPS")
COOKIE_PREFIX = "__Host-" if HTTPS else ""
DATABASE = database_url(secret("DATABASE_URL") or "sqlite:///ledger.db")
app.config.update(
    SECRET_KEY=check_secret_key(secret("SECRET_KEY") or kept_secret_key(app.instance_path)),
    SECRET_KEY_FALLBACKS=[check_secret_key(key) for key in words("SECRET_KEY_FALLBACKS")],
    SQLALCHEMY_DATABASE_URI=DATABASE,
    SQLALCHEMY_ENGINE_OPTIONS=engine_options(DATABASE),
    SESSION_COOKIE_NAME=f"{COOKIE_PREFIX}session",
    SESSION_COOKIE_SAMESITE="Lax",
    SESSION_COOKIE_SECURE=HTTPS,
    REMEMBER_COOKIE_NAME=f"{COOKIE_PREFIX}remember_token",
    REMEMBER_COOKIE_DURATION=LOGIN_MAX,
    REMEMBER_COOKIE_HTTPONLY=True,
    REMEMBER_COOKIE_SAMESITE="Lax",
    REMEMBER_COOKIE_SECURE=HTTPS,
    # The token dies with the session; a shorter life would only lose what somebody typed slowly.
    WTF_CSRF_TIME_LIMIT=None,
    MAX_CONTENT_LENGTH=2 * 1024 * 1024,
    MAX_FORM_MEMORY_SIZE=500_000,
    MAX_FORM_PARTS=1_000,
    TRUSTED_HOSTS=words("TRUSTED_HOSTS") or None,
    PROXY_HOPS=number("PROXY_HOPS", 0),
    DEFAULT_CURRENCY=os.environ.get("DEFAULT_CURRENCY") or "USD",
    TIMEZONE=os.environ.get("TIMEZONE") or "UTC",
    PASSWORD_MIN=number("PASSWORD_MIN", 8),
    REGISTRATION=switch("REGISTRATION", "1"),
    THROTTLE_ACCOUNT=number("THROTTLE_ACCOUNT", 10),
    THROTTLE_ADDRESS=number("THROTTLE_ADDRESS", 50),
    THROTTLE_WINDOW=number("THROTTLE_WINDOW", 900),
)
if app.config["DEFAULT_CURRENCY"] not in currencies() or not is_time_zone(app.config["TIMEZONE"]):
    raise RuntimeError("DEFAULT_CURRENCY must be a code such as EUR, and TIMEZONE a name such as Europe/Berlin.")
if switch("ALLOW_LOCAL_EMAILS"):
    allow_local_emails()
if hops := app.config["PROXY_HOPS"]:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
app.after_request(add_headers)

create_private_file(DATABASE, app.instance_path)
db.init_app(app)
# Before the session is closed, which would turn a page that is made already into a 500.
app.teardown_appcontext(close_session)
with app.app_context():
    prepare_engine(db.engine)
    logs.init_app(app, db.engine)
Migrate(app, db, render_as_batch=True, compare_type=True)
csrf = FormProtect()
csrf.init_app(app)
commands.init_app(app)
# Templates look at current_user by themselves (below): loaded for every page, it would break the error
# page just when the database is away.
login_manager = LoginManager(app, add_context_processor=False)
# Every log-in is a row of its own; a guess by network address would only end the wrong ones.
login_manager.session_protection = None


@login_manager.user_loader
def load_user(login_id: str) -> User | None:
    """Return the person whose log-in the cookie names, while it lasts."""
    now = datetime.now(UTC)
    found = find_login(login_id, now)
    if found is None:
        return None
    user, login = found
    if request.method not in SAFE_METHODS:
        note_seen(login, now)
    return user


def visitor_locale() -> Locale:
    """Return the locale that the account or the browser asks for, for amounts and dates; the words are English."""
    if "locale" not in g:
        g.locale = Locale("en")
        chosen = current_user.locale if current_user.is_authenticated else ""
        for name in (chosen, *islice(request.accept_languages.values(), MAX_LANGUAGES)):
            try:
                g.locale = Locale.parse(name.replace("_", "-"), sep="-")
                break
            except (UnknownLocaleError, ValueError):
                continue
    return g.locale


@app.template_filter()
def money(amount: Decimal) -> Markup:
    """Write an amount in the currency of the account, its sign set apart from the digits."""
    if "currency" not in g:
        # Asking who is here takes longer than writing an amount.
        g.currency = current_user.currency
    return _money(amount, g.currency, visitor_locale())


# The same page is often opened again, and Babel takes as long for its amounts and days as all else in its rows.
@lru_cache(maxsize=4096)
def _money(amount: Decimal, currency: str, locale: Locale) -> Markup:
    before, sign, after = format_amount(amount, currency, locale).partition(currency_sign(currency, locale))
    return Markup("{}<i>{}</i>{}").format(before, sign, after)


def money_text(amount: Decimal) -> str:
    """Write an amount in the currency of the account, as plain text."""
    return format_amount(amount, current_user.currency, visitor_locale())


@app.template_filter()
def counted(number: int) -> str:
    """Write a number of expenses."""
    return f"{number} expense" if number == 1 else f"{number} expenses"


@app.template_filter()
def often(every: str) -> str:
    """Write how often something repeats."""
    return EVERY[every]


@app.template_filter()
def month(value: date) -> str:
    """Write the month that a day lies in."""
    return _month(value, "MMMM y", visitor_locale())


@app.template_filter()
def short_month(value: date) -> str:
    """Write the month that a day lies in without its year, for where there is little room."""
    return _month(value, "LLL", visitor_locale())


@lru_cache(maxsize=1024)
def _month(value: date, pattern: str, locale: Locale) -> str:
    return format_date(value, pattern, locale)


@app.template_filter()
def short_number(value: Decimal) -> str:
    """Write a number beside an axis, where there is little room: 0.5, 200, 1.5K."""
    locale = visitor_locale()
    if abs(value) < 1:
        return format_decimal(value.normalize(), locale=locale)
    return format_compact_decimal(value, locale=locale, fraction_digits=1)


@app.template_filter()
def percent(share: Decimal) -> str:
    """Write a share with one decimal."""
    return format_percent(round(share, 3), locale=visitor_locale(), decimal_quantization=False)


@app.template_filter()
def moment(value: datetime) -> str:
    """Write a moment in the account's time zone."""
    return format_datetime(value, "medium", get_timezone(current_user.time_zone), visitor_locale())


@app.template_filter()
def day(value: date) -> str:
    """Write a day as readers of the visitor's locale expect it."""
    return _day(value, visitor_locale())


@lru_cache(maxsize=4096)
def _day(value: date, locale: Locale) -> str:
    return format_date(value, "medium", locale)


class Unindented(Extension):
    """Leaves the indentation of the templates, a third of a long page, out of the pages."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source of a template without it."""
        return re.sub(r"(?m)^[ \t]+", "", source)


app.jinja_env.trim_blocks = True
app.jinja_env.add_extension(Unindented)
app.jinja_env.filters.update(digits=currency_digits, device=device_name)
app.jinja_env.globals.update(
    application_name=APPLICATION_NAME,
    current_user=current_user,
    request_id=logs.request_id,
    scale_for=scale_for,
)

# Last, because routes.py itself imports this module; without this line there are no pages.
import routes  # noqa: E402, F401
