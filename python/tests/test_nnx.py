"""Conversions of modules of Flax NNX."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from support import agree, convert, names, random, share

X = random(2, 12)


class Net(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(12, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs, use_running_average=True)
        self.dropout = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.second = nnx.Linear(16, 4, rngs=rngs)

    def __call__(self, x):
        return self.second(self.dropout(nnx.relu(self.norm(self.first(x)))))

    def encode(self, images):
        return self.first(images)


@pytest.fixture(scope="module")
def net():
    return randomized(Net(nnx.Rngs(0)))


def randomized(module):
    graph, params, rest = nnx.split(module, (nnx.Param, nnx.BatchStat), ...)
    leaves, tree = jax.tree_util.tree_flatten(params)
    changed = [abs(jnp.asarray(random(*leaf.shape, seed=seed))) + 0.1 for seed, leaf in enumerate(leaves)]
    return nnx.merge(graph, jax.tree_util.tree_unflatten(tree, changed), rest)


def held(variable):
    """The array in a variable; the newest releases warn about ``.value``."""
    return variable.get_value() if hasattr(variable, "get_value") else variable.value


def arrays(module):
    return {
        f"{layer}/{name}": held(getattr(getattr(module, layer), name))
        for layer in ("first", "second")
        for name in ("kernel", "bias")
    }


def targets(net):
    return {
        "module": net,
        "lambda": lambda x: net(x),
        "nnx.jit": nnx.jit(net),
        "jit": jax.jit(lambda x: net(x)),
    }


@pytest.mark.parametrize("kind", ["module", "lambda", "nnx.jit", "jit"])
def test_targets(net, kind):
    target = targets(net)[kind]
    model = convert(target, ("batch", 12))
    agree(net, model, X)
    # The norm is part of the first kernel and bias.
    assert share(model, arrays(net)) == (2, 2)
    assert names(model.graph.input) == ["x"]


def test_method(net):
    model = convert(net.encode, X)
    agree(net.encode, model, X)
    assert share(model, arrays(net)) == (2, 2)
    assert names(model.graph.input) == ["images"]


def test_library_module_of_a_global():
    model = convert(lambda x: LAYER(x), X)
    agree(LAYER, model, X)
    assert share(model, {"kernel": held(LAYER.kernel)}) == (1, 1)


LAYER = nnx.Linear(12, 20, rngs=nnx.Rngs(3))


def test_variable():
    scale = nnx.Param(jnp.asarray(random(12, seed=7)))
    model = convert(lambda x: x * scale, X)
    agree(lambda x: x * scale, model, X)
    assert share(model, {"scale": held(scale)}) == (1, 1)


def test_split_state(net):
    graph, state = nnx.split(net)

    def program(x):
        return nnx.merge(graph, state)(x)

    model = convert(program, X)
    agree(net, model, X)
    assert share(model, arrays(net)) == (2, 2)


def test_state_of_the_module_does_not_change():
    net = Net(nnx.Rngs(0))
    net.dropout.deterministic = False
    before = jax.tree_util.tree_leaves(nnx.state(net, nnx.RngCount))
    convert(net, X)
    after = jax.tree_util.tree_leaves(nnx.state(net, nnx.RngCount))
    assert [int(count) for count in before] == [int(count) for count in after]
    net.dropout.deterministic = True
    agree(net, convert(net, X), X)
