"""Settings, read from the environment and checked."""

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from database.engine import database_url, engine_options
from ledger.accounts import PASSWORD_MAX
from ledger.archives.reading import UPLOAD_MAX_BYTES
from ledger.money import currencies
from ledger.periods import is_time_zone
from ledger.sessions import SESSION_MAX_AGE
from ledger.statements import UPLOAD_LIMITS
from mail import check_sender, parse_mail_url
from security import check_secret_key, is_weak_key, load_or_create_secret_key
from url_prefix import check_prefix, check_public_url

# With any other status, gunicorn would start its workers again and again.
CANNOT_START = 3
# Ways to write a setting that is on or off.
ON, OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
# A name of a host, which may begin with a dot for all subdomains, and may have a port, which is ignored.
HOST_NAME = re.compile(r"\.?[\w-]{1,63}(\.[\w-]{1,63})*(:[0-9]+)?")
PYPROJECT = Path(__file__).with_name("pyproject.toml")
# Configuration that no setting changes.
FIXED = {
    "SESSION_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_HTTPONLY": True,
    "REMEMBER_COOKIE_DURATION": SESSION_MAX_AGE,
    # The token is valid as long as the session; a shorter limit would only reject forms filled in slowly.
    "WTF_CSRF_TIME_LIMIT": None,
    # All messages of forms are our own; the translations of WTForms would be loaded for each request.
    "WTF_I18N_ENABLED": False,
    "MAX_CONTENT_LENGTH": 2 * 1024 * 1024,
    "MAX_FORM_MEMORY_SIZE": 500_000,
    "MAX_FORM_PARTS": 1_000,
}
# Settings that are whole numbers, with their defaults.
NUMBERS = {
    "PROXY_HOPS": 0,
    "PASSWORD_MIN": 8,
    "THROTTLE_ACCOUNT": 10,
    "THROTTLE_ADDRESS": 50,
    "THROTTLE_WINDOW": 900,
    # A statement that is uploaded, and an export that is restored, may be larger than MAX_CONTENT_LENGTH.
    "IMPORT_MAX_BYTES": UPLOAD_LIMITS.max_bytes,
    "IMPORT_MAX_LINES": UPLOAD_LIMITS.max_lines,
    "RESTORE_MAX_BYTES": UPLOAD_MAX_BYTES,
}


@contextmanager
def explaining_errors() -> Iterator[None]:
    """End the process with a message, without a traceback, when a setting or a file keeps it from starting."""
    try:
        yield
    except RuntimeError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(CANNOT_START)


def env_list(name: str) -> list[str]:
    """Return the values of a comma-separated setting."""
    return [value.strip() for value in os.environ.get(name, "").split(",") if value.strip()]


def env_secret(name: str) -> str:
    """Return a setting, or the contents of the file that `<name>_FILE` names; "" without either.

    Raises RuntimeError for a file that cannot be read: anything milder would quietly open another database, or
    end every session.
    """
    value, file = os.environ.get(name, ""), os.environ.get(f"{name}_FILE")
    if not file:
        return value
    if value:
        raise RuntimeError(f"Set {name} or {name}_FILE, not both.")
    try:
        value = Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{name}_FILE: {file} cannot be read: {error}") from None
    if not value:
        raise RuntimeError(f"{name}_FILE: {file} is empty.")
    return value


def env_hosts() -> list[str]:
    """Return the host names that the application responds to. Raises RuntimeError for any other text.

    Flask would compare a URL or a wildcard with the host of each request, and refuse every one.
    """
    # Browsers send the name in lower case, and it is compared letter by letter.
    hosts = [host.lower() for host in env_list("TRUSTED_HOSTS")]
    if not all(HOST_NAME.fullmatch(host) for host in hosts):
        raise RuntimeError(
            "TRUSTED_HOSTS must be host names such as ledger.example.org, separated by commas and without https://."
        )
    return hosts


def env_bool(name: str) -> bool:
    """Return a setting that is on (1) or off (0, the default). Raises RuntimeError for any other text."""
    text = (os.environ.get(name) or "0").strip().casefold()
    if text not in {*ON, *OFF}:
        raise RuntimeError(f"{name} must be 1 (on) or 0 (off).")
    return text in ON


def env_int(name: str, default: int) -> int:
    """Return a setting that is a whole number. Raises RuntimeError for any other text."""
    text = os.environ.get(name) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text.strip()):
        raise RuntimeError(f"{name} must be a whole number such as {default}.")
    return int(text)


def env_registration() -> bool | Literal["invite"]:
    """Return who can register: everyone, nobody or whoever was invited. Raises RuntimeError for any other text."""
    text = (os.environ.get("REGISTRATION") or "1").strip().casefold()
    if text == "invite":
        return "invite"
    if text not in {*ON, *OFF}:
        raise RuntimeError("REGISTRATION must be 1 (open), 0 (closed) or invite.")
    return text in ON


def read_version() -> str:
    """Return the version of the application, which is written in pyproject.toml."""
    return str(tomllib.loads(PYPROJECT.read_text())["project"]["version"])


def read_config(instance_path: str) -> dict[str, Any]:
    """Return the configuration of the application. Raises RuntimeError for a setting that is not valid."""
    prefix = check_prefix(os.environ.get("URL_PREFIX") or os.environ.get("SCRIPT_NAME") or "")
    config = {
        **FIXED,
        "VERSION": read_version(),
        "URL_PREFIX": prefix,
        "PUBLIC_URL": check_public_url(os.environ.get("PUBLIC_URL") or "", prefix),
        "TRUSTED_HOSTS": env_hosts() or None,
        "HSTS_SUBDOMAINS": env_bool("HSTS_SUBDOMAINS"),
        "DEFAULT_CURRENCY": os.environ.get("DEFAULT_CURRENCY") or "",
        "TIMEZONE": os.environ.get("TIMEZONE") or "UTC",
        "REGISTRATION": env_registration(),
        "ALLOW_LOCAL_EMAILS": env_bool("ALLOW_LOCAL_EMAILS"),
        "MAIL_SERVER": parse_mail_url(env_secret("MAIL_URL")),
        "MAIL_FROM": check_sender(os.environ.get("MAIL_FROM") or ""),
        **{name: env_int(name, default) for name, default in NUMBERS.items()},
        **_database(),
        **_secret_keys(instance_path),
        **_cookies(env_bool("HTTPS"), prefix),
    }
    _check(config)
    return config


def _database() -> dict[str, Any]:
    url = database_url(env_secret("DATABASE_URL") or "sqlite:///ledger.db")
    return {"SQLALCHEMY_DATABASE_URI": url, "SQLALCHEMY_ENGINE_OPTIONS": engine_options(url)}


def _secret_keys(instance_path: str) -> dict[str, Any]:
    secret_key = env_secret("SECRET_KEY") or load_or_create_secret_key(instance_path)
    return {
        "SECRET_KEY": check_secret_key(secret_key),
        "SECRET_KEY_FALLBACKS": _former_keys(),
    }


def _former_keys() -> list[str]:
    keys = env_list("SECRET_KEY_FALLBACKS")
    if any(map(is_weak_key, keys)):
        raise RuntimeError(
            "SECRET_KEY_FALLBACKS must be former keys, separated by commas. One of them is too short."
        )
    return keys


def _cookies(https: bool, prefix: str) -> dict[str, Any]:
    # A __Host- cookie is sent to every path of the host.
    name_prefix = ("__Secure-" if prefix else "__Host-") if https else ""
    return {
        "SESSION_COOKIE_NAME": f"{name_prefix}session",
        "SESSION_COOKIE_PATH": prefix or "/",
        "SESSION_COOKIE_SECURE": https,
        "REMEMBER_COOKIE_NAME": f"{name_prefix}remember_token",
        "REMEMBER_COOKIE_PATH": prefix or "/",
        "REMEMBER_COOKIE_SECURE": https,
        "DEVICE_COOKIE_NAME": f"{name_prefix}device",
        "LANGUAGE_COOKIE_NAME": f"{name_prefix}language",
    }


def _check(config: dict[str, Any]) -> None:
    """Raise RuntimeError for settings that are not valid, or that need another one."""
    if config["DEFAULT_CURRENCY"] not in {"", *currencies()}:
        raise RuntimeError("DEFAULT_CURRENCY must be the code of a currency, such as EUR.")
    if not is_time_zone(config["TIMEZONE"]):
        raise RuntimeError("TIMEZONE must be the name of a time zone, such as Europe/Berlin.")
    if config["PASSWORD_MIN"] > PASSWORD_MAX:
        raise RuntimeError(f"PASSWORD_MIN must be at most {PASSWORD_MAX}, the maximum length of a password.")
    if config["MAIL_SERVER"] and not (config["MAIL_FROM"] and config["PUBLIC_URL"]):
        raise RuntimeError(
            "MAIL_URL also needs MAIL_FROM, the address that emails come from, and PUBLIC_URL, the address of "
            "this site, which their links begin with."
        )
