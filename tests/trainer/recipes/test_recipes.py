"""Every recipe, in each corner of its space: it builds, survives int8, and runs where models must run."""

from random import Random

import msgspec
import numpy as np
import pytest

from converter.image.compiler import EXECUTED, compile_image
from runtimes.tflm import TflmInterpreter
from trainer.backend import keras_with_seed, silenced
from trainer.data.dataset import Schema
from trainer.recipes import catalogue
from wire.errors import InputError, NotFoundError

SHAPES = {
    "gesture": (50, 3),
    "keyword": (25, 10),
    "image": (16, 16, 3),
    "anomaly": (12, 2),
    "tabular": (9,),
}
CLASSES = {"anomaly": 2}
FLOAT_ARENA_BYTES = 1 << 20


class Corner:
    """Suggests the smallest or the largest of everything, by chance."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)

    def suggest_int(self, name, low, high, *, log=False):
        return self.dice.choice((low, high))

    suggest_float = suggest_int

    def suggest_categorical(self, name, choices):
        return self.dice.choice(choices)


@pytest.fixture(scope="module")
def keras():
    return keras_with_seed(3)


def int8(keras, model, shape) -> bytes:
    import tensorflow as tf

    values = np.random.default_rng(3).standard_normal((32, 1, *shape)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([value] for value in values)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with silenced():
        return converter.convert()


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_its_defaults_run_in_tflm_and_compile_for_microcontrollers(keras, name):
    recipe, shape = catalogue.built_in(name), SHAPES[name]
    model = recipe.build(keras, shape, CLASSES.get(name, 4), recipe.complete({"width": 8}))
    tflite = int8(keras, model, shape)
    answer = TflmInterpreter(tflite, FLOAT_ARENA_BYTES).run(np.zeros(shape, np.int8))
    assert answer.shape == (CLASSES.get(name, 4),)
    assert set(compile_image(tflite).ops) <= EXECUTED


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_corner_of_its_space_builds(keras, name):
    recipe, shape = catalogue.built_in(name), SHAPES[name]
    corners = [recipe.space(Corner(seed)) for seed in range(4)]
    assert len({msgspec.json.encode(corner) for corner in corners}) > 1
    for corner in corners:
        hyper = recipe.complete(corner)
        assert all(getattr(hyper, key) == value for key, value in corner.items())
        model = recipe.build(keras, shape, CLASSES.get(name, 4), hyper)
        assert all(layer.momentum == 0.9 for layer in model.layers if hasattr(layer, "momentum"))


def schema(kind, labels=("a", "b")):
    return Schema(kind=kind, channels=("x",), labels=labels)


def test_data_of_each_kind_has_a_recipe_that_suits_it():
    for kind, name in catalogue.BY_KIND.items():
        found = catalogue.find(None, kind)
        assert found.name == name
        found.suits(schema(kind))


def test_a_recipe_refuses_data_that_it_is_not_for():
    with pytest.raises(InputError, match="recipe image is for image, this data is series"):
        catalogue.find("image", "series").suits(schema("series"))
    with pytest.raises(InputError, match="needs the labels normal, anomaly, not a, b"):
        catalogue.find("anomaly", "series").suits(schema("series"))
    with pytest.raises(NotFoundError, match="use gesture, keyword, image, anomaly, tabular or a path"):
        catalogue.find("gestures", "series")


def test_raw_sound_is_no_input_of_the_keyword_recipe(keras):
    recipe = catalogue.built_in("keyword")
    with pytest.raises(InputError, match=r"takes features of \(frames, bins\)"):
        recipe.build(keras, (16000, 1), 3, recipe.complete(None))
