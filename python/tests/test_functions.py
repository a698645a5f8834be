"""Conversions of functions of all kinds."""

import functools

import jax
import jax.numpy as jnp
import pytest
from support import agree, convert, names, random

X = random(3, 8)
WEIGHT = jnp.asarray(random(8, 5, seed=1))
TREE = {"kernel": jnp.asarray(random(8, 16, seed=2)), "bias": jnp.asarray(random(16, seed=3))}


def dense(params, x):
    return jnp.tanh(x @ params["kernel"] + params["bias"])


def of_a_global(x):
    return x @ WEIGHT


def test_function():
    def program(x, y):
        return {"sum": x + y, "product": x * y}

    model = convert(program, X, X)
    agree(program, model, X, X)
    assert names(model.graph.input) == ["x", "y"]
    assert names(model.graph.output) == ["product", "sum"]
    assert model.graph.name == "program"


@pytest.mark.parametrize(
    "target",
    [
        of_a_global,
        lambda x: dense(TREE, x),
        functools.partial(dense, TREE),
        functools.partial(lambda x, params: dense(params, x), params=TREE),
        jax.jit(functools.partial(dense, TREE)),
        jax.jit(lambda x: jax.jit(dense)(TREE, x) @ jax.jit(lambda: TREE["kernel"].T)()),
        jax.vmap(functools.partial(dense, TREE)),
        jax.checkpoint(functools.partial(dense, TREE)),
        jax.grad(lambda x: jnp.sum(dense(TREE, x))),
    ],
    ids=["global", "lambda", "partial", "keyword", "jit", "nested", "vmap", "checkpoint", "grad"],
)
def test_targets(target):
    agree(target, convert(target, X), X)
    agree(target, convert(target, ("rows", 8)), X)


def test_object():
    class Policy:
        def __init__(self):
            self.params = TREE

        def act(self, x):
            return dense(self.params, x)

        def __call__(self, x):
            return -self.act(x)

    policy = Policy()
    for target in (policy, policy.act):
        agree(target, convert(target, X), X)


def test_static_method_and_numpy_weights():
    table = random(8, 40)

    class Namespace:
        @staticmethod
        def apply(x):
            return x @ table

    agree(Namespace.apply, convert(Namespace.apply, X), X)


def test_custom_derivatives():
    @jax.custom_vjp
    def twice(x):
        return 2 * x

    twice.defvjp(lambda x: (twice(x), ()), lambda _, g: (g,))
    agree(twice, convert(twice, X), X)


def test_control_flow():
    def program(x):
        def step(carry, row):
            return carry * 0.5 + row @ WEIGHT, carry.sum()

        return jax.lax.scan(step, jnp.zeros(5), x)

    agree(program, convert(program, X), X)
    agree(program, convert(program, ("rows", 8)), X)


def test_no_inputs():
    model = convert(lambda: WEIGHT * 2)
    agree(lambda: WEIGHT * 2, model)


def test_what_is_not_a_function():
    with pytest.raises(TypeError, match="neither a function nor a model"):
        convert(3, X)
    with pytest.raises(TypeError, match="is only for a Flax Linen module"):
        convert(lambda x: x, X, variables={})


def test_name_of_the_model():
    assert convert(lambda x: x + 1, X, model_name="mine").graph.name == "mine"


def test_opset():
    assert convert(jnp.tanh, X, opset=19).opset_import[0].version == 19
    assert convert(jnp.tanh, X, opset=24).opset_import[0].version == 24
