"""Conversions of modules of Equinox."""

import jax
import pytest
from support import agree, convert, names, random, share

eqx = pytest.importorskip("equinox")

X = random(3, 12)


@pytest.fixture(scope="module")
def mlp():
    return eqx.nn.MLP(12, 4, 32, 2, key=jax.random.key(0))


def arrays(mlp):
    return {
        f"layers/{index}/{name}": getattr(layer, name)
        for index, layer in enumerate(mlp.layers)
        for name in ("weight", "bias")
    }


def test_module(mlp):
    model = convert(mlp, X[0])
    agree(mlp, model, X[0])
    assert share(model, arrays(mlp)) == (6, 6)
    assert names(model.graph.input) == ["x"]


@pytest.mark.parametrize("kind", ["vmap", "filter_jit", "lambda", "inference"])
def test_targets(mlp, kind):
    target = {
        "vmap": lambda: jax.vmap(mlp),
        "filter_jit": lambda: eqx.filter_jit(jax.vmap(mlp)),
        "lambda": lambda: lambda x: jax.vmap(mlp)(x),
        "inference": lambda: jax.vmap(eqx.nn.inference_mode(mlp)),
    }[kind]()
    model = convert(target, ("batch", 12))
    agree(jax.vmap(mlp), model, X)
    assert share(model, arrays(mlp)) == (6, 6)


def test_method():
    class Net(eqx.Module):
        inner: eqx.nn.Linear

        def encode(self, images):
            return jax.nn.relu(self.inner(images))

    net = Net(eqx.nn.Linear(12, 30, key=jax.random.key(1)))
    model = convert(net.encode, X[0])
    agree(net.encode, model, X[0])
    assert share(model, {"inner/weight": net.inner.weight, "inner/bias": net.inner.bias}) == (2, 2)
