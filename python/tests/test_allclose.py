"""``allclose`` compares a model with its function."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import onnx
import pytest
from support import convert, random

import hlo2onnx
from hlo2onnx._comparison import random_array

X = random(3, 8)
WEIGHT = jnp.asarray(random(8, 5))


def program(x):
    return {"logits": jnp.tanh(x @ WEIGHT), "best": jnp.argmax(x, axis=1)}


def agrees(*arguments, **options):
    agreed, message = hlo2onnx.allclose(*arguments, **options)
    assert agreed, message
    return message


@pytest.mark.parametrize("inputs", [[X], [(3, 8)], [("batch", 8)], [jax.ShapeDtypeStruct((3, 8), jnp.float32)]])
def test_inputs(inputs):
    model = convert(program, *inputs)
    assert agrees(program, model, inputs).startswith("all 2 outputs agree")


def test_forms_of_a_model(tmp_path):
    model = convert(program, X)
    onnx.save(model, tmp_path / "model.onnx")
    data = model.SerializeToString()
    for form in (model, data, bytearray(data), str(tmp_path / "model.onnx"), tmp_path / "model.onnx"):
        agrees(program, form, [X])


def test_names_the_output_that_differs():
    model = convert(lambda x: {**program(x), "logits": program(x)["logits"] + 0.5}, X)
    agreed, message = hlo2onnx.allclose(program, model, [X])
    assert not agreed
    assert "output 1 differs at" in message
    assert hlo2onnx.allclose(program, model, [X], atol=1.0)[0]


def test_shapes_and_counts_that_differ():
    model = convert(program, X)
    assert "returns 1 arrays, but the model returns 2" in hlo2onnx.allclose(lambda x: x, model, [X])[1]
    assert "has 1 inputs, but 2 arrays" in hlo2onnx.allclose(lambda x, y: x, model, [X, X])[1]
    other = convert(lambda x: x[:1], X)
    assert "has the shape (1, 8)" in hlo2onnx.allclose(lambda x: x, other, [X])[1]


def test_name_that_the_model_lacks():
    model = convert(program, X)
    with pytest.raises(ValueError, match="has no value `image`; it has x"):
        hlo2onnx.allclose(program, model, [X], inputs_as_nchw=["image"])


def test_nan_and_infinity():
    def special(x):
        return jnp.log(x - 1), 1 / (x * 0)

    inputs = [np.asarray([0.0, 1.0, 2.0], np.float32)]
    agrees(special, convert(special, *inputs), inputs)
    model = convert(lambda x: (jnp.log(x), 1 / (x * 0)), *inputs)
    assert not hlo2onnx.allclose(special, model, inputs)[0]


@pytest.mark.parametrize("dtype", [jnp.bool_, jnp.int8, jnp.uint32, jnp.int32, jnp.float16, jnp.bfloat16, jnp.complex64])
def test_element_types(dtype):
    def plus(x):
        return jnp.logical_not(x) if dtype == jnp.bool_ else x + x

    inputs = [jax.ShapeDtypeStruct((4, 3), dtype)]
    agrees(plus, convert(plus, *inputs), inputs)


def test_scalars():
    def loop(x, count):
        return jax.lax.fori_loop(0, count, lambda _, x: x * 2, x)

    inputs = [np.float32(1.5), np.int32(3)]
    agrees(loop, convert(loop, *inputs), inputs)


def test_complex():
    def turn(x):
        return x * 1j

    inputs = [jnp.asarray([1 + 2j, 3 - 4j], jnp.complex64)]
    agrees(turn, convert(turn, *inputs), inputs)


@pytest.mark.parametrize("name", ["complex64", "complex128"])
def test_random_complex_numbers_have_both_parts(name):
    array = random_array(np.random.default_rng(0), np.dtype(name), (50,))
    assert array.dtype == name and np.all(array.real) and np.all(array.imag)


@pytest.mark.parametrize("name", ["bool", "int8", "uint64", "uint2", "int2", "int4", "bfloat16", "float8_e4m3fn", "float16"])
def test_random_elements(name):
    dtype = np.dtype(name if hasattr(np, name) else getattr(ml_dtypes, name))
    array = random_array(np.random.default_rng(0), dtype, (50,))
    assert array.dtype == dtype and array.shape == (50,)
    numbers = array.astype(np.float32)
    assert len(set(numbers)) > 1 and np.all(np.isfinite(numbers))
    assert "float" in name or set(numbers) <= {0, 1, 2, 3, 4}
    assert random_array(np.random.default_rng(0), dtype, ()).shape == ()


def test_keys():
    def sample(key):
        return jax.random.uniform(key, (5,))

    for key in (jax.random.key(3), jax.random.PRNGKey(3)):
        agrees(sample, convert(sample, key), [key])


def test_params_and_precision():
    def scaled(x, *, scale, training):
        return x * scale if not training else x

    params = {"scale": np.float64(0.1), "training": False}
    inputs = [(3, 4)]
    model = convert(scaled, *inputs, input_params=params, enable_double_precision=True)
    agrees(scaled, model, inputs, params, enable_double_precision=True, rtol=1e-14, atol=1e-14)


def test_params_in_another_order():
    def scaled(x, *, z, a):
        return x * z - a

    params = {"z": np.float32(2), "a": np.float32(3)}
    agrees(scaled, convert(scaled, X, input_params=params), [X], params)


def test_weights_as_inputs():
    model = convert(program, X, weights="inputs")
    agrees(program, model, [X])


@pytest.mark.parametrize("weight", [np.ones((64, 64)), [[1.0] * 64] * 64, np.arange(4096).reshape(64, 64)])
def test_weights_as_inputs_that_have_no_name(weight):
    def multiplied(x):
        return x @ jnp.asarray(weight, jnp.float32)

    agrees(multiplied, convert(multiplied, ("b", 64), weights="inputs"), [("b", 64)])


def test_results_that_are_numbers():
    def counted(x):
        return {"x": x, "count": 3, "rate": 0.5}

    agrees(counted, convert(counted, X), [X])


def test_within_a_trace():
    model = convert(program, X)

    @jax.jit
    def outer(x):
        agrees(program, model, [X])
        return x

    outer(X)


def test_inputs_that_the_model_does_not_take():
    model = convert(program, X)
    for given in (random(4, 8), np.ones((3, 8), np.int32)):
        agreed, message = hlo2onnx.allclose(program, model, [given])
        assert not agreed and message.startswith("ONNX Runtime cannot run the model on these inputs")
    with pytest.raises(ValueError, match="outputs_as_nchw: the model has no value `7`; it has best, logits"):
        hlo2onnx.allclose(program, model, [X], outputs_as_nchw=[7])
    with pytest.raises(ValueError, match="the input `x` has 2 dimensions, but an image has 4"):
        hlo2onnx.allclose(program, model, [X], inputs_as_nchw=["x"])


def test_what_is_not_a_model():
    for given in (None, 3, convert(program, X).graph):
        with pytest.raises(TypeError, match=r"a model is a path, bytes or an `onnx\.ModelProto`"):
            hlo2onnx.allclose(program, given, [X])


def test_narrow_types_have_a_hint():
    model = convert(lambda x: x + 1, jax.ShapeDtypeStruct((4,), jnp.bfloat16))
    message = hlo2onnx.allclose(lambda x: x, model, [jax.ShapeDtypeStruct((4,), jnp.bfloat16)])[1]
    assert message.endswith("; the rounding of bfloat16 may be that large, which `verify` measures")


def test_variables():
    import flax.linen as nn

    module = nn.Dense(3)
    variables = module.init(jax.random.key(0), X)
    agrees(module, convert(module, X, variables=variables), [X], variables=variables)


def test_trees():
    def merge(batch):
        return batch["a"] @ batch["b"]

    inputs = [{"a": ("rows", 4), "b": (4, 2)}]
    agrees(merge, convert(merge, *inputs), inputs)
