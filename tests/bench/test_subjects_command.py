"""``tinyfleet bench subjects``: prints, draws, and tells when answers are others than the shipped ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer

from tinyfleet.bench import subjects as real
from tinyfleet.commands.bench_subjects import subjects
from wire.errors import InputError, StoreError


def run(**options: object) -> None:
    subjects(**{"rebuild": None, "seed": 1, "picture": None, "as_json": True, **options})


def test_it_prints_the_figures_and_draws_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run(picture=tmp_path / "p.svg")
    found = json.loads(capsys.readouterr().out)
    assert found["windows"] == 4677
    assert set(found["versions"]) == {"old", "new"}
    assert (tmp_path / "p.svg").read_text("utf-8").startswith("<svg ")


def test_a_picture_that_cannot_be_written_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="cannot write"):
        run(picture=tmp_path / "none" / "p.svg")


@pytest.mark.parametrize("same", [True, False])
def test_a_rebuild_tells_whether_the_answers_are_the_shipped_ones(
    same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    shipped = real.load()
    made = shipped if same else shipped._replace(answer=shipped.answer[::-1].copy())
    # What takes minutes is not done here; what is done with its result is.
    monkeypatch.setattr(real, "build", lambda _out, _seed, _say: made)
    if same:
        run(rebuild=tmp_path / "new.npz")
    else:
        with pytest.raises(typer.Exit) as ended:
            run(rebuild=tmp_path / "new.npz")
        assert ended.value.exit_code == 6
    assert ("not the answers" in capsys.readouterr().err) is not same


def test_what_is_written_is_what_was_asked_for(tmp_path: Path):
    shipped = real.load()
    real._write(tmp_path / "data.npz", shipped)
    with np.load(tmp_path / "data.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["made"])) == shipped.made
        assert set(arrays) == set(shipped._fields)
        for name in set(arrays) - {"made"}:
            assert np.array_equal(arrays[name], getattr(shipped, name))
    with pytest.raises(StoreError, match="cannot write"):
        real._write(tmp_path / "none" / "data.npz", shipped)
