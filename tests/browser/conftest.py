"""Fixtures of the browser tests: a real browser and a real server. Without a browser, these tests are skipped.

`REQUIRE_BROWSER=1` makes a missing browser a failure. With `TEST_POSTGRES=1` or `TEST_DATABASE_URL` the server
uses PostgreSQL as well.
"""

import os
import shutil
from typing import NoReturn

import pytest

from tests.browser.person import LAPTOP, Person
from tests.server import Server, own_database

ARGUMENTS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
)


def leave_out(reason: str) -> NoReturn:
    """Skip, or fail where a browser is required."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """The browser, in which every user opens a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        leave_out("playwright is not installed; it is in requirements-browser.txt")
    executable = shutil.which("chromium")
    if executable is None:
        leave_out("there is no program named chromium")
    # Chromium refuses to build its sandbox as root.
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else list(ARGUMENTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_server(chromium, tmp_path_factory):
    """The application, served to this machine. Asks for the browser first: without one it need not start."""
    folder = tmp_path_factory.mktemp("browser")
    server = Server(folder, own_database(folder))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(running_server):
    """The application with empty tables."""
    running_server.empty_tables()
    return running_server


@pytest.fixture
def visit(chromium, running_server):
    """Opens a browser window for a user, with the options of a Playwright context.

    Whatever the test is about: no page may make the browser complain, about its content policy for example.
    """
    people = []

    def open_browser(name="stranger", **options):
        context = chromium.new_context(**({"viewport": LAPTOP, "locale": "en-US"} | options))
        people.append(Person(context, running_server.address, name))
        return people[-1]

    yield open_browser
    complaints = [complaint for person in people for complaint in person.complaints()]
    for person in people:
        person.context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def axe(chromium):
    """The rules of accessibility that a program can check."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        leave_out("axe-playwright-python is not installed; it is in requirements-browser.txt")
    return Axe()
