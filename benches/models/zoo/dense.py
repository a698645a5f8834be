"""Dense networks: layers and activations, quantized ones, NNX, and a step of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.registry import Array, Program, Weights, applied, integers, linen, model, normal, random_tree


class Mlp(nn.Module):
    """Dense layers with relu between them."""

    widths: Sequence[int]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for width in self.widths[:-1]:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


@model("mlp")
def mlp() -> Program:
    return linen(Mlp((128, 128, 10)), normal(8, 64))


ACTIVATIONS: list[Callable[[Array], Array]] = [
    nn.relu,
    nn.gelu,
    partial(nn.gelu, approximate=False),
    nn.silu,
    nn.sigmoid,
    nn.tanh,
    nn.softplus,
    nn.elu,
    nn.selu,
    nn.celu,
    nn.leaky_relu,
    nn.hard_sigmoid,
    nn.hard_swish,
    nn.hard_tanh,
    nn.relu6,
    nn.soft_sign,
    nn.log_sigmoid,
    nn.softmax,
    nn.log_softmax,
    nn.glu,
    nn.standardize,
    jax.nn.squareplus,
    jax.nn.mish,
    jax.scipy.special.erf,
    jnp.expm1,
    jnp.sin,
    jnp.cbrt,
    jnp.arctan,
    jnp.sinh,
]


class Activations(nn.Module):
    """Each activation behind a dense layer."""

    @nn.compact
    def __call__(self, x: Array) -> list[Array]:
        return [nn.PReLU()(x)] + [activation(nn.Dense(16)(x)) for activation in ACTIVATIONS]


@model("activations")
def activations() -> Program:
    return linen(Activations(), normal(4, 16))


class Ranker(nn.Module):
    """Embeddings of categories and crossed features, as recommenders have them."""

    @nn.compact
    def __call__(self, numbers: Array, categories: Array) -> Array:
        dense = nn.relu(nn.Dense(16)(nn.relu(nn.Dense(32)(numbers))))
        embedded = [nn.Embed(50, 16)(categories[:, i]) for i in range(categories.shape[1])]
        features = jnp.stack([dense, *embedded], axis=1)
        products = jnp.einsum("bik,bjk->bij", features, features)
        rows, columns = np.triu_indices(features.shape[1], k=1)
        x = jnp.concatenate([dense, products[:, rows, columns]], axis=-1)
        return nn.sigmoid(nn.Dense(1)(nn.relu(nn.Dense(32)(x))))


@model("ranker")
def ranker() -> Program:
    return linen(Ranker(), normal(16, 8), integers(50, 16, 6))


@model("quantized")
def quantized() -> Program:
    """Products of 8-bit integers, with a scale for each row and column."""
    widths = (64, 128, 32)
    weights = {f"w{i}": normal(a, b, scale=a**-0.5, seed=i) for i, (a, b) in enumerate(pairwise(widths))}

    def quantize(x: Array, axis: int) -> tuple[Array, Array]:
        scale = jnp.max(jnp.abs(x), axis=axis, keepdims=True) / 127.0
        return jnp.clip(jnp.round(x / scale), -127, 127).astype(jnp.int8), scale

    def function(weights: Weights, x: Array) -> Array:
        for i in range(len(weights)):
            (xq, xs), (wq, ws) = quantize(x, -1), quantize(weights[f"w{i}"], 0)
            y = jax.lax.dot_general(xq, wq, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)
            x = jax.nn.relu(y.astype(x.dtype) * xs * ws)
        return x

    return Program(function, weights, (normal(4, 64),))


@model("quantized-weights")
def quantized_weights() -> Program:
    """Weights of 8 bits that are scaled before a product of floats."""
    weights = {
        "kernel": integers(128, 64, 96, low=-127).astype(np.int8),
        "zero": integers(5, 96, seed=1),
        "scale": np.abs(normal(96, scale=0.01, seed=2)) + np.float32(0.001),
    }

    def function(weights: Weights, x: Array) -> Array:
        kernel = (weights["kernel"].astype(jnp.int32) - weights["zero"]).astype(x.dtype) * weights["scale"]
        return jax.nn.relu(x @ kernel)

    return Program(function, weights, (normal(4, 64),))


class Block(nnx.Module):
    """A transformer's block in NNX."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        self.first = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.second = nnx.LayerNorm(width, rngs=rngs)
        self.expand = nnx.Linear(width, 4 * width, rngs=rngs)
        self.project = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = x + self.attention(self.first(x))
        return x + self.project(nnx.gelu(self.expand(self.second(x))))


class Encoder(nnx.Module):
    """Two blocks in NNX."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs) -> None:
        self.a = Block(width, heads, rngs)
        self.b = Block(width, heads, rngs)

    def __call__(self, x: Array) -> Array:
        return self.b(self.a(x))


@model("nnx-encoder", layers=2)
def nnx_encoder() -> Program:
    graph, state = nnx.split(nnx.eval_shape(lambda: Encoder(64, 4, nnx.Rngs(0))))

    def function(weights: Weights, x: Array) -> Array:
        restored = nnx.merge(graph, nnx.State(weights))
        return restored(x)

    return Program(function, random_tree(nnx.to_pure_dict(state)), (normal(1, 16, 64),))


@model("training-step")
def training_step() -> Program:
    """The loss of a batch, and the parameters after a step of gradient descent."""
    module = Mlp((64, 64, 10))
    program = linen(module, normal(16, 32))

    def function(weights: Weights, x: Array, labels: Array) -> tuple[Array, Weights]:
        def loss(weights: Weights) -> Array:
            scores = jax.nn.log_softmax(applied(module, weights, x))
            return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], axis=-1))

        value, gradients = jax.value_and_grad(loss)(weights)
        return value, jax.tree_util.tree_map(lambda w, g: w - 0.1 * g, weights, gradients)

    return Program(function, program.weights, (*program.inputs, integers(10, 16)))
