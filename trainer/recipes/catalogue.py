"""Which recipe: ours by name, a user's by path, or the one for the data's kind."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Final

from trainer.data.dataset import Kind
from trainer.recipes import recipe
from trainer.recipes.recipe import Recipe
from wire.errors import FleetError, InputError, NotFoundError

NAMES: Final = ("gesture", "keyword", "image", "anomaly", "tabular")
BY_KIND: Final[dict[Kind, str]] = {
    "series": "gesture",
    "audio": "keyword",
    "image": "image",
    "table": "tabular",
}
OWN_FILE: Final = "recipe.py"
"""A user's recipe in the run that it made."""


def find(what: str | None, kind: Kind) -> Recipe:
    """The recipe ``what`` (a name or a path), else the one for data of ``kind``."""
    name = what or BY_KIND[kind]
    if name in NAMES:
        return built_in(name)
    if name.endswith(".py"):
        return load(Path(name))
    raise NotFoundError(
        "unknown_recipe", f"there is no recipe {name!r}", f"use {', '.join(NAMES)} or a path to a .py file"
    )


def built_in(name: str) -> Recipe:
    """One of ours."""
    module = importlib.import_module(f"trainer.recipes.{name}")
    file = Path(str(module.__file__))
    return recipe.of(module, name, file, file.read_bytes())


def load(file: Path) -> Recipe:
    """A user's own file; it is a program and is run. InputError or NotFoundError says what is wrong."""
    file = file.absolute()
    try:
        with file.open("rb") as stream:
            text = stream.read(recipe.MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError("no_recipe", f"cannot read {file}: {error.strerror}", "check the path") from error
    if len(text) > recipe.MAX_BYTES:
        raise InputError(
            "oversize", f"{file.name} is over {recipe.MAX_BYTES} bytes", "a recipe is a short file"
        )
    spec = importlib.util.spec_from_file_location(f"tinyfleet_recipe_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError("bad_recipe", f"{file.name} is no Python file", "see docs/training.md")
    module = importlib.util.module_from_spec(spec)
    try:
        exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - the user's own program
    except FleetError:
        raise
    except Exception as error:
        raise recipe.complaint(file, error) from error
    return recipe.of(module, file.stem, file, text, own=True)
