"""``tinyfleet sim``: simulated microcontrollers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from tinyfleet.commands.sim_exec import exec_
from wire.errors import InputError

app = typer.Typer(invoke_without_command=True)
app.command("exec")(exec_)


@app.callback()
def sim(
    ctx: typer.Context,
    devices: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
    broker: Annotated[str, typer.Option(help="The broker's URL.")] = "mqtt://127.0.0.1:1883",
    data: Annotated[Path | None, typer.Option(help="Held-out windows to replay: eval.npz.")] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Folder with image-root.json and director-root.json.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Folder for the devices' flash, a file each.")] = None,
    boards: Annotated[str, typer.Option(help="Boards, comma-separated; devices take turns.")] = "",
    groups: Annotated[str, typer.Option(help="Groups of the data, comma-separated; all without it.")] = "",
    wearers: Annotated[
        bool, typer.Option("--wearers", help="Each device replays one group and session, not all of them.")
    ] = False,
    samples: Annotated[
        int, typer.Option(min=0, max=256, help="Raw windows that each device keeps to be asked for.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of jitter and faults.")] = 0,
    rate_hz: Annotated[float, typer.Option(min=0.001, max=1000, help="Windows a second.")] = 1.0,
    power_cuts: Annotated[
        float, typer.Option(min=0, max=0.2, help="Probability of a power cut at each flash operation.")
    ] = 0.0,
    clock_skew_s: Annotated[float, typer.Option(min=0, help="Most that a device's clock is wrong.")] = 0.0,
    link_bytes_per_s: Annotated[
        float | None, typer.Option(min=1, help="Speed of each device's connection, either way.")
    ] = None,
    link_delay_ms: Annotated[float, typer.Option(min=0, help="Delay of everything sent, either way.")] = 0.0,
    link_breaks_per_h: Annotated[
        float, typer.Option(min=0, help="How often a connection breaks, on average.")
    ] = 0.0,
    sensor_gain: Annotated[
        float, typer.Option(min=-1, help="Drift: share by which readings grow in the end.")
    ] = 0.0,
    sensor_offset: Annotated[float, typer.Option(help="Drift: what is added to readings in the end.")] = 0.0,
    sensor_rotate_deg: Annotated[
        float, typer.Option(help="Drift: turn of the first two channels in the end.")
    ] = 0.0,
    sensor_remount_deg: Annotated[
        float, typer.Option(help="Drift: turn of every three channels about their third in the end.")
    ] = 0.0,
    sensor_share: Annotated[
        float, typer.Option(min=0, max=1, help="Drift: share of the devices that have it.")
    ] = 1.0,
    sensor_over: Annotated[int, typer.Option(min=1, help="Readings until the drift is complete.")] = 1,
    sensor_at_signal: Annotated[
        bool, typer.Option("--sensor-at-signal", help="Drift: begins at SIGUSR1 instead of at the start.")
    ] = False,
    prefix: Annotated[str, typer.Option(help="Devices are called PREFIX-0000, ...")] = "mcu",
) -> None:
    """Run a fleet of simulated microcontrollers until SIGTERM or SIGINT."""
    if ctx.invoked_subcommand is not None:
        return
    if data is None or trust is None or state is None:
        raise InputError(
            "missing_option", "--data, --trust and --state are needed", "see: tinyfleet sim --help"
        )
    from device_agent.broker_url import parse_broker_url
    from device_agent.config import read_root
    from device_agent.process import log_to_stderr, until_signalled
    from device_agent.sensor import load_recording
    from firmware_sim.faults import Faults
    from firmware_sim.fleet import DEFAULT_BOARDS, FleetPlan, simulate
    from firmware_sim.weak_link import Weakness
    from firmware_sim.worn_sensor import Wear

    plan = FleetPlan(
        devices=devices,
        broker=parse_broker_url(broker),
        recording=load_recording(data, _items(groups)),
        image_root=read_root(trust / "image-root.json"),
        director_root=read_root(trust / "director-root.json"),
        state_dir=state,
        boards=_items(boards) or DEFAULT_BOARDS,
        rate_hz=rate_hz,
        wearers=wearers,
        samples=samples,
        prefix=prefix,
        seed=seed,
        faults=Faults(
            power_cuts=power_cuts,
            clock_skew_s=clock_skew_s,
            wear=Wear(
                gain=sensor_gain,
                offset=sensor_offset,
                rotate_deg=sensor_rotate_deg,
                remount_deg=sensor_remount_deg,
                over=sensor_over,
            ),
            wear_share=sensor_share,
            wear_at_signal=sensor_at_signal,
            link=Weakness(link_bytes_per_s, link_delay_ms / 1000, link_breaks_per_h / 3600),
        ),
    )
    log_to_stderr()
    asyncio.run(until_signalled(lambda: simulate(plan)))


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


@app.command()
def board(
    model: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle, a .tflite or a model image.")],
    board: Annotated[str, typer.Option(help="Its name in the catalogue.")],
    smp: Annotated[
        str, typer.Option(metavar="IP[:PORT]", help="Loopback address; smpmgr knows port 1337 only.")
    ] = "127.0.0.1",
    image_key: Annotated[
        Path | None, typer.Option(help="Public key (PEM, P-256) that images must be signed with.")
    ] = None,
) -> None:
    """Run one emulated board that smpmgr can update over UDP, until SIGTERM or SIGINT."""
    import boards
    from device_agent.process import log_to_stderr
    from firmware_sim.flashing.model import read_image
    from firmware_sim.smp.board import SimulatedBoard
    from firmware_sim.smp.key import read_public_key
    from firmware_sim.smp.server import run

    key = None if image_key is None else read_public_key(image_key)
    powered = SimulatedBoard(boards.load(board), read_image(model), key)
    log_to_stderr()
    asyncio.run(run(powered, smp))
