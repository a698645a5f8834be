"""64-bit types."""

import jax
import jax.numpy as jnp
import numpy as np
from support import convert, random, run

X = random(2, 4)


def program(x):
    return x * jnp.pi


def element(model):
    return model.graph.input[0].type.tensor_type.elem_type


def test_default_is_32_bits():
    assert element(convert(program, (2, 4))) == 1
    assert element(convert(program, X.astype(np.float64))) == 1
    assert element(convert(program, np.arange(3))) == 6


def test_double():
    model = convert(program, (2, 4), enable_double_precision=True)
    assert element(model) == 11
    result = run(model, X.astype(np.float64))[0]
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, X.astype(np.float64) * np.pi, rtol=1e-14)
    assert element(convert(program, X.astype(np.float64), enable_double_precision=True)) == 11
    assert element(convert(program, np.arange(3), enable_double_precision=True)) == 7


def test_explicit_types_do_not_change():
    assert element(convert(program, X, enable_double_precision=True)) == 1


def test_the_setting_is_restored():
    assert not jax.config.jax_enable_x64
    convert(program, (2, 4), enable_double_precision=True)
    assert not jax.config.jax_enable_x64
    assert jnp.ones(1).dtype == jnp.float32


def test_half():
    weight = jnp.asarray(random(4, 6), jnp.bfloat16)

    def forward(x):
        return (x.astype(jnp.bfloat16) @ weight).astype(jnp.float32)

    model = convert(forward, X)
    np.testing.assert_allclose(run(model, X)[0], forward(X), rtol=3e-2, atol=3e-2)
