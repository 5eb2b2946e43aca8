"""The autoencoder with its decision inside, on real sensor readings: float and int8 tell the same apart."""

import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from converter.execution import execute
from converter.flatbuffer import parse
from converter.lint import check
from converter.quantise import quantise
from converter.source import load
from trainer import run, training
from trainer.data.dataset import Dataset, Recording, Schema, Source
from trainer.prepared import prepare
from trainer.tasks import Task
from wire import preprocess
from wire.states import NumericsFamily


def shuttle() -> Dataset:
    """Every tenth row of NASA's shuttle readings as the river package has them: 7 % are anomalies."""
    spec = importlib.util.find_spec("river")
    with gzip.open(Path(spec.submodule_search_locations[0]) / "datasets/shuttle.csv.gz", "rt") as text:
        rows = np.array(list(csv.reader(text))[1::10], np.float32)
    part = np.repeat(["train", "validation", "test"], [len(rows) // 2, len(rows) // 10, len(rows)])
    recordings = (Recording(row[:9], int(row[9]), str(name)) for row, name in zip(rows, part, strict=False))
    return Dataset(
        name="shuttle",
        schema=Schema(kind="table", channels=tuple("abcdefghi"), labels=("normal", "anomaly")),
        recordings=tuple(recordings),
        sources=(Source(kind="package", name="river", licence="BSD-3-Clause"),),
    )


TASK = Task(
    name="shuttle",
    title="whether a reading is normal",
    load=shuttle,
    window=9,
    stride=9,
    validation=("validation",),
    test=("test",),
    intended_use="tests",
    limits="everything else",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run folder, test classes, and float probabilities of an anomaly."""
    data = prepare(TASK)
    begun = training.begin(data, training.chosen(data, "anomaly"), {"epochs": 30, "batch": 32}, 1)
    record, answers = training.score(data, begun.model, training.finish(begun))
    folder = tmp_path_factory.mktemp("shuttle") / "run"
    run.write(folder, record, begun.model, training.files(data, answers))
    test = data.parts["test"]
    ready = data.labelled(record.preprocessing, test).x
    return folder, test.y, begun.model.predict(ready, verbose=0, batch_size=256)


def test_the_threshold_has_the_stated_false_positive_rate(trained):
    _, truth, probability = trained
    answers = probability.argmax(axis=1)
    assert (answers[truth == 0] == 1).mean() == pytest.approx(0.01, abs=0.01)
    assert (answers[truth == 1] == 1).mean() > 0.95


def test_int8_in_tflm_tells_nearly_as_much_apart_as_float(trained):
    folder, truth, probability = trained
    source = load(folder)
    model = quantise(source).model
    spec, _ = check(parse(model), NumericsFamily.TFLM)
    inputs = preprocess.quantise(spec, preprocess.apply(source.preprocessing, source.evaluation.x))
    answers = execute(NumericsFamily.TFLM, model, inputs).outputs.astype(int)
    floats = roc_auc_score(truth, probability[:, 1])
    whole = roc_auc_score(truth, answers[:, 1])
    print(f"AUC float {floats:.4f}, int8 {whole:.4f}")
    assert floats > 0.99
    assert whole > floats - 0.01
    assert (answers[truth == 1].argmax(axis=1) == 1).mean() > 0.95
    assert (answers[truth == 0].argmax(axis=1) == 1).mean() < 0.03
