"""``tinyfleet convert SRC --out DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from tinyfleet.keyfile import DEFAULT_DAYS, expiry
from tinyfleet.output import Json, emit, say
from tinyfleet.trustfiles import signing

Metric = Literal["top1", "auc", "f1"]
Rule = Literal["point", "interval"]
Activations = Literal["int8", "int16", "auto"]


def command(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Run folder, .keras, SavedModel or .tflite.")],
    out: Annotated[Path, typer.Option(help="Bundle directory to make.")],
    key: Annotated[
        Path | None,
        typer.Option(help="Release key (PEM) that signs. Default: trust/release.key, else one of your own."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Model name. Default: the task, or the file's.")] = None,
    model_version: Annotated[int, typer.Option(min=1, help="Version of the model.")] = 1,
    target: Annotated[list[str] | None, typer.Option(help="Target to build for. Default: all.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Samples (.npz with x) to quantise by. Default: some of --eval.")
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Labelled samples (.npz with x, y) to score by.")
    ] = None,
    max_drop: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Most of the metric that int8 may cost.")
    ] = 0.03,
    metric: Annotated[Metric, typer.Option(help="What is compared: top1, auc or f1 (macro).")] = "top1",
    gate: Annotated[
        Rule, typer.Option(help="point: the measured drop counts. interval: it must be shown.")
    ] = "point",
    qat: Annotated[
        Path | None, typer.Option(help="Labelled samples (.npz with x, y) for quantisation-aware training.")
    ] = None,
    qat_epochs: Annotated[int, typer.Option(min=1, help="Epochs of --qat.")] = 10,
    prune: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of weights set to zero.")] = 0.0,
    clusters: Annotated[int, typer.Option(min=0, help="Distinct values a kernel keeps (3 or more).")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of --qat.")] = 0,
    activations: Annotated[
        Activations, typer.Option(help="Between int8 ends. auto: int16 only where int8 loses too much.")
    ] = "int8",
    plan: Annotated[
        bool, typer.Option("--plan", help="Ship a smaller memory plan inside the file, where there is one.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, help="Days until the signature expires.")] = DEFAULT_DAYS,
    as_json: Json = False,
) -> None:
    """Quantise a model, measure it and make a signed bundle."""
    from converter.conversion import convert
    from converter.recipe import Recipe
    from converter.summary import describe

    signer, origin = signing(key)
    made = convert(
        source,
        out,
        signer=signer,
        expires=expiry(days),
        name=name,
        version=model_version,
        target_names=target or (),
        calibration=calibration,
        evaluation=evaluation,
        metric=metric,
        plan=plan,
        activations=activations,
        rule=gate,
        max_drop=max_drop,
        recipe=Recipe(prune=prune, clusters=clusters, qat_epochs=0 if qat is None else qat_epochs, seed=seed),
        training=qat,
    )
    if key is None:
        say(f"signed by {made.signed_by} ({origin})")
    for family, reason in made.report.refused.items():
        say(f"not built for {family}: {reason}")
    emit(made, as_json, lambda: describe(made))
