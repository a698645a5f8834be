"""Compiles JAX, Flax and StableHLO programs to ONNX.

    from hlo2onnx import to_onnx

    model = to_onnx(lambda x: module.apply(variables, x), inputs=[("B", 28, 28, 1)])

The calls that need JAX, onnx or onnxruntime import them.
"""

from ._comparison import allclose
from ._conversion import check, convert, to_onnx
from ._diagnostics import ConversionError, ConversionWarning, Diagnostic, Label, PythonFrame
from ._functions import onnx_function
from ._native import __version__
from ._options import Options
from ._verification import Report, VerificationError, verify

__all__ = [
    "ConversionError",
    "ConversionWarning",
    "Diagnostic",
    "Label",
    "Options",
    "PythonFrame",
    "Report",
    "VerificationError",
    "__version__",
    "allclose",
    "check",
    "convert",
    "onnx_function",
    "to_onnx",
    "verify",
]
