"""Conversions of functions and models, and of text."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _diagnostics, _inputs, _lowering, _native
from ._diagnostics import Diagnostic, logger
from ._models import as_model
from ._options import ExternalData, FunctionOptions, OptionFields, Options, ReturnMode, Weights

if TYPE_CHECKING:
    import onnx
    import onnx_ir

    # Type checkers know this module also where it is not installed.
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
    keep_functions: bool = False,
    debug_info: bool = False,
    strict_nan: bool = False,
    verify: bool = False,
    export_mode: Literal["standard", "web"] = "standard",
    normalization_mode: str = "auto",
    record_primitive_calls_file: str | os.PathLike[str] | None = None,
) -> Any:
    """Convert a JAX function or a model to ONNX.

    Args:
        fn: A function; a Flax Linen module with ``variables``, or a bound one; a Flax NNX or Equinox module; a Keras model on
            the JAX backend; or a method of one of these. Arrays that it closes over become initializers. They must not
            change during the conversion, because the compiler reads them in place.
        inputs: An item for each positional argument: an array, a ``jax.ShapeDtypeStruct``, a shape such as
            ``("B", 32)`` (of ``float32``), or a tree of those. A name in a shape is a symbolic size.
        input_params: Keyword arguments. Arrays become inputs of the model; other Python values become part of the program.
        model_name: The name of the graph.
        opset: The opset, 18 to 26. A number is binding; ``None`` selects 23, or a later one that an op needs.
        variables: The variables of a Linen module that is not bound.
        enable_double_precision: Trace with 64-bit types.
        return_mode: ``"proto"`` returns an ``onnx.ModelProto``, ``"ir"`` an ``onnx_ir.Model``, ``"bytes"`` the file's bytes;
            ``"file"`` writes ``output_path`` and returns it.
        output_path: The file to write. Every ``return_mode`` writes it; only ``"file"`` needs it.
        inputs_as_nchw: Inputs, by position or name, that are images with their channels first in the model.
        outputs_as_nchw: Outputs, by position or name, that are images with their channels first in the model.
        input_names: Names of all inputs; by default those of the parameters.
        output_names: Names of all outputs.
        dims: Numbers for symbolic sizes: ``{"B": 8}``.
        dynamic: Sizes that are numbers in ``inputs`` and become symbolic in the model: ``["x:0=batch"]``.
        weights: ``"embed"`` keeps weights in the model, ``"external"`` in a file beside it, ``"inputs"`` makes them inputs.
        keep_functions: Keep modules and JAX functions as functions of the model.
        debug_info: Give each node its Python line and its module path.
        strict_nan: Treat NaN exactly as XLA does, which makes max-reductions and max-pools slower.
        verify: Verify the model, and raise ``VerificationError`` if it differs from JAX.
        export_mode: ``"web"`` makes one file without external data.
        normalization_mode: Accepted for scripts of jax2onnx; the compiler chooses by itself.
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
    _check_return_mode(return_mode, output_path)
    if weights not in ("embed", "external", "inputs"):
        raise ValueError(f"weights is {weights!r}, and must be 'embed', 'external' or 'inputs'")
    if weights == "external" and return_mode != "file":
        raise ValueError("weights='external' needs return_mode='file': the weights lie beside a file")
    if weights == "external" and export_mode == "web":
        raise ValueError("export_mode='web' makes one file, and weights='external' two")
    with precision(enable_double_precision):
        model = as_model(fn, variables)
        read = _inputs.read(model.signature, inputs, input_params)
        if read.flags:
            flags = ", ".join(f"{name}={value!r}" for name, value in read.flags.items())
            logger.info("part of the program, and not inputs of the model: %s", flags)
        if weights == "inputs":
            _lowering.check_weight_inputs()
        program = _lowering.lower(model.function, read, model.names)
    options = Options(
        model_name=model_name or model.name,
        opset=opset,
        strict_nan=strict_nan,
        dims=tuple((dims or {}).items()),
        dynamic=tuple(dynamic or ()),
        input_names=_input_names(input_names, read, program, weights),
        output_names=tuple(output_names or ()),
        nchw_inputs=tuple(map(str, inputs_as_nchw or ())),
        nchw_outputs=tuple(map(str, outputs_as_nchw or ())),
        keep_functions=keep_functions,
        debug_info=debug_info,
        external_data=_external_data(weights, export_mode),
    )
    request = options._request()
    if weights == "inputs":
        request["weight_inputs"] = [(array.id, array.name) for array in program.arrays]
    else:
        request["arrays"] = [array.request() for array in program.arrays]
    source = (f"<{options.model_name}>", program.text.encode())
    model_bytes = _run(source, request, output_path if return_mode == "file" else None)
    if verify:
        from ._verification import FunctionSubject, require

        subject = FunctionSubject(fn, inputs, input_params, variables, enable_double_precision, program)
        made = model_bytes if model_bytes is not None else output_path
        require(subject, made, options, weights_are_inputs=weights == "inputs")
    return _returned(model_bytes, return_mode, output_path)


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
    """Convert a program that is lowered already.

    Args:
        source: A path; the text of a program as ``str`` or ``bytes``; a ``jax.stages.Lowered``; or a
            ``jax.export.Exported``. A ``str`` without a line break is a path.
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
    _check_return_mode(return_mode, output_path)
    request = Options(**options)._request()
    model = _run(_text(source), request, output_path if return_mode == "file" else None)
    return _returned(model, return_mode, output_path)


def check(source: Any, **options: Unpack[OptionFields]) -> tuple[Diagnostic, ...]:
    """Report every problem of a program, without a model.

    Args:
        source: As in `convert`.
        **options: The fields of `Options`.

    Returns:
        The diagnostics in the order of the text. Errors do not raise.

    Raises:
        TypeError, ValueError: An argument is not valid.
    """
    document, _ = _native.check_text(_text(source), Options(**options)._request())
    return _diagnostics.parse(json.loads(document)["files"][0]["diagnostics"])


def ignored(normalization_mode: str, record_primitive_calls_file: Any) -> None:
    """Report jax2onnx's arguments that have no effect here."""
    if normalization_mode != "auto":
        logger.info("normalization_mode=%r changes nothing: normalizations are found in the program", normalization_mode)
    if record_primitive_calls_file is not None:
        warnings.warn("record_primitive_calls_file writes nothing: no primitive is called", stacklevel=3)


def precision(double: bool) -> contextlib.AbstractContextManager[Any]:
    """Enable 64-bit types in this thread, if ``double`` is set."""
    if not double:
        return contextlib.nullcontext()
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64  # type: ignore[attr-defined]

    return enable_x64(True)


def _check_return_mode(return_mode: ReturnMode, output_path: Any) -> None:
    if return_mode not in ("proto", "ir", "file", "bytes"):
        raise ValueError(f"return_mode is {return_mode!r}, and must be 'proto', 'ir', 'file' or 'bytes'")
    if return_mode == "file" and output_path is None:
        raise ValueError("return_mode='file' needs an output_path")


def _external_data(weights: Weights, export_mode: str) -> ExternalData:
    if export_mode not in ("standard", "web"):
        raise ValueError(f"export_mode is {export_mode!r}, and must be 'standard' or 'web'")
    if export_mode == "web":
        return "never"
    return "always" if weights == "external" else "auto"


def _input_names(
    given: Sequence[str] | None, read: _inputs.Inputs, program: _lowering.Program, weights: Weights
) -> tuple[str, ...]:
    """The names of all inputs, those of weights after the others."""
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
    raise TypeError(
        f"a program is a path, text, `jax.stages.Lowered` or `jax.export.Exported`, and not `{type(source).__name__}`"
    )


def _run(source: Any, request: dict[str, Any], output: Any) -> bytes | None:
    """Convert; returns the model as bytes, or ``None`` when it went to a file. Raises, warns of and logs diagnostics."""
    converted = _native.convert_text(source, request, None if output is None else os.fspath(output))
    # The caller of `to_onnx` or `convert` is three frames up.
    _diagnostics.report(converted.text, _diagnostics.parse(converted.diagnostics), stacklevel=3)
    return converted.model


def _returned(model: bytes | None, return_mode: ReturnMode, output_path: Any) -> Any:
    if return_mode == "file" or model is None:
        return os.fspath(output_path)
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
