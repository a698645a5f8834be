"""Type checks of the public API. mypy reads this file; nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

import hlo2onnx

if TYPE_CHECKING:
    from typing_extensions import assert_type


def of_functions(fn: Any, path: Path) -> None:
    """``return_mode`` decides the type."""
    assert_type(hlo2onnx.to_onnx(fn, [(3,)]), onnx.ModelProto)
    assert_type(hlo2onnx.to_onnx(fn, [(3,)], return_mode="proto", weights="inputs"), onnx.ModelProto)
    assert_type(hlo2onnx.to_onnx(fn, [(3,)], return_mode="bytes", opset=23), bytes)
    assert_type(hlo2onnx.to_onnx(fn, [(3,)], None, "name", 23, return_mode="file", output_path=path), str)
    hlo2onnx.to_onnx(fn, [(3,)], weights="outside")  # type: ignore[call-overload]
    hlo2onnx.to_onnx(fn, [(3,)], keep_function=True)  # type: ignore[call-overload]


def of_texts(path: Path) -> None:
    """Options are known by name and type."""
    assert_type(hlo2onnx.convert(path), onnx.ModelProto)
    assert_type(hlo2onnx.convert(path, return_mode="bytes", dims={"B": 8}), bytes)
    assert_type(hlo2onnx.convert(path, return_mode="file", output_path=path, external_data="always"), str)
    assert_type(hlo2onnx.check(path, max_ops=10), tuple[hlo2onnx.Diagnostic, ...])
    hlo2onnx.convert(path, external_data="sometimes")  # type: ignore[call-overload]
    hlo2onnx.check(path, max_op=10)  # type: ignore[call-arg]
    hlo2onnx.verify(path, path, opset="23")  # type: ignore[arg-type]
    hlo2onnx.Options(external_data="sometimes")  # type: ignore[arg-type]
