"""Conversions of modules of Flax Linen."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from support import agree, convert, names, paths, random, share

import hlo2onnx

X = random(2, 12)


class Block(nn.Module):
    features: int

    def setup(self):
        self.inner = nn.Dense(self.features)
        self.dropout = nn.Dropout(0.5)
        self.outer = nn.Dense(4)

    def __call__(self, x, *, scale=1.0, deterministic=True):
        return self.outer(self.dropout(nn.relu(self.encode(x)), deterministic=deterministic)) * scale

    def encode(self, images):
        return self.inner(images)


class Compact(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(16)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dense(4)(nn.gelu(x))


@pytest.fixture(scope="module")
def block():
    module = Block(24)
    return module, randomized(module.init(jax.random.key(0), X))


def randomized(variables):
    """Variables without zeros: initial biases and means are zeros, which would hide errors."""
    leaves, tree = jax.tree_util.tree_flatten(variables)
    changed = [abs(jnp.asarray(random(*leaf.shape, seed=seed))) + 0.1 for seed, leaf in enumerate(leaves)]
    return jax.tree_util.tree_unflatten(tree, changed)


def targets(module, variables):
    bound = module.bind(variables)
    return {
        "lambda": lambda x: module.apply(variables, x),
        "bound": bound,
        "lambda over bound": lambda x: bound(x),
        "partial": functools.partial(module.apply, variables),
        "jit": jax.jit(functools.partial(module.apply, variables)),
        "nested": jax.jit(lambda x: jax.jit(module.apply)(variables, x)),
    }


@pytest.mark.parametrize("kind", ["lambda", "bound", "lambda over bound", "partial", "jit", "nested"])
def test_targets(block, kind):
    module, variables = block
    target = targets(module, variables)[kind]
    model = convert(target, ("batch", 12))
    agree(target, model, X)
    assert share(model, paths(variables)) == (4, 4)


def test_unbound(block):
    module, variables = block
    model = convert(module, X, variables=variables)
    agree(functools.partial(module.apply, variables), model, X)
    assert share(model, paths(variables)) == (4, 4)
    assert names(model.graph.input) == ["x"]
    assert model.graph.name == "Block"


def test_method(block):
    module, variables = block

    def expected(x):
        return module.apply(variables, x, method="encode")

    for model in (convert(module.encode, X, variables=variables), convert(module.bind(variables).encode, X)):
        agree(expected, model, X)
        assert names(model.graph.input) == ["images"]


def test_flags(block, caplog):
    module, variables = block
    with caplog.at_level("INFO", logger="hlo2onnx"):
        model = convert(module, X, variables=variables, input_params={"deterministic": True, "scale": jnp.float32(2)})
    assert names(model.graph.input) == ["x", "scale"]
    assert "deterministic=True" in caplog.text
    agree(lambda x, scale: module.apply(variables, x) * scale, model, X, jnp.float32(3))


def test_batch_norm():
    module = Compact()
    variables = randomized(module.init(jax.random.key(0), X))
    model = convert(module, ("batch", 12), variables=variables)
    agree(functools.partial(module.apply, variables), model, X)
    # The norm is part of the first kernel and bias.
    assert share(model, paths(variables)) == (2, 2)


def test_train_state(block):
    optax = pytest.importorskip("optax")
    from flax.training.train_state import TrainState

    module, variables = block
    state = TrainState.create(apply_fn=module.apply, params=variables["params"], tx=optax.sgd(0.1))

    def program(x):
        return state.apply_fn({"params": state.params}, x)

    model = convert(program, X)
    agree(program, model, X)
    assert share(model, paths({"params": state.params})) == (4, 4)


def test_boxed_parameters():
    init = nn.with_partitioning(nn.initializers.normal(1.0), ("in", "out"))
    module = nn.Dense(6, kernel_init=init, use_bias=False)
    variables = module.init(jax.random.key(0), X)
    model = convert(module, X, variables=variables)
    agree(functools.partial(module.apply, variables), model, X)
    assert share(model, {"params/kernel": variables["params"]["kernel"].value}) == (1, 1)


def test_two_models():
    encoder, decoder = nn.Dense(16), nn.Dense(5)
    first = randomized(encoder.init(jax.random.key(0), X))
    second = randomized(decoder.init(jax.random.key(1), jnp.ones((1, 16))))

    def program(x):
        return decoder.apply(second, jnp.tanh(encoder.apply(first, x)))

    model = convert(program, X)
    agree(program, model, X)
    assert share(model, paths({"first": first, "second": second})) == (4, 4)


def test_missing_variables(block):
    module, _ = block
    with pytest.raises(TypeError, match="`Block` has no variables"):
        convert(module, X)
    with pytest.raises(TypeError, match="`Block` has no variables"):
        convert(module.encode, X)


def test_apply_is_a_function_of_the_variables():
    module = nn.Dense(3)
    variables = module.init(jax.random.key(0), X)
    model = convert(module.apply, variables, ("b", X.shape[1]))
    assert names(model.graph.input) == ["variables/params/bias", "variables/params/kernel", "inputs"]
    assert hlo2onnx.allclose(module.apply, model, [variables, X])[0]
    assert names(convert(module.apply, X, variables=variables).graph.input) == ["inputs"]


def test_partial_apply_names_the_inputs_of_the_method():
    class Coder(nn.Module):
        def setup(self):
            self.layer = nn.Dense(3)

        def encode(self, image):
            return self.layer(image)

        def __call__(self, x):
            return self.encode(x)

    module = Coder()
    variables = module.init(jax.random.key(0), X)
    for method, name in ((None, "x"), ("encode", "image"), (Coder.encode, "image")):
        model = convert(functools.partial(module.apply, variables, method=method), X)
        assert names(model.graph.input) == [name]
        assert model.graph.name == "apply"
