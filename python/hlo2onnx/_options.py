"""The options of conversions, and their types for the callers of the package."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from . import _arguments

Weights = Literal["embed", "external", "inputs"]
ReturnMode = Literal["proto", "ir", "file", "bytes"]
ExportMode = Literal["standard", "web"]
ExternalData = Literal["auto", "always", "never", "reference"]


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a conversion of text. Most have the names of the command line's options."""

    model_name: str | None = None
    """The name of the graph."""
    opset: int | None = None
    """The opset, 15 to 26. A number is never raised."""
    target: str | None = None
    """The runtime that the model is for, such as ``"onnxruntime:1.20"``; ``hlo2onnx targets`` lists all."""
    strict_nan: bool = False
    """Treat NaN exactly as XLA does, which makes max-reductions and max-pools slower."""
    max_ops: int | None = None
    """The limit on the ops of the program after its calls are inlined."""
    max_folded: int | None = None
    """The limit on the bytes of constants computed by folding."""
    dims: Sequence[tuple[str, int]] | Mapping[str, int] = ()
    """Numbers for symbolic sizes."""
    dynamic: Sequence[str] = ()
    """Sizes that become symbolic: ``["x:0=batch"]``."""
    input_names: Sequence[str] = ()
    """Names of all inputs."""
    output_names: Sequence[str] = ()
    """Names of all outputs."""
    inputs_as_nchw: Sequence[int | str] = ()
    """Inputs, by position or name, that are channels-first (NCHW) images in the model."""
    outputs_as_nchw: Sequence[int | str] = ()
    """Outputs, by position or name, that are channels-first (NCHW) images in the model."""
    float16: bool = False
    """Compute products, convolutions and the ops between them in float16, and store their weights so."""
    keep_functions: bool = False
    """Keep modules and JAX functions as functions of the model."""
    debug_info: bool = False
    """Write each node's Python line and module path into the model."""
    value_info: bool = True
    """Write the types of intermediate values, which quantization and shape inference read, unless they need 10 MiB."""
    external_data: ExternalData = "auto"
    """Whether large constants go to a separate file: ``auto``, ``always``, ``never`` or ``reference``, which leaves weights in
    their own file."""
    weights: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] = ()
    """Files of weights to bind arguments to: safetensors, npz, or Flax's msgpack."""
    weights_prefix: str | None = None
    """Use only the tensors below this path, and remove it from their paths."""
    renames: Sequence[tuple[str, str]] | Mapping[str, str] = ()
    """Replacements of the beginning of tensors' paths; the first match applies."""
    weights_by_order: bool = False
    """Bind the sorted tensors to the first arguments, for a text without names."""

    def _request(self) -> dict[str, Any]:
        """The form that the native half accepts.

        Raises:
            TypeError, ValueError: A field is not valid.
        """
        paths = [self.weights] if isinstance(self.weights, (str, os.PathLike)) else self.weights
        return {
            "model_name": _arguments.text("model_name", self.model_name),
            "opset": _arguments.whole("opset", self.opset, 2**32),
            "target": _arguments.text("target", self.target),
            "strict_nan": _arguments.flag("strict_nan", self.strict_nan),
            "max_ops": _arguments.whole("max_ops", self.max_ops),
            "max_folded": _arguments.whole("max_folded", self.max_folded),
            "dims": [(symbol, _arguments.size(symbol, size)) for symbol, size in _arguments.pairs("dims", self.dims)],
            "dynamic": _arguments.names("dynamic", self.dynamic),
            "input_names": _arguments.names("input_names", self.input_names),
            "output_names": _arguments.names("output_names", self.output_names),
            "nchw_inputs": _arguments.places("inputs_as_nchw", self.inputs_as_nchw),
            "nchw_outputs": _arguments.places("outputs_as_nchw", self.outputs_as_nchw),
            "float16": _arguments.flag("float16", self.float16),
            "keep_functions": _arguments.flag("keep_functions", self.keep_functions),
            "debug_info": _arguments.flag("debug_info", self.debug_info),
            "value_info": _arguments.flag("value_info", self.value_info),
            "external_data": _arguments.one_of("external_data", self.external_data, ("auto", "always", "never", "reference")),
            "weights": [_arguments.path(path) for path in _arguments.listed("weights", paths)],
            "weights_prefix": _arguments.text("weights_prefix", self.weights_prefix),
            "renames": [(old, _arguments.text("renames", new)) for old, new in _arguments.pairs("renames", self.renames)],
            "weights_by_order": _arguments.flag("weights_by_order", self.weights_by_order),
            "arrays": [],
            "weight_inputs": [],
            "value_map": False,
            "skip_passes": [],
        }


def options_of(given: Mapping[str, Any]) -> Options:
    """Options of these keywords."""
    names = [field.name for field in dataclasses.fields(Options)]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            known = f"did you mean `{near[0]}`?" if near else f"the options are {', '.join(names)}"
            raise TypeError(f"unknown option `{name}`; {known}")
    return Options(**given)


class OptionFields(TypedDict, total=False):
    """The fields of `Options` as keyword arguments."""

    model_name: str | None
    opset: int | None
    target: str | None
    strict_nan: bool
    max_ops: int | None
    max_folded: int | None
    dims: Sequence[tuple[str, int]] | Mapping[str, int]
    dynamic: Sequence[str]
    input_names: Sequence[str]
    output_names: Sequence[str]
    inputs_as_nchw: Sequence[int | str]
    outputs_as_nchw: Sequence[int | str]
    float16: bool
    keep_functions: bool
    debug_info: bool
    value_info: bool
    external_data: ExternalData
    weights: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]
    weights_prefix: str | None
    renames: Sequence[tuple[str, str]] | Mapping[str, str]
    weights_by_order: bool


class FunctionOptions(TypedDict, total=False):
    """The keyword arguments of `to_onnx` that do not decide what it returns."""

    target: str | None
    variables: Any
    enable_double_precision: bool
    inputs_as_nchw: Sequence[int | str] | None
    outputs_as_nchw: Sequence[int | str] | None
    input_names: Sequence[str] | None
    output_names: Sequence[str] | None
    dims: Mapping[str, int] | None
    dynamic: Sequence[str] | None
    weights: Weights
    float16: bool
    keep_functions: bool
    debug_info: bool
    value_info: bool
    strict_nan: bool
    max_ops: int | None
    max_folded: int | None
    verify: bool
    export_mode: ExportMode
    normalization_mode: str
    record_primitive_calls_file: str | os.PathLike[str] | None
