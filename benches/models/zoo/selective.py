"""Linear recurrences: the selective scan of Mamba, and diagonal ones in complex numbers."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.registry import Array, Program, Weights, linen, model, normal, uniform


class Mamba(nn.Module):
    """A selective state space, stepped through or with an associative scan."""

    associative: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        hidden, states = 32, 8
        y, gate = jnp.split(nn.Dense(2 * hidden, use_bias=False)(x), 2, axis=-1)
        y = nn.silu(nn.Conv(hidden, (4,), padding="CAUSAL", feature_group_count=hidden)(y))
        step = nn.softplus(nn.Dense(hidden)(nn.Dense(2, use_bias=False)(y)))
        read, write = nn.Dense(states, use_bias=False)(y), nn.Dense(states, use_bias=False)(y)
        decay = -jnp.exp(self.param("decay", nn.initializers.normal(0.5), (hidden, states)))
        a = jnp.exp(step[..., None] * decay)
        b = (step * y)[..., None] * write[..., None, :]
        if self.associative:
            _, h = jax.lax.associative_scan(combine, (a, b), axis=1)
            z = jnp.einsum("bthn,btn->bth", h, read)
        else:
            z = self.steps(a, b, read)
        z = z + y * self.param("skip", nn.initializers.ones, (hidden,))
        return nn.Dense(x.shape[-1], use_bias=False)(z * nn.silu(gate))

    def steps(self, a: Array, b: Array, read: Array) -> Array:
        def step(h: Array, inputs: Any) -> tuple[Array, Array]:
            a, b, read = inputs
            h = a * h + b
            return h, jnp.einsum("bhn,bn->bh", h, read)

        rows = jax.tree_util.tree_map(lambda value: jnp.moveaxis(value, 1, 0), (a, b, read))
        _, z = jax.lax.scan(step, jnp.zeros_like(a[:, 0]), rows)
        return jnp.moveaxis(z, 0, 1)


def combine(first: Any, second: Any) -> Any:
    """Two steps of a linear recurrence as one."""
    return first[0] * second[0], second[0] * first[1] + second[1]


@model("mamba-scan")
def mamba_scan() -> Program:
    return linen(Mamba(False), normal(1, 16, 16))


@model("mamba-associative")
def mamba_associative() -> Program:
    return linen(Mamba(True), normal(1, 16, 16))


def lru_weights(width: int, states: int) -> Weights:
    """Weights of a recurrence that does not grow."""
    return {
        "nu": uniform(-2.0, 0.0, states),
        "theta": uniform(0.0, 3.0, states, seed=1),
        "in_real": normal(states, width, scale=0.2, seed=2),
        "in_imaginary": normal(states, width, scale=0.2, seed=3),
        "out_real": normal(width, states, scale=0.2, seed=4),
        "out_imaginary": normal(width, states, scale=0.2, seed=5),
    }


def lru_parts(weights: Weights, x: Array) -> tuple[Array, Array, Array]:
    """The eigenvalues, the inputs, and the matrix of outputs."""
    eigenvalues = jnp.exp(-jnp.exp(weights["nu"]) + 1j * weights["theta"])
    inputs = x @ (weights["in_real"] + 1j * weights["in_imaginary"]).T
    return eigenvalues, inputs, (weights["out_real"] + 1j * weights["out_imaginary"]).T


@model("lru")
def lru() -> Program:
    """A linear recurrent unit, step by step."""

    def function(weights: Weights, x: Array) -> Array:
        eigenvalues, inputs, out = lru_parts(weights, x)

        def step(h: Array, u: Array) -> tuple[Array, Array]:
            h = eigenvalues * h + u
            return h, h

        _, states = jax.lax.scan(step, jnp.zeros_like(inputs[0]), inputs)
        return (states @ out).real

    return Program(function, lru_weights(8, 16), (normal(12, 8),))


@model("lru-associative")
def lru_associative() -> Program:
    """A linear recurrent unit with an associative scan."""

    def function(weights: Weights, x: Array) -> Array:
        eigenvalues, inputs, out = lru_parts(weights, x)
        repeated = jnp.broadcast_to(eigenvalues, inputs.shape)
        _, states = jax.lax.associative_scan(combine, (repeated, inputs))
        return (states @ out).real

    return Program(function, lru_weights(8, 16), (normal(32, 8),))
