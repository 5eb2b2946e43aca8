"""One turn of the loop without a fleet: a real training on old data and samples, judged on other devices'."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from converter.bundle import read_bundle
from tinyfleet.retrain.gathering import Gathered
from tinyfleet.retrain.retraining import Incumbent, Retrained, retrain
from trainer.data import watch
from trainer.data.field import FieldSample
from trainer.run import Run
from wire.errors import InputError, RefusedError
from wire.manifest import MODEL_FILE
from wire.trust import load_key

EXPIRES = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
TURN = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)


@pytest.fixture(scope="module")
def held(bundle_dir: Path) -> Incumbent:
    bundle = read_bundle(bundle_dir)
    return Incumbent(bundle.manifest, bundle.digest, bundle.files[MODEL_FILE], next_version=2)


@pytest.fixture(scope="module")
def gathered(run_folder: Path, held: Incumbent) -> Gathered:
    """Windows of the held-out people, every sensor turned by a right angle; two devices each way."""
    with np.load(run_folder / "eval.npz") as archive:
        x, y, group = archive["x"], archive["y"], archive["group"]
    samples = []
    for device, person in (("mcu-1", "8"), ("mcu-2", "9"), ("mcu-3", "10"), ("mcu-4", "9")):
        mine = np.flatnonzero(group == person)[:: 5 if device != "mcu-4" else 7][:60]
        for place in mine:
            window = np.concatenate([x[place, :, :3] @ TURN, x[place, :, 3:] @ TURN], axis=1)
            samples.append(FieldSample(window, int(y[place]), device, len(samples) + 1))
    train = tuple(sample for sample in samples if sample.device in ("mcu-1", "mcu-3"))
    judge = tuple(sample for sample in samples if sample.device in ("mcu-2", "mcu-4"))
    return Gathered(1, held.digest, train, judge, 0)


def run(held: Incumbent, gathered: Gathered, work: Path, trust_dir: Path, **how: object) -> Retrained:
    key = load_key((trust_dir / "release.key").read_bytes())
    options = {"fleet": "here", "alert": 3, "max_old_drop": 1.0, "epochs": 6, "say": lambda _: None}
    return retrain(held, gathered, work, key, EXPIRES, **{**options, **how})


@pytest.mark.timeout(300)
def test_the_next_version_is_better_on_field_data_and_says_what_it_was_made_of(
    held: Incumbent, gathered: Gathered, tmp_path: Path, trust_dir: Path
) -> None:
    made = run(held, gathered, tmp_path, trust_dir)
    assert (made.version, made.samples) == (2, len(gathered.train))
    assert made.field.candidate > made.field.incumbent + 0.1
    assert (made.field.n, made.field.groups) == (len(gathered.judge), 2)
    assert made.old.n == 1484
    assert made.parent == watch.load().digest
    bundle = read_bundle(Path(made.bundle))
    assert bundle.digest == made.digest
    record = bundle.manifest.lineage["run"]["data"]
    assert (record["digest"], record["parent"]) == (made.dataset, made.parent)
    assert record["field"] == {
        "fleet": "here", "alert": 3, "requests": [1], "samples": len(gathered.train),
        "numbers": sorted(sample.number for sample in gathered.train), "devices": ["mcu-1", "mcu-3"],
    }  # fmt: skip
    trained = msgspec.json.decode((Path(made.run) / "run.json").read_bytes(), type=Run)
    assert trained.hyperparameters["field_weight"] > 1
    assert {"field/mcu-1", "field/mcu-3"} <= set(trained.split["train"].groups)
    assert not {"field/mcu-2", "field/mcu-4"} & set(trained.split["train"].groups)
    assert set(trained.split["test"].groups) == {"8", "9", "10"}


@pytest.mark.timeout(300)
def test_a_candidate_that_is_not_good_enough_on_the_old_data_is_refused(
    held: Incumbent, gathered: Gathered, tmp_path: Path, trust_dir: Path
) -> None:
    """Here, one that does not win everything."""
    with pytest.raises(RefusedError, match="on the old data it is right in"):
        run(held, gathered, tmp_path, trust_dir, max_old_drop=-1.0, epochs=1)


def test_a_foreign_model_is_not_retrained_here(
    held: Incumbent, gathered: Gathered, tmp_path: Path, trust_dir: Path
) -> None:
    manifest = msgspec.structs.replace(held.manifest, lineage={"source": {"kind": "keras"}})
    foreign = Incumbent(manifest, held.digest, held.model, 2)
    with pytest.raises(InputError, match="was not trained by tinyfleet train"):
        run(foreign, gathered, tmp_path, trust_dir)
