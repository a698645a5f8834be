"""``hlo2onnx verify MODEL.mlir MODEL.onnx``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np


def command_line(arguments: Sequence[str]) -> int:
    """Run the command; returns 0 if the model agrees with JAX, 1 if it differs, and 2 if they cannot be compared."""
    parser = argparse.ArgumentParser(
        prog="hlo2onnx verify",
        description="Compare a model with the program that it was made from, as JAX computes it.",
    )
    parser.add_argument("program", help="the program, a StableHLO text")
    parser.add_argument("model", help="the ONNX model")
    parser.add_argument("--inputs", metavar="NPZ", help="arrays for the inputs, by name or in order; random ones by default")
    parser.add_argument("--expected", metavar="NPZ", help="recorded outputs, which replace those of JAX; needs --inputs")
    parser.add_argument("--weights", metavar="FILE", action="append", default=[], help="a file of the model's weights")
    parser.add_argument("--opset", type=int, help="the opset that the model was converted for")
    parser.add_argument("--dim", metavar="NAME=SIZE", action="append", default=[], help="a number for a symbolic size")
    parser.add_argument("--dynamic", metavar="INPUT:DIM=NAME", action="append", default=[], help="a size that was made symbolic")
    parser.add_argument("--strict-nan", action="store_true", help="the model treats NaN as XLA does")
    image = "an image that is channels-first (NCHW) in the model"
    parser.add_argument("--inputs-as-nchw", metavar="NAME", action="append", default=[], help=image)
    parser.add_argument("--outputs-as-nchw", metavar="NAME", action="append", default=[], help=image)
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random inputs")
    asked = parser.parse_args(list(arguments))
    if asked.expected and not asked.inputs:
        parser.error("--expected needs --inputs: they are the results for these inputs")
    try:
        dims = {name: int(size) for name, size in (dim.split("=") for dim in asked.dim)}
    except ValueError:
        parser.error("--dim is a name and a number: --dim batch=8")
    try:
        return _verify(asked, dims)
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"hlo2onnx verify: {error}", file=sys.stderr)
    return 2


def _verify(asked: argparse.Namespace, dims: dict[str, int]) -> int:
    from ._verify import load, verify

    model = load(asked.model)
    inputs = arrays(asked.inputs, [value.name for value in model.graph.input]) if asked.inputs else None
    expected = arrays(asked.expected, [value.name for value in model.graph.output]) if asked.expected else None
    report = verify(
        asked.program,
        asked.model,
        inputs,
        expected=expected,
        seed=asked.seed,
        weights=asked.weights,
        opset=asked.opset,
        dims=dims,
        dynamic=asked.dynamic,
        strict_nan=asked.strict_nan,
        inputs_as_nchw=asked.inputs_as_nchw,
        outputs_as_nchw=asked.outputs_as_nchw,
    )
    print(report)
    if not report.checked:
        return 2
    return 0 if report.passed else 1


def arrays(path: str, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of an npz in the order of ``names``, or in their own order if the names differ."""
    with np.load(path) as file:
        held: dict[str, Any] = {name: file[name] for name in file.files}
    if all(name in held for name in names):
        return [held[name] for name in names]
    if len(held) != len(names):
        raise ValueError(f"`{path}` has {len(held)} arrays, but the model has {len(names)}: {', '.join(names)}")
    return list(held.values())
