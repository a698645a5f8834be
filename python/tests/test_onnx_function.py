"""``onnx_function`` marks functions and classes that become functions of the model."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen, nnx
from support import agree, convert, random

import hlo2onnx
from hlo2onnx import onnx_function

X = random(2, 8)


@onnx_function
def squash(x):
    return jnp.tanh(x) * 2


@onnx_function(unique=True, namespace="mine", type="Gate")
def gate(x):
    return jax.nn.sigmoid(x) + 1


@onnx_function
class Block(nnx.Module):
    """A block."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):
        return jnp.tanh(self.linear(x))


def functions(model):
    return [function.name for function in model.functions]


def program(x):
    return gate(squash(x) + 1)


def test_functions():
    model = convert(program, X, keep_functions=True)
    assert set(functions(model)) == {"squash", "Gate"}
    agree(program, model, X)


def test_without_functions():
    model = convert(program, X)
    assert not model.functions
    agree(program, model, X)


def test_class():
    first, second = Block(nnx.Rngs(0)), Block(nnx.Rngs(1))
    model = convert(lambda x: second(first(x)), X, keep_functions=True)
    # Equal code is one function, with the weights as arguments.
    assert functions(model) == ["Block"]
    assert len(model.graph.node) == 2
    agree(lambda x: second(first(x)), model, X)


def test_marks_do_not_change_the_target():
    assert squash.__name__ == "squash"
    assert isinstance(Block, type)
    assert Block.__doc__ == "A block."
    assert jnp.allclose(squash(X), jnp.tanh(X) * 2)


def calls(graph):
    return [node.op_type for node in graph.node]


def body(model, name):
    return calls(next(function for function in model.functions if function.name == name))


def test_calls_that_are_the_whole_program():
    weight = jnp.asarray(random(8, 8))
    layer = onnx_function(lambda x: jnp.tanh(x @ weight), name="layer")
    for target, name in ((lambda x: squash(squash(x)), "squash"), (lambda x: layer(layer(x)), "layer")):
        model = convert(target, X, keep_functions=True)
        assert (functions(model), calls(model.graph)) == ([name], [name, name])
        agree(target, model, X)


def test_nested():
    @onnx_function
    def inner(x):
        return jnp.sin(x) + 1

    @onnx_function
    def outer(x):
        return inner(inner(x) * 3) - 2

    def target(x):
        return outer(outer(x))

    model = convert(target, X, keep_functions=True)
    assert calls(model.graph) == ["outer", "outer"]
    assert body(model, "outer").count("inner") == 2
    agree(target, model, X)


def test_linen():
    @onnx_function
    class Layer(linen.Module):
        @linen.compact
        def __call__(self, x):
            return jnp.tanh(linen.Dense(8)(x))

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return Layer()(Layer()(x))

    variables = Net().init(jax.random.key(0), X)
    model = convert(lambda x: Net().apply(variables, x), X, keep_functions=True)
    assert calls(model.graph) == ["Layer", "Layer"]
    assert set(functions(model)) == {"Dense", "Layer"}
    agree(lambda x: Net().apply(variables, x), model, X)


def test_symbolic_sizes():
    model = convert(lambda x: squash(squash(x)), ("B", 8), keep_functions=True)
    assert (functions(model), calls(model.graph)) == (["squash"], ["squash", "squash"])
    for rows in (1, 3):
        agree(lambda x: squash(squash(x)), model, random(rows, 8))


def test_instance():
    block = onnx_function(Block(nnx.Rngs(0)), name="Mine")
    model = convert(lambda x: block(x), X, keep_functions=True)
    agree(lambda x: block(x), model, X)


def test_what_cannot_be_marked():
    with pytest.raises(TypeError):
        onnx_function(3)
    with pytest.raises(TypeError):
        hlo2onnx.onnx_function("name")
    with pytest.raises(TypeError, match="instances of `Plain` are not callable"):
        onnx_function(type("Plain", (), {}))
