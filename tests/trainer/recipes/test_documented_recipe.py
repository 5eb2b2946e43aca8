"""The recipe in docs/training.md is one."""

import re
from pathlib import Path

from trainer.backend import keras_with_seed
from trainer.recipes import catalogue
from trainer.search.defaults import Defaults

PAGE = Path(__file__).parents[3] / "docs/training.md"


def test_the_documented_recipe_builds_and_can_be_searched(tmp_path):
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "mine.py").write_text(text)
    recipe = catalogue.find(str(tmp_path / "mine.py"), "series")
    found = recipe.space(Defaults(recipe.complete(None)))
    assert found == {"units": 32}
    model = recipe.build(keras_with_seed(0), (10, 3), 4, recipe.complete(found))
    assert model.output_shape == (None, 4)


def test_every_recipe_of_ours_is_documented():
    page = PAGE.read_text()
    assert all(f"| `{name}` |" in page for name in catalogue.NAMES)
