"""What an operator types, against a real server: policy file, dry run, explain, evidence and replay."""

import json
import time
from pathlib import Path

import httpx
import msgspec
import pytest
from typer.testing import CliRunner, Result

from fleet_server import reports, rollout_policy
from fleet_server.fleet import Fleet
from tests.fleet_server.fake_device import BOOT, HARDWARE
from tinyfleet import cli, policy_file
from wire.errors import ExitCode, InputError, NotFoundError
from wire.messages import Hardware, Reported

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "careful.toml"


def run(client: httpx.Client, *words: str) -> Result:
    environment = {
        "TINYFLEET_URL": str(client.base_url),
        "TINYFLEET_TOKEN": client.headers["authorization"].removeprefix("Bearer "),
    }
    return CliRunner(env=environment).invoke(cli.build("rollout"), ["rollout", *words])


def hello(fleet: Fleet, name: str, hardware: Hardware = HARDWARE) -> None:
    report = Reported(
        device=name, boot=BOOT, seq=1, sequence=0, attempt=None, state=None, running=None, slots={},
        downloaded_bytes=0, hardware=hardware,
    )  # fmt: skip
    fleet.store.write(lambda db: reports.store_reported(db, report, time.time()))


@pytest.fixture
def served(client: httpx.Client, fleet: Fleet, make_bundle) -> httpx.Client:
    """Version 1, five devices that it fits and one that it does not."""
    fleet.registry.publish(*make_bundle(1), time.time())
    for index in range(5):
        hello(fleet, f"mcu-{index}")
    hello(fleet, "tiny", msgspec.structs.replace(HARDWARE, ram_bytes=100))
    return client


def test_the_example_of_the_documentation_is_a_policy() -> None:
    assert EXAMPLE.read_text() in (EXAMPLE.parents[1] / "rollouts.md").read_text(), "the page shows the file"
    made = rollout_policy.read(policy_file.read(EXAMPLE))
    assert [stage.share for stage in made.plan] == [None, 0.1, 1.0]
    assert made.gates.energy is None
    assert made.gates.accuracy is not None
    assert made.gates.accuracy.need == "proof"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages = [0.5]", "p.toml: the last stage's share must be 1"),
        ("[gates.accuracy]\nmargin = 3", "p.toml: Expected `float` <= 1.0 - at `$.gates.accuracy.margin`"),
        ("paces = 1", "p.toml: Object contains unknown field `paces`"),
        ("gates = 3", "p.toml: Expected `object`, got `int` - at `$.gates`"),
        ("soak_s = ", "p.toml: Invalid value"),
        ("where = \"board = 'x'\"", "p.toml: filter: column 7: expected '==', not '=' - at `$.where`"),
        ("[[stages]]\nwhere = 'x ='\n[[stages]]\nshare = 1.0", "at `$.stages[0].where`"),
        ("[device]\ncancel = true", "p.toml: the server itself decides cancel - at `$.device`"),
        ("# " + 140_000 * "\u00e9" + "\nsoak_s = 1", "p.toml is over 262144 bytes"),
        ("x = " + 5000 * "[", "p.toml: "),
    ],
)
def test_a_policy_file_that_is_wrong_says_which_key_and_how(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        policy_file.read(tmp_path / "p.toml")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_a_dry_run_says_who_would_take_part_and_why_the_others_would_not(served: httpx.Client) -> None:
    done = run(served, "create", "watch", "1", "--stages", "40,100", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "5 devices would take part (stage 1: 2 new and 0 control, stage 2: 3 new" in done.stdout
    assert "1 rejected: out_of_ram - such as tiny: needs 10000 bytes of RAM" in done.stdout
    assert json.loads(run(served, "list", "--json").stdout) == [], "nothing was made"


def test_options_override_the_policy_file_and_commands_may_be_repeated(
    served: httpx.Client, tmp_path: Path
) -> None:
    (tmp_path / "p.toml").write_text(
        "soak_s = 5\nstages = [{ share = 1.0, approval = true }]\npriority = 3\n"
    )
    done = run(served, "create", "watch", "1", "--policy", str(tmp_path / "p.toml"), "--soak-s", "7",
               "--no-start", "--json")  # fmt: skip
    made = json.loads(done.stdout)
    assert (made["state"], made["policy"]["soak_s"], made["policy"]["priority"]) == ("ready", 7.0, 3)
    for command in ("start", "start", "pause", "pause", "resume", "resume"):
        assert run(served, command, "1").exit_code == 0
    explained = run(served, "explain", "1").stdout
    assert "It waits for approval of stage 1 of 1: tinyfleet rollout approve 1." in explained
    for words in (("approve", "1", "--stage", "1"), ("abort", "1"), ("abort", "1"), ("stop", "1")):
        assert run(served, *words).exit_code == 0
    events = served.get("/api/v1/events").json()
    told = [e["message"] for e in events if e["subject"] == "rollout 1" and "by admin" in e["message"]]
    assert len(told) == 6, "create, start, pause, resume, approve, abort; not what changed nothing"


def test_explain_says_whom_a_rollout_waits_for(served: httpx.Client, fleet: Fleet) -> None:
    assert run(served, "create", "watch", "1", "--stages", "40,100").exit_code == 0
    deadline = time.monotonic() + 20
    while "2 told but offline" not in (said := run(served, "explain", "1").stdout):
        assert time.monotonic() < deadline, said
    assert said.splitlines()[0] == "watch v1 is running, stage 1 of 2."
    assert "Gates without data: " in said
    assert isinstance(run(served, "explain", "9").exception, NotFoundError)


def test_a_recorded_decision_replays_and_a_forged_one_does_not(served: httpx.Client, tmp_path: Path) -> None:
    assert run(served, "create", "watch", "1").exit_code == 0
    deadline = time.monotonic() + 20
    while run(served, "evidence", "1", "--out", str(tmp_path / "d.json")).exit_code != 0:
        assert time.monotonic() < deadline
    done = run(served, "replay", str(tmp_path / "d.json"))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "the same as on record")
    record = json.loads((tmp_path / "d.json").read_text())
    for judgement in record["judgements"]:
        judgement["reason"] = "told in other words"
    (tmp_path / "reworded.json").write_text(json.dumps(record))
    assert run(served, "replay", str(tmp_path / "reworded.json")).exit_code == 0, "figures count, not words"
    for item in record["evidence"]:
        if item["gate"] == "failures":
            item["failed"], item["exposed"] = 3, 5
    (tmp_path / "forged.json").write_text(json.dumps(record))
    done = run(served, "replay", str(tmp_path / "forged.json"))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (ExitCode.REFUSED, "NOT what is on record")
    (tmp_path / "x.json").write_text("[]")
    assert isinstance(run(served, "replay", str(tmp_path / "x.json")).exception, InputError)
    assert "failures" in run(served, "decisions", "1").stdout


def test_the_policys_schema_is_printed(served: httpx.Client) -> None:
    assert "$defs" in json.loads(run(served, "policy").stdout)
