"""docs/image.md lists the words of every record as image.h has them."""

from __future__ import annotations

import re
from pathlib import Path

from firmware_sim import toolchain

PAGE = Path(__file__).parents[2] / "docs" / "image.md"


def words_of(text: str, name: str) -> str:
    """Fields of a struct in order, lengths in brackets."""
    ends = text.index(f"}} {name};")
    body = text[text.rindex("typedef struct {", 0, ends) : ends]
    plain = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
    fields = re.findall(r"(?:u?int32_t|record_head|lstm_matrix|copy_piece) ([^;]+);", plain)
    return ", ".join(re.sub(r"\s+", " ", field).strip() for field in fields if field != "head")


def test_the_page_has_the_words_of_every_record():
    header = (toolchain._FIRMWARE / "image.h").read_text()
    page = PAGE.read_text()
    kinds = re.findall(r"RECORD_(\w+) = (\d+)", header)
    assert len(kinds) == 13
    for name, number in kinds:
        assert f"| {number} | {name} | {words_of(header, name.lower() + '_record')} |" in page, name
    for part in ("channel", "lstm_matrix", "copy_piece"):
        assert f"`{part}`: {words_of(header, part)}" in page, part
