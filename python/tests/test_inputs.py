"""The descriptions of inputs that a caller may pass, and the names of the inputs."""

import collections
import sys
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from support import agree, convert, names, random, run, shapes

import hlo2onnx

X = random(3, 8)


def double(x):
    return x * 2


@pytest.mark.parametrize(
    ("given", "shape", "element"),
    [
        (jnp.asarray(X), (3, 8), 1),
        (X, (3, 8), 1),
        (np.arange(6).reshape(2, 3), (2, 3), 6),
        (np.float32(1.5), (), 1),
        (1.5, (), 1),
        (3, (), 6),
        (True, (), 9),
        (jax.ShapeDtypeStruct((4, 2), jnp.int8), (4, 2), 3),
        (jax.ShapeDtypeStruct((4, 2), jnp.float16), (4, 2), 10),
        ((4, 5), (4, 5), 1),
        ((np.int64(4), 5), (4, 5), 1),
        ((), (), 1),
        ((0, 3), (0, 3), 1),
        (("b", 5), ("b", 5), 1),
        (["b"], ("b",), 1),
        (["b", 5], ("b", 5), 1),
        ([4, 5], (4, 5), 1),
        ((*export.symbolic_shape("b"), 5), ("b", 5), 1),
    ],
)
def test_kinds(given, shape, element):
    model = convert(lambda x: jnp.atleast_1d(x), given)
    assert shapes(model.graph.input) == [shape]
    assert model.graph.input[0].type.tensor_type.elem_type == element


def test_symbolic_struct():
    model = convert(double, jax.ShapeDtypeStruct(export.symbolic_shape("rows, 8"), jnp.float32))
    assert shapes(model.graph.input) == [("rows", 8)]
    agree(double, model, X)


def test_expressions():
    def program(x, y):
        return x.reshape(-1, 2) @ jnp.ones((2, 3)) + y[:, None]

    model = convert(program, ("2*b", 4), ("4*b",))
    agree(program, model, random(6, 4), random(12, seed=1))
    agree(program, model, random(2, 4), random(4, seed=1))


def test_caller_s_symbols_and_names_together():
    (rows,) = export.symbolic_shape("rows")
    model = convert(lambda x, y: x @ y, jax.ShapeDtypeStruct((rows, 8), jnp.float32), (8, "columns"))
    assert shapes(model.graph.output) == [("rows", "columns")]


def test_same_name_is_one_size():
    model = convert(lambda x, y: x + y, ("b", 8), ("b", 8))
    assert shapes(model.graph.input) == [("b", 8), ("b", 8)]
    assert shapes(model.graph.output) == [("b", 8)]


def test_bad_shape():
    with pytest.raises(ValueError, match=r"the shape \('b \+', 2\) cannot be read"):
        convert(double, ("b +", 2))
    with pytest.raises(TypeError, match="`inputs` must be a list"):
        hlo2onnx.to_onnx(double, X)
    with pytest.raises(TypeError, match="an input is of type `object`"):
        convert(double, object())
    with pytest.raises(TypeError, match="Python flags in `input_params`"):
        convert(double, "mode")
    with pytest.raises(TypeError, match=r"lacks a size; name each dynamic size: `\('B', 8\)`"):
        convert(double, (None, 8))
    for size in (-1, 2**63):
        with pytest.raises(ValueError, match=f"has the size {size}; name each dynamic size"):
            convert(double, (size, 8))


@pytest.mark.parametrize("dtype", [">f4", "U1", "O", "M8[s]", "V4"])
def test_elements_that_jax_lacks(dtype):
    with pytest.raises(TypeError, match="which JAX lacks"):
        convert(double, np.zeros((2, 3), dtype))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (("B", 8), r"`inputs=\[\('B', 8\)\]`"),
        (["B", 8], r"`inputs=\[\('B', 8\)\]`"),
        ((3, 8), r"`inputs=\[\(3, 8\)\]`"),
        (None, "not `NoneType`"),
        ({"x": (3, 8)}, "not `dict`"),
        ("B", "not `str`"),
        (iter([X]), "not `list_iterator`"),
    ],
)
def test_inputs_that_are_not_a_list(inputs, message):
    with pytest.raises(TypeError, match=message):
        hlo2onnx.to_onnx(double, inputs)


def test_params_that_are_not_keywords():
    with pytest.raises(TypeError, match="`input_params` must be a mapping"):
        convert(double, X, input_params=[1])
    with pytest.raises(TypeError, match="has the key `1`"):
        convert(double, X, input_params={1: 2})


def test_tuples_of_numbers_are_flags_and_tuples_with_a_name_are_shapes():
    def total(x, *, axis, rows):
        return x.sum(axis) + rows

    model = convert(total, (2, 3, 4), input_params={"axis": (0, 2), "rows": ("b", 3)})
    assert names(model.graph.input) == ["x", "rows"]
    assert shapes(model.graph.output) == [("b", 3)]


def test_keywords_that_are_not_names():
    def product(**given):
        return given["a b"] * given["class"]

    model = convert(product, input_params={"a b": X, "class": X + 1})
    assert names(model.graph.input) == ["a b", "class"]
    np.testing.assert_allclose(run(model, X, X + 1)[0], X * (X + 1), rtol=1e-6)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes")
def test_errors_of_a_trace_name_flags_and_symbolic_sizes():
    def flagged(x, training):
        return x if training else x * 2

    with pytest.raises(jax.errors.TracerBoolConversionError) as raised:
        convert(flagged, X, True)
    assert "input_params={'training': ...}" in str(raised.value.__notes__)
    assert f"flagged at {__file__}" in str(raised.value)
    for program in (lambda x: sum(x[row] for row in range(x.shape[0])), lambda x: x[:4] if x.shape[0] > 3 else x):
        with pytest.raises(Exception) as raised:  # noqa: PT011 (JAX chooses the class)
            convert(program, ("rows", 8))
        assert "symbolic sizes rows" in str(raised.value.__notes__)
    with pytest.raises(ZeroDivisionError) as raised:
        convert(lambda x: x * (1 // 0), ("rows", 8))
    assert "hlo2onnx" not in str(getattr(raised.value, "__notes__", ""))


class Pair(typing.NamedTuple):
    left: typing.Any
    right: typing.Any


def test_trees():
    def program(batch, pair, rest):
        return {"out": batch["image"] + pair.left, "both": [rest[0] - pair.right, rest[1]]}

    inputs = ({"image": X, "label": X}, Pair(X, X + 1), [X + 2, X + 3])
    model = convert(program, *inputs)
    assert names(model.graph.input) == [
        "batch/image",
        "batch/label",
        "pair/left",
        "pair/right",
        "rest/0",
        "rest/1",
    ]
    assert names(model.graph.output) == ["both/0", "both/1", "out"]
    agree(program, model, *inputs)


def test_ordered_dict_and_none():
    def program(batch):
        return batch["z"] - batch["a"]

    inputs = collections.OrderedDict(z=X, a=X + 1, nothing=None)
    model = convert(program, inputs)
    assert names(model.graph.input) == ["batch/z", "batch/a"]
    agree(program, model, inputs)


def test_shapes_in_trees():
    model = convert(lambda batch: batch["x"] @ batch["y"], {"x": ("b", 8), "y": (8, 2)})
    assert shapes(model.graph.input) == [("b", 8), (8, 2)]


def test_typed_keys():
    def program(key, x):
        return x + jax.random.normal(key, x.shape)

    key = jax.random.key(3)
    model = convert(program, key, X)
    assert names(model.graph.input) == ["key", "x"]
    result = run(model, jax.random.key_data(key), X)[0]
    np.testing.assert_allclose(result, program(key, X), rtol=1e-5, atol=1e-5)


def test_raw_keys():
    def program(key):
        return jax.random.bits(key, (4,))

    key = jax.random.PRNGKey(5)
    agree(program, convert(program, key), key)


def test_params():
    def program(x, *, scale, mode="plain", training=False, table=None):
        assert mode == "loud"
        return x * scale if training is False else table

    params = {"scale": np.float32(3), "mode": "loud", "training": False, "table": None}
    model = convert(program, X, input_params=params)
    assert names(model.graph.input) == ["x", "scale"]
    np.testing.assert_allclose(run(model, X, np.float32(2))[0], X * 2)


def test_params_have_their_names_in_any_order():
    def program(x, *, z, a):
        return x * z + a

    model = convert(program, X, input_params={"z": X, "a": X})
    inputs = dict(zip(names(model.graph.input), (X, X + 1, X + 2)))
    assert set(inputs) == {"x", "z", "a"}
    expected = inputs["x"] * inputs["z"] + inputs["a"]
    np.testing.assert_allclose(run(model, *inputs.values())[0], expected, rtol=1e-6)


def test_unused_inputs_stay():
    model = convert(lambda x, unused, y: x + y, X, X, X)
    assert names(model.graph.input) == ["x", "unused", "y"]


def test_variadic():
    assert names(convert(lambda *xs: sum(xs), X, X).graph.input) == ["xs_0", "xs_1"]
    assert names(convert(lambda *xs: sum(xs), X).graph.input) == ["xs"]
    assert names(convert(lambda x_1, *x: x_1 + x[0], X, X).graph.input) == ["x_1", "x"]


def test_names_do_not_clash():
    def program(x, **rest):
        return x + rest["y"]

    def clash(x_1, *x, x_0):
        return x_1 + x[0] + x[1] - x_0

    assert names(convert(program, X, input_params={"y": X}).graph.input) == ["x", "y"]
    found = names(convert(clash, X, X, X, input_params={"x_0": X}).graph.input)
    assert len(set(found)) == 4


def test_builtin_without_signature():
    assert names(convert(jax.lax.add, X, X).graph.input) == ["x", "y"]
    assert names(convert(jax.jit(double), X).graph.input) == ["x"]


def test_given_names():
    model = convert(lambda x, y: (x, y + x), X, X, input_names=["left", "right"], output_names=["first", "second"])
    assert names(model.graph.input) == ["left", "right"]
    assert names(model.graph.output) == ["first", "second"]
    with pytest.raises(hlo2onnx.ConversionError, match="does not match"):
        convert(lambda x, y: x + y, X, X, input_names=["only"])


def test_too_many_inputs_is_python_s_error():
    with pytest.raises(TypeError, match="positional argument"):
        convert(double, X, X)


def test_passed_through_and_constant_results():
    def program(x):
        return x, jnp.arange(4), x

    agree(program, convert(program, X), X)
