"""Mail over a real SMTP server: TLS, login, and nothing in a notice that could become a header."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_server.notify import letter
from fleet_server.notify.mail import Mail, MailSettings
from tests.fleet_server.notify.receivers import NOTICE, Drip
from wire.errors import InputError, LinkError
from wire.messages import AlertNotice
from wire.states import AlertEvent, AlertState


class Inbox:
    """What the SMTP server has taken."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.refuse: set[str] = set()

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802
        if address in self.refuse:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"

    def read(self):
        ((_, content),) = self.mails
        return message_from_bytes(content, policy=default)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file with key and certificate of ``localhost``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    return file


def check(_server, _session, _envelope, _mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"fleet", b"hunter22")
    return AuthResult(success=good, handled=False)


class Post(Controller):
    """aiosmtpd on a free port, with STARTTLS and login where ``tls`` is given."""

    def __init__(self, inbox: Inbox, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(inbox, hostname="127.0.0.1", port=0, ready_timeout=20)
        self._tls = tls

    def factory(self) -> SMTP:
        if self._tls is None:
            return SMTP(self.handler, hostname="test")
        return SMTP(
            self.handler, hostname="test", tls_context=self._tls, require_starttls=True,
            authenticator=check, auth_required=True,
        )  # fmt: skip

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def post(inbox: Inbox) -> Iterator[Post]:
    controller = Post(inbox)
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def secure_post(inbox: Inbox, certificate: Path) -> Iterator[Post]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    controller = Post(inbox, context)
    controller.start()
    yield controller
    controller.stop()


def mail(port: int, **keys: object) -> Mail:
    settings = {"host": "127.0.0.1", "tls": "none", "sender": "fleet@example.org", "to": ("a@example.org",)}
    return Mail(MailSettings(name="mail", port=port, **{**settings, **keys}))


def send(channel: Mail, *notices: AlertNotice) -> str:
    return asyncio.run(channel.send(notices or (NOTICE,)))


def test_a_notice_arrives_with_devices_since_when_what_changed_and_what_to_do(
    post: Post, inbox: Inbox
) -> None:
    send(mail(post.port))
    message = inbox.read()
    assert message["subject"] == "[tinyfleet] warning: two devices drift"
    assert (message["from"], message["to"]) == ("fleet@example.org", "a@example.org")
    assert message["message-id"] == f"<{NOTICE.id}.1@example.org>"
    assert message["auto-submitted"] == "auto-generated"
    body = message.get_content()
    for words in ("Since:    1998-07-09", "Devices:  2: a, b", "Changed:  x moved", "To do:    look at one",
                  "tinyfleet alert show 7"):  # fmt: skip
        assert words in body


def test_many_notices_are_one_mail(post: Post, inbox: Inbox) -> None:
    many = [replace(NOTICE, id=f"x-{i}", alert=i + 1, message=f"alert number {i}") for i in range(100)]
    send(mail(post.port), *many)
    message = inbox.read()
    assert message["subject"] == "[tinyfleet] 100 alerts, 100 not resolved, worst warning"
    assert all(f"alert number {i}" in message.get_content() for i in range(100))


def test_starttls_and_login_with_the_password_from_a_file(
    secure_post: Post, inbox: Inbox, certificate: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("hunter22\n")
    login = {"tls": "starttls", "ca_file": str(certificate), "username": "fleet"}
    send(mail(secure_post.port, password_file=str(password), **login))
    assert len(inbox.mails) == 1
    password.write_text("wrong")
    with pytest.raises(LinkError, match="answered 535") as caught:
        send(mail(secure_post.port, password_file=str(password), **login))
    assert "wrong" not in str(caught.value)


def test_threat_a_server_without_the_right_certificate_is_told_nothing(
    secure_post: Post, inbox: Inbox
) -> None:
    with pytest.raises(LinkError, match="CERTIFICATE_VERIFY_FAILED"):
        send(mail(secure_post.port, tls="starttls"))
    assert inbox.mails == []


def test_threat_a_server_that_offers_no_tls_is_told_nothing(post: Post, inbox: Inbox) -> None:
    with pytest.raises(LinkError, match="STARTTLS"):
        send(mail(post.port, tls="starttls"))
    assert inbox.mails == []


def test_recipients_that_are_refused_are_named_and_the_others_are_told(post: Post, inbox: Inbox) -> None:
    inbox.refuse = {"b@example.org"}
    detail = send(mail(post.port, to=("a@example.org", "b@example.org")))
    assert (detail, inbox.mails[0][0]) == ("refused: b@example.org (550)", ["a@example.org"])
    with pytest.raises(LinkError, match=r"all recipients refused: b@example.org \(550\)"):
        send(mail(post.port, to=("b@example.org",)))


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
@pytest.mark.parametrize("text", [b"220-hello\r\n", b"220 hello\r\n250 x\r\n", b"2"])
def test_threat_a_server_that_trickles_is_left_in_time(tls: str, text: bytes) -> None:
    with Drip(text) as drip:
        begin = time.monotonic()
        with pytest.raises(LinkError):
            send(mail(drip.port, tls=tls, timeout_s=0.3))
        assert time.monotonic() - begin < 5


@given(st.text(max_size=60), st.text(max_size=60))
def test_threat_no_text_of_a_notice_becomes_a_header(text: str, note: str) -> None:
    hostile = replace(NOTICE, message=f"{text}\r\nBcc: evil@example.org\r\n\r\n{note}", note=note)
    for notices in ([hostile], [hostile, hostile]):
        message = mail(25)._message(notices)
        made = message_from_bytes(message.as_bytes(), policy=default)
        assert made["bcc"] is None
        assert set(made.keys()) == {
            "Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "Content-Type",
            "Content-Transfer-Encoding", "MIME-Version",
        }  # fmt: skip
        assert "\n" not in letter.subject(notices)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"host": "smtp.example.org"}, "tls: needed"),
        ({"username": "fleet"}, "username: it goes with"),
        ({"username": "fleet", "password_env": "TINYFLEET_NOT_SET"}, "password_env: there is no"),
    ],
)
def test_threat_settings_that_would_leak_are_refused(keys: dict, why: str) -> None:
    with pytest.raises(InputError, match=why):
        mail(25, **keys)


def test_a_resolved_alert_says_by_whom_and_asks_for_nothing() -> None:
    over = replace(
        NOTICE, state=AlertState.RESOLVED, event=AlertEvent.RESOLVED, by="ann", note="glued it back"
    )
    assert letter.subject([over]) == "[tinyfleet] resolved: two devices drift"
    text = letter.body([over])
    assert "By:       ann, 2001-09-09 01:46:40 UTC: glued it back" in text
    assert "To do" not in text
