"""Llama: RMS norms, rotary positions, grouped queries and gated dense layers."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.registry import Array, Program, Weights, applied, integers, linen, model, normal, random_tree, weights_of


def rotate(x: Array, positions: Array) -> Array:
    """Rotary positions of heads [batch, length, heads, size], in halves."""
    half = x.shape[-1] // 2
    frequencies = 10000.0 ** (-jnp.arange(half) / half)
    angles = positions[:, None] * frequencies
    cos, sin = jnp.cos(angles)[:, None, :], jnp.sin(angles)[:, None, :]
    first, second = x[..., :half], x[..., half:]
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)


def rotate_pairs(x: Array, positions: Array) -> Array:
    """Rotary positions of interleaved pairs."""
    half = x.shape[-1] // 2
    angles = positions[:, None] / 10000.0 ** (jnp.arange(half) / half)
    cos, sin = jnp.cos(angles)[:, None, :], jnp.sin(angles)[:, None, :]
    even, odd = x[..., ::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1).reshape(x.shape).astype(x.dtype)


class RmsNorm(nn.Module):
    """The norm as Llama's own code has it: statistics in f32."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        wide = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + 1e-5)
        return wide.astype(x.dtype) * scale.astype(x.dtype)


class Attention(nn.Module):
    """Causal attention of grouped queries, written with einsum or through `jax.nn`."""

    heads: int
    shared: int
    pairs: bool
    library: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, positions: Array) -> Array:
        batch, length, width = x.shape
        size = width // self.heads

        def project(heads: int, name: str) -> Array:
            y = nn.Dense(heads * size, use_bias=False, dtype=self.dtype, name=name)(x)
            return y.reshape(batch, length, heads, size)

        turn = rotate_pairs if self.pairs else rotate
        q, k, v = turn(project(self.heads, "q"), positions), turn(project(self.shared, "k"), positions), project(self.shared, "v")
        if self.library:
            y = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        else:
            k, v = (jnp.repeat(y, self.heads // self.shared, axis=2) for y in (k, v))
            scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * size**-0.5
            causal = jnp.tril(jnp.ones((length, length), bool))
            scores = jnp.where(causal, scores, jnp.finfo(scores.dtype).min)
            y = jnp.einsum("bhqk,bkhd->bqhd", nn.softmax(scores), v)
        return nn.Dense(width, use_bias=False, dtype=self.dtype, name="o")(y.reshape(batch, length, width))


class Llama(nn.Module):
    """A decoder of Llama's form."""

    words: int
    width: int
    layers: int
    heads: int
    shared: int
    hidden: int
    pairs: bool = False
    library: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, ids: Array) -> Array:
        positions = jnp.arange(ids.shape[1])
        x = nn.Embed(self.words, self.width, dtype=self.dtype)(ids)
        for _ in range(self.layers):
            y = RmsNorm()(x)
            x = x + Attention(self.heads, self.shared, self.pairs, self.library, self.dtype)(y, positions)
            y = RmsNorm()(x)
            gate = nn.silu(nn.Dense(self.hidden, use_bias=False, dtype=self.dtype)(y))
            y = gate * nn.Dense(self.hidden, use_bias=False, dtype=self.dtype)(y)
            x = x + nn.Dense(self.width, use_bias=False, dtype=self.dtype)(y)
        return nn.Dense(self.words, use_bias=False, dtype=self.dtype)(RmsNorm()(x))


@model("llama", real=True, layers=8)
def llama() -> Program:
    return linen(Llama(8000, 512, 8, 8, 4, 1376), integers(8000, 1, 128))


@model("llama-small", layers=2)
def llama_small() -> Program:
    return linen(Llama(200, 64, 2, 4, 2, 128), integers(200, 1, 16))


@model("llama-pairs", layers=2)
def llama_pairs() -> Program:
    return linen(Llama(200, 64, 2, 4, 2, 128, pairs=True, library=True), integers(200, 1, 16))


@model("llama-bf16", layers=2)
def llama_bf16() -> Program:
    ids = integers(200, 1, 16)
    module = Llama(200, 64, 2, 4, 2, 128, dtype=jnp.bfloat16)
    weights = jax.tree_util.tree_map(lambda value: value.astype(jnp.bfloat16), weights_of(module, ids))

    def function(weights: Weights, ids: Array) -> Array:
        return applied(module, weights, ids).astype(jnp.float32)

    return Program(function, weights, (ids,), Llama(200, 64, 2, 4, 2, 128).apply)


@model("llama-cache", layers=2)
def llama_cache() -> Program:
    """One token, with keys and values in one array for each layer."""
    layers, heads, shared, size, length = 2, 4, 2, 16, 32
    width, seen = heads * size, 11
    shapes: dict[str, Any] = {"embedding": jax.ShapeDtypeStruct((200, width), jnp.float32)}
    for i in range(layers):
        kernels = {"q": (width, width), "k": (width, shared * size), "v": (width, shared * size), "o": (width, width)}
        for name, shape in kernels.items():
            shapes[f"{name}_{i}"] = jax.ShapeDtypeStruct(shape, jnp.float32)

    def function(weights: Weights, token: Array, position: Array, keys: Array, values: Array) -> Any:
        x = weights["embedding"][token]
        positions = position[None]
        for i in range(layers):
            y = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-5)
            q = rotate((y @ weights[f"q_{i}"]).reshape(1, 1, heads, size), positions)
            k = rotate((y @ weights[f"k_{i}"]).reshape(1, 1, shared, size), positions)
            v = (y @ weights[f"v_{i}"]).reshape(1, 1, shared, size)
            layer, zero = (jnp.asarray(index, position.dtype) for index in (i, 0))
            start = (layer, zero, position, zero, zero)
            keys = jax.lax.dynamic_update_slice(keys, k[None], start)
            values = jax.lax.dynamic_update_slice(values, v[None], start)
            mask = (jnp.arange(length) <= position)[None, None, None, :]
            attended = jax.nn.dot_product_attention(q, keys[i], values[i], mask=mask)
            x = x + attended.reshape(1, width) @ weights[f"o_{i}"]
        return x @ weights["embedding"].T, keys, values

    cache = (layers, 1, length, shared, size)
    inputs = (integers(200, 1), np.array(seen, np.int32), normal(*cache), normal(*cache, seed=1))
    return Program(function, random_tree(shapes), inputs)
