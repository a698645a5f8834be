"""Builds models of the zoo: FOLDER/NAME gets the text, the inputs and the results of a model.

- program.mlir: the StableHLO text, with the weights in it
- inputs.npz, expected.npz: the inputs, and the results of JAX
- exact.npz: the results with 64-bit floats, if the model has them
- build.json: what it was built from
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np

from processes import Job, alone, serve
from zoo import MODELS, Model, Program

PROGRAM, INPUTS, EXPECTED, EXACT, BUILD = "program.mlir", "inputs.npz", "expected.npz", "exact.npz", "build.json"


def source_key(model: Model) -> str:
    """Changes when the model may have changed."""
    digest = hashlib.sha256()
    # Files of models also use the blocks of others.
    for path in sorted(model.source().parent.glob("*.py")):
        if path.name in (model.source().name, "registry.py", "encoders.py", "gpt.py", "dense.py"):
            digest.update(path.read_bytes())
    return f"{digest.hexdigest()[:16]} jax {jax.__version__} flax {flax.__version__}"


def is_built(model: Model, folder: Path) -> bool:
    """Whether the files are those of this model."""
    try:
        built = json.loads((folder / model.name / BUILD).read_text())
    except (OSError, ValueError):
        return False
    return bool(built["key"] == source_key(model))


def save(path: Path, values: Any) -> None:
    """Writes the leaves of a tree, in order."""
    leaves = jax.tree_util.tree_leaves(values)
    arrays: Any = {f"a{i:03}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    np.savez(path, **arrays)


def load(path: Path) -> list[np.ndarray]:
    """Reads what `save` wrote."""
    with np.load(path) as values:
        return [values[name] for name in sorted(values.files)]


def baked(program: Program) -> Any:
    """The function of the inputs alone."""
    weights = jax.tree_util.tree_map(jnp.asarray, program.weights)
    return lambda *inputs: program.function(weights, *inputs)


def widen(value: np.ndarray) -> np.ndarray:
    """Floats in 64 bits."""
    return value.astype(np.float64) if jnp.issubdtype(value.dtype, jnp.floating) else value


def build(model: Model, folder: Path) -> None:
    """Writes the files of a model, unless they are there."""
    if is_built(model, folder):
        return
    folder = folder / model.name
    (folder / BUILD).unlink(missing_ok=True)
    jax.config.update("jax_enable_x64", False)
    program = model.make()
    save(folder / INPUTS, program.inputs)
    save(folder / EXPECTED, jax.jit(program.function)(program.weights, *program.inputs))
    with open(folder / PROGRAM, "w") as file:
        file.write(jax.jit(baked(program), keep_unused=True).lower(*program.inputs).as_text())
    (folder / EXACT).unlink(missing_ok=True)
    if not model.random:
        jax.config.update("jax_enable_x64", True)
        weights, inputs = jax.tree_util.tree_map(widen, (program.weights, program.inputs))
        save(folder / EXACT, jax.jit(program.exact or program.function)(weights, *inputs))
    (folder / BUILD).write_text(json.dumps({"key": source_key(model)}))


def perform(job: Job) -> Job:
    """Builds one model."""
    model, folder = MODELS[job["model"]], Path(job["folder"])
    with alone(folder / model.name):
        build(model, folder)
    return {}


if __name__ == "__main__":
    serve(perform)
