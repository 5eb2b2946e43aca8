"""A run as MLflow has it: parameters, metrics, tags, the data set's digest, and the folder's files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec

from trainer.run import CALIBRATION_FILE, EVAL_FILE, Run, read
from wire.errors import InputError, LinkError

TAG: Final = "tinyfleet.run_id"
_SQLITE: Final = "sqlite:///"
_SAMPLES: Final = (CALIBRATION_FILE, EVAL_FILE)
"""Not sent: recordings of people stay where they are."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """Where it went."""

    run: str
    uri: str
    experiment: str
    mlflow_run_id: str
    existed: bool
    """Whether it was there already; then nothing was written."""


def export(folder: Path, uri: str, *, samples: bool = False) -> Exported:
    """Send a run folder to the tracking server or store ``uri``, once; InputError or LinkError.

    ``samples``: the recordings too.
    """
    record = read(folder)
    # No usage statistics are sent from here.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ModuleNotFoundError as error:
        raise InputError(
            "not_installed", f"{error.name} is not installed", "pip install 'tinyfleet[mlflow]'"
        ) from error
    try:
        return _send(MlflowClient(tracking_uri=uri), folder, record, uri, samples)
    except MlflowException as error:
        words = " ".join(str(error).split()).split(". ")[0][:200]
        raise LinkError("mlflow", f"MLflow: {words}", "such as --mlflow sqlite:///mlflow.db") from error


def _send(client: Any, folder: Path, record: Run, uri: str, samples: bool) -> Exported:
    experiment = _experiment(client, record.task, uri)
    known = client.search_runs([experiment], f"tags.`{TAG}` = '{record.id}'", max_results=1)
    if known:
        return Exported(
            run=str(folder), uri=uri, experiment=record.task, mlflow_run_id=known[0].info.run_id, existed=True
        )
    made = client.create_run(experiment, run_name=f"{record.task} {record.id[:8]}", tags=_tags(record))
    run_id = made.info.run_id
    for name, value in _params(record).items():
        client.log_param(run_id, name, value)
    for name, number in _metrics(record).items():
        client.log_metric(run_id, name, number)
    client.log_inputs(run_id, datasets=[_dataset(record)])
    for file in sorted(folder.iterdir()):
        if file.is_file() and (samples or file.name not in _SAMPLES):
            client.log_artifact(run_id, str(file))
    client.set_terminated(run_id)
    return Exported(run=str(folder), uri=uri, experiment=record.task, mlflow_run_id=run_id, existed=False)


def _experiment(client: Any, name: str, uri: str) -> str:
    """Its id; files of a SQLite store are kept beside it, not in the current folder."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None
    if uri.startswith(_SQLITE):
        place = (Path(uri.removeprefix(_SQLITE)).absolute().parent / "mlartifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _params(record: Run) -> dict[str, Any]:
    return {
        **record.hyperparameters,
        "recipe": record.recipe.name,
        "seed": record.seed,
        "window": record.window,
        "stride": record.stride,
    }


def _metrics(record: Run) -> dict[str, float]:
    found: dict[str, float] = {
        "validation_accuracy": record.metrics.validation_accuracy,
        "epochs_run": record.epochs_run,
        "seconds": record.seconds,
    }
    if record.metrics.test_accuracy is not None:
        found["test_accuracy"] = record.metrics.test_accuracy
    return found


def _tags(record: Run) -> dict[str, str]:
    return {
        TAG: record.id,
        "tinyfleet.model_sha256": record.model_sha256,
        "tinyfleet.recipe_sha256": record.recipe.sha256,
        "tinyfleet.data_digest": record.data.digest,
        **{f"package.{name}": each for name, each in record.packages.items()},
    }


def _dataset(record: Run) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    sources = msgspec.json.encode(record.data.origins).decode()
    # MLflow keeps 36 characters of a digest; the tag has all of it.
    data = Dataset(
        name=record.data.name, digest=record.data.digest[:36], source_type="tinyfleet", source=sources
    )
    return DatasetInput(dataset=data, tags=[])
