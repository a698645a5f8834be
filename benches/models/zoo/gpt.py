"""Decoder-only transformers with learned positions: GPT-2, whole sequences and one token with a cache."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.encoders import present
from zoo.registry import Array, Program, Weights, integers, linen, model, normal, weights_of


class Gpt(nn.Module):
    """GPT-2, whose output layer is its embedding. With `decode` it keeps keys and values in a cache."""

    words: int = 50257
    length: int = 1024
    width: int = 768
    layers: int = 12
    heads: int = 12
    decode: bool = False

    @nn.compact
    def __call__(self, ids: Array, positions: Array | None = None, present: Array | None = None) -> Array:
        if positions is None:
            positions = jnp.arange(ids.shape[1])
        embed = nn.Embed(self.words, self.width, name="words_embedding")
        x = embed(ids) + nn.Embed(self.length, self.width, name="positions_embedding")(positions)
        mask = None if self.decode else nn.make_causal_mask(ids)
        if present is not None:
            mask = nn.combine_masks(mask, nn.make_attention_mask(present, present))
        for i in range(self.layers):
            y = nn.LayerNorm(epsilon=1e-5, name=f"attention_norm_{i}")(x)
            x = x + nn.SelfAttention(self.heads, decode=self.decode, name=f"attention_{i}")(y, mask=mask)
            y = nn.LayerNorm(epsilon=1e-5, name=f"dense_norm_{i}")(x)
            y = nn.gelu(nn.Dense(4 * self.width, name=f"expand_{i}")(y))
            x = x + nn.Dense(self.width, name=f"project_{i}")(y)
        return embed.attend(nn.LayerNorm(epsilon=1e-5, name="norm")(x))


def decoding(module: Gpt, length: int) -> tuple[Weights, Any]:
    """The parameters and the shapes of the cache of a module that decodes."""
    variables = weights_of(module, np.zeros((1, length), np.int32))
    return {"params": variables["params"]}, variables["cache"]


def filled(cache: Any, length: int) -> Any:
    """A cache that has seen some tokens."""

    def fill(values: np.ndarray) -> np.ndarray:
        return np.full(values.shape, length, values.dtype) if values.ndim == 0 else normal(*values.shape, seed=values.size)

    return jax.tree_util.tree_map(fill, cache)


def one_token(module: Gpt, length: int, seen: int) -> Program:
    """The step that a loop of decoding calls: a token and the cache to logits and the next cache."""
    weights, cache = decoding(module, length)
    leaves, tree = jax.tree_util.tree_flatten(filled(cache, seen))

    def function(weights: Weights, ids: Array, position: Array, *leaves: Array) -> Any:
        variables = {**weights, "cache": jax.tree_util.tree_unflatten(tree, leaves)}
        logits, changed = module.apply(variables, ids, position, mutable=["cache"])
        return logits, changed["cache"]

    return Program(function, weights, (integers(module.words, 1, 1), np.array([seen], np.int32), *leaves))


@model("gpt2", real=True, layers=12)
def gpt2() -> Program:
    return linen(Gpt(), integers(50257, 1, 128))


@model("gpt2-decode", real=True, layers=12)
def gpt2_decode() -> Program:
    return one_token(Gpt(decode=True), 256, 100)


@model("gpt-small", layers=2)
def gpt_small() -> Program:
    return linen(Gpt(200, 32, 64, 2, 4), integers(200, 1, 16))


@model("gpt-padded", layers=2)
def gpt_padded() -> Program:
    positions = np.arange(16, dtype=np.int32)
    return linen(Gpt(200, 32, 64, 2, 4), integers(200, 2, 16), positions, present(2, 16))


@model("gpt-decode-small", layers=2)
def gpt_decode_small() -> Program:
    return one_token(Gpt(200, 64, 64, 2, 4, decode=True), 32, 9)
