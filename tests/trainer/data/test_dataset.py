"""A data set is known by its content."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from trainer.data.dataset import Dataset, Recording, Schema, Source, SourceFile

SCHEMA = Schema(kind="series", channels=("x",), rate_hz=10.0, labels=("a", "b"))
FIRST = Recording(np.arange(4, dtype=np.float32)[:, None], label=0, group="anna", file="a.csv")
SECOND = Recording(np.ones((3, 1), np.float32), label=1, group="bert", file="b.csv")
BASE = Dataset("some", SCHEMA, (FIRST, SECOND), ())


def test_the_digest_is_of_the_content_and_not_of_where_it_lay():
    moved = replace(FIRST, file="elsewhere.csv", row=3, samples=np.asfortranarray(FIRST.samples))
    source = Source(kind="files", name="folder", licence="CC0-1.0")
    assert Dataset("other", SCHEMA, (moved, SECOND), (source,)).digest == BASE.digest


@pytest.mark.parametrize(
    "recordings",
    [
        (SECOND, FIRST),
        (FIRST,),
        (replace(FIRST, label=1), SECOND),
        (replace(FIRST, group="bert"), SECOND),
        (replace(FIRST, samples=FIRST.samples.reshape(2, 2)), SECOND),
        (replace(FIRST, samples=FIRST.samples + np.float32(1e-7)), SECOND),
    ],
)
def test_any_other_content_has_another_digest(recordings: tuple[Recording, ...]):
    assert Dataset("some", SCHEMA, recordings, ()).digest != BASE.digest


def test_another_meaning_has_another_digest():
    other = Schema(kind="series", channels=("x",), rate_hz=20.0, labels=("a", "b"))
    assert Dataset("some", other, (FIRST, SECOND), ()).digest != BASE.digest


def test_groups_that_are_numbers_are_in_their_order():
    named = tuple(replace(FIRST, group=group) for group in ("10", "b", "9", "a", "10"))
    assert Dataset("some", SCHEMA, named, ()).groups == ("9", "10", "a", "b")


def test_an_origin_names_the_only_file_or_all_of_them():
    one, two = SourceFile("a.wav", "a" * 64, 10), SourceFile("b.wav", "b" * 64, 20)
    source = Source(kind="files", name="folder", licence="unknown", files=(one,))
    assert (source.origin.files, source.origin.sha256) == (1, "a" * 64)
    both = msgspec.structs.replace(source, files=(one, two)).origin
    assert both.files == 2
    assert both.sha256 != msgspec.structs.replace(source, files=(two, one)).origin.sha256
