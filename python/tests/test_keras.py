"""Conversions of models of Keras 3 on the JAX backend."""

import pytest
from support import agree, convert, names, random, share

keras = pytest.importorskip("keras")

X = random(2, 12)


@pytest.fixture(scope="module")
def model():
    if keras.backend.backend() != "jax":
        pytest.skip("Keras does not run on JAX here")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [layers.Input((12,)), layers.Dense(32, activation="relu"), layers.Dropout(0.5), layers.Dense(4)]
    )


def arrays(model):
    return {variable.path: variable.value for variable in model.variables if "kernel" in variable.path}


@pytest.mark.parametrize("kind", ["model", "lambda", "call"])
def test_targets(model, kind):
    target = {"model": model, "lambda": lambda x: model(x), "call": model.call}[kind]
    converted = convert(target, ("batch", 12))
    agree(model, converted, X)
    assert share(converted, arrays(model)) == (2, 2)
    assert names(converted.graph.input) == ["x" if kind == "lambda" else "inputs"]


def test_functional():
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3)(inputs)
    functional = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))
    converted = convert(functional, ("batch", 8, 8, 3))
    agree(functional, converted, random(2, 8, 8, 3))
    assert share(converted, arrays(functional)) == (2, 2)
