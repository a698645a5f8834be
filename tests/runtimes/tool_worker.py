"""Transforms models by one tool: `tool_worker.py TOOL FOLDER`; worker.py describes the protocol.

A failure of the tool, or of ONNX Runtime to load what it made, is one at load. The results are those of the new model.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import worker


def symbolic_shape_inference(path: str, made: str) -> None:
    """ONNX Runtime's symbolic shape inference, which must be complete."""
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    onnx.save(SymbolicShapeInference.infer_shapes(onnx.load(path), auto_merge=False, guess_output_rank=False), made)


def quantize_static(path: str, made: str) -> None:
    """ONNX Runtime's static quantisation, after its preprocessing, calibrated with random inputs."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Random(CalibrationDataReader):
        """Two sets of random inputs."""

        def __init__(self, model: onnx.ModelProto) -> None:
            self.sets = iter([inputs(model, seed) for seed in (0, 1)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.sets, None)

    prepared = f"{made}.prepared.onnx"
    quant_pre_process(path, prepared)
    quantize_static(prepared, made, Random(onnx.load(path)), quant_format=QuantFormat.QDQ)
    os.remove(prepared)


def float16(path: str, made: str) -> None:
    """ONNX Runtime's float16 converter, which keeps the types of inputs and outputs."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), made)


def onnxslim(path: str, made: str) -> None:
    """onnxslim."""
    from onnxslim import slim

    slim(path, made)


TOOLS = {tool.__name__: tool for tool in (symbolic_shape_inference, quantize_static, float16, onnxslim)}


def inputs(model: onnx.ModelProto, seed: int) -> dict[str, np.ndarray]:
    """Random inputs of a model; symbolic sizes are 2.

    Weights can be inputs too: floats are small and positive, because that of a variance must be, and large ones overflow in
    f16.
    """
    random = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    made = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        shape = [size.dim_value or 2 for size in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        # Small integers are valid indices of most tables.
        numbers = random.random(shape) / 10 if dtype.kind == "f" else random.integers(0, 2, shape)
        made[value.name] = np.asarray(numbers).astype(dtype)
    return made


def start() -> Callable[[str], worker.Run]:
    """Makes what loads a model after its transformation."""
    transform, folder = TOOLS[sys.argv[1]], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    load = worker.onnxruntime()

    def transformed(path: str) -> worker.Run:
        made = str(folder / f"{transform.__name__}.{os.getpid()}.onnx")
        with contextlib.redirect_stdout(io.StringIO()):
            transform(path, made)
        run = load(made)
        os.remove(made)
        return run

    return transformed


if __name__ == "__main__":
    worker.answer_all(start)
