"""``tinyfleet train SRC --out RUN``, and with ``--trials N --board B --out STUDY`` a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyfleet.output import Json, emit, say
from wire.errors import InputError


def command(
    task: Annotated[str, typer.Argument(metavar="SRC", help="What to train, such as: watch.")],
    out: Annotated[Path, typer.Option(help="Run folder to make; with --trials the study's.")],
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups", "--subjects", help="Train groups: how many (3) or which (1,2,5). Default: all."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 1,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe's name, or a .py file with your own build(). Default: by the data."),
    ] = None,
    hyper: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; repeatable.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, max=1024, help="Filters of the first layer.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=1000, help="Most passes over the data.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Search: finished trials, earlier ones included.")
    ] = None,
    board: Annotated[str | None, typer.Option(help="Search: boards it must fit, with commas.")] = None,
    max_ram: Annotated[int | None, typer.Option(min=1, help="Search: bytes of RAM.")] = None,
    max_flash: Annotated[int | None, typer.Option(min=1, help="Search: bytes of flash.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(min=0.001, help="Search: of one inference.")] = None,
    minimise: Annotated[
        str, typer.Option(help="Search: latency, ram, flash; the objectives beside accuracy.")
    ] = "latency,ram",
    quantise: Annotated[
        str, typer.Option(help="Search: forms to choose from, of int8, int8-qat, int16.")
    ] = "int8,int8-qat",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Search: trials side by side.")] = 1,
    storage: Annotated[
        str | None, typer.Option(help="Search: database URL or journal:PATH that machines share.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model, or search for one that is accurate and fits a board."""
    from trainer.split import parse_groups

    wanted = None if groups is None else parse_groups(groups)
    given = {"width": width, "epochs": epochs}
    fixed = {name: value for name, value in given.items() if value is not None} | _values(hyper or [])
    if trials is None:
        if board or max_ram or max_flash or max_latency_ms or storage:
            raise InputError("no_trials", "limits and storage are of a search", "give --trials N")
        _train(task, out, wanted, seed, recipe, fixed, as_json)
        return
    from tinyfleet.searching import run_search

    run_search(
        task,
        out,
        boards=_names(board),
        limits=(max_latency_ms, max_ram, max_flash),
        minimise=_names(minimise),
        quantisations=_names(quantise),
        groups=wanted,
        recipe=recipe,
        fixed=fixed,
        seed=seed,
        trials=trials,
        jobs=jobs,
        storage=storage,
        as_json=as_json,
    )


def _train(
    task: str, out: Path, groups: Any, seed: int, recipe: str | None, hyper: dict[str, Any], as_json: bool
) -> None:
    from trainer.training import train

    run = train(task, out, groups=groups, seed=seed, hyper=hyper, recipe=recipe, progress=say)
    held_out = run.split["test"]
    more = (
        "" if held_out.count == len(held_out.groups) else f" and {held_out.count - len(held_out.groups)} more"
    )
    emit(
        {"run": str(out), "report": run},
        as_json,
        lambda: (
            f"{out}: {run.title}; accuracy {run.metrics.test_accuracy:.3f} on held-out groups "
            f"{', '.join(held_out.groups)}{more}; next: tinyfleet convert {out} --out BUNDLE"
        ),
    )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _values(texts: list[str]) -> dict[str, Any]:
    """``NAME=VALUE``; a value that is no JSON is a word."""
    import msgspec

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError("bad_option", f"--set {text} has no value", "such as --set batch=32")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found
