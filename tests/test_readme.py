"""The README promises commands: each exists with the options it shows, and each linked file is there."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tinyfleet import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", README, re.DOTALL)
JOINED = "\n".join(BLOCKS).replace("\\\n", " ")
COMMANDS = [
    line.removeprefix("$ ").split("#")[0].strip()
    for line in JOINED.splitlines()
    if line.removeprefix("$ ").startswith("tinyfleet ")
]


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)[1:]
    path = []
    for word in words:
        if word.startswith("-") or not re.fullmatch(r"[a-z]+", word) or len(path) == 2:
            break
        path.append(word)
    if path[0] in ("convert", "serve", "sim", "demo", "train") and path[1:] != ["exec"]:
        path = path[:1]
    shown = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(cli.build(path[0]), [*path, "--help"])
    assert shown.exit_code == 0, shown.output
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.output, f"{option} of: {command}"


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_of_the_readme_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", JOINED, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
