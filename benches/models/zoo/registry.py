"""The table of models, and what their files share: seeded inputs and weights."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
from flax.core import meta

Array = Any
Weights = Any


@dataclass(frozen=True)
class Program:
    """A function of weights and inputs, and values of both."""

    function: Callable[..., Any]
    weights: Weights
    inputs: tuple[np.ndarray, ...]
    # The same function, without casts to short floats. It computes the exact results.
    exact: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Model:
    """A row of the zoo."""

    name: str
    make: Callable[[], Program]
    # Of the size that people deploy.
    real: bool
    # Random numbers dominate it. Their bits differ with 64-bit floats, so it has no exact results.
    random: bool
    # How many times the block repeats, to state nodes per block.
    layers: int

    def source(self) -> Path:
        """The file that defines it."""
        return Path(self.make.__code__.co_filename)


MODELS: dict[str, Model] = {}


def model(
    name: str, *, real: bool = False, random: bool = False, layers: int = 1
) -> Callable[[Callable[[], Program]], Callable[[], Program]]:
    """Adds the model that a function makes."""

    def register(make: Callable[[], Program]) -> Callable[[], Program]:
        if name in MODELS:
            raise ValueError(f"two models are named {name}")
        MODELS[name] = Model(name, make, real, random, layers)
        return make

    return register


def normal(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """Normally distributed numbers."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * np.float32(scale)


def uniform(low: float, high: float, *shape: int, seed: int = 0) -> np.ndarray:
    """Uniformly distributed numbers."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def integers(high: int, *shape: int, low: int = 0, seed: int = 0) -> np.ndarray:
    """Integers below a bound."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.int32)


def key(seed: int = 0) -> np.ndarray:
    """A key of random numbers, as the two words that JAX's functions also take."""
    return np.array([0, seed], np.uint32)


def weight(path: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Random values for a weight of this name. No weight is constant, so that none folds."""
    *_, parent, name = ["", *path.split("/")]
    seed = zlib.crc32(path.encode())
    if not np.issubdtype(np.dtype(dtype), np.floating) and np.dtype(dtype) != ml_dtypes.bfloat16:
        return np.zeros(shape, dtype)
    if name in ("scale", "var"):
        values = uniform(0.8, 1.2, *shape, seed=seed)
    elif name in ("bias", "mean", "embedding", "pos_embedding") or len(shape) < 2:
        values = normal(*shape, scale=0.05, seed=seed)
    else:
        # Flax's attention splits the outputs of its projections into heads.
        fan_in = shape[-3] if parent in ("query", "key", "value") else np.prod(shape[:-1])
        values = normal(*shape, scale=float(fan_in) ** -0.5, seed=seed)
    return np.asarray(values).astype(dtype)


def weights_of(module: Any, *inputs: Any) -> Weights:
    """Random values for all variables of a Linen module."""
    rngs = {"params": jax.random.PRNGKey(0), "dropout": jax.random.PRNGKey(0)}
    shapes = jax.eval_shape(lambda *inputs: module.init(rngs, *inputs), *inputs)
    return random_tree(meta.unbox(shapes))


def random_tree(shapes: Any) -> Weights:
    """Random values for a tree of shapes, by the paths in it."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    named = [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]
    return jax.tree_util.tree_unflatten(tree, [weight(name, leaf.shape, leaf.dtype) for name, leaf in named])


def applied(module: Any, weights: Weights, *inputs: Any, **options: Any) -> Any:
    """The results of a module. Its own method has a type that depends on the options."""
    return module.apply(weights, *inputs, **options)


def linen(module: Any, *inputs: np.ndarray, exact: Any = None) -> Program:
    """The program of a Linen module, and of another one for exact results."""
    return Program(module.apply, weights_of(module, *inputs), inputs, exact and exact.apply)
