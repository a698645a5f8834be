"""Models that people deploy, and small ones of many kinds, written as users of JAX and Flax write them."""

# Each file adds its models to the table.
from zoo import (  # noqa: F401
    convolution,
    decoding,
    dense,
    encoders,
    experts,
    generative,
    geometry,
    gpt,
    llama,
    mixing,
    numerics,
    recurrence,
    residual,
    sampling,
    selective,
    stacked,
)
from zoo.registry import MODELS, Model, Program

__all__ = ["MODELS", "Model", "Program"]
