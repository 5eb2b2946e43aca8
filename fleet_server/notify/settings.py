"""Who is told of alerts, as an operator writes it: a TOML file of channels."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from fleet_server.notify.channel import Channel
from fleet_server.notify.mail import Mail, MailSettings
from fleet_server.notify.mqtt import Mqtt, MqttSettings
from fleet_server.notify.webhook import Webhook, WebhookSettings
from wire.errors import InputError

MAX_BYTES: Final = 64 * 1024
Url = Annotated[str, msgspec.Meta(pattern=r"^https?://[!-~]{1,200}\Z")]
_INLINE: Final = ("secret", "password")
S = TypeVar("S")


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    dashboard_url: Url | None = None
    """Where people reach the dashboard; notices then link to it."""
    webhook: Annotated[tuple[WebhookSettings, ...], msgspec.Meta(max_length=16)] = ()
    mail: Annotated[tuple[MailSettings, ...], msgspec.Meta(max_length=16)] = ()
    mqtt: Annotated[tuple[MqttSettings, ...], msgspec.Meta(max_length=16)] = ()


def read(file: Path) -> NotifySettings:
    """The file's settings; InputError says which key is wrong and how."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError("no_settings", f"cannot read {file}: {error}"[:300], "give a TOML file") from error
    if len(data) > MAX_BYTES:
        raise _bad(f"{file.name} is over {MAX_BYTES} bytes")
    try:
        written = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"{file.name}: {error}"[:300]) from error
    return parse(written, file.name)


def parse(written: dict[str, Any], name: str) -> NotifySettings:
    """Settings from TOML that was read; ``name`` is the file's, for errors."""
    _refuse_inline_secrets(written, name)
    try:
        # There and back, for JSON has no NaN and no infinity.
        plain = msgspec.json.encode(msgspec.convert(written, NotifySettings))
        settings = msgspec.json.decode(plain, type=NotifySettings)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise _bad(f"{name}: {error}"[:300]) from error
    names = Counter(each.name for each in (*settings.webhook, *settings.mail, *settings.mqtt))
    if twice := [each for each, times in names.items() if times > 1]:
        raise _bad(f"{name}: two channels are called {twice[0]}")
    return settings


def open_channels(settings: NotifySettings, name: str, broker_url: str) -> list[Channel]:
    """The channels, with their secrets; InputError names the one that cannot be had."""
    return [
        *_opened(settings.webhook, Webhook, f"{name}: webhook"),
        *_opened(settings.mail, Mail, f"{name}: mail"),
        *_opened(settings.mqtt, lambda each: Mqtt(each, broker_url), f"{name}: mqtt"),
    ]


def _opened(settings: Sequence[S], make: Callable[[S], Channel], where: str) -> list[Channel]:
    channels = []
    for index, each in enumerate(settings):
        try:
            channels.append(make(each))
        except InputError as error:
            raise InputError(error.code, f"{where}[{index}].{error.message}", error.hint) from error
    return channels


def _refuse_inline_secrets(written: dict[str, Any], name: str) -> None:
    for kind, channels in written.items():
        for index, channel in enumerate(channels if isinstance(channels, list) else ()):
            for key in _INLINE:
                if isinstance(channel, dict) and key in channel:
                    raise InputError(
                        "bad_notify",
                        f"{name}: {kind}[{index}].{key}: secrets do not stand in this file",
                        f"give {key}_file or {key}_env",
                    )


def _bad(message: str) -> InputError:
    return InputError("bad_notify", message, "see docs/alerts.md")
