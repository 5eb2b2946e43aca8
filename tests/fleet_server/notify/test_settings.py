"""notify.toml: every mistake names its key, and no secret stands in it or in what is said of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.notify import settings
from fleet_server.notify.mail import Mail
from fleet_server.notify.mqtt import Mqtt
from fleet_server.notify.webhook import Webhook
from tests.fleet_server.notify.receivers import SECRET
from tests.wire.refusal import refusal
from wire.errors import InputError

DOCUMENT = Path(__file__).parents[3] / "docs" / "examples" / "notify.toml"
HOOK = '[[webhook]]\nname = "ops"\nurl = "https://hooks.example.org/x"\nsecret_env = "OPS"\n'
MAIL = '[[mail]]\nname = "mail"\nhost = "localhost"\nfrom = "a@b.c"\nto = ["d@e.f"]\n'


def read(tmp_path: Path, text: str) -> settings.NotifySettings:
    file = tmp_path / "notify.toml"
    file.write_text(text)
    return settings.read(file)


def test_the_example_of_the_documentation_is_read_and_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("hunter22")
    monkeypatch.setenv("TINYFLEET_WEBHOOK_SECRET", SECRET)
    written = settings.read(DOCUMENT)
    mails = tuple(
        type(each)(
            **{**{f: getattr(each, f) for f in each.__struct_fields__}, "password_file": str(password)}
        )
        for each in written.mail
    )
    opened = settings.open_channels(
        settings.NotifySettings(webhook=written.webhook, mail=mails, mqtt=written.mqtt), "x", "mqtt://[::1]"
    )
    assert [type(channel) for channel in opened] == [Webhook, Mail, Mqtt]
    assert [channel.shown for channel in opened] == [
        "https://hooks.example.org", "smtp://smtp.example.org:587", "mqtt://[::1]:1883",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[webhook]\n", "notify.toml: "),
        ("[[web]]\n", "unknown field `web`"),
        (HOOK + 'colour = "red"\n', r"unknown field `colour` - at `\$.webhook\[0\]`"),
        (HOOK + 'min_severity = "bad"\n', r"'bad' - at `\$.webhook\[0\].min_severity`"),
        (HOOK + 'kinds = ["drift", "rain"]\n', r"'rain' - at `\$.webhook\[0\].kinds\[1\]`"),
        (HOOK + "timeout_s = 1000\n", "timeout_s"),
        (HOOK + "updates_every_s = nan\n", "updates_every_s"),
        (HOOK + "most_waiting = 0\n", "most_waiting"),
        (HOOK.replace('"ops"', '"o p s"'), "name"),
        (HOOK + HOOK, "two channels are called ops"),
        (HOOK + 'secret = "hunter22hunter22"\n', r"webhook\[0\].secret: secrets do not stand"),
        (MAIL + 'password = "hunter22hunter22"\n', r"mail\[0\].password: secrets do not stand"),
        (MAIL.replace("d@e.f", "d@e.f\\nBcc: evil@x.y"), "to"),
        (MAIL.replace("d@e.f", "d@e.f,evil@x.y"), "to"),
        (MAIL.replace('["d@e.f"]', "[]"), "to"),
        (MAIL.replace("localhost", "local host"), "host"),
        ('dashboard_url = "javascript:x"\n', "dashboard_url"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        read(tmp_path, text)
    assert "hunter22" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (None, r"webhook\[0\].secret_env: there is no environment variable OPS"),
        ("", r"webhook\[0\].secret_env: empty"),
        ("two\nlines of it", r"webhook\[0\].secret_env: empty, or not one line"),
        ("short", r"webhook\[0\].a secret of 5 bytes"),
    ],
)
def test_threat_a_secret_that_is_none_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str | None, why: str
) -> None:
    if secret is None:
        monkeypatch.delenv("OPS", raising=False)
    else:
        monkeypatch.setenv("OPS", secret)
    with pytest.raises(InputError, match=why):
        settings.open_channels(read(tmp_path, HOOK), "notify.toml", "mqtt://127.0.0.1")


def test_a_secret_file_that_is_missing_or_too_long_is_named(tmp_path: Path) -> None:
    long = tmp_path / "long"
    long.write_text("x" * 5000)
    for file, why in ((tmp_path / "none", "cannot read"), (long, "over 4096 bytes")):
        text = HOOK.replace('secret_env = "OPS"', f'secret_file = "{file}"')
        with pytest.raises(InputError, match=f"secret_file: .*{why}"):
            settings.open_channels(read(tmp_path, text), "notify.toml", "mqtt://127.0.0.1")
    both = read(tmp_path, HOOK + 'secret_file = "x"\n')
    with pytest.raises(InputError, match="both given"):
        settings.open_channels(both, "notify.toml", "mqtt://127.0.0.1")


def test_a_file_that_is_none_or_too_long_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        settings.read(tmp_path / "none.toml")
    with pytest.raises(InputError, match="over 65536 bytes"):
        read(tmp_path, "#" * 70_000)


@given(
    st.dictionaries(
        st.sampled_from(["webhook", "mail", "mqtt", "dashboard_url", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(["name", "url", "to", "secret"]), inner, max_size=3)
            ),
        ),
    )
)
def test_threat_any_document_is_read_or_refused(document: dict) -> None:
    error = refusal(settings.parse, document, "notify.toml")
    assert error is None or len(error.message) < 400
