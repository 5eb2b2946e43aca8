"""``tinyfleet lineage``: from a device to the data, and from a sample to the devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from tinyfleet.client import connect
from tinyfleet.commands.options import Server, TokenFile
from tinyfleet.output import Json, emit
from wire.errors import InputError


def command(
    device: Annotated[str | None, typer.Argument(help="A device: what made the model that it runs?")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="A field sample: which devices were affected by it?")
    ] = None,
    server: Server = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Say where a device's model came from, or where a sample went."""
    if (device is None) == (sample is None):
        raise InputError(
            "bad_option", "either a device or --sample is needed", "see: tinyfleet lineage --help"
        )
    path = f"/lineage/devices/{device}" if device is not None else f"/lineage/samples/{sample}"
    with connect(server, token_file) as client:
        found = client.get(path)
    lines = _of_device(found) if device is not None else _of_sample(found)
    emit(found, as_json, lambda: "\n".join(lines))


def _of_device(found: dict[str, Any]) -> Iterator[str]:
    if found["runs"] is None:
        yield f"{found['device']} runs no model"
        return
    for index, link in enumerate(found["chain"]):
        lead = f"{found['device']} runs" if index == 0 else "whose data extends that of"
        yield f"{lead} {link['model']} v{link['version']} (bundle {link['digest'][:12]})"
        data = link["data"]
        if not data:
            yield "  its author did not say what it was made of"
            continue
        yield f"  trained on data set {data['name']} {data['digest'][:12]} with seed {link['seed']}"
        for origin in data.get("origins", ()):
            yield f"  from {origin['kind']} {origin['name']} {origin['version']}, {origin['licence']}"
        if data.get("field"):
            field = data["field"]
            alert = f", after alert {field['alert']}" if field["alert"] else ""
            yield f"  with {field['samples']} samples of {', '.join(field['devices'])}{alert}"


def _of_sample(found: dict[str, Any]) -> Iterator[str]:
    sample = found["sample"]
    yield f"sample {sample['id']} of {sample['device']}, class {sample['label']} by {sample['labelled_by']}"
    if not found["versions"]:
        yield "no version was trained on it"
    for version in found["versions"]:
        name = f"{version['model']} v{version['version']}"
        yield f"{name} was trained on it; {len(version['running'])} devices run that version:"
        yield f"  {', '.join(version['running']) or 'none'}"
        former = sorted(set(version["confirmed"]) - set(version["running"]))
        if former:
            yield f"  and ran it before: {', '.join(former)}"
