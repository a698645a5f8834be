"""Draws of random numbers: categories through Gumbel noise, nuclei of probabilities, and many distributions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from zoo.dense import Mlp
from zoo.registry import Array, Program, Weights, applied, key, model, normal, weights_of


@model("gumbel-sampling", random=True)
def gumbel_sampling() -> Program:
    """Categories, a relaxed category, and draws of other kinds."""
    module, x = Mlp((32, 8)), normal(4, 16)

    def function(weights: Weights, x: Array, rng: Array) -> Any:
        logits = applied(module, weights, x)
        relaxed = jax.nn.softmax((logits + jax.random.gumbel(jax.random.fold_in(rng, 1), logits.shape)) / 0.5)
        return (
            jax.random.categorical(rng, logits),
            relaxed,
            jax.random.bernoulli(rng, 0.3, (4,)),
            jax.random.randint(rng, (5,), 0, 100),
            jax.random.permutation(rng, 8),
            jax.random.uniform(rng, (2, 2)),
        )

    return Program(function, weights_of(module, x), (x, key(11)))


@model("nucleus-sampling", random=True)
def nucleus_sampling() -> Program:
    """A word from the most probable ones that add up to 90 percent."""

    def function(_: Weights, logits: Array, rng: Array) -> Array:
        logits = logits / 0.8
        ordered = jnp.sort(logits, axis=-1)[:, ::-1]
        total = jnp.cumsum(jax.nn.softmax(ordered), axis=-1)
        last = jnp.sum(total < 0.9, axis=-1)
        smallest = jnp.take_along_axis(ordered, last[:, None], axis=-1)
        return jax.random.categorical(rng, jnp.where(logits < smallest, -jnp.inf, logits))

    return Program(function, {}, (normal(2, 256), key(2)))


@model("dropout", random=True)
def dropout() -> Program:
    """Dropout of activations with a key for each layer, as Bayesian users keep it on."""
    module, x = Mlp((64, 64, 10)), normal(8, 32)

    def function(weights: Weights, x: Array, rng: Array) -> Array:
        layers = weights["params"]
        for i, layer_key in enumerate(jax.random.split(rng, 2)):
            layer = layers[f"Dense_{i}"]
            x = jax.nn.relu(x @ layer["kernel"] + layer["bias"])
            x = jnp.where(jax.random.bernoulli(layer_key, 0.9, x.shape), x / 0.9, 0.0)
        return x @ layers["Dense_2"]["kernel"] + layers["Dense_2"]["bias"]

    return Program(function, weights_of(module, x), (x, key(4)))


@model("langevin", random=True)
def langevin() -> Program:
    """Steps of Langevin dynamics, each with noise of its own key."""

    def function(weights: Weights, x: Array, rng: Array) -> Array:
        def step(x: Array, step_key: Array) -> tuple[Array, None]:
            drift = jnp.tanh(x @ weights["a"]) @ weights["b"] - x
            return x + 0.1 * drift + 0.1 * jax.random.normal(step_key, x.shape), None

        return jax.lax.scan(step, x, jax.random.split(rng, 8))[0]

    weights = {"a": normal(16, 32, scale=0.3), "b": normal(32, 16, scale=0.3, seed=1)}
    return Program(function, weights, (normal(4, 16), key(6)))
