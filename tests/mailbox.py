"""A mail server for tests: it accepts messages and keeps them."""

import logging
import ssl
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, SECRET = "ledger@example.org", "p@ss/w:rd%"


class Mailbox:
    """The messages that have arrived, and whether and how their sender logged in."""

    def __init__(self):
        self.messages = []
        self.logins = []
        self.encrypted = []

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802
        self.encrypted.append(session.ssl is not None)
        message = message_from_bytes(envelope.content, policy=default)
        assert message["To"] == ", ".join(envelope.rcpt_tos)
        self.messages.append(message)
        return "250 OK"

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        user, password = data.login.decode(), data.password.decode()
        self.logins.append(user)
        return AuthResult(success=(user, password) == (USER, SECRET))


def serve_mail(port, **options):
    """Return a mail server that is running, and its mailbox."""
    mailbox = Mailbox()
    # Its own log has every address.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    return controller, mailbox


def certificate(folder):
    """Return the context of a server named localhost, and the file by which others know its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file
