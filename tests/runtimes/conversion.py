"""Converts cases, each once for a set of options, and reads the interface of the models."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from cases import Case
from environments import TARGET
from onnx import TensorProto, helper

TIMEOUT = 120
# Types that no NumPy array or JavaScript array has: they cross the border of the model as float32, by a Cast.
CARRIED = {TensorProto.BFLOAT16: TensorProto.FLOAT}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of a model."""

    name: str
    dtype: np.dtype
    scalar: bool


@dataclasses.dataclass(frozen=True)
class Model:
    """A converted case."""

    path: Path
    key: str
    """The hash of the bytes of the model."""
    inputs: list[Input]
    outputs: list[str]


def convert_all(
    cases: list[Case], converter: Path, options: list[str], jobs: int
) -> dict[str, Model | str]:
    """The models of cases, or why they do not convert, by name."""
    digest = hashlib.sha256(converter.read_bytes()).hexdigest()[:16]
    folder = TARGET / "models" / (re.sub(r"[^\w.-]+", "_", " ".join(options)).strip("_") or "default")
    marker = folder / "converter"
    if not marker.exists() or marker.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        marker.write_text(digest)

    def one(case: Case) -> tuple[str, Model | str]:
        name = re.sub(r"[^\w.-]+", "_", f"{case.suite}-{case.name}")
        text = hashlib.sha256(case.text.read_bytes() + repr(case.options).encode()).hexdigest()[:12]
        return case.name, convert(case, converter, options, folder / f"{name}-{text}.onnx")

    with ThreadPoolExecutor(jobs) as pool:
        return dict(pool.map(one, cases))


def convert(case: Case, converter: Path, options: list[str], path: Path) -> Model | str:
    """Converts one case, unless that was done before."""
    refusal = path.with_suffix(".refused")
    if refusal.exists():
        return refusal.read_text()
    if not path.exists():
        new = path.with_suffix(".new.onnx")
        command = [str(converter), "convert", str(case.text), "-o", str(new), "--quiet", *case.options, *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return f"the conversion takes longer than {TIMEOUT} s"
        if done.returncode or not new.exists():
            message = done.stderr.strip() or f"exit status {done.returncode}"
            refusal.write_text(message)
            return message
        carry(new)
        new.rename(path)
    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = []
    for value in model.graph.input:
        tensor = value.type.tensor_type
        if value.name not in constants:
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            inputs.append(Input(value.name, dtype, not tensor.shape.dim))
    key = hashlib.sha256(path.read_bytes()).hexdigest()
    return Model(path, key, inputs, [value.name for value in model.graph.output])


def carry(path: Path) -> None:
    """Adds a Cast for each input and output of a type that arrays do not have."""
    model = onnx.load(path)
    graph = model.graph
    first, last = [], []
    for value in graph.input:
        element = value.type.tensor_type.elem_type
        if element in CARRIED:
            given = f"{value.name}.carried"
            first.append(helper.make_node("Cast", [given], [value.name], to=element))
            value.name, value.type.tensor_type.elem_type = given, CARRIED[element]
    for value in graph.output:
        element = value.type.tensor_type.elem_type
        if element in CARRIED:
            returned = f"{value.name}.carried"
            last.append(helper.make_node("Cast", [value.name], [returned], to=CARRIED[element]))
            value.name, value.type.tensor_type.elem_type = returned, CARRIED[element]
    if first or last:
        nodes = [*first, *graph.node, *last]
        del graph.node[:]
        graph.node.extend(nodes)
        onnx.save(model, path)


def positions(model: Model, case: Case, count: int) -> list[int] | None:
    """Which of `count` arguments the inputs of a model are; None if that is unclear.

    A model may contain the weights, and an argument that nothing reads may be missing.
    """
    data = [index for index in range(count) if index not in case.weights]
    for wanted in (list(range(count)), data):
        if len(wanted) == len(model.inputs):
            return wanted
    numbers = [re.fullmatch(r"arg(\d+)", given.name.removesuffix(".carried")) for given in model.inputs]
    if all(number and int(number[1]) < count for number in numbers):
        return [int(number[1]) for number in numbers if number]
    return None
