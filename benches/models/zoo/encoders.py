"""Transformer encoders: BERT, ViT, and attention between two sequences."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.registry import Array, Program, applied, integers, key, linen, model, normal, weights_of


class FeedForward(nn.Module):
    """The two dense layers of a transformer's block."""

    hidden: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = x.shape[-1]
        x = nn.gelu(nn.Dense(self.hidden, dtype=self.dtype)(x), approximate=False)
        return nn.Dense(width, dtype=self.dtype)(x)


class BertLayer(nn.Module):
    """A block with the norms behind the residuals."""

    heads: int

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        attended = nn.MultiHeadDotProductAttention(self.heads, name="attention")(x, x, mask=mask)
        x = nn.LayerNorm(epsilon=1e-12)(x + attended)
        return nn.LayerNorm(epsilon=1e-12)(x + FeedForward(4 * x.shape[-1])(x))


class Bert(nn.Module):
    """BERT with its pooler, for padded batches."""

    words: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12

    @nn.compact
    def __call__(self, ids: Array, kinds: Array, present: Array) -> tuple[Array, Array]:
        x = nn.Embed(self.words, self.width)(ids) + nn.Embed(2, self.width)(kinds)
        x = nn.LayerNorm(epsilon=1e-12)(x + nn.Embed(512, self.width)(jnp.arange(ids.shape[1])))
        mask = nn.make_attention_mask(jnp.ones_like(present), present)
        for _ in range(self.layers):
            x = BertLayer(self.heads)(x, mask)
        return x, nn.tanh(nn.Dense(self.width)(x[:, 0]))


def present(batch: int, length: int) -> np.ndarray:
    """A mask of present words, whose last row has padding."""
    mask = np.ones((batch, length), np.int32)
    mask[-1, -length // 4 :] = 0
    return mask


@model("bert-base", real=True, layers=12)
def bert_base() -> Program:
    return linen(Bert(), integers(30522, 1, 128), integers(2, 1, 128), present(1, 128))


@model("bert-small", layers=2)
def bert_small() -> Program:
    return linen(Bert(500, 64, 2, 4), integers(500, 2, 16), integers(2, 2, 16), present(2, 16))


class VitLayer(nn.Module):
    """A block with the norms before attention and dense layers."""

    heads: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, deterministic: bool) -> Array:
        y = nn.LayerNorm(dtype=self.dtype)(x)
        y = nn.MultiHeadDotProductAttention(self.heads, dropout_rate=self.dropout, deterministic=deterministic, dtype=self.dtype)(
            y, y
        )
        x = x + nn.Dropout(self.dropout)(y, deterministic=deterministic)
        y = FeedForward(4 * x.shape[-1], self.dtype)(nn.LayerNorm(dtype=self.dtype)(x))
        return x + nn.Dropout(self.dropout)(y, deterministic=deterministic)


class Vit(nn.Module):
    """A vision transformer with a class token."""

    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    classes: int = 1000
    dropout: float = 0.0
    dtype: Any = None

    @nn.compact
    def __call__(self, images: Array, deterministic: bool = True) -> Array:
        patch = (self.patch, self.patch)
        x = nn.Conv(self.width, patch, patch, padding="VALID", dtype=self.dtype)(images)
        x = x.reshape(x.shape[0], -1, self.width)
        token = self.param("class_token", nn.initializers.zeros, (1, 1, self.width))
        x = jnp.concatenate([jnp.tile(token.astype(x.dtype), (x.shape[0], 1, 1)), x], axis=1)
        positions = self.param("pos_embedding", nn.initializers.normal(0.02), (1, x.shape[1], self.width))
        x = nn.Dropout(self.dropout)(x + positions.astype(x.dtype), deterministic=deterministic)
        for _ in range(self.layers):
            x = VitLayer(self.heads, self.dropout, self.dtype)(x, deterministic)
        return nn.Dense(self.classes, dtype=self.dtype)(nn.LayerNorm(dtype=self.dtype)(x)[:, 0])


@model("vit-base", real=True, layers=12)
def vit_base() -> Program:
    return linen(Vit(), normal(1, 224, 224, 3))


@model("vit-small", layers=2)
def vit_small() -> Program:
    return linen(Vit(8, 64, 2, 4, 10), normal(2, 32, 32, 3))


@model("vit-bf16", layers=2)
def vit_bf16() -> Program:
    images = normal(2, 32, 32, 3)
    module = Vit(8, 64, 2, 4, 10, dtype=jnp.bfloat16)

    def function(weights: Any, images: Array) -> Array:
        return applied(module, weights, images).astype(jnp.float32)

    return Program(function, weights_of(module, images), (images,), Vit(8, 64, 2, 4, 10).apply)


@model("vit-dropout", random=True)
def vit_dropout() -> Program:
    images = normal(1, 16, 16, 3)
    module = Vit(8, 32, 1, 2, 10, dropout=0.1)

    def function(weights: Any, images: Array, dropout: Array) -> Array:
        return module.apply(weights, images, deterministic=False, rngs={"dropout": dropout})

    return Program(function, weights_of(module, images), (images, key(3)))


class Decoder(nn.Module):
    """A block that attends to its own sequence and to another one."""

    heads: int

    @nn.compact
    def __call__(self, x: Array, memory: Array, causal: Array, mask: Array) -> Array:
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads)(y, mask=causal)
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads)(y, memory, mask=mask)
        return x + FeedForward(4 * x.shape[-1])(nn.LayerNorm()(x))


class Translator(nn.Module):
    """The original transformer, with positions as sines and cosines."""

    words: int = 300
    width: int = 32
    layers: int = 2

    @nn.compact
    def __call__(self, source: Array, target: Array) -> Array:
        embed = nn.Embed(self.words, self.width)
        x = embed(source) * self.width**0.5 + sines(source.shape[1], self.width)
        y = embed(target) * self.width**0.5 + sines(target.shape[1], self.width)
        inside = nn.make_attention_mask(source > 0, source > 0)
        for _ in range(self.layers):
            z = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(4)(z, mask=inside)
            x = x + FeedForward(4 * self.width)(nn.LayerNorm()(x))
        x = nn.LayerNorm()(x)
        causal = nn.combine_masks(nn.make_causal_mask(target), nn.make_attention_mask(target > 0, target > 0))
        across = nn.make_attention_mask(target > 0, source > 0)
        for _ in range(self.layers):
            y = Decoder(4)(y, x, causal, across)
        return nn.log_softmax(embed.attend(nn.LayerNorm()(y)))


def sines(length: int, width: int) -> Array:
    """The positions of the original transformer."""
    angles = jnp.arange(length)[:, None] / 10000.0 ** (jnp.arange(0, width, 2) / width)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


@model("seq2seq")
def seq2seq() -> Program:
    return linen(Translator(), integers(300, 2, 12, low=1), integers(300, 2, 8, low=1))


class CrossAttention(nn.Module):
    """Queries that attend to a padded memory."""

    @nn.compact
    def __call__(self, queries: Array, memory: Array, present: Array) -> Array:
        mask = nn.make_attention_mask(jnp.ones(queries.shape[:2]), present)
        return nn.MultiHeadDotProductAttention(4, qkv_features=64, out_features=48)(queries, memory, mask=mask)


@model("cross-attention")
def cross_attention() -> Program:
    return linen(CrossAttention(), normal(2, 8, 48), normal(2, 24, 32, seed=1), present(2, 24))


class Perceiver(nn.Module):
    """Learned queries that read a long input, and a tower on them."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        latents = self.param("latents", nn.initializers.normal(0.02), (16, 32))
        z = jnp.broadcast_to(latents, (x.shape[0], 16, 32))
        x = nn.LayerNorm()(nn.Dense(32)(x))
        for _ in range(2):
            z = z + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(z), x)
            z = z + FeedForward(64)(nn.LayerNorm()(z))
            y = nn.LayerNorm()(z)
            z = z + nn.MultiHeadDotProductAttention(4)(y)
            z = z + FeedForward(64)(nn.LayerNorm()(z))
        return nn.Dense(10)(z.mean(axis=1))


@model("perceiver")
def perceiver() -> Program:
    return linen(Perceiver(), normal(2, 64, 12))


class TwoTowers(nn.Module):
    """Contrastive scores of images and texts."""

    @nn.compact
    def __call__(self, images: Array, ids: Array) -> Array:
        a = Vit(8, 32, 1, 2, 24)(images)
        x = nn.Embed(100, 32)(ids)
        causal = nn.make_causal_mask(ids)
        x = x + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x), mask=causal)
        x = x + FeedForward(64)(nn.LayerNorm()(x))
        b = nn.Dense(24)(x[jnp.arange(x.shape[0]), ids.argmax(axis=-1)])
        a = a / jnp.linalg.norm(a, axis=-1, keepdims=True)
        b = b / jnp.linalg.norm(b, axis=-1, keepdims=True)
        return jnp.exp(self.param("temperature", nn.initializers.ones, ())) * a @ b.T


@model("two-towers")
def two_towers() -> Program:
    return linen(TwoTowers(), normal(2, 16, 16, 3), integers(100, 3, 8))


class RelativeBias(nn.Module):
    """Attention whose scores have a learned bias for each distance, as T5 has it."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        length, heads = x.shape[1], 4
        distance = jnp.arange(length)[None, :] - jnp.arange(length)[:, None]
        small = jnp.abs(distance)
        large = 8 + (jnp.log(jnp.maximum(small, 1) / 8) / jnp.log(128 / 8) * 8).astype(jnp.int32)
        bucket = jnp.where(small < 8, small, jnp.minimum(large, 15)) + 16 * (distance > 0)
        bias = nn.Embed(32, heads)(bucket).transpose(2, 0, 1)[None]
        for _ in range(2):
            y = nn.RMSNorm()(x)
            q, k, v = (nn.DenseGeneral((heads, 8), use_bias=False)(y) for _ in range(3))
            y = jax.nn.dot_product_attention(q, k, v, bias=bias, scale=1.0)
            x = x + nn.DenseGeneral(x.shape[-1], axis=(-2, -1), use_bias=False)(y)
            x = x + nn.Dense(x.shape[-1], use_bias=False)(nn.relu(nn.Dense(64, use_bias=False)(nn.RMSNorm()(x))))
        return nn.RMSNorm()(x)


@model("relative-bias")
def relative_bias() -> Program:
    return linen(RelativeBias(), normal(2, 16, 32))
