"""Mistakes in the setup of an installation: the page or the log says what is wrong and how to correct it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browsing import form_values, read

ROOT = Path(__file__).parent.parent
LOGIN = {"email": "ana@example.com", "password": "a quiet river at noon"}


@pytest.fixture
def https_only(app):
    """The application as HTTPS=1 configures it."""
    app.config.update(
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_NAME="__Host-session",
        REMEMBER_COOKIE_NAME="__Host-remember_token",
        REMEMBER_COOKIE_SECURE=True,
        DEVICE_COOKIE_NAME="__Host-device",
    )
    return app


def sent_without_cookies(visitor, address, **options):
    """Fill in the form of a page and send it from a browser that keeps no cookies."""
    form = read(visitor.get(address, **options)).one("main").one("form")
    client = visitor.app.test_client(use_cookies=False)
    return client.post(form["action"], data=form_values(form) | LOGIN, **options)


def alert(response):
    return read(response).one("main").one("p", role="alert").text


@pytest.mark.parametrize("address", ["/login", "/register"])
def test_a_form_sent_over_http_to_a_site_for_https_says_so_every_time(https_only, stranger, caplog, address):
    for _ in range(2):
        # The browser drops the Secure cookie; the fake one does, too.
        response = sent_without_cookies(stranger, address)

        assert response.status_code == 400
        assert "set up for https" in alert(response)
        assert "HTTPS=0" in alert(response)
        assert read(response).one(id="email")["value"] == "ana@example.com"
    assert "https_only" in caplog.text


@pytest.mark.parametrize("address", ["/login", "/register"])
def test_a_browser_without_cookies_is_told_so(stranger, address):
    response = sent_without_cookies(stranger, address)

    assert response.status_code == 400
    assert "allow cookies" in alert(response)
    assert "expired" not in alert(response)


def test_a_browser_without_cookies_is_told_so_over_https(https_only, stranger):
    page = {"base_url": "https://ledger.example", "headers": {"Referer": "https://ledger.example/login"}}

    response = sent_without_cookies(stranger, "/login", **page)

    assert "allow cookies" in alert(response)


def test_a_page_that_did_expire_says_so(ana):
    client = ana.app.test_client()
    client.get("/login")

    response = client.post("/login", data=LOGIN)

    assert "expired" in alert(response)


def test_a_browser_that_hides_its_referrer_from_https_is_told_so(https_only, stranger):
    form = read(stranger.get("/login", base_url="https://ledger.example")).one("main").one("form")

    response = stranger.client.post(
        form["action"], base_url="https://ledger.example", data=form_values(form) | LOGIN
    )

    assert response.status_code == 400
    assert "Referer" in alert(response)


@pytest.mark.parametrize("address", ["/login", "/logout", "/expenses/bulk"])
def test_a_proxy_that_changes_the_host_is_named_by_the_page_and_the_log(ana, caplog, address):
    response = ana.client.post(address, headers={"Origin": "https://ledger.example:8443", "Host": "ledger.example"})

    assert response.status_code == 400
    text = read(response).one("main").text
    assert "Host header" in text
    assert "'https://ledger.example:8443'" in caplog.text
    assert "'ledger.example'" in caplog.text


def test_an_unknown_host_gets_a_clear_page_and_a_line_in_the_log(app, stranger, caplog):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    response = stranger.get("/login", headers={"Host": "nas.local"})

    assert response.status_code == 400
    page = read(response)
    assert page.one("h1").text == "Unknown host name"
    assert "TRUSTED_HOSTS" in page.one("main").text
    assert "nas.local" not in response.text
    assert [record.levelname for record in caplog.records if "'nas.local'" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize("host", ["a\x85b", "é.example", "x" * 5000, "a b", "a\tINFO b"])
def test_a_forged_host_cannot_forge_the_log(app, stranger, caplog, host):
    app.config["TRUSTED_HOSTS"] = ["ledger.example"]

    response = stranger.client.get("/login", environ_overrides={"HTTP_HOST": host})

    assert response.status_code == 400
    lines = [record.getMessage() for record in caplog.records if "TRUSTED_HOSTS" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].isascii()
    assert lines[0].isprintable()
    assert len(lines[0]) < 1000
