"""Recurrent networks through `nn.RNN`, `nn.scan` and `jax.lax.scan`."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.registry import Array, Program, Weights, linen, model, normal


class Tagger(nn.Module):
    """Recurrent layers and a classifier of each step."""

    cell: Any
    hidden: int
    classes: int
    layers: int = 1
    # The type of the first state.
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        for _ in range(self.layers):
            x = nn.RNN(self.cell(self.hidden, param_dtype=self.dtype))(x)
        return nn.Dense(self.classes)(x)


def tagger(x: np.ndarray, cell: Any, hidden: int, classes: int, layers: int = 1) -> Program:
    """The program of a tagger."""
    return linen(Tagger(cell, hidden, classes, layers), x, exact=Tagger(cell, hidden, classes, layers, jnp.float64))


@model("lstm", real=True)
def lstm() -> Program:
    return tagger(normal(1, 64, 128), nn.OptimizedLSTMCell, 256, 32)


@model("lstm-8-steps")
def lstm_8_steps() -> Program:
    return tagger(normal(2, 8, 8), nn.LSTMCell, 16, 4)


@model("gru")
def gru() -> Program:
    return tagger(normal(1, 24, 16), nn.GRUCell, 32, 4)


@model("gru-stack")
def gru_stack() -> Program:
    return tagger(normal(2, 12, 16), nn.GRUCell, 32, 4, 2)


@model("simple-cell")
def simple_cell() -> Program:
    return tagger(normal(1, 16, 16), nn.SimpleCell, 32, 4)


class Bidirectional(nn.Module):
    """An LSTM in each direction, over padded sequences."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, lengths: Array) -> Array:
        forward, backward = (nn.RNN(nn.LSTMCell(16, param_dtype=self.dtype)) for _ in range(2))
        return nn.Dense(4)(nn.Bidirectional(forward, backward)(x, seq_lengths=lengths))


@model("lstm-bidirectional")
def lstm_bidirectional() -> Program:
    return linen(Bidirectional(), normal(2, 12, 8), np.array([12, 7], np.int32), exact=Bidirectional(jnp.float64))


class ScannedLstm(nn.Module):
    """An LSTM under `nn.scan` that returns its last state too."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Any:
        scanned = nn.scan(nn.LSTMCell, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)(
            24, param_dtype=self.dtype
        )
        carry = scanned.initialize_carry(jax.random.PRNGKey(0), x[:, 0].shape)
        return scanned(carry, x)


@model("lstm-scan")
def lstm_scan() -> Program:
    return linen(ScannedLstm(), normal(1, 20, 12), exact=ScannedLstm(jnp.float64))


@model("rnn-by-hand")
def rnn_by_hand() -> Program:
    """An LSTM that a user wrote with `lax.scan`."""
    features, hidden = 12, 24
    weights = {
        "input": normal(features, 4 * hidden, scale=0.2),
        "hidden": normal(hidden, 4 * hidden, scale=0.2, seed=1),
        "bias": normal(4 * hidden, scale=0.1, seed=2),
    }

    def function(weights: Weights, xs: Array) -> Any:
        def step(state: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
            h, c = state
            i, f, g, o = jnp.split(x @ weights["input"] + h @ weights["hidden"] + weights["bias"], 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((xs.shape[1], hidden), xs.dtype)
        (h, _), hs = jax.lax.scan(step, (zeros, zeros), xs)
        return h, hs

    return Program(function, weights, (normal(32, 1, features),))


class ConvLstm(nn.Module):
    """An LSTM of convolutions."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.RNN(nn.ConvLSTMCell(4, (3, 3), param_dtype=self.dtype))(x)


@model("conv-lstm")
def conv_lstm() -> Program:
    return linen(ConvLstm(), normal(1, 6, 8, 8, 2), exact=ConvLstm(jnp.float64))
