"""docs/alerts.md: its example is the one that is tested, and its code verifies what the server signs."""

import re
import time
from pathlib import Path

import pytest

from fleet_server.notify import signature
from tests.fleet_server.notify.receivers import NOTICE, SECRET
from wire.messages import encode
from wire.states import AlertEvent, AlertKind

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "alerts.md").read_text()


def test_the_page_shows_the_example_file() -> None:
    assert (DOCS / "examples" / "notify.toml").read_text() in PAGE


def test_every_kind_and_event_is_explained() -> None:
    assert all(f"`{word}`" in PAGE for word in [*AlertKind, *AlertEvent])


@pytest.mark.parametrize(
    ("change", "good"),
    [({}, True), ({"body": b"{}"}, False), ({"at": -400}, False), ({"secret": "whsec_" + "A" * 44}, False)],
)
def test_the_pages_code_verifies_what_is_signed(change: dict, good: bool) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    page: dict = {}
    exec(code, page)  # noqa: S102 - a page of ours
    body = encode(NOTICE)
    headers = signature.headers(
        signature.key_of(SECRET), NOTICE.id, int(time.time()) + change.get("at", 0), body
    )
    assert page["verify"](change.get("secret", SECRET), headers, change.get("body", body)) is good
