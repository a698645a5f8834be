"""Runs the examples that jax2onnx registers with the import changed, and compares the models with JAX.

    python python/tests/jax2onnx_examples.py              # all of them
    python python/tests/jax2onnx_examples.py vit gpt      # those whose names contain a word

It needs jax2onnx, Flax, Equinox and onnxruntime, and is not part of the tests.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import time
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from jax import export

import hlo2onnx

RTOL, ATOL = 1e-3, 1e-4
SAME = (
    "input_params",
    "inputs_as_nchw",
    "outputs_as_nchw",
    "input_names",
    "output_names",
    "normalization_mode",
)
"""Fields of a test case that are arguments of ``to_onnx`` by the same name."""


def main() -> int:
    """Run the examples; returns 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    words = parser.parse_args().words
    warnings.simplefilter("ignore")
    passed = total = 0
    for name, case in cases():
        if words and not any(word in name for word in words):
            continue
        total += 1
        started = time.monotonic()
        try:
            agrees, message = run(case)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            agrees, message = False, f"{type(error).__name__}: {str(error)[:400]} ({place.filename}:{place.lineno})"
        passed += agrees
        print(f"{'ok  ' if agrees else 'FAIL'} {name} ({time.monotonic() - started:.1f} s): {message}", flush=True)
        jax.clear_caches()
    print(f"{passed} of {total}")
    return int(passed < total)


def cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """The registered examples, whose `onnx_function` is ours."""
    from jax2onnx.plugins import examples, plugin_system

    def onnx_function(target: Any = None, **options: Any) -> Any:
        if target is None:
            return lambda target: onnx_function(target, **options)
        # One example writes to jax2onnx's record of a function.
        key = f"onnx_fn::{target.__module__}.{target.__qualname__}"
        plugin_system.PLUGIN_REGISTRY[key] = types.SimpleNamespace(primitive=types.SimpleNamespace())
        return hlo2onnx.onnx_function(target, **options)

    plugin_system.onnx_function = onnx_function
    for module in pkgutil.walk_packages(examples.__path__, f"{examples.__name__}."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            print(f"left out {module.name}: {error}")
    for key, example in sorted(plugin_system.EXAMPLE_REGISTRY.items()):
        for case in example["testcases"]:
            yield f"{key}/{case['testcase']}", case


def run(case: dict[str, Any]) -> tuple[bool, str]:
    """Convert one example, and compare it unless the example skips the numeric validation."""
    double = bool(case.get("run_only_f64_variant"))
    dtype = jnp.float64 if double else jnp.float32
    with jax.enable_x64(double):
        target = case["callable"]
        if getattr(target, "__jax2onnx_factory__", False):
            target = target.with_dtype(dtype).instantiate()
        inputs = inputs_of(case, dtype)
    options = {name: case[name] for name in SAME if case.get(name)}
    model = hlo2onnx.to_onnx(
        target, inputs, opset=case.get("opset_version"), enable_double_precision=double, **options
    )
    if case.get("skip_numeric_validation"):
        return True, "converted; the example skips the comparison"
    shared = {name: options[name] for name in ("input_params", "inputs_as_nchw", "outputs_as_nchw") if name in options}
    return hlo2onnx.allclose(
        target, model, inputs, rtol=RTOL, atol=ATOL, enable_double_precision=double, **shared
    )


def inputs_of(case: dict[str, Any], dtype: Any) -> list[Any]:
    """The arguments of jax2onnx's own tests."""
    if "input_values" in case:
        return list(case["input_values"])
    shapes = [shape if isinstance(shape, (tuple, list)) else (shape,) for shape in case.get("input_shapes", ())]
    dtypes = case.get("input_dtypes")
    if dtypes is None:
        return [tuple(shape) for shape in shapes]
    scope = export.SymbolicScope()
    return [
        jax.ShapeDtypeStruct(
            export.symbolic_shape(", ".join(map(str, shape)) + ("," if len(shape) == 1 else ""), scope=scope), given
        )
        if any(isinstance(size, str) for size in shape)
        else jax.ShapeDtypeStruct(tuple(shape), given)
        for shape, given in zip(shapes, dtypes)
    ]


if __name__ == "__main__":
    sys.exit(main())
