"""The options of conversions, and their types for the callers of the package."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Weights = Literal["embed", "external", "inputs"]
ReturnMode = Literal["proto", "ir", "file", "bytes"]
ExternalData = Literal["auto", "always", "never", "reference"]


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a conversion of text. Most have the names of the command line's options."""

    model_name: str | None = None
    """The name of the graph."""
    opset: int | None = None
    """The opset, 18 to 26. A number is binding."""
    strict_nan: bool = False
    """Treat NaN exactly as XLA does, which makes max-reductions and max-pools slower."""
    max_ops: int | None = None
    """The limit on the ops of the program after its calls are inlined."""
    max_folded: int | None = None
    """The limit on the bytes of constants that the compiler computes from others."""
    dims: Sequence[tuple[str, int]] | Mapping[str, int] = ()
    """Numbers for symbolic sizes."""
    dynamic: Sequence[str] = ()
    """Sizes that become symbolic: ``["x:0=batch"]``."""
    input_names: Sequence[str] = ()
    """Names of all inputs."""
    output_names: Sequence[str] = ()
    """Names of all outputs."""
    nchw_inputs: Sequence[str] = ()
    """Inputs that are images with their channels first."""
    nchw_outputs: Sequence[str] = ()
    """Outputs that are images with their channels first."""
    keep_functions: bool = False
    """Keep modules and JAX functions as functions of the model."""
    debug_info: bool = False
    """Give each node its Python line and its module path."""
    external_data: ExternalData = "auto"
    """Whether large constants go to a file beside the model: ``auto``, ``always``, ``never`` or ``reference``, which leaves
    weights in their own file."""
    weights: Sequence[str | os.PathLike[str]] = ()
    """Files of weights to bind arguments to: safetensors, npz, or Flax's msgpack."""
    weights_prefix: str | None = None
    """Use only the tensors below this path, and drop it from their paths."""
    renames: Sequence[tuple[str, str]] = ()
    """Replacements of the beginning of tensors' paths; the first that matches counts."""
    weights_by_order: bool = False
    """Bind the sorted tensors to the first arguments, for a text without names."""

    def _request(self) -> dict[str, Any]:
        """The form that the native half accepts."""
        request: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Mapping):
                value = list(value.items())
            elif isinstance(value, Sequence) and not isinstance(value, str):
                value = list(value)
            request[field.name] = value
        request["weights"] = [os.fspath(path) for path in self.weights]
        request["arrays"] = []
        request["weight_inputs"] = []
        request["value_map"] = False
        return request


class OptionFields(TypedDict, total=False):
    """The fields of `Options` as keyword arguments."""

    model_name: str | None
    opset: int | None
    strict_nan: bool
    max_ops: int | None
    max_folded: int | None
    dims: Sequence[tuple[str, int]] | Mapping[str, int]
    dynamic: Sequence[str]
    input_names: Sequence[str]
    output_names: Sequence[str]
    nchw_inputs: Sequence[str]
    nchw_outputs: Sequence[str]
    keep_functions: bool
    debug_info: bool
    external_data: ExternalData
    weights: Sequence[str | os.PathLike[str]]
    weights_prefix: str | None
    renames: Sequence[tuple[str, str]]
    weights_by_order: bool


class FunctionOptions(TypedDict, total=False):
    """The keyword arguments of `to_onnx` that do not decide what it returns."""

    variables: Any
    enable_double_precision: bool
    inputs_as_nchw: Sequence[int | str] | None
    outputs_as_nchw: Sequence[int | str] | None
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None
    dims: Mapping[str, int] | None
    dynamic: Sequence[str] | None
    weights: Weights
    keep_functions: bool
    debug_info: bool
    strict_nan: bool
    verify: bool
    export_mode: Literal["standard", "web"]
    normalization_mode: str
    record_primitive_calls_file: str | os.PathLike[str] | None
