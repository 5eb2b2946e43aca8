"""``tinyfleet runs``: the same seed gives the same digest, and what differs is named."""

import json
import shutil

import msgspec
import pytest
from typer.testing import CliRunner

from tinyfleet.commands.runs import app
from trainer.run import read, text_of
from trainer.runs import mlflow_export
from trainer.runs.listing import named
from wire.errors import InputError, LinkError, NotFoundError

ask = CliRunner()


@pytest.fixture
def copy(run_folder, tmp_path):
    """A run folder to change."""
    return shutil.copytree(run_folder, tmp_path / "runs/copy")


def change(folder, **fields):
    (folder / "run.json").write_bytes(text_of(msgspec.structs.replace(read(folder), **fields)))


def test_the_same_seed_gives_the_same_digest(run_folder):
    done = ask.invoke(app, ["reproduce", str(run_folder), "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["equal"]
    assert found["again_sha256"] == found["model_sha256"] == read(run_folder).model_sha256
    assert found["differs"] == []


def test_another_seed_gives_other_weights_and_circumstances_are_named(copy):
    record = read(copy)
    change(copy, seed=8, packages=record.packages | {"keras": "3.0.0"})
    done = ask.invoke(app, ["reproduce", str(copy)])
    assert done.exit_code == 4
    assert "NOT the same weights" in done.stdout
    assert f"keras was 3.0.0, is {record.packages['keras']}" in done.stdout
    assert "the weights" in done.stdout


def test_other_data_is_named_before_anything_is_trained(copy):
    record = read(copy)
    change(copy, data=msgspec.structs.replace(record.data, digest="0" * 64), window=record.window + 1)
    done = ask.invoke(app, ["reproduce", str(copy)])
    assert done.exit_code == 4
    assert "nothing was trained" in done.stdout
    assert "the data set watch holds other recordings than then" in done.stdout
    assert "windows are 100 by 50 samples now" in done.stdout


def test_runs_are_listed_shown_and_named_by_their_id(copy, tmp_path):
    record = read(copy)
    (tmp_path / "runs/old").mkdir()
    (tmp_path / "runs/old/run.json").write_text("{}")
    listed = ask.invoke(app, ["list", "--in", str(tmp_path)])
    assert record.id[:10] in listed.stdout
    assert "old is left out" in listed.stderr
    assert record.model_sha256 in ask.invoke(app, ["show", record.id[:6], "--in", str(tmp_path)]).stdout
    shutil.copytree(copy, tmp_path / "runs/twin")
    with pytest.raises(InputError, match=r"are .*copy, .*twin"):
        named(record.id[:6], tmp_path)
    with pytest.raises(NotFoundError, match="has such an id"):
        named("nothing", tmp_path)


def test_a_run_equals_itself(copy, run_folder):
    done = ask.invoke(app, ["compare", str(run_folder), str(copy)])
    assert "gives the same answer as" in done.stdout
    assert "of 3 groups; every group counts the same" in done.stdout


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_mlflow_has_the_run_once_and_no_recordings(copy, tmp_path):
    from mlflow.tracking import MlflowClient

    uri, record = f"sqlite:///{tmp_path}/mlflow.db", read(copy)
    first = mlflow_export.export(copy, uri)
    assert not first.existed
    assert mlflow_export.export(copy, uri).existed
    client = MlflowClient(tracking_uri=uri)
    kept = client.get_run(first.mlflow_run_id)
    assert kept.data.metrics["test_accuracy"] == record.metrics.test_accuracy
    assert kept.data.params["width"] == str(record.hyperparameters["width"])
    assert kept.data.tags["tinyfleet.data_digest"] == record.data.digest
    assert kept.inputs.dataset_inputs[0].dataset.digest == record.data.digest[:36]
    assert kept.info.status == "FINISHED"
    assert {file.path for file in client.list_artifacts(first.mlflow_run_id)} == {"run.json", "model.keras"}
    assert (tmp_path / "mlartifacts").is_dir()


def test_a_store_that_mlflow_refuses_is_one_line(copy, tmp_path):
    with pytest.raises(LinkError, match="maintenance mode"):
        mlflow_export.export(copy, f"file:{tmp_path}/mlruns")
