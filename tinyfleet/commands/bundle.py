"""``tinyfleet bundle show|sign|verify|export DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.keyfile import DEFAULT_DAYS, expiry, now, read_key, read_root
from tinyfleet.output import Json, emit
from tinyfleet.trustfiles import image_root

app = typer.Typer(no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Bundle directory.")]


@app.command()
def show(folder: Folder, as_json: Json = False) -> None:
    """Check a bundle's files and print its manifest and report."""
    from converter import report
    from converter.bundle import read_bundle
    from converter.summary import list_bundle

    bundle = read_bundle(folder)
    held = bundle.files.get(report.FILE)
    data = {
        "digest": bundle.digest,
        "signed": bundle.signature is not None,
        "payload_bytes": bundle.manifest.payload_bytes,
        "manifest": bundle.manifest,
        "report": None if held is None else report.decode(held),
    }
    emit(data, as_json, lambda: list_bundle(bundle))


@app.command()
def sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="Release key (PEM).")],
    days: Annotated[int, typer.Option(min=1, help="Days until the signature expires.")] = DEFAULT_DAYS,
    as_json: Json = False,
) -> None:
    """Sign a bundle, or sign it again."""
    from converter.bundle import sign_bundle

    expires = expiry(days)
    bundle = sign_bundle(folder, read_key(key), expires)
    data = {"bundle": str(folder), "digest": bundle.digest, "expires": expires}
    emit(data, as_json, lambda: f"signed {bundle.digest} until {expires:%Y-%m-%d}")


@app.command()
def verify(
    folder: Folder,
    trust: Annotated[
        Path | None,
        typer.Option(help="image-root.json of the release keys. Default: trust/'s, else your own key's."),
    ] = None,
    evaluation: Annotated[
        Path | None, typer.Option("--eval", help="Labelled samples (.npz with x, y) to score again.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option(help="What it was made of: convert it again and compare every byte.")
    ] = None,
    calibration: Annotated[Path | None, typer.Option(help="For --source, as for convert.")] = None,
    qat: Annotated[Path | None, typer.Option(help="For --source, as for convert.")] = None,
    as_json: Json = False,
) -> None:
    """Compute again whatever a bundle claims; exit code 4 for the first claim that is false."""
    from converter.bundle import read_bundle
    from converter.summary import confirm
    from converter.verification import Origin, verify_bundle

    made_of = None if source is None else Origin(source, calibration, evaluation, qat)
    verified = verify_bundle(read_bundle(folder), read_root(image_root(trust)), now(), evaluation, made_of)
    emit(verified, as_json, lambda: confirm(verified))


@app.command()
def export(
    folder: Folder,
    c: Annotated[Path, typer.Option("--c", metavar="OUT", help="Folder for C sources.")],
    as_json: Json = False,
) -> None:
    """Write a bundle's model as C sources for firmware with its own TFLM."""
    from converter.bundle import read_bundle
    from converter.c_source import export as export_c

    made = export_c(read_bundle(folder), c)
    emit(made, as_json, lambda: f"{made.folder}: {', '.join(made.files)}; arena {made.arena_bytes} bytes")
