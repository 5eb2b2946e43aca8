"""Notices by mail: what waits goes together in one message."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Annotated, Final, Literal

import msgspec

from fleet_server.loopback import is_loopback
from fleet_server.notify import letter, secret, tls
from fleet_server.notify.channel import failure
from fleet_server.notify.routing import Routing
from wire.errors import InputError
from wire.messages import AlertNotice

Address = Annotated[
    str,
    msgspec.Meta(max_length=254, pattern=r"^[A-Za-z0-9._%+=~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z"),
]
Host = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9:._-]{1,253}\Z")]


class MailSettings(Routing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[mail]]``."""

    host: Host
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """tls: from the first byte, as on port 465."""
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    sender: Address = msgspec.field(name="from")
    to: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=50)]
    ca_file: str | None = None
    gather_s: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 60.0
    acknowledgements: bool = False


class Mail:
    """One SMTP connection a message."""

    batch: Final = 100

    def __init__(self, settings: MailSettings) -> None:
        self.routing: Routing = settings
        self._settings = settings
        if settings.tls == "none" and not is_loopback(settings.host):
            raise InputError("bad_tls", "tls: needed beyond this machine", "starttls or tls")
        self._password = secret.read(settings.password_file, settings.password_env, "password")
        if (self._password is None) is not (settings.username is None):
            raise InputError(
                "bad_login", "username: it goes with password_file or password_env", "give both or none"
            )
        self._tls = None if settings.tls == "none" else tls.context(settings.ca_file)
        self.shown = f"smtp://{settings.host}:{settings.port}"

    async def send(self, notices: Sequence[AlertNotice]) -> str:
        """All of them in one message; whom the server refuses is told when others were accepted."""
        settings = self._settings
        line = _Line(settings.host, settings.timeout_s, self._tls if settings.tls == "tls" else None)
        try:
            async with asyncio.timeout(settings.timeout_s):
                refused = await asyncio.to_thread(self._deliver, line, self._message(notices))
        except TimeoutError as error:
            raise failure(f"not done within {settings.timeout_s:g} s") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise failure(f"all recipients refused: {_codes(error.recipients)}") from error
        except smtplib.SMTPResponseException as error:
            raise failure(f"{type(error).__name__}: answered {error.smtp_code}") from error
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise failure(f"{type(error).__name__}: {error}") from error
        finally:
            line.cut()
        return f"refused: {_codes(refused)}" if refused else ""

    def _deliver(self, line: _Line, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
        settings = self._settings
        line.connect(settings.host, settings.port)
        if settings.tls == "starttls":
            line.starttls(context=self._tls)
        if settings.username is not None and self._password is not None:
            line.login(settings.username, self._password)
        refused = line.send_message(message, settings.sender, list(settings.to))
        with suppress(smtplib.SMTPException, OSError):
            line.quit()
        return refused

    def _message(self, notices: Sequence[AlertNotice]) -> EmailMessage:
        settings, last = self._settings, notices[-1]
        domain = settings.sender.rpartition("@")[2]
        message = EmailMessage(policy=SMTP)
        message["Subject"] = letter.subject(notices)
        message["From"] = settings.sender
        message["To"] = ", ".join(settings.to)
        message["Date"] = formatdate(last.at_unix_s)
        # The same in every repetition: whoever gets it twice can tell.
        message["Message-ID"] = f"<{last.id}.{len(notices)}@{domain}>"
        message["References"] = f"<{last.server}.alert-{last.alert}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.body(notices))
        return message


class _Line(smtplib.SMTP):
    """A connection that another thread can cut, also in the middle of a handshake or a greeting."""

    def __init__(self, host: str, timeout_s: float, context: ssl.SSLContext | None) -> None:
        super().__init__(timeout=timeout_s)
        self._host = host  # what STARTTLS compares with the certificate
        self._context = context
        self._wire: socket.socket | None = None

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self._wire = plain.dup()
        if self._context is None:
            return plain
        return self._context.wrap_socket(plain, server_hostname=host)

    def cut(self) -> None:
        """End it, whatever it is doing."""
        if self._wire is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
            self._wire.close()
        if self._sock_open():
            self.close()

    def _sock_open(self) -> bool:
        return getattr(self, "sock", None) is not None


def _codes(refused: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address} ({code})" for address, (code, _) in sorted(refused.items()))
