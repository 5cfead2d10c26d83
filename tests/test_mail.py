"""Sending email: the setting that names the server, encryption, and servers that do not work."""

import logging
import socket
import ssl
import threading
import time
from datetime import UTC, datetime

import pytest

import mail
from background import MAX_JOBS, Worker
from mail import Mail, MailServer, check_sender, parse_mail_url, send
from tests.mailbox import SECRET, USER, certificate, serve_mail

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MESSAGE = Mail("ana@example.com", "A subject – ü", "A text.\n.\nwith a dot\n")
SENDER = "Ledger <ledger@example.org>"


@pytest.fixture
def serve(unused_port):
    """Start a mail server."""
    started = []

    def serve(**options):
        controller, mailbox = serve_mail(unused_port, **options)
        started.append(controller)
        return mailbox

    yield serve
    for controller in started:
        controller.stop()


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """The TLS context of a server whose certificate is trusted here."""
    context, file = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


# --- The settings


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("", None),
        ("smtp://mail.example", MailServer("mail.example", 587, "starttls")),
        ("smtp://mail.example:25/", MailServer("mail.example", 25, "starttls")),
        ("smtp://mail.example:25?tls=off", MailServer("mail.example", 25, "none")),
        ("smtp://localhost:25", MailServer("localhost", 25, "none")),
        ("smtp://[::1]", MailServer("::1", 587, "none")),
        ("smtps://mail.example", MailServer("mail.example", 465, "tls")),
        (
            "smtps://ledger%40example.org:p%40ss%2Fw%3Ard%25@mail.example:4465",
            MailServer("mail.example", 4465, "tls", USER, SECRET),
        ),
    ],
)
def test_a_mail_server_is_read_from_its_url(url, server):
    assert parse_mail_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mail.example",
            "http://x",
            "smtp://",
            "smtp://x:port",
            "smtp://x:99999",
            "smtp://x/path",
            "smtp://x?a=b",
        ),
        *(
            "smtp://x..example",
            f"smtp://{64 * 'x'}.example",
            "smtp://x?tls",
            "smtp://u:secret/x@host",
            "smtp://[::1",
            "smtp://x#y",
        ),
    ],
)
def test_a_url_that_is_not_understood_is_refused_without_repeating_it(url):
    with pytest.raises(RuntimeError, match="MAIL_URL cannot be read") as refusal:
        parse_mail_url(url)

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("login", ["m%C3%BCller:secret", "ana:secret-%C3%BC"])
def test_a_login_that_cannot_be_sent_is_refused_without_repeating_it(login):
    with pytest.raises(RuntimeError, match="MAIL_URL: the user and the password can only have ASCII") as refusal:
        parse_mail_url(f"smtp://{login}@mail.example")

    assert "secret" not in str(refusal.value)


def test_the_password_of_the_server_is_not_shown():
    server = parse_mail_url("smtps://u:secret@mail.example")

    assert "secret" not in f"{server} {server!r}"


@pytest.mark.parametrize("text", ["", "ledger@localhost", SENDER, "Lédger <ledger@example.org>"])
def test_a_sender_is_an_address_with_or_without_a_name(text):
    assert check_sender(text) == text


@pytest.mark.parametrize("text", ["ledger", "a b@c", "a@b\nBcc: x@y", "<>", "@x"])
def test_any_other_sender_is_refused(text):
    with pytest.raises(RuntimeError, match="MAIL_FROM"):
        check_sender(text)


# --- Sending


def test_a_message_arrives_as_it_was_sent(serve, unused_port):
    mailbox = serve()

    send(MailServer("127.0.0.1", unused_port, "none"), SENDER, MESSAGE, NOW)

    (message,) = mailbox.messages
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, "ana@example.com", "A subject – ü")
    assert message["Date"].datetime == NOW
    assert message["Message-ID"].endswith("@example.org>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == MESSAGE.text


def test_an_international_domain_is_written_as_every_server_understands_it(serve, unused_port):
    mailbox = serve()

    send(MailServer("127.0.0.1", unused_port, "none"), SENDER, Mail("i@münchen.de", "x", "x"), NOW)

    assert mailbox.messages[0]["To"] == "i@xn--mnchen-3ya.de"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_connection_is_encrypted_before_the_password_is_sent(serve, unused_port, trusted, security):
    options = {"tls_context": trusted} if security == "starttls" else {"ssl_context": trusted}
    mailbox = serve(
        authenticator=lambda *args: mailbox.authenticate(*args), auth_require_tls=security != "tls", **options
    )

    send(MailServer("localhost", unused_port, security, USER, SECRET), SENDER, MESSAGE, NOW)

    assert mailbox.logins == [USER]
    assert len(mailbox.messages) == 1


def test_nothing_is_sent_to_a_server_that_offers_no_encryption(serve, unused_port):
    mailbox = serve(authenticator=lambda *args: mailbox.authenticate(*args), auth_require_tls=False)

    with pytest.raises(OSError, match="STARTTLS"):
        send(MailServer("127.0.0.1", unused_port, "starttls", USER, SECRET), SENDER, MESSAGE, NOW)

    assert (mailbox.logins, mailbox.messages) == ([], [])


def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(serve, unused_port, trusted, monkeypatch):
    mailbox = serve(tls_context=trusted)
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(ssl.SSLCertVerificationError):
        send(MailServer("localhost", unused_port, "starttls"), SENDER, MESSAGE, NOW)

    assert mailbox.messages == []


# --- The worker


def test_a_job_that_fails_does_not_stop_the_others(app, caplog):
    worker, done = Worker(app), []

    for job in (lambda: 1 / 0, lambda: done.append(1)):
        worker.submit(job)
    worker.finish()

    assert done == [1]
    assert "a job in the background failed: ZeroDivisionError" in caplog.text


def test_the_delays_of_several_jobs_pass_at_the_same_time(app):
    worker, done = Worker(app), []
    begun = time.monotonic()

    for _ in range(100):
        worker.submit(lambda: done.append(time.monotonic()), delay=0.5)
    worker.finish()

    assert len(done) == 100
    assert done[0] - begun >= 0.5
    assert done[-1] - begun < 20


def test_too_many_jobs_are_dropped_and_nobody_waits(app, caplog):
    worker, release, done = Worker(app), threading.Event(), []
    started = threading.Event()
    worker.submit(lambda: started.set() or release.wait(30))
    assert started.wait(30)

    begun = time.monotonic()
    for _ in range(MAX_JOBS + 5):
        worker.submit(lambda: done.append(1))

    assert time.monotonic() - begun < 2
    release.set()
    worker.finish()
    assert len(done) == MAX_JOBS
    assert caplog.text.count("one was dropped") == 5


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(OSError, match="timed out"):
        send(MailServer("127.0.0.1", listener.getsockname()[1], "none"), SENDER, MESSAGE, NOW)


# --- The doctor


def mail_line(run):
    return [line for line in run("doctor")[1].splitlines() if "ail server" in line]


def test_the_doctor_logs_in_to_the_mail_server(app, run, serve, unused_port, caplog):
    caplog.set_level(logging.CRITICAL)
    assert mail_line(run) == ["  No mail server: forgotten passwords are reset with flask reset-password."]
    app.config["MAIL_SERVER"] = MailServer("127.0.0.1", unused_port, "none")
    assert mail_line(run)[0].startswith(f"! Mail server 127.0.0.1:{unused_port}: [Errno 111]")
    serve()
    assert mail_line(run) == [f"  Mail server 127.0.0.1:{unused_port}: logging in works"]
