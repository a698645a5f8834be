"""Layers of the same form under `nn.scan`, whose weights are stacked."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from zoo.encoders import FeedForward
from zoo.registry import Array, Program, integers, linen, model, normal


class Layer(nn.Module):
    """A block in the form that `nn.scan` takes."""

    heads: int

    @nn.compact
    def __call__(self, x: Array, _: Any) -> tuple[Array, None]:
        x = x + nn.MultiHeadDotProductAttention(self.heads)(nn.LayerNorm()(x))
        return x + FeedForward(4 * x.shape[-1])(nn.LayerNorm()(x)), None


class Stack(nn.Module):
    """Embedding, and layers under a scan, with or without rematerialization."""

    words: int
    width: int
    layers: int
    heads: int
    remat: bool = False

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        x = nn.Embed(self.words, self.width)(ids)
        x = x + self.param("pos_embedding", nn.initializers.normal(0.02), (1, ids.shape[1], self.width))
        layer = nn.remat(Layer, prevent_cse=False) if self.remat else Layer
        scanned = nn.scan(layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=self.layers)
        x, _ = scanned(self.heads)(x, None)
        return nn.LayerNorm()(x)


@model("encoder-scan", real=True, layers=6)
def encoder_scan() -> Program:
    return linen(Stack(30522, 512, 6, 8), integers(30522, 1, 128))


@model("encoder-scan-small", layers=3)
def encoder_scan_small() -> Program:
    return linen(Stack(200, 32, 3, 4), integers(200, 1, 16))


@model("encoder-scan-remat", layers=3)
def encoder_scan_remat() -> Program:
    return linen(Stack(200, 32, 3, 4, remat=True), integers(200, 1, 16))


class DenseLayer(nn.Module):
    """A residual dense layer in the form that `nn.scan` takes."""

    @nn.compact
    def __call__(self, x: Array, _: Any) -> tuple[Array, Array]:
        x = x + nn.tanh(nn.Dense(x.shape[-1])(x))
        return x, jnp.mean(x, axis=-1)


class DenseStack(nn.Module):
    """Many small layers under a scan that also returns a value of each."""

    @nn.compact
    def __call__(self, x: Array) -> Any:
        scanned = nn.scan(nn.remat(DenseLayer), variable_axes={"params": 0}, split_rngs={"params": True}, length=8)
        return scanned()(x, None)


@model("dense-scan-remat")
def dense_scan_remat() -> Program:
    return linen(DenseStack(), normal(4, 16))
