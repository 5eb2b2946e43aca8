"""What a recipe is: a Python file with ``build`` and, if it likes, ``Hyperparameters``, ``space``, ``fit``.

Ours are modules beside this one, a user's own is any file. The digest of its text is part of a run's
identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol, TypeVar

import msgspec

from trainer import fitting, network
from trainer.data.dataset import Kind, Schema
from trainer.network import Hyperparameters
from wire.errors import FleetError, InputError
from wire.manifest import digest_of

T = TypeVar("T")
MAX_BYTES: Final = 256 * 1024


class Trial(Protocol):
    """What ``space`` may ask of a search (Optuna's own trial is one)."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = ...) -> int: ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = ...) -> float: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Recipe:
    """One file of instructions."""

    name: str
    file: Path
    sha256: str
    """Of the file and of what all recipes share."""
    module: ModuleType
    own: bool = False
    """Whether it is a user's file, which a run then keeps a copy of."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it suits; empty when the file does not say, and then anything."""
        return tuple(getattr(self.module, "KINDS", ()))

    @property
    def quantisations(self) -> tuple[str, ...] | None:
        """Forms that a model of it can take; None for all."""
        return getattr(self.module, "QUANTISATIONS", None)

    @property
    def searchable(self) -> bool:
        """Whether it has a space."""
        return callable(getattr(self.module, "space", None))

    def suits(self, schema: Schema) -> None:
        """InputError unless the recipe can learn from such data."""
        labels = getattr(self.module, "LABELS", None)
        if labels and tuple(schema.labels) != tuple(labels):
            raise InputError(
                "wrong_labels",
                f"recipe {self.name} needs the labels {', '.join(labels)}, "
                f"not {', '.join(schema.labels[:8])}",
                "name the labels so, or choose another --recipe",
            )
        if self.kinds and schema.kind not in self.kinds:
            raise InputError(
                "wrong_kind",
                f"recipe {self.name} is for {', '.join(self.kinds)}, this data is {schema.kind}",
                "choose another --recipe",
            )

    def complete(self, given: Mapping[str, Any] | Hyperparameters | None) -> Hyperparameters:
        """``given`` with this recipe's defaults for the rest; InputError names what it does not know."""
        kind: type[Hyperparameters] = getattr(self.module, "Hyperparameters", Hyperparameters)
        if type(given) is kind:
            return given
        values = _changed(given) if isinstance(given, Hyperparameters) else dict(given or {})
        unknown = sorted(set(values) - set(kind.__struct_fields__))
        if unknown:
            raise InputError(
                "bad_hyperparameters",
                f"recipe {self.name} has no {', '.join(unknown)}",
                f"it has {', '.join(kind.__struct_fields__)}",
            )
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            raise InputError("bad_hyperparameters", f"recipe {self.name}: {error}", "change it") from error

    def build(self, keras: Any, shape: tuple[int, ...], classes: int, hyper: Hyperparameters) -> Any:
        """A compiled model of ``shape`` -> class probabilities; InputError in the recipe's own words."""
        model = self._call(self.module.build, keras, shape, classes, hyper)
        given = (tuple(getattr(model, "input_shape", ())), tuple(getattr(model, "output_shape", ())))
        if given != ((None, *shape), (None, classes)):
            raise InputError(
                "bad_recipe",
                f"{self.file.name}: build made a model of {given[0]} -> {given[1]}",
                f"it must be of {(None, *shape)} -> {(None, classes)}, compiled",
            )
        return model

    def space(self, trial: Trial) -> dict[str, Any]:
        """Hyperparameters by name, as the search suggests them."""
        if not self.searchable:
            raise InputError(
                "no_space", f"{self.file.name} has no space(trial), so there is nothing to search", "add one"
            )
        found = self._call(self.module.space, trial)
        if not isinstance(found, dict):
            raise InputError("bad_recipe", f"{self.file.name}: space gave {found!r:.60}", "return a dict")
        return found

    def fit(self, *args: Any) -> int:
        """As ``trainer.fitting.fit``."""
        return int(self._call(getattr(self.module, "fit", fitting.fit), *args))

    def _call(self, function: Callable[..., T], *args: Any) -> T:
        try:
            return function(*args)
        except FleetError:
            raise
        except Exception as error:
            raise complaint(self.file, error) from error


def complaint(file: Path, error: BaseException) -> InputError:
    """One line: which line of ``file`` raised what."""
    at = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            at = trace.tb_lineno
        trace = trace.tb_next
    words = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())[:200]
    where = file.name if at is None else f"{file.name}, line {at}"
    return InputError("bad_recipe", f"{where}: {type(error).__name__}: {words}", "mend the recipe")


def of(module: ModuleType, name: str, file: Path, text: bytes, *, own: bool = False) -> Recipe:
    """The recipe that ``module``, made of ``text``, is."""
    if not callable(getattr(module, "build", None)):
        raise InputError(
            "bad_recipe", f"{file.name} has no function build", "def build(keras, shape, classes, hyper): ..."
        )
    shared = [Path(str(each.__file__)).read_bytes() for each in (network, fitting)]
    return Recipe(name, file, digest_of(b"".join([text, *shared])), module, own)


def _changed(given: Hyperparameters) -> dict[str, Any]:
    """What differs from the defaults of its own type."""
    plain = type(given)()
    return {
        name: getattr(given, name)
        for name in given.__struct_fields__
        if getattr(given, name) != getattr(plain, name)
    }
