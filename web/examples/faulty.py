"""The example with faults: two lines of this model cannot become ONNX, and one is dropped.

`python faulty.py` writes faulty.mlir next to this file.
"""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax


class Noisy(nn.Module):
    """A layer that adds noise to its result."""

    width: int = 16

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(self.width)(x)
        noise = lax.rng_uniform(-0.1, 0.1, x.shape)
        return nn.relu(x + noise)


class Model(nn.Module):
    """A convolution, two noisy layers, and a classifier with a table in NumPy."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (3, 3))(x)
        x = nn.max_pool(nn.relu(x), (2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)
        x = Noisy()(Noisy()(x))
        jax.debug.print("mean: {}", x.mean())
        scores = nn.Dense(10)(x)
        smooth = jax.pure_callback(lambda a: np.tanh(a), scores, scores)
        return nn.softmax(smooth)


def shorten(match: re.Match[str]) -> str:
    """The path of a Python file without the folders of this machine."""
    path = match[1]
    at = path.find("site-packages/")
    return f'loc("{path[at:] if at >= 0 else pathlib.PurePath(path).name}"'


def main() -> None:
    """Writes the program with its locations."""
    model = Model()
    x = jnp.ones((1, 16, 16, 1))
    variables = model.init(jax.random.key(0), x)
    text = jax.jit(model.apply).lower(variables, x).as_text(debug_info=True)
    text = re.sub(r'loc\("(/[^"]*)"', shorten, text)
    pathlib.Path(__file__).with_name("faulty.mlir").write_text(text)


if __name__ == "__main__":
    main()
