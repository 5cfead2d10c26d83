"""Whether the response time reveals that an account exists: `python -m benchmarks.account_timing [TRIES]`.

Sends forms for an email address that has an account and for one that has none, in random order, to a separate
server with a separate mail server. For each page it prints both medians, and how likely a difference this large
would be by chance (a permutation test). The time of the next page is measured as well, which could have to wait
for what happens in the background after a response.
"""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.browsing import HttpClient, form_values, read
from tests.server import Server, own_database

TRIES = 100
PERMUTATIONS = 2_000
MAIL_PORT = 20_025
KNOWN, UNKNOWN = "ana@example.com", "nobody@example.com"


def p_value(one: list[float], other: list[float]) -> float:
    """Return how often a random division of all times has means that differ at least as much."""
    found = abs(statistics.median(one) - statistics.median(other))
    times, more = [*one, *other], 0
    for _ in range(PERMUTATIONS):
        random.shuffle(times)
        more += abs(statistics.median(times[: len(one)]) - statistics.median(times[len(one) :])) >= found
    return more / PERMUTATIONS


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure(client: HttpClient, page: str, tries: int) -> dict[str, dict[str, list[float]]]:
    """Return the times of the answer and of the next page, by email address."""
    form = form_values(read(client.get(page)).one("main").one("form"))
    times: dict[str, dict[str, list[float]]] = {"answer": {}, "next page": {}}
    for email in random.sample([KNOWN, UNKNOWN] * tries, 2 * tries):
        typed = form | {"email": email, "password": "not the password"}
        times["answer"].setdefault(email, []).append(seconds(partial(client.post, page, typed)))
        times["next page"].setdefault(email, []).append(seconds(partial(client.get, "/login")))
        # The work in the background, at a random moment within a second, is over before the next try.
        time.sleep(1.1 if page == "/forgot-password" else 0.05)
    return times


def main() -> None:
    """Print a line for each page."""
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else TRIES
    address = f"127.0.0.1:{MAIL_PORT}"
    command = [
        sys.executable,
        "-m",
        "aiosmtpd",
        "--nosetuid",
        "--listen",
        address,
        "--class",
        "aiosmtpd.handlers.Sink",
    ]
    mail_server = subprocess.Popen(command)
    settings = {
        "MAIL_URL": f"smtp://{address}",
        "MAIL_FROM": "ledger@example.org",
        "PUBLIC_URL": "http://localhost",
    }
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), own_database(Path(folder)), **settings)
        server.start()
        try:
            server.create_person("ana")
            client = HttpClient(server.port)
            for page in ("/login", "/forgot-password"):
                for name, times in measure(client, page, tries).items():
                    known, unknown = (1000 * statistics.median(times[email]) for email in (KNOWN, UNKNOWN))
                    p = p_value(times[KNOWN], times[UNKNOWN])
                    print(f"{page:<17} {name:<10} known {known:7.2f} ms  unknown {unknown:7.2f} ms  p = {p:.2f}")
        finally:
            server.stop()
            mail_server.terminate()
            mail_server.wait()


if __name__ == "__main__":
    main()
