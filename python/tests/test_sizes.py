"""Static, symbolic and dynamic sizes."""

import jax.numpy as jnp
import pytest
from support import agree, convert, random, shapes

import hlo2onnx

X = random(3, 8)
WEIGHT = jnp.asarray(random(8, 8))


def program(x):
    return jnp.tanh(x @ WEIGHT).sum(axis=1)


def test_dims():
    model = convert(program, ("batch", 8), dims={"batch": 3})
    assert shapes(model.graph.input) == [(3, 8)]
    agree(program, model, X)


def test_dims_of_two():
    model = convert(lambda x, y: x + y[None], ("a", "b"), ("b",), dims={"b": 8})
    assert shapes(model.graph.input) == [("a", 8), (8,)]


def test_unknown_dim():
    with pytest.raises(hlo2onnx.ConversionError, match="rows"):
        convert(program, ("batch", 8), dims={"rows": 3})


def test_dynamic():
    model = convert(program, X, dynamic=["x:0=batch"])
    assert shapes(model.graph.input) == [("batch", 8)]
    agree(program, model, X)
    agree(program, model, random(5, 8))


def test_dynamic_where_rows_depend_on_each_other():
    with pytest.raises(hlo2onnx.ConversionError) as raised:
        convert(lambda x: x / x.sum(axis=0), X, dynamic=["x:0=batch"])
    assert raised.value.diagnostics[0].python.line > 0


def test_malformed_dynamic():
    with pytest.raises(ValueError, match="as in `x:0=batch`"):
        convert(program, X, dynamic=["x"])
