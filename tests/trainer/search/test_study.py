"""A study: the same seed tries the same, a killed search goes on as if it had not been, machines share it."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.trainer.search import fake
from trainer.search import search as module
from trainer.search.claim import Claim
from trainer.search.search import search
from wire.errors import InputError, StoreError

TRIALS = 14


@pytest.fixture
def searching(monkeypatch):
    """``fake.run`` with everything put back."""
    monkeypatch.setattr(module, "attempt", module.attempt)
    monkeypatch.setattr(module, "choose", module.choose)
    return fake.run


def tried(result):
    return [(row.hyperparameters, row.quantisation, row.state, row.reason) for row in result.trials]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search that nobody disturbs."""
    kept = module.attempt, module.choose
    yield fake.run(tmp_path_factory.mktemp("study") / "whole", TRIALS)
    module.attempt, module.choose = kept


def test_the_first_trial_is_the_recipe_as_it_is(whole):
    first = whole.trials[0].hyperparameters
    assert (first["width"], first["blocks"], first["kernel"]) == (16, 3, 7)
    assert first["preprocessing"] == "standardise-v1"


def test_every_trial_that_is_not_trained_has_its_reason(whole):
    states = {row.state for row in whole.trials}
    assert states == {"trained", "infeasible", "refused"}
    for row in whole.trials:
        assert row.trained == (row.state == "trained") == (not row.reason)
        assert row.state != "infeasible" or row.reason.startswith("nucleo-l4r5zi: latency of ")


def test_the_front_is_what_nothing_feasible_beats(whole):
    feasible = [row for row in whole.trials if row.state == "trained"]

    def better(one, other):
        mine, theirs = (
            (row.accuracy_int8, -row.measured.cost("latency"), -row.measured.cost("ram"))
            for row in (one, other)
        )
        return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))

    expected = {row.number for row in feasible if not any(better(other, row) for other in feasible)}
    assert set(whole.front) == expected == {row.number for row in whole.trials if row.front}


def test_the_same_seed_tries_the_same_and_another_one_does_not(whole, searching, tmp_path, monkeypatch):
    assert tried(searching(tmp_path / "again", TRIALS)) == tried(whole)
    monkeypatch.setattr(fake, "WISH", replace(fake.WISH, seed=2))
    assert tried(searching(tmp_path / "other", TRIALS)) != tried(whole)


def test_a_search_killed_in_any_trial_ends_as_one_that_was_not(whole, searching, tmp_path):
    out = tmp_path / "killed"
    for killed_at in (0, 4, 11):
        arguments = [str(out), str(TRIALS), str(killed_at), "1"]
        done = subprocess.run([sys.executable, "-m", "tests.trainer.search.fake", *arguments], check=False)
        assert done.returncode == -signal.SIGKILL
    heard = []
    found = searching(out, TRIALS, progress=heard.append)
    assert heard[0] == "1 trials were running when the search was stopped; they are tried again"
    assert tried(found) == tried(whole)
    assert [row.number for row in found.trials] != [row.number for row in whole.trials]


def test_several_at_a_time_killed_lose_none(searching, tmp_path):
    out = tmp_path / "study"
    arguments = [str(out), "12", "5", "3"]
    done = subprocess.run([sys.executable, "-m", "tests.trainer.search.fake", *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    found = searching(out, 12, jobs=3)
    assert len(found.trials) == 12
    assert len({row.number for row in found.trials}) == 12


def test_more_trials_go_on_from_those_that_there_are(whole, searching, tmp_path):
    few = searching(tmp_path / "study", 5)
    more = searching(tmp_path / "study", TRIALS)
    assert tried(more)[:5] == tried(few)
    assert tried(more) == tried(whole)


@pytest.mark.parametrize("storage", ["sqlite:///{}/shared.db", "journal:{}/shared.log"])
def test_two_folders_share_a_study(searching, tmp_path, storage):
    url = storage.format(tmp_path)
    first = searching(tmp_path / "a", 3, url=url)
    second = searching(tmp_path / "b", 6, url=url)
    assert first.study == second.study
    assert tried(second)[:3] == tried(first)
    assert len(second.trials) == 6


def test_a_folder_is_searched_by_one_process_at_a_time(searching, tmp_path):
    searching(tmp_path / "study", 1)
    digest = (tmp_path / "study/owner").read_text().split()[1]
    with Claim(tmp_path / "study", digest), pytest.raises(InputError, match="another process searches in"):
        searching(tmp_path / "study", 2)


def test_another_search_does_not_go_on_in_this_folder(searching, tmp_path, monkeypatch):
    searching(tmp_path / "study", 1)
    monkeypatch.setattr(fake, "WISH", replace(fake.WISH, seed=9))
    with pytest.raises(InputError, match="is a search of other settings"):
        searching(tmp_path / "study", 2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(InputError, match="is not a study"):
        searching(tmp_path / "other", 2)


@pytest.mark.parametrize(
    ("storage", "kind", "said"),
    [
        ("nonsense", InputError, "no URL that is known"),
        ("sqlite:////no/such/folder/study.db", StoreError, "cannot open the study"),
        (
            "postgresql://user:secret@localhost/x",
            InputError,
            "its database driver is not installed",
        ),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_line(searching, tmp_path, storage, kind, said):
    with pytest.raises(kind, match=said) as caught:
        searching(tmp_path / "study", 1, url=storage)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"boards": ()}, "needs a board"),
        ({"minimise": ("size",)}, "no 'size' to minimise"),
        ({"recipe": "anomaly"}, "needs the labels normal, anomaly"),
        ({"fixed": {"depth": 2}}, "recipe gesture has no depth"),
        ({"fixed": {"width": 2}}, "with the recipe's defaults: too narrow"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(searching, tmp_path, change, said):
    module.attempt = fake.attempt
    with pytest.raises(InputError, match=said):
        search(replace(fake.WISH, **change), tmp_path / "study", trials=1, measure=None)
