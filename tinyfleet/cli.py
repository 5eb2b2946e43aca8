"""``tinyfleet``: nouns are mounted lazily, so that ``--help`` loads none of their libraries."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

import typer

from tinyfleet import output
from wire.errors import ExitCode, FleetError

NOUNS: Final = {
    "demo": "Run the whole loop on this machine: train, convert, sign, roll out, watch.",
    "train": "Train a model for a task into a run folder.",
    "runs": "List, compare, reproduce and export what was trained.",
    "convert": "Quantise a model, measure it and make a signed bundle.",
    "inspect": "Tell what a .tflite is, what is wrong with it and where it fits.",
    "bundle": "Show, sign and verify bundles.",
    "trust": "Make the keys and roots that a fleet trusts.",
    "serve": "Run the fleet server with its dashboard.",
    "agent": "Run the agent of a Linux device.",
    "sim": "Run simulated microcontrollers.",
    "bench": "Measure beside a reference, in the same run.",
    "flash": "Make files for a board's flash and have the vendor's tool write them.",
    "model": "Push and list models and their versions.",
    "device": "List devices, show one, and tag it.",
    "alert": "List what needs a person, and say that somebody knows.",
    "samples": "Ask devices for windows from the field, and label them.",
    "lineage": "Say where a device's model came from, or where a sample went.",
    "retrain": "Train the next version on field samples, judge it, and roll it out.",
    "rollout": "Roll a version out in stages, and watch, pause, resume or stop it.",
}
#: What to install when a noun's libraries are missing.
EXTRAS: Final = {
    "agent": "agent",
    "bench": "sim",
    "bundle": "convert",
    "convert": "convert",
    "demo": "train,convert,agent,sim,server",
    "flash": "flash",
    "inspect": "convert",
    "retrain": "train,convert",
    "runs": "train",
    "sim": "sim",
    "train": "train",
    "trust": "trust",
}


def build(noun: str | None) -> typer.Typer:
    """The command tree with only ``noun`` really loaded; the others are their help text."""
    root = typer.Typer(
        name="tinyfleet",
        help="Train, quantise, ship and watch models on microcontrollers and small Linux devices.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, summary in NOUNS.items():
        if name == noun:
            module = importlib.import_module(f"tinyfleet.commands.{name}")
            if hasattr(module, "app"):
                root.add_typer(module.app, name=name, help=summary)
            else:
                root.command(name, help=summary)(module.command)
        else:
            root.command(name, help=summary)(_not_loaded)
    return root


def main() -> None:
    """Run the command line; every error becomes one line and an exit code."""
    noun = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        build(noun)(standalone_mode=True)
    except FleetError as error:
        sys.exit(output.fail(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(noun or "", "server")
        output.say(f"tinyfleet: {error.name} is not installed (pip install 'tinyfleet[{extra}]')")
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("TINYFLEET_DEBUG"):
            raise
        output.say(
            f"tinyfleet: internal error: {error!r} (set TINYFLEET_DEBUG=1 for the traceback and report it)"
        )
        sys.exit(ExitCode.FAILED)


def _not_loaded() -> None:
    raise AssertionError("only the named noun is ever called")
