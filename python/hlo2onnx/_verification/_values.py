"""The map from values of the model to values of the program."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

_DTYPES = {
    "i1": "bool",
    "i2": "int2",
    "ui2": "uint2",
    "i4": "int4",
    "ui4": "uint4",
    "bf16": "bfloat16",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "f8E4M3FN": "float8_e4m3fn",
    "f8E4M3FNUZ": "float8_e4m3fnuz",
    "f8E5M2": "float8_e5m2",
    "f8E5M2FNUZ": "float8_e5m2fnuz",
    "complex<f32>": "complex64",
    "complex<f64>": "complex128",
} | {f"{prefix}i{bits}": f"{'u' if prefix else ''}int{bits}" for prefix in ("", "u") for bits in (8, 16, 32, 64)}


@functools.cache
def dtype_of(element: str) -> np.dtype[Any]:
    """NumPy's type for an element type of StableHLO."""
    name = _DTYPES[element]
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


@dataclasses.dataclass(frozen=True)
class Mapped:
    """A value of the model that is a value of the program."""

    index: int
    """The position in the map."""
    onnx: str
    """The name in the model."""
    form: str
    """How the model holds the value: ``same``, ``permuted``, ``broadcast``, ``reshaped``, ``widened``, ``parts``, ``real`` or
    ``imaginary``."""
    element: str
    """The element type in the model, as StableHLO spells it."""
    axes: tuple[int | None, ...]
    """The dimension of the program's value for each dimension in the model; ``None`` for an added dimension of size 1."""
    python: str | None
    """The user's own Python line."""
    module_path: str | None
    """The path of the Flax module."""

    def from_program(self, value: np.ndarray, *, cast: bool = True) -> np.ndarray | None:
        """The value in the form of the model; ``None`` if it differs along a dimension that the model leaves out."""
        if self.form in ("real", "imaginary"):
            value = value.real if self.form == "real" else value.imag
        if self.form == "parts":
            value = np.stack([value.real, value.imag], axis=-1)
        axes = (*self.axes, value.ndim - 1) if self.form == "parts" else self.axes
        left = [axis for axis in range(value.ndim) if axis not in axes]
        taken = value[tuple(0 if axis in left else slice(None) for axis in range(value.ndim))]
        if left and value.size and not _equal(value, np.expand_dims(taken, tuple(left))):
            return None
        kept = [axis for axis in range(value.ndim) if axis not in left]
        moved = np.transpose(taken, [kept.index(axis) for axis in axes if axis is not None])
        new = tuple(place for place, axis in enumerate(axes) if axis is None)
        placed = np.expand_dims(moved, new)
        return placed.astype(dtype_of(self.element), copy=False) if cast else placed


def _equal(value: np.ndarray, other: np.ndarray) -> bool:
    same = value == other
    if value.dtype.kind not in "biu":
        same |= (value != value) & (other != other)
    return bool(np.all(same))


class ValueMap:
    """The mapped values of a model, and the program that they are values of."""

    def __init__(self, native: Any) -> None:
        self._native = native
        known = {field.name for field in dataclasses.fields(Mapped)}
        self.values = [
            Mapped(index=index, **{**{k: v for k, v in entry.items() if k in known}, "axes": tuple(entry["axes"])})
            for index, entry in enumerate(json.loads(native.json()))
        ]
        self.by_name = {value.onnx: value for value in self.values}

    def program(self, values: Sequence[int] = (), *, double: bool = False) -> tuple[str, list[np.ndarray]]:
        """The program with these values as additional results, and the arrays for its additional arguments."""
        text, captured = self._native.program(list(values), double)
        arrays = [_array(*array) for array in captured]
        return text, [as_double(array) for array in arrays] if double else arrays


def _array(element: str, sizes: Sequence[int], data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype_of(element)).reshape(sizes)


def is_float(dtype: Any) -> bool:
    """Whether this is a type of real floats, including those of ``ml_dtypes``."""
    dtype = np.dtype(dtype)
    return dtype.kind == "f" or (dtype.kind == "V" and "float" in dtype.name)


def as_double(array: np.ndarray) -> np.ndarray:
    """Floats of 16 and 32 bits widened to 64; other arrays as they are."""
    if array.dtype == np.complex64:
        return array.astype(np.complex128)
    is_wider = array.dtype.name in ("float16", "bfloat16", "float32")
    return array.astype(np.float64) if is_wider else array
