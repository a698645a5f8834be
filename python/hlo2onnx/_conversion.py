"""Conversions of functions and models, and of text."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _diagnostics, _inputs, _lowering, _native
from ._arguments import one_of
from ._diagnostics import Diagnostic, logger
from ._models import as_model
from ._options import (
    ExportMode,
    ExternalData,
    FunctionOptions,
    OptionFields,
    Options,
    ReturnMode,
    Weights,
    options_of,
)

if TYPE_CHECKING:
    import onnx
    import onnx_ir

    # Type checkers know this module even if it is not installed.
    from typing_extensions import Unpack


@overload
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    return_mode: Literal["proto"] = "proto",
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[FunctionOptions],
) -> onnx.ModelProto: ...
@overload
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    return_mode: Literal["ir"],
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[FunctionOptions],
) -> onnx_ir.Model: ...
@overload
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    return_mode: Literal["bytes"],
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[FunctionOptions],
) -> bytes: ...
@overload
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    return_mode: Literal["file"],
    output_path: str | os.PathLike[str],
    **options: Unpack[FunctionOptions],
) -> str: ...
@overload
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    return_mode: ReturnMode,
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[FunctionOptions],
) -> Any: ...
def to_onnx(
    fn: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    model_name: str | None = None,
    opset: int | None = None,
    *,
    target: str | None = None,
    variables: Any = None,
    enable_double_precision: bool = False,
    return_mode: ReturnMode = "proto",
    output_path: str | os.PathLike[str] | None = None,
    inputs_as_nchw: Sequence[int | str] | None = None,
    outputs_as_nchw: Sequence[int | str] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dims: Mapping[str, int] | None = None,
    dynamic: Sequence[str] | None = None,
    weights: Weights = "embed",
    float16: bool = False,
    keep_functions: bool = False,
    debug_info: bool = False,
    value_info: bool = True,
    strict_nan: bool = False,
    max_ops: int | None = None,
    max_folded: int | None = None,
    verify: bool = False,
    export_mode: ExportMode = "standard",
    normalization_mode: str = "auto",
    record_primitive_calls_file: str | os.PathLike[str] | None = None,
) -> Any:
    """Convert a JAX function or a model to ONNX.

    Args:
        fn: A function; a Flax Linen module with ``variables``, or a bound one; a Flax NNX or Equinox module; a Keras model on
            the JAX backend; or a method of one of these. Arrays that it closes over become initializers. They must not
            change during the conversion, because the compiler reads them in place.
        inputs: An item for each positional argument: an array, a ``jax.ShapeDtypeStruct``, a shape such as
            ``("B", 32)`` (of ``float32``), or a tree of those. A name in a shape is a symbolic size. A Python number
            is an input of the model too; flags belong to ``input_params``.
        input_params: Keyword arguments. Arrays become inputs of the model; other Python values, and tuples of
            numbers, become part of the program.
        model_name: The name of the graph.
        opset: The opset, 15 to 26. A number is never raised; ``None`` selects that of the target, or 18, or a later
            one that an op needs.
        target: The runtime that the model is for, such as ``"onnxruntime:1.20"``; ``hlo2onnx targets`` lists all.
        variables: The variables of a Linen module that is not bound.
        enable_double_precision: Trace with 64-bit types.
        return_mode: ``"proto"`` returns an ``onnx.ModelProto``, ``"ir"`` an ``onnx_ir.Model``, ``"bytes"`` the file's bytes;
            ``"file"`` writes ``output_path`` and returns it.
        output_path: The file to write. Every ``return_mode`` writes it; only ``"file"`` needs it.
        inputs_as_nchw: Inputs, by position or name, that are channels-first (NCHW) images in the model.
        outputs_as_nchw: Outputs, by position or name, that are channels-first (NCHW) images in the model.
        input_names: Names of all inputs; by default those of the parameters.
        output_names: Names of all outputs.
        dims: Numbers for symbolic sizes: ``{"B": 8}``.
        dynamic: Sizes that are numbers in ``inputs`` and become symbolic in the model: ``["x:0=batch"]``.
        weights: ``"embed"`` stores weights in the model, ``"external"`` in a separate file, ``"inputs"`` makes them inputs.
        float16: Compute products, convolutions and the ops between them in float16, and store their weights so.
        keep_functions: Keep modules and JAX functions as functions of the model.
        debug_info: Write each node's Python line and module path into the model.
        value_info: Write the types of intermediate values, which quantization and shape inference read, unless they need 10 MiB.
        strict_nan: Treat NaN exactly as XLA does, which makes max-reductions and max-pools slower.
        max_ops: The limit on the ops of the program after its calls are inlined.
        max_folded: The limit on the bytes of constants computed by folding.
        verify: Verify the model, and raise ``VerificationError`` if it differs from JAX.
        export_mode: ``"web"`` writes one file without external data.
        normalization_mode: Accepted for scripts of jax2onnx; no effect.
        record_primitive_calls_file: Accepted for scripts of jax2onnx, with a warning.

    Returns:
        What ``return_mode`` selects.

    Raises:
        ConversionError: The program cannot be converted. The error names each problem with its Python line.
        VerificationError: ``verify`` is set and the model differs from JAX.
        ImportError: A package that ``return_mode`` or ``verify`` needs is not installed.
        TypeError, ValueError: An argument is not valid.
    """
    ignored(normalization_mode, record_primitive_calls_file)
    path = _destination(return_mode, output_path)
    one_of("weights", weights, ("embed", "external", "inputs"))
    one_of("export_mode", export_mode, ("standard", "web"))
    if weights == "external" and return_mode != "file":
        raise ValueError("weights='external' needs return_mode='file': the weights are stored next to the model file")
    if weights == "external" and export_mode == "web":
        raise ValueError("export_mode='web' writes one file, but weights='external' writes two")
    options = Options(
        model_name=model_name,
        opset=opset,
        target=target,
        strict_nan=strict_nan,
        max_ops=max_ops,
        max_folded=max_folded,
        dims=dims or (),
        dynamic=dynamic or (),
        input_names=() if input_names is None else input_names,
        output_names=() if output_names is None else output_names,
        inputs_as_nchw=() if inputs_as_nchw is None else inputs_as_nchw,
        outputs_as_nchw=() if outputs_as_nchw is None else outputs_as_nchw,
        float16=float16,
        keep_functions=keep_functions,
        debug_info=debug_info,
        value_info=value_info,
        external_data=_external_data(weights, export_mode),
    )
    # Invalid arguments are reported before the trace, which can take long.
    options._request()
    with precision(enable_double_precision):
        model = as_model(fn, variables)
        read = _inputs.read(model.signature, inputs, input_params)
        if read.flags:
            flags = ", ".join(f"{name}={value!r}" for name, value in read.flags.items())
            logger.info("part of the program, not inputs of the model: %s", flags)
        if weights == "inputs":
            _lowering.check_weight_inputs()
        program = _lowering.lower(model.function, read, model.names)
    options = dataclasses.replace(
        options,
        model_name=model_name or model.name,
        input_names=_input_names(options.input_names, read, program, weights),
    )
    request = options._request()
    if weights == "inputs":
        request["weight_inputs"] = [(array.id, array.name) for array in program.arrays]
    else:
        request["arrays"] = [array.request() for array in program.arrays]
    source = (f"<{options.model_name}>", program.text.encode())
    model_bytes = _run(source, request, path if return_mode == "file" else None)
    if verify:
        from ._verification import FunctionSubject, require

        subject = FunctionSubject(fn, inputs, input_params, variables, enable_double_precision, program)
        made = model_bytes if model_bytes is not None else path
        require(subject, made, options, weights_are_inputs=weights == "inputs")
    return _returned(model_bytes, return_mode, path)


@overload
def convert(
    source: Any,
    *,
    return_mode: Literal["proto"] = "proto",
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[OptionFields],
) -> onnx.ModelProto: ...
@overload
def convert(
    source: Any,
    *,
    return_mode: Literal["ir"],
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[OptionFields],
) -> onnx_ir.Model: ...
@overload
def convert(
    source: Any,
    *,
    return_mode: Literal["bytes"],
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[OptionFields],
) -> bytes: ...
@overload
def convert(
    source: Any,
    *,
    return_mode: Literal["file"],
    output_path: str | os.PathLike[str],
    **options: Unpack[OptionFields],
) -> str: ...
@overload
def convert(
    source: Any,
    *,
    return_mode: ReturnMode,
    output_path: str | os.PathLike[str] | None = None,
    **options: Unpack[OptionFields],
) -> Any: ...
def convert(
    source: Any,
    *,
    output_path: str | os.PathLike[str] | None = None,
    return_mode: ReturnMode = "proto",
    **options: Unpack[OptionFields],
) -> Any:
    """Convert a lowered program.

    Args:
        source: A path; the text of a program as ``str`` or ``bytes``; the ``bytes`` of StableHLO's bytecode or of
            ``jax.export.Exported.serialize()``; a ``jax.stages.Lowered``; or a ``jax.export.Exported``. A ``str`` without
            a line break is a path.
        output_path: As in `to_onnx`.
        return_mode: As in `to_onnx`.
        **options: The fields of `Options`.

    Returns:
        What ``return_mode`` selects.

    Raises:
        ConversionError: The program cannot be converted.
        ImportError: A package that ``return_mode`` needs is not installed.
        TypeError, ValueError: An argument is not valid.
    """
    path = _destination(return_mode, output_path)
    asked = options_of(options)
    if asked.external_data == "always" and return_mode != "file":
        raise ValueError("external_data='always' needs return_mode='file': the weights are stored next to the model file")
    model = _run(_text(source), asked._request(), path if return_mode == "file" else None)
    return _returned(model, return_mode, path)


def check(source: Any, **options: Unpack[OptionFields]) -> tuple[Diagnostic, ...]:
    """Report every problem of a program, without writing a model.

    Args:
        source: As in `convert`.
        **options: The fields of `Options`.

    Returns:
        The diagnostics in the order of the text. Errors do not raise.

    Raises:
        TypeError, ValueError: An argument is not valid.
    """
    document = _native.check_text(_text(source), options_of(options)._request())
    return _diagnostics.parse(json.loads(document)["files"][0]["diagnostics"])


def ignored(normalization_mode: str, record_primitive_calls_file: Any) -> None:
    """Report jax2onnx's arguments that have no effect here."""
    one_of("normalization_mode", normalization_mode, ("auto", "prefer_native", "force_decomposed"))
    if normalization_mode != "auto":
        logger.info("normalization_mode=%r has no effect: normalizations are recognized in the program", normalization_mode)
    if record_primitive_calls_file is not None:
        warnings.warn("record_primitive_calls_file has no effect: the compiler does not convert primitives", stacklevel=3)


def precision(double: bool) -> contextlib.AbstractContextManager[Any]:
    """Enable 64-bit types in this thread, if ``double`` is set."""
    if not double:
        return contextlib.nullcontext()
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(True)


def _destination(return_mode: str, output_path: Any) -> str | None:
    """The path that the model is written to, if there is one."""
    one_of("return_mode", return_mode, ("proto", "ir", "file", "bytes"))
    if output_path is None:
        if return_mode == "file":
            raise ValueError("return_mode='file' needs an output_path")
        return None
    if not isinstance(output_path, (str, bytes, os.PathLike)):
        raise TypeError(f"output_path is {output_path!r}, but must be a path")
    return os.fsdecode(output_path)


def _external_data(weights: Weights, export_mode: ExportMode) -> ExternalData:
    if export_mode == "web":
        return "never"
    return "always" if weights == "external" else "auto"


def _input_names(
    given: Sequence[str], read: _inputs.Inputs, program: _lowering.Program, weights: Weights
) -> tuple[str, ...]:
    """The names of all inputs, weights last."""
    names = tuple(given or read.names)
    if weights == "inputs" and len(names) == len(read.names):
        names += tuple(array.name for array in program.arrays)
    return names


def _text(source: Any) -> str | tuple[str, bytes]:
    """A path, or a name and the text itself."""
    if isinstance(source, os.PathLike):
        return os.fspath(source)
    if isinstance(source, str):
        return ("<text>", source.encode()) if "\n" in source else source
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<text>", bytes(source)
    if hasattr(source, "mlir_module"):
        return f"<{source.fun_name}>", source.mlir_module().encode()
    if hasattr(source, "compiler_ir"):
        module = source.compiler_ir("stablehlo")
        return "<lowered>", module.operation.get_asm(enable_debug_info=True).encode()
    hint = "; `to_onnx` takes a function" if callable(source) else ""
    raise TypeError(
        f"a program is a path, text, `jax.stages.Lowered` or `jax.export.Exported`, not `{type(source).__name__}`{hint}"
    )


def _run(source: Any, request: dict[str, Any], output: str | None) -> bytes | None:
    """Convert and report diagnostics. Returns the model as bytes, or ``None`` if it was written to a file."""
    converted = _native.convert_text(source, request, output)
    # The caller of `to_onnx` or `convert` is three frames up.
    _diagnostics.report(converted.text, _diagnostics.parse(converted.diagnostics), stacklevel=3)
    return converted.model


def _returned(model: bytes | None, return_mode: ReturnMode, output_path: str | None) -> Any:
    if return_mode == "file" or model is None:
        return output_path
    if output_path is not None:
        with open(output_path, "wb") as file:
            file.write(model)
    if return_mode == "bytes":
        return model
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"return_mode={return_mode!r} needs the package `onnx`; return_mode='bytes' does not") from error
    proto = onnx.ModelProto.FromString(model)
    if return_mode == "proto":
        return proto
    try:
        import onnx_ir
    except ImportError as error:
        raise ImportError("return_mode='ir' needs the package `onnx_ir`") from error
    return onnx_ir.serde.deserialize_model(proto)
