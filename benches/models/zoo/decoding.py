"""Loops that generate text: greedy decoding with and without a cache, and beam search."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zoo.gpt import Gpt, decoding
from zoo.registry import Array, Program, Weights, applied, integers, model, normal, weights_of


@model("greedy-while")
def greedy_while() -> Program:
    """Each step computes the whole sequence; the loop ends early at a word."""
    length = 12
    module = Gpt(64, length, 32, 1, 2)
    prompt = integers(64, 1, 3, low=2)

    def function(weights: Weights, prompt: Array) -> Any:
        start = jnp.zeros((1, length), jnp.int32)
        start = jax.lax.dynamic_update_slice(start, prompt, (0, 0))

        def unfinished(state: Any) -> Array:
            place, _, done = state
            return (place < length) & ~done

        def step(state: Any) -> Any:
            place, ids, _ = state
            logits = applied(module, weights, ids)[0, place - 1]
            word = jnp.argmax(logits).astype(jnp.int32)
            return place + 1, ids.at[0, place].set(word), word == 1

        state = (jnp.int32(prompt.shape[1]), start, jnp.bool_(False))
        return jax.lax.while_loop(unfinished, step, state)[:2]

    return Program(function, weights_of(module, np.zeros((1, length), np.int32)), (prompt,))


@model("greedy-cache")
def greedy_cache() -> Program:
    """A scan whose carried state is the cache of Flax's attention."""
    length = 12
    module = Gpt(64, length, 32, 2, 2, decode=True)
    weights, cache = decoding(module, length)

    def function(weights: Weights, start: Array) -> tuple[Array, Array]:
        def step(state: Any, position: Array) -> Any:
            ids, cache = state
            logits, changed = module.apply({**weights, "cache": cache}, ids, position[None], mutable=["cache"])
            word = jnp.argmax(logits[:, -1:], axis=-1).astype(jnp.int32)
            return (word, changed["cache"]), (word[:, 0], logits[:, 0])

        dtype = jax.tree_util.tree_leaves(weights)[0].dtype
        empty = jax.tree_util.tree_map(lambda value: jnp.zeros(value.shape, dtype if value.ndim else value.dtype), cache)
        _, (words, logits) = jax.lax.scan(step, (start, empty), jnp.arange(8))
        return words.T, logits.swapaxes(0, 1)

    return Program(function, weights, (integers(64, 1, 1),))


@model("beam-search")
def beam_search() -> Program:
    """The best sequences of a small recurrent model."""
    words, width, beams, length = 32, 16, 4, 8
    weights = {
        "embedding": normal(words, width),
        "input": normal(width, width, scale=0.3, seed=1),
        "hidden": normal(width, width, scale=0.3, seed=2),
        "output": normal(width, words, scale=0.5, seed=3),
    }

    def function(weights: Weights, context: Array) -> tuple[Array, Array]:
        def step(place: Array, state: Any) -> Any:
            hidden, ids, scores = state
            last = jax.lax.dynamic_index_in_dim(ids, place, axis=1, keepdims=False)
            hidden = jnp.tanh(weights["embedding"][last] @ weights["input"] + hidden @ weights["hidden"])
            total = scores[:, None] + jax.nn.log_softmax(hidden @ weights["output"])
            scores, best = jax.lax.top_k(total.reshape(-1), beams)
            parent, word = best // words, best % words
            ids = ids[parent].at[:, place + 1].set(word)
            return hidden[parent], ids, scores

        hidden = jnp.broadcast_to(context, (beams, width))
        ids = jnp.zeros((beams, length + 1), jnp.int32)
        scores = jnp.where(jnp.arange(beams) == 0, 0.0, -1e9).astype(context.dtype)
        _, ids, scores = jax.lax.fori_loop(0, length, step, (hidden, ids, scores))
        return ids, scores

    return Program(function, weights, (normal(1, width),))
