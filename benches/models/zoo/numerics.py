"""Numerical programs: a fixed point, branches, sorting and indexing, a Kalman filter, an attention of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.registry import Array, Program, Weights, integers, model, normal


@model("fixed-point")
def fixed_point() -> Program:
    """A loop that runs until the state no longer changes."""
    weights = {"kernel": normal(16, 16, scale=0.1), "bias": normal(16, scale=0.1, seed=1)}

    def function(weights: Weights, x: Array) -> Array:
        def moving(state: Any) -> Array:
            count, old, new = state
            return (count < 30) & (jnp.max(jnp.abs(new - old)) > 1e-4)

        def step(state: Any) -> Any:
            count, _, z = state
            return count + 1, z, jnp.tanh(z @ weights["kernel"] + weights["bias"] + x)

        zeros = jnp.zeros_like(x)
        return jax.lax.while_loop(moving, step, (jnp.int32(0), zeros + 1.0, zeros))[2]

    return Program(function, weights, (normal(2, 16),))


@model("branches")
def branches() -> Program:
    """A switch of layers, and a condition on their result."""
    weights = {name: normal(32, 32, scale=0.2, seed=i) for i, name in enumerate("abc")}

    def function(weights: Weights, x: Array, index: Array) -> Array:
        layers = [
            lambda x: x @ weights["a"],
            lambda x: jax.nn.relu(x @ weights["b"]),
            lambda x: jnp.tanh(x @ weights["c"]),
        ]
        y = jax.lax.switch(index, layers, x)
        return jax.lax.cond(jnp.sum(y) > 0, lambda y: y * 2.0, lambda y: -y, y)

    return Program(function, weights, (normal(4, 32), np.array(2, np.int32)))


@model("indexing")
def indexing() -> Program:
    """Sorts, gathers, scatters and sums over prefixes."""

    def function(_: Weights, x: Array, rows: Array) -> Any:
        order = jnp.argsort(-x, axis=-1)
        values, places = jax.lax.top_k(x, 3)
        return (
            jnp.sort(x, axis=-1),
            jnp.take_along_axis(x, order[:, :3], axis=1),
            x.at[rows].add(2.0).at[:, 1].set(0.0),
            values,
            places,
            jnp.cumsum(x, axis=1),
            jnp.median(x, axis=1),
            x[::-1, 1:7:2],
            jnp.take(x, rows, axis=1),
            jnp.roll(x, 3, axis=1),
            jnp.searchsorted(jnp.sort(x[0]), x[1]),
            jnp.triu(x),
        )

    return Program(function, {}, (normal(8, 8), integers(8, 3)))


@model("kalman")
def kalman() -> Program:
    """A Kalman filter of two states and one measured value, with the inverse written out."""
    weights = {"transition": np.array([[1.0, 0.1], [0.0, 1.0]], np.float32), "noise": np.eye(2, dtype=np.float32) * 0.01}

    def function(weights: Weights, measured: Array) -> tuple[Array, Array]:
        transition, noise = weights["transition"], weights["noise"]

        def step(state: Any, z: Array) -> Any:
            mean, covariance = state
            mean = transition @ mean
            covariance = transition @ covariance @ transition.T + noise
            gain = covariance[:, 0] / (covariance[0, 0] + 0.1)
            mean = mean + gain * (z - mean[0])
            covariance = covariance - jnp.outer(gain, covariance[0])
            return (mean, covariance), mean

        start = (jnp.zeros(2, measured.dtype), jnp.eye(2, dtype=measured.dtype))
        (_, covariance), means = jax.lax.scan(step, start, measured)
        return means, covariance

    return Program(function, weights, (normal(16),))


@model("attention-core")
def attention_core() -> Program:
    """Attention alone, of twelve heads and 128 tokens."""

    def function(_: Weights, q: Array, k: Array, v: Array) -> Array:
        return jax.nn.dot_product_attention(q, k, v, is_causal=True)

    return Program(function, {}, tuple(normal(1, 128, 12, 64, seed=i) for i in range(3)))


@model("runge-kutta")
def runge_kutta() -> Program:
    """A neural differential equation, in steps of the fourth order."""
    weights = {"a": normal(4, 32, scale=0.5), "b": normal(32, 4, scale=0.2, seed=1)}

    def function(weights: Weights, x: Array) -> Array:
        def slope(x: Array) -> Array:
            return jnp.tanh(x @ weights["a"]) @ weights["b"]

        def step(_: Array, x: Array) -> Array:
            h = 0.1
            a = slope(x)
            b = slope(x + 0.5 * h * a)
            c = slope(x + 0.5 * h * b)
            d = slope(x + h * c)
            return x + h / 6 * (a + 2 * b + 2 * c + d)

        return jax.lax.fori_loop(0, 10, step, x)

    return Program(function, weights, (normal(8, 4),))
