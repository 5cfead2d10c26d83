"""Email: the server that sends it, from the setting MAIL_URL, and sending a message."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from email_validator import EmailNotValidError, validate_email

# For each step, so that a server that does not respond delays the next message for a limited time.
TIMEOUT_SECONDS = 10
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
BAD_URL = (
    "MAIL_URL cannot be read. It must look like smtp://user:password@host:587 or smtps://user:password@host. In "
    "the user and the password, write @ as %40, : as %3A, / as %2F and % as %25."
)


@dataclass(frozen=True)
class MailServer:
    """A server that accepts messages, whose `security` is "tls" from the start, "starttls" or "none"."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Mail:
    """A message in plain text to one address."""

    recipient: str
    subject: str
    text: str


def parse_mail_url(url: str) -> MailServer | None:
    """Return the server that a setting names, or None for "".

    A server on another machine has to offer encryption, unless the URL ends with `?tls=off`. Raises RuntimeError
    without repeating the text, which may contain a password.
    """
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
        port, options = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise RuntimeError(BAD_URL) from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise RuntimeError(BAD_URL)
    if options not in ({}, {"tls": ["off"]}):
        raise RuntimeError(BAD_URL)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise RuntimeError(BAD_URL) from None
    if not f"{user}{password}".isascii():
        raise RuntimeError("MAIL_URL: the user and the password can only have ASCII characters. Choose others.")
    security = "tls" if parts.scheme == "smtps" else "starttls"
    if parts.scheme == "smtp" and (options or parts.hostname in LOOPBACK):
        security = "none"
    return MailServer(parts.hostname, port or DEFAULT_PORTS[parts.scheme], security, user, password)


def check_sender(text: str) -> str:
    """Return `text` if it is empty or an address, with or without a name. Raises RuntimeError."""
    address = parseaddr(text)[1]
    if text and (not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address) or not text.isprintable()):
        raise RuntimeError(
            "MAIL_FROM must be an address such as ledger@example.org or Ledger <ledger@example.org>."
        )
    return text


def send(server: MailServer, sender: str, mail: Mail, now: datetime) -> None:
    """Send a message. Raises OSError, which includes the errors of smtplib."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = _ascii_address(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=parseaddr(sender)[1].partition("@")[2])
    # So that nobody's out-of-office assistant answers.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    with connect(server) as connection:
        connection.send_message(message)


@contextmanager
def connect(server: MailServer) -> Iterator[smtplib.SMTP]:
    """Connect and log in to a server. Raises OSError."""
    # Without a name, smtplib would look one up in the network.
    context, own_name = ssl.create_default_context(), "localhost"
    connection: smtplib.SMTP
    if server.security == "tls":
        connection = smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, own_name, timeout=TIMEOUT_SECONDS)
    with connection:
        if server.security == "starttls":
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
        yield connection


def _ascii_address(address: str) -> str:
    """Return an address with its domain in the form that every mail server understands."""
    try:
        found = validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return address
    return found.ascii_email or address
