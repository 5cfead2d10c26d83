"""Logging in: what it costs in addition to hashing the password, which is slow on purpose."""

from collections.abc import Callable, Iterator

from werkzeug.security import check_password_hash, generate_password_hash

from benchmarks.accounts import email_of
from benchmarks.bench import Bench, guest_of
from benchmarks.client import Client
from benchmarks.report import Row, compare
from benchmarks.timing import alternate
from models import User
from tests.browsing import PASSWORD

ROUNDS = 12


def measure(bench: Bench) -> Iterator[Row]:
    """Measure a login against the bare hash."""
    client = Client(bench.application.port, email_of(guest_of(0)))
    stored = generate_password_hash(PASSWORD, method=User.HASH_METHOD)
    sides: dict[str, Callable[[], object]] = {
        "page": client.open_login_form,
        "login": client.send_login_form,
        "hash": lambda: check_password_hash(stored, PASSWORD),
    }
    taken = alternate(bench.rounds(ROUNDS), sides)
    yield compare("login / the bare hash", taken["login"], taken["hash"])
