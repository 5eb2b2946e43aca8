"""A user's own recipe: what is wrong with it is one line that names the line, and a run keeps the file."""

from pathlib import Path

import pytest

from trainer.backend import keras_with_seed
from trainer.recipes import catalogue
from trainer.run import read
from trainer.runs.reproduction import reproduce
from trainer.training import train
from wire.errors import InputError, NotFoundError

OWN = """
from trainer import network

class Hyperparameters(network.Hyperparameters, frozen=True, kw_only=True):
    pooled: int = 10

def build(keras, shape, classes, hyper):
    return network.classifier(keras, "mine", [
        keras.Input(shape), keras.layers.AveragePooling1D(hyper.pooled), keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ], hyper)
"""


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> str:
        file = tmp_path / "mine.py"
        file.write_text(text)
        return str(file)

    return _write


def test_a_run_of_it_keeps_it_and_is_reproduced_without_the_original(write, tmp_path):
    file, out = write(OWN), tmp_path / "run"
    record = train("watch", out, groups=1, recipe=file, hyper={"epochs": 1, "pooled": 20})
    assert record.hyperparameters["pooled"] == 20
    assert (out / "recipe.py").read_text() == OWN
    Path(file).unlink()
    assert reproduce(out).equal
    (out / "recipe.py").write_text(OWN + "# changed\n")
    found = reproduce(out)
    assert not found.equal
    assert not found.trained
    assert found.differs == ["the text of recipe mine, or of what recipes share, has changed"]
    assert read(out) == record


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def build(:\n", "mine.py, line 1: SyntaxError: invalid syntax"),
        ("x = 1\ny = x / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        (
            "import no_such_library\n",
            "mine.py, line 1: ModuleNotFoundError: No module named 'no_such_library'",
        ),
        ("x = 1\n", "mine.py has no function build"),
    ],
)
def test_a_file_that_does_not_load_is_one_line(write, text, said):
    with pytest.raises(InputError) as caught:
        catalogue.find(write(text), "series")
    assert caught.value.message == said


def test_build_is_blamed_by_its_line_and_its_shapes(write):
    keras = keras_with_seed(0)
    broken = catalogue.find(
        write("def build(keras, shape, classes, hyper):\n    return shape[7]\n"), "series"
    )
    with pytest.raises(InputError, match=r"mine\.py, line 2: IndexError: tuple index out of range"):
        broken.build(keras, (4, 2), 3, broken.complete(None))
    odd = catalogue.find(write(OWN.replace("Dense(classes", "Dense(1 + classes")), "series")
    with pytest.raises(InputError, match=r"build made a model of \(None, 20, 2\) -> \(None, 4\)"):
        odd.build(keras, (20, 2), 3, odd.complete(None))


def test_hyperparameters_that_it_does_not_have_are_named(write):
    recipe = catalogue.find(write(OWN), "series")
    with pytest.raises(InputError, match="recipe mine has no depth"):
        recipe.complete({"depth": 3})
    with pytest.raises(InputError, match=r"Expected `int`, got `str` - at `\$.epochs`"):
        recipe.complete({"epochs": "many"})


def test_without_a_space_there_is_nothing_to_search(write):
    recipe = catalogue.find(write(OWN), "series")
    with pytest.raises(InputError, match=r"has no space\(trial\)"):
        recipe.space(None)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"cannot read .*gone\.py"):
        catalogue.find(str(tmp_path / "gone.py"), "series")
