"""Runs models in ONNX Runtime, including element types that NumPy lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._comparison import open_session


class Runner:
    """A session of one model."""

    def __init__(self, model: Any, *, optimized: bool = True) -> None:
        self.session = open_session(model, optimized=optimized)
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [value.name for value in self.session.get_outputs()]

    def __call__(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs for these inputs. Inputs that the model does not have are ignored."""
        held = {name: _held(feeds[name]) for name in self.inputs}
        results = self.session.run_with_ort_values(None, held)
        return [_array(result) for result in results]


def element_type(dtype: Any) -> int:
    """ONNX's element type for a NumPy type."""
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def element_name(kind: int) -> str:
    """The name of an element type of ONNX, such as ``float``."""
    import onnx

    return str(onnx.TensorProto.DataType.Name(kind)).lower()


def _held(array: np.ndarray) -> Any:
    import onnxruntime

    array = np.asarray(array, order="C")
    # The kind of a type of `ml_dtypes` can be that of a float.
    if array.dtype.isbuiltin != 2:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    # ONNX Runtime takes the bits and the number of the type.
    bits = array.view(np.dtype(f"u{array.dtype.itemsize}"))
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, element_type(array.dtype))


def _array(value: Any) -> np.ndarray:
    name = value.data_type()
    if name not in _BITS:
        return value.numpy()
    import ml_dtypes

    return _bits(value).view(getattr(ml_dtypes, _BITS[name])).reshape(value.shape())


_BITS = {
    "tensor(bfloat16)": "bfloat16",
    "tensor(float8e4m3fn)": "float8_e4m3fn",
    "tensor(float8e4m3fnuz)": "float8_e4m3fnuz",
    "tensor(float8e5m2)": "float8_e5m2",
    "tensor(float8e5m2fnuz)": "float8_e5m2fnuz",
}


def _bits(value: Any) -> np.ndarray:
    """The bits of elements whose type NumPy lacks."""
    import ctypes

    wide = value.data_type() == "tensor(bfloat16)"
    count = int(np.prod(value.shape(), dtype=np.int64))
    dtype = np.dtype(np.uint16 if wide else np.uint8)
    if not count:
        return np.zeros(0, dtype)
    held = (ctypes.c_ubyte * (count * dtype.itemsize)).from_address(value.data_ptr())
    return np.frombuffer(memoryview(held), dtype).copy()


def names(nodes: Sequence[Any]) -> list[str]:
    """The names of nodes, or the names of their first outputs for nodes without a name."""
    return [node.name or next(iter(node.output), "") for node in nodes]


def first_line(error: BaseException) -> str:
    """The first line of an error: the messages of ONNX Runtime and JAX are long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
