"""Mixtures of experts: the weighted sum of the best two, and a fixed capacity for each."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.registry import Array, Program, linen, model, normal


class BestTwo(nn.Module):
    """All experts are computed, and two of them are summed."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        experts, width, hidden = 4, x.shape[-1], 32
        scores, chosen = jax.lax.top_k(nn.softmax(nn.Dense(experts)(x)), 2)
        scores = scores / jnp.sum(scores, axis=-1, keepdims=True)
        gate = jnp.sum(jax.nn.one_hot(chosen, experts) * scores[..., None], axis=-2)
        first = self.param("first", nn.initializers.lecun_normal(), (experts, width, hidden))
        second = self.param("second", nn.initializers.lecun_normal(), (experts, hidden, width))
        y = jnp.einsum("btei,eij->btej", nn.gelu(jnp.einsum("btd,edi->btei", x, first)), second)
        return x + jnp.einsum("btej,bte->btj", y, gate)


@model("experts")
def experts() -> Program:
    return linen(BestTwo(), normal(2, 12, 16))


class Capacity(nn.Module):
    """Each expert takes a fixed number of tokens, as Switch Transformers do."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        experts, capacity, width, hidden = 4, 8, x.shape[-1], 32
        tokens = x.reshape(-1, width)
        probabilities = nn.softmax(nn.Dense(experts)(tokens))
        chosen = jnp.argmax(probabilities, axis=-1)
        one_hot = jax.nn.one_hot(chosen, experts, dtype=jnp.int32)
        place = jnp.sum(jnp.cumsum(one_hot, axis=0) * one_hot, axis=-1) - 1
        dispatch = jax.nn.one_hot(chosen, experts)[..., None] * jax.nn.one_hot(place, capacity)[:, None, :]
        first = self.param("first", nn.initializers.lecun_normal(), (experts, width, hidden))
        second = self.param("second", nn.initializers.lecun_normal(), (experts, hidden, width))
        routed = jnp.einsum("tec,td->ecd", dispatch, tokens)
        routed = jnp.einsum("ech,ehd->ecd", nn.relu(jnp.einsum("ecd,edh->ech", routed, first)), second)
        y = jnp.einsum("tec,ecd->td", dispatch * jnp.max(probabilities, axis=-1)[:, None, None], routed)
        return x + y.reshape(x.shape)


@model("experts-capacity")
def experts_capacity() -> Program:
    return linen(Capacity(), normal(2, 12, 16))
