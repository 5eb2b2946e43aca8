"""The card a person reads: every part is there, in words, and follows from report and manifest alone."""

from pathlib import Path

import msgspec
import pytest

from converter import card
from converter.bundle import Bundle, read_bundle
from converter.card.markdown import table
from converter.fit import Fit
from converter.latency import NoEstimate
from converter.planning.apply import PlanReport
from converter.report import Report, decode
from wire.manifest import CARD_FILE
from wire.states import NumericsFamily

replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def bundle(bundle_dir: Path) -> Bundle:
    return read_bundle(bundle_dir)


@pytest.fixture(scope="module")
def report(bundle: Bundle) -> Report:
    return decode(bundle.files["report.json"])


def written(bundle: Bundle, report: Report, **lineage) -> str:
    manifest = replace(bundle.manifest, lineage={**bundle.manifest.lineage, **lineage})
    return card.render(manifest, report, has_map=True)


def section(text: str, head: str) -> str:
    return text.split(f"\n## {head}\n", 1)[1].split("\n## ", 1)[0]


def test_it_follows_from_report_and_manifest(bundle: Bundle, report: Report):
    assert written(bundle, report).encode() == bundle.files[CARD_FILE]


def test_data_split_and_samples(bundle: Bundle):
    text = section(bundle.files[CARD_FILE].decode(), "Data and split")
    assert "- test: count 3, groups 8, 9, 10, windows 1484" in text
    assert "- from: files 1, kind package, licence BSD-3-Clause" in text
    assert "- evaluation: 1484 samples" in text
    assert "1000 of them used" in text


def test_the_verdict_is_in_words_with_its_interval(bundle: Bundle, report: Report):
    text = section(bundle.files[CARD_FILE].decode(), "Accuracy")
    assert "The gate **passed**" in text
    assert report.gate is not None
    for family, found in report.gate.families.items():
        assert f"- {family}: int8 " in text
        assert f"between {found.low:.4f} and {found.high:.4f} ({found.method})" in text
        assert f"Only float is right on {found.lost}, only int8 on {found.gained}" in text


@pytest.mark.parametrize(
    ("drop", "words"), [(0.01, "int8 loses 0.0100"), (-0.02, "int8 gains 0.0200"), (0.0, "neither loses nor")]
)
def test_a_loss_a_gain_and_neither(bundle: Bundle, report: Report, drop: float, words: str):
    assert report.gate is not None
    families = {family: replace(found, drop=drop) for family, found in report.gate.families.items()}
    text = written(bundle, replace(report, gate=replace(report.gate, families=families, shown=False)))
    assert words in text
    assert "the samples are too few to show it" in text


def test_confusion_has_every_label_and_count(bundle: Bundle, report: Report):
    text = section(bundle.files[CARD_FILE].decode(), "Accuracy")
    for label, row in zip(bundle.manifest.labels, report.confusion, strict=True):
        assert f"| {label} | {' | '.join(map(str, row))} |" in text


def test_the_worst_layers_only(bundle: Bundle, report: Report):
    text = section(bundle.files[CARD_FILE].decode(), "Where accuracy goes")
    assert len(report.layers) > 5
    assert text.count(" dB |") == 5
    assert f"the 5 worst of {len(report.layers)}" in text
    assert f"{report.layers[0].sqnr_db:.1f} dB" in text


def test_memory_has_the_picture_and_what_planning_gained(bundle: Bundle, report: Report):
    assert report.arena is not None
    text = section(bundle.files[CARD_FILE].decode(), "Memory")
    assert "](memory_map.svg)" in text
    assert "No better memory plan was looked for" in text
    plan = PlanReport(
        applied=True, why="optimal: the head is the lower bound", head=55_296, greedy_head=73_728,
        lower_bound=55_296, optimal=True, scratch_bytes=0, before=report.arena, after=report.arena,
        identical=20,
    )  # fmt: skip
    text = section(written(bundle, replace(report, plan=plan)), "Memory")
    for row in ("greedy) plan | 73,728", "in the file | 55,296", "can be smaller | 55,296", "on 20 inputs"):
        assert row in text
    nothing = card.render(bundle.manifest, replace(report, arena=None), has_map=False)
    assert "TFLM was not run" in nothing
    assert "memory_map.svg" not in section(nothing, "Memory")


def test_each_board_fits_or_the_reason_is_given(bundle: Bundle, report: Report):
    small = replace(report.fits["nano33ble"], ok=False, reason="needs 9 bytes of RAM, nano33ble leaves 8")
    text = section(written(bundle, replace(report, fits={**report.fits, "nano33ble": small})), "Boards")
    for name, fit in report.fits.items():
        assert f"| {name} ({fit.target}) |" in text
    assert "- **nano33ble**: needs 9 bytes of RAM, nano33ble leaves 8" in text
    assert text.count("**no**") == 1


def test_latency_says_what_it_is_an_estimate_of(bundle: Bundle, report: Report):
    text = section(bundle.files[CARD_FILE].decode(), "Boards")
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("| ")}
    nano = report.fits["nano33ble"].latency
    assert not isinstance(nano, NoEstimate)
    assert f"{nano.latency_ms:g} ms" in rows["nano33ble"]
    assert "hale-1.2, held-out error 6%, worst 46%" in rows["nano33ble"]
    assert "none: MLPerf Tiny has no results on xtensa-lx7" in rows["esp32-s3"]
    assert "vela's estimate, error not known" in rows["grove-vision-ai-v2"]
    assert "energy: not stated" in text
    assert "runtime's flash, 163,840 bytes: TFLM interpreter" in text


def test_repairs_are_in_words(bundle: Bundle, report: Report):
    assert "Nothing was repaired" in section(bundle.files[CARD_FILE].decode(), "Repairs")
    text = section(written(bundle, report, repaired=["external_buffers"]), "Repairs")
    assert "`external_buffers`: weights that lay outside the flatbuffer" in text


def test_families_name_their_targets(bundle: Bundle):
    text = section(bundle.files[CARD_FILE].decode(), "Numerics families")
    assert "| xnnpack | LiteRT with XNNPACK" in text
    assert "linux-aarch64, linux-x86_64 |" in text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("run", "--source RUN_FOLDER\n"),
        ("keras", "--source MODEL.keras --calibration CALIBRATION.npz --eval EVAL.npz\n"),
    ],
)
def test_it_says_how_to_check_it(bundle: Bundle, report: Report, kind: str, words: str):
    text = section(written(bundle, report, source={"kind": kind}), "Check it yourself")
    assert words in text
    assert "--eval EVAL.npz\n" in text


def test_a_foreign_file_has_no_invented_words(bundle: Bundle, report: Report):
    bare = replace(bundle.manifest, lineage={"source": {"kind": "tflite"}}, labels=[])
    said = Report(
        **{
            name: getattr(report, name)
            for name in ("model", "version", "bytes", "ops", "input", "output", "preprocessing", "arena")
        },
        evaluation=type(report.evaluation)(),
        accuracy={},
        drop=None,
        families_agree=None,
        confusion=[],
        golden="noise",
        targets=report.targets,
        payload_bytes=report.payload_bytes,
    )
    text = card.render(bare, said, has_map=False)
    assert text.count("not known") >= 1
    for words in (
        "Not measured",
        "No gate looked at it",
        "No board was looked at",
        "anything it was not checked",
    ):
        assert words in text


def test_cells_cannot_break_a_table():
    assert table(["a"], [["x|y\nz"]]).splitlines()[-1] == "| x\\|y z |"


def test_a_board_that_was_not_measured_is_said(bundle: Bundle, report: Report):
    fit: Fit = replace(report.fits["rpi-pico"], ram_bytes=None, ok=False, reason="TFLM has no operator WHERE")
    text = section(written(bundle, replace(report, fits={"rpi-pico": fit})), "Boards")
    assert "| not known / " in text
    assert fit.numerics is NumericsFamily.TFLM
