"""Helpers of the tests: running a model, and comparing it with its function."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import onnx
from onnx import numpy_helper

import hlo2onnx


def names(values: Any) -> list[str]:
    """The names of inputs, outputs, initializers or nodes."""
    return [value.name for value in values]


def shapes(values: Any) -> list[tuple[Any, ...]]:
    """The shapes of inputs or outputs, with the names of their symbolic sizes."""
    return [
        tuple(size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim) for value in values
    ]


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The initializers of a model by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def run(model: Any, *inputs: Any) -> list[np.ndarray]:
    """The results of a model for its inputs in order."""
    import onnxruntime

    data = model if isinstance(model, (bytes, str)) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    fed = {value.name: np.asarray(given) for value, given in zip(session.get_inputs(), inputs, strict=True)}
    return session.run(None, fed)


def agree(fn: Any, model: Any, *inputs: Any, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Fail if the model's results differ from those of ``fn``, including their types and shapes."""
    inputs = jax.tree_util.tree_map(jax.numpy.asarray, inputs)
    wanted = jax.tree_util.tree_leaves(fn(*inputs))
    found = run(model, *jax.tree_util.tree_leaves(inputs))
    assert len(found) == len(wanted)
    for result, expected in zip(found, map(np.asarray, wanted)):
        assert result.dtype == expected.dtype
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)


def whole(model: onnx.ModelProto, arrays: dict[str, Any]) -> dict[str, str]:
    """The paths of the user's arrays that are whole in the model, with their names there.

    An array is whole if an initializer has its elements, in any order of dimensions.
    """
    by_elements: dict[Any, list[str]] = {}
    for name, array in initializers(model).items():
        by_elements.setdefault(_elements(array), []).append(name)
    found = {path: by_elements.get(_elements(np.asarray(array)), []) for path, array in arrays.items()}
    return {path: path if path in names else names[0] for path, names in found.items() if names}


def share(model: onnx.ModelProto, arrays: dict[str, Any]) -> tuple[int, int]:
    """The number of the user's arrays that are named by their path in the model, and the number that are whole in it."""
    found = whole(model, arrays)
    return sum(path == name for path, name in found.items()), len(found)


def _elements(array: np.ndarray) -> tuple[str, bytes]:
    return str(array.dtype), np.sort(array, axis=None).tobytes()


def paths(tree: Any) -> dict[str, Any]:
    """The arrays of a tree of dictionaries, lists and tuples by their path, as a user writes it."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    parts = ("key", "name", "idx")
    return {
        "/".join(str(next(getattr(key, part) for part in parts if hasattr(key, part))) for key in path): leaf
        for path, leaf in leaves
    }


def convert(fn: Any, *inputs: Any, **options: Any) -> onnx.ModelProto:
    """A model that ONNX's checker accepts."""
    model = hlo2onnx.to_onnx(fn, list(inputs), **options)
    onnx.checker.check_model(model, full_check=True)
    return model


def random(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    """An array of distinct normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
