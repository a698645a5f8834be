"""The cases: programs with inputs and expected results, from `fixtures` and from the suites of a conformance kit.

`HLO2ONNX_CONFORMANCE` names the folder of the kit, which has an archive SUITE.tar.gz for each suite. A case there is
ID.mlir, ID.inputs.npz, ID.expected.npz and a line of manifest.jsonl; its README describes them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import comparison
import ml_dtypes
import numpy as np
from comparison import Check
from environments import ROOT, TARGET
from safetensors.numpy import load_file

FIXTURES = ROOT / "fixtures"
sys.path.insert(0, str(FIXTURES))

import notation

FIXTURE_SUITES = ("ops", "models")
KIT_SUITES = ("jax", "flax")


@dataclasses.dataclass(frozen=True)
class Run:
    """Inputs, and the results that belong to them."""

    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    checks: list[Check]


@dataclasses.dataclass(frozen=True)
class Case:
    """A program with its runs, which are read when they are needed."""

    name: str
    suite: str
    text: Path
    options: tuple[str, ...]
    """Arguments for `hlo2onnx convert`."""
    runs: Callable[[], list[Run]]
    weights: frozenset[int] = frozenset()
    """The arguments that are weights; a model may contain them instead."""


class NoSuite(Exception):
    """A suite is not available."""


def cases(suite: str) -> Iterator[Case]:
    """The cases of a suite."""
    if suite == "fixtures":
        for part in FIXTURE_SUITES:
            yield from cases(part)
    elif suite == "ops":
        for path in sorted((FIXTURES / "ops").rglob("*.mlir")):
            yield from operations(path)
    elif suite == "models":
        for path in sorted((FIXTURES / "models").glob("*/*.mlir")):
            yield from models(path)
    else:
        yield from kit(suite)


def operations(path: Path) -> Iterator[Case]:
    """The cases of a file of fixtures/ops that run.

    The opset and the target of a header are left out: here the compiler and the runtime choose them.
    """
    text = path.read_text()
    header = tomllib.loads("\n".join(line[3:] for line in text.splitlines() if line.startswith("//!")))
    if "run" not in header.get("test", ["graph", "run"]):
        return
    flags = ("float16", "keep_functions", "strict_nan")
    options = [f"--{name.replace('_', '-')}" for name in flags if header.get(name)]
    for dimension in header.get("dynamic", []):
        options += ["--dynamic", dimension]
    folder = TARGET / "cases" / path.relative_to(FIXTURES).with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for index, case in enumerate(re.split(r"(?m)^// -----$", text)):
        function = re.search(r"func\.func public @([\w$.-]+)", case) or re.search(r"func\.func @([\w$.-]+)", case)
        name = function[1] if function else str(index)
        written = folder / f"{name}.mlir"
        program = re.split(r"(?m)^// graph ", case)[0]
        if not written.exists() or written.read_text() != program:
            written.write_text(program)
        read = lambda program=program: fixture_runs(program, header)
        yield Case(f"{path.relative_to(FIXTURES)}::{name}", "ops", written, tuple(options), read)


def fixture_runs(program: str, header: dict) -> list[Run]:
    """The `// in:` and `// out:` lines of a case."""
    runs: list[Run] = []
    for line in program.splitlines():
        if line.startswith("// in:"):
            if not runs or runs[-1].outputs:
                runs.append(Run([], [], []))
            runs[-1].inputs.append(notation.parse_value(line.removeprefix("// in:")))
        if line.startswith("// out:"):
            if not runs:
                runs.append(Run([], [], []))
            expected = notation.parse_value(line.removeprefix("// out:"))
            runs[-1].outputs.append(expected)
            runs[-1].checks.append(comparison.of_op(expected, header.get("rtol"), header.get("atol")))
    return runs


def models(path: Path) -> Iterator[Case]:
    """A text of fixtures/models: as it is, and with its arguments bound to the file of weights."""
    name, weights = f"models/{path.parent.name}/{path.name}", path.with_name("weights.safetensors")
    takes = path.name == "model.args.mlir"
    yield Case(name, "models", path, (), lambda: model_runs(path, weights if takes else None))
    if takes:
        yield Case(f"{name} with weights", "models", path, ("--weights", str(weights)), lambda: model_runs(path, None))


def model_runs(path: Path, weights: Path | None) -> list[Run]:
    """The files io*.safetensors beside a text; weights come first, in the order in which JAX flattens dictionaries."""
    first = []
    if weights:
        first = [array for _, array in sorted(load_file(weights).items(), key=lambda item: item[0].split("/"))]
    runs = []
    for file in sorted(path.parent.glob("io.*safetensors")):
        tensors = load_file(file)
        inputs = [tensors[f"in.{i}"] for i in range(len(tensors)) if f"in.{i}" in tensors]
        outputs = [tensors[f"out.{i}"] for i in range(len(tensors)) if f"out.{i}" in tensors]
        runs.append(Run(first + inputs, outputs, [comparison.of_model(output) for output in outputs]))
    return runs


def kit(suite: str) -> Iterator[Case]:
    """The cases of a suite of the kit."""
    folder = unpacked(suite)
    for line in (folder / "manifest.jsonl").read_text().splitlines():
        case = json.loads(line)
        files = case.get("weights_files", {})
        weights = frozenset(i for i, given in enumerate(case["inputs"]) if "weight" in given)
        bound = ("--weights", str(folder / files["safetensors"])) if case.get("weights_arg") and files else ()
        read = lambda case=case: kit_runs(folder, case)
        yield Case(case["id"], suite, folder / f"{case['id']}.mlir", bound, read, weights)


def unpacked(suite: str) -> Path:
    """The folder of an unpacked suite."""
    named = os.environ.get("HLO2ONNX_CONFORMANCE")
    if not named:
        raise NoSuite("HLO2ONNX_CONFORMANCE does not name the folder of the conformance kit")
    archive = Path(named) / f"{suite}.tar.gz"
    if not archive.exists():
        raise NoSuite(f"{archive} does not exist")
    key = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
    folder = TARGET / "kit" / f"{suite}-{key}"
    if not folder.exists():
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        with tarfile.open(archive) as tar:
            tar.extractall(new, filter="data")
        new.rename(folder)
    return folder / suite


def kit_runs(folder: Path, case: dict) -> list[Run]:
    """The sets of inputs of a case of the kit."""
    runs, weights = [], {}
    if any("weight" in given for given in case["inputs"]):
        weights = dict(np.load(folder / case["weights_files"]["npz"]))
    for number in range(case.get("sets", 1)):
        suffix = "" if number == 0 else str(number + 1)
        given = dict(np.load(folder / f"{case['id']}.inputs{suffix}.npz"))
        expected = dict(np.load(folder / f"{case['id']}.expected{suffix}.npz"))
        inputs = []
        for i, described in enumerate(case["inputs"]):
            array = given[f"a{i}"] if f"a{i}" in given else weights[described["weight"]]
            inputs.append(stored(array, described["et"]))
        outputs = [stored(expected[f"a{i}"], described["et"]) for i, described in enumerate(case["outputs"])]
        checks = [comparison.of_kit(check, output) for check, output in zip(case["check"], outputs, strict=True)]
        runs.append(Run(inputs, outputs, checks))
    return runs


def stored(array: np.ndarray, element: str) -> np.ndarray:
    """An array of the kit's files: narrow floats are stored as their bits."""
    if element == "bf16":
        return np.ascontiguousarray(array).view(ml_dtypes.bfloat16).reshape(array.shape)
    return array
